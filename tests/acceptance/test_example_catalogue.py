"""The example catalogue's promises about contact, a sentence a test: synthetic stories through `segue replay`."""

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rules.catalogue.loading import load_catalogue
from streams.operations.yaml_files import read_folder
from tests.acceptance.command import EXAMPLE, Segue

PROGRAMME = "treatment-initiation-programme"
UNTIL = "2026-08-01"


class Told(NamedTuple):
    """An activation change, in the form that people read."""

    at: str
    way: str
    activation: str
    why: str


def activations(subject: str, *steps: tuple[str, str, dict[str, Any]]) -> tuple[str, list[str]]:
    """One story: (subject, its lines)."""
    lines = [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"{subject}-{number}",
                "source": "/story",
                "type": type_,
                "subject": subject,
                "time": f"{at}:00Z" if "T" in at else f"{at}T00:00:00Z",
                "data": data,
            }
        )
        for number, (at, type_, data) in enumerate(steps)
    ]
    return subject, lines


def hcp(setting: str = "community", **more: Any) -> dict[str, Any]:
    """Return master data of an oncologist in the USA who is new to the indication."""
    known = {"specialty": "medical-oncology", "role": "prescriber", "country": "US", "practice_setting": setting}
    return {**known, "treated_patients": 2, "first_indication_on": "2026-02-20", **more}


CONSENT = ("2026-03-01", "consent.granted", {"channel": "all", "purpose": "promotional"})
SERVICE = {"channel": "sms", "purpose": "service"}
READ_1 = ("2026-03-05", "access_content.viewed", {"topic": "coverage"})
READ_2 = ("2026-03-06", "access_content.viewed", {"topic": "prior-authorization"})
WEBINAR = {"topic": "safety", "minutes": 30}
FULL_TEXT = {"topic": "efficacy", "depth": "full-text"}

STORIES = dict(
    [
        activations("hcp:1000000012", ("2026-03-01", "profile.updated", hcp()), CONSENT, READ_1, READ_2),
        activations(
            "hcp:1000000020",
            ("2026-03-01", "profile.updated", hcp()),
            CONSENT,
            READ_1,
            READ_2,
            ("2026-03-10T09:30", "programme.enrolled", {}),
            ("2026-03-12", "access_content.viewed", {"topic": "coverage"}),
            ("2026-03-20T17:00", "programme.completed", {}),
        ),
        activations(
            "hcp:1000000038",
            ("2026-03-01", "profile.updated", hcp()),
            CONSENT,
            ("2026-03-10T09:30", "programme.enrolled", {}),
        ),
        activations("hcp:1000000228", ("2026-03-01", "profile.updated", hcp()), CONSENT, READ_1, READ_2),
        *(
            activations(
                subject,
                ("2026-03-01", "profile.updated", hcp("academic", treated_patients=20)),
                CONSENT,
                ("2026-03-05", "evidence.viewed", {"topic": "efficacy", "depth": "summary"}),
                ("2026-03-06", "evidence.viewed", {"topic": "safety", "depth": "summary"}),
            )
            for subject in ("hcp:1000000046", "hcp:1000000061")
        ),
        activations(
            "hcp:1000000053",
            ("2026-03-01", "profile.updated", hcp()),
            CONSENT,
            ("2026-03-08", "profile.updated", {"data_opt_out": True}),
        ),
        activations(
            "hcp:1000000079",
            ("2026-02-25", "webinar.attended", WEBINAR),
            ("2026-03-01", "profile.updated", hcp()),
            CONSENT,
        ),
        activations(
            "hcp:1000000087",
            ("2026-03-01", "profile.updated", hcp()),
            CONSENT,
            ("2026-03-05", "evidence.viewed", FULL_TEXT),
            ("2026-03-09", "evidence.viewed", FULL_TEXT),
        ),
        activations(
            "hcp:1000000095",
            ("2026-03-01", "profile.updated", hcp()),
            CONSENT,
            *(
                (f"2026-03-{day:02}", "message.sent", {"channel": "email", "journey": "education-2026", "intent": "x"})
                for day in (2, 4)
            ),
        ),
        activations(
            "payer:synthetic-health",
            ("2026-03-01", "profile.updated", {"formulary_status": "covered", "covered_lives": 900000}),
            ("2026-03-03", "formulary.review_opened", {"product": "brand-a"}),
            ("2026-03-30", "formulary.decided", {"status": "covered"}),
        ),
        activations(
            "patient:synthetic-1",
            ("2026-03-01", "therapy.started", {"product": "brand-a"}),
            ("2026-03-01", "prescription.filled", {"product": "brand-a", "days_supply": 14}),
            ("2026-03-25", "consent.granted", SERVICE),
            ("2026-03-26T12:00", "message.sent", {"channel": "sms", "activation": "supply-reminder-sms"}),
            ("2026-04-02", "message.replied", {"channel": "sms", "text": "Stop "}),
        ),
        activations(
            "patient:synthetic-2",
            ("2026-03-01", "consent.granted", SERVICE),
            ("2026-03-01", "patient.enrolled", {"country": "US"}),
            ("2026-03-02", "therapy.scheduled", {"product": "brand-a", "start_on": "2026-04-10"}),
            ("2026-04-10", "therapy.started", {"product": "brand-a"}),
        ),
        activations(
            "caregiver:synthetic-1",
            ("2026-03-01", "patient.enrolled", {"country": "US", "cares_for": "starting"}),
            ("2026-03-02", "consent.granted", SERVICE),
            ("2026-03-04", "form.completed", {"form": "handling-understood"}),
        ),
    ]
)


@pytest.fixture(scope="module")
def told() -> dict[str, list[Told]]:
    """Replay all stories at once, as one partition. Returns the activation changes by subject."""
    lines = sorted((line for lines in STORIES.values() for line in lines), key=lambda line: json.loads(line)["time"])
    ended = Segue().done("replay", EXAMPLE, "-", "--until", UNTIL, "--strict", stdin="\n".join(lines))
    found: dict[str, list[Told]] = {subject: [] for subject in STORIES}
    for change in ended.lines:
        if "activation" in change:
            reason = change["reason"]
            why = " ".join([reason["kind"], *reason["by"], *filter(None, [change["arm"]])])
            at = change["effective_at"].removesuffix(".000Z").removesuffix("T00:00:00")
            found[change["profile"]].append(Told(at, change["change"], change["activation"], why))
    return found


def story(changes: Iterable[Told], until: str = UNTIL) -> list[str]:
    """Write the changes before an instant as lines."""
    return [" ".join(change) for change in changes if change.at < until]


def test_access_and_education_are_one_group_and_a_profile_is_never_in_both(told: dict[str, list[Told]]) -> None:
    assert story(told["hcp:1000000012"]) == [
        "2026-03-01 activated clinical-basics-email allowed",
        "2026-03-06 deactivated clinical-basics-email exclusive_group access-2026",
        "2026-03-06 activated access-resources-email allowed",
        "2026-03-06 activated access-visit-field allowed",
        # sixty days of silence end the access journey without an event: education takes the slot again
        "2026-05-05 deactivated access-resources-email not_member",
        "2026-05-05 deactivated access-visit-field not_member",
        "2026-05-05 activated clinical-basics-email allowed",
    ]


def test_the_treatment_initiation_programme_suppresses_every_promotional_journey_at_once(
    told: dict[str, list[Told]],
) -> None:
    assert story(told["hcp:1000000020"], "2026-05")[3:] == [
        "2026-03-06 activated access-visit-field allowed",
        f"2026-03-10T09:30:00 deactivated access-resources-email suppressed_by {PROGRAMME}",
        f"2026-03-10T09:30:00 deactivated access-visit-field suppressed_by {PROGRAMME}",
        "2026-03-10T09:30:00 activated treatment-initiation-field allowed",
        "2026-03-20T17:00:00 deactivated treatment-initiation-field not_member",
        "2026-03-20T17:00:00 activated access-resources-email allowed",
        "2026-03-20T17:00:00 activated access-visit-field allowed",
    ]
    # the programme suppresses the other journey too; without an event of its end, it is over after 45 days
    assert story(told["hcp:1000000038"]) == [
        "2026-03-01 activated clinical-basics-email allowed",
        f"2026-03-10T09:30:00 deactivated clinical-basics-email suppressed_by {PROGRAMME}",
        "2026-03-10T09:30:00 activated treatment-initiation-field allowed",
        "2026-04-24T09:30:00 deactivated treatment-initiation-field not_member",
        "2026-04-24T09:30:00 activated clinical-basics-email allowed",
    ]


def test_no_promotional_activation_is_left_out_of_the_suppression() -> None:
    catalogue = load_catalogue(read_folder(EXAMPLE))
    promotional = {each.id for each in catalogue.activations.values() if each.consent_purpose == "promotional"}
    suppressed = {each.id for each in catalogue.activations.values() if PROGRAMME in each.suppress_while}
    assert len(promotional) >= 4
    assert promotional == suppressed


def test_payers_get_evidence_packs_while_they_review(told: dict[str, list[Told]]) -> None:
    assert story(told["payer:synthetic-health"]) == [
        "2026-03-03 activated evidence-pack-email allowed",
        "2026-03-30 deactivated evidence-pack-email not_member",
    ]


def test_patients_are_reminded_by_sms_with_consent_at_most_once_in_three_days_and_never_after_stop(
    told: dict[str, list[Told]],
) -> None:
    # 14 days of supply and 3 days of grace end on 18 March; consent comes a week later
    assert story(told["patient:synthetic-1"]) == [
        "2026-03-25 activated supply-reminder-sms allowed",
        "2026-03-26T12:00:00 deactivated supply-reminder-sms frequency_cap activation",
        "2026-03-29T12:00:00 activated supply-reminder-sms allowed",
        "2026-04-02 deactivated supply-reminder-sms consent",
    ]
    # the first day is 10 April: the checklist starts 21 days before it and lasts until therapy has begun
    assert story(told["patient:synthetic-2"]) == [
        "2026-03-20 activated preparation-checklist-sms allowed",
        "2026-04-10 deactivated preparation-checklist-sms not_member",
    ]


def test_caregivers_get_handling_instructions_with_consent_until_they_understood(told: dict[str, list[Told]]) -> None:
    assert story(told["caregiver:synthetic-1"]) == [
        "2026-03-02 activated handling-instructions-sms allowed",
        "2026-03-04 deactivated handling-instructions-sms not_member",
    ]


def test_a_profile_in_the_holdout_of_the_access_journey_gets_none_of_it_on_any_channel(
    told: dict[str, list[Told]],
) -> None:
    assert story(told["hcp:1000000228"]) == ["2026-03-01 activated clinical-basics-email allowed"]


def test_content_depth_is_tested_in_two_arms(told: dict[str, list[Told]]) -> None:
    assert [story(told[subject], "2026-04") for subject in ("hcp:1000000046", "hcp:1000000061")] == [
        ["2026-03-06 activated clinical-evidence-email allowed summary"],
        ["2026-03-06 activated clinical-evidence-email allowed full-text"],
    ]


def test_a_profile_that_opted_out_is_not_contacted_by_its_prescriber_level_data(told: dict[str, list[Told]]) -> None:
    assert story(told["hcp:1000000053"]) == [
        "2026-03-01 activated clinical-basics-email allowed",
        "2026-03-08 deactivated clinical-basics-email restricted prescriber-level",
    ]


@pytest.mark.parametrize(
    ("file", "channel", "said"),
    [
        ("patient/supply-reminder-sms.yaml", "email", "is not for data restricted as 'patient-level'; allowed: sms"),
        ("hcp/clinical-basics-email.yaml", "sms", "is not for data restricted as 'prescriber-level'; allowed: email"),
    ],
)
def test_restricted_data_is_kept_off_the_wrong_channels(tmp_path: Path, file: str, channel: str, said: str) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    moved = tmp_path / "activations" / file
    text = moved.read_text()
    moved.write_text(re.sub(r"^channel: .*$", f"channel: {channel}", text, flags=re.MULTILINE))
    ended = Segue()("check", tmp_path)
    assert (ended.status, ended.out) == (1, "")
    assert f"activations/{file}:4:1: channel '{channel}' {said}" in ended.err


def test_a_profile_that_enters_mid_cycle_does_not_get_the_basics_that_it_has_covered(
    told: dict[str, list[Told]],
) -> None:
    # the webinar came before the profile was known to treat the indication
    assert story(told["hcp:1000000079"]) == []
    # a profile that covers the topics later no longer gets the basics
    assert story(told["hcp:1000000087"]) == [
        "2026-03-01 activated clinical-basics-email allowed",
        "2026-03-09 deactivated clinical-basics-email not_member",
    ]


def test_messages_that_platforms_write_back_count_against_the_cap_of_the_journey(told: dict[str, list[Told]]) -> None:
    assert story(told["hcp:1000000095"]) == [
        "2026-03-01 activated clinical-basics-email allowed",
        "2026-03-04 deactivated clinical-basics-email frequency_cap journey",
        "2026-03-09 activated clinical-basics-email allowed",
    ]
