"""A person explained: whose facts it has, under which subject each was told, for whom an alias stands."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rules.engine.persons.packed import Identity
from rules.engine.profile import unpack
from rules.engine.replay import Replay
from rules.explain.activations import explain_activations
from rules.explain.persons import PersonExplanation, SubjectFacts, explain_person
from rules.explain.segments import Explanation, explain
from rules.ground.instants import format_instant, parse_instant
from tests.transcripts.implementations import compiled

FILES: Final[Mapping[str, Any]] = {
    "dictionary.yaml": {
        "traits": {"city": {"type": "string"}},
        "events": {"viewed": {}, "moved": {"data": {"city": {"type": "string"}}, "sets": {"city": "city"}}},
    },
    "activations/a.yaml": {
        "activation": "a",
        "version": 1,
        "status": "approved",
        "channel": "email",
        "audience": "hcp",
        "segments": {"any": ["s"]},
        "requires_consent": {"purpose": "news"},
        "content": {"intent": "i", "review": {"status": "approved"}},
    },
    "segments/s.yaml": {
        "segment": "s",
        "version": 1,
        "status": "approved",
        "enter": {
            "all": [
                {"event": "viewed", "count": {"at_least": 2}, "within": "30d"},
                {"trait": "city", "equals": "Bern"},
                {"sequence": ["viewed", "viewed"], "within": "30d"},
                {"absent": "moved", "within": "1d"},
            ]
        },
    },
}
HCP, CRM, APP = "hcp:1", "crm:31", "app:7"
Row = tuple[str, str, str, Mapping[str, Any]]


def row(day: int, subject: str, type_: str, **data: Any) -> Row:
    """One event: on a day of March, told of a subject."""
    return f"2026-03-{day:02d}T00:00:00.000Z", subject, type_, data


def replayed(rows: Iterable[Row], until: str = "2026-03-20T00:00:00Z", **policy: Any) -> Replay:
    """Replay events; the ids are e1, e2, ..."""
    return replayed_with({**FILES, "policy.yaml": policy}, rows, until)


def replayed_with(files: Mapping[str, Any], rows: Iterable[Row], until: str = "2026-03-20T00:00:00Z") -> Replay:
    """As `replayed`, with other files."""
    lines = [
        json.dumps(
            {
                "specversion": "1.0",
                "source": "/s",
                "id": f"e{number}",
                "type": type_,
                "subject": subject,
                "time": time,
                "data": data,
            }
        ).encode()
        for number, (time, subject, type_, data) in enumerate(rows, 1)
    ]
    found = Replay(compiled(files))
    for _ in found.run(lines, parse_instant(until)):
        pass
    return found


def person(found: Replay, subject: str) -> PersonExplanation:
    """Explain a person, from its profile as it is stored."""
    told = explain_person(found.partition.profiles[subject])
    assert told is not None
    return told


def explained(found: Replay, subject: str) -> Explanation:
    """Explain the segment for a subject."""
    plan = found.partition.current
    assert plan is not None
    return explain(found.partition.profiles[subject], plan, found.partition.clock_ms, "g1")[0]


def event(day: int, number: int) -> Identity:
    """Return the identity of an event."""
    return Identity(parse_instant(f"2026-03-{day:02d}T00:00:00Z"), "/s", f"e{number}")


LINKED: Final = [
    row(1, CRM, "viewed"),
    row(2, HCP, "viewed"),
    row(3, CRM, "moved", city="Bern"),
    row(5, CRM, "identity.linked", canonical=HCP),
    row(6, APP, "identity.linked", canonical=CRM),
    row(7, APP, "viewed"),
]


def test_a_profile_that_never_met_a_link_is_not_explained_as_a_person() -> None:
    found = replayed(LINKED[:2])
    assert explain_person(found.partition.profiles[HCP]) is None
    assert all(leaf.told_under == () for leaf in explained(found, HCP).enter)


def test_a_person_says_whose_facts_it_has_and_through_whom_they_came() -> None:
    told = person(replayed(LINKED), HCP)
    first, second, seventh = (parse_instant(f"2026-03-0{day}T00:00:00Z") for day in (1, 2, 7))
    third = parse_instant("2026-03-03T00:00:00Z")
    assert told.subjects == (
        SubjectFacts(HCP, "", second, second),
        SubjectFacts(APP, CRM, seventh, seventh),
        SubjectFacts(CRM, CRM, first, third),
    )
    assert (told.stands_for, told.link, told.erased, told.aliases) == (None, None, None, (CRM,))
    assert (told.in_nothing, told.because) == (False, ())


def test_each_event_of_the_evidence_names_the_subject_under_which_it_was_told() -> None:
    views, city, sequence, absent = explained(replayed(LINKED), HCP).enter
    told = [
        [(id_, under) for (_, _, id_), under in zip(leaf.evidence, leaf.told_under, strict=True)]
        for leaf in (views, city, sequence, absent)
    ]
    assert told[0] == [("e2", HCP), ("e6", APP)]
    assert told[1] == [("e3", CRM)]
    assert set(told[2]) <= {("e1", CRM), ("e2", HCP), ("e6", APP)}
    assert len(told[2]) >= 2
    assert told[3] == []


def test_a_fact_that_two_subjects_told_is_the_profiles_own_and_else_of_the_first_subject() -> None:
    def told(*subjects: str) -> str:
        same: list[Row] = [("2026-03-01T00:00:00.000Z", subject, "viewed", {}) for subject in subjects]
        links = [row(2, subject, "identity.linked", canonical=HCP) for subject in subjects if subject != HCP]
        lines = [
            json.dumps(
                {
                    "specversion": "1.0",
                    "source": "/s",
                    "id": "one" if type_ == "viewed" else subject,
                    "type": type_,
                    "subject": subject,
                    "time": time,
                    "data": data,
                }
            ).encode()
            for time, subject, type_, data in [*same, *links]
        ]
        found = Replay(compiled(FILES))
        for _ in found.run(lines):
            pass
        [under] = explained(found, HCP).enter[0].told_under
        return under

    assert told(CRM, HCP) == HCP
    assert told(CRM, APP) == APP


def test_the_consent_event_that_decides_names_the_subject_under_which_it_was_told() -> None:
    said = {"channel": "email", "purpose": "news"}
    found = replayed([
        row(1, HCP, "consent.granted", **said),
        row(2, CRM, "consent.withdrawn", **said),
        row(3, CRM, "identity.linked", canonical=HCP),
    ])  # fmt: skip
    plan = found.partition.current
    assert plan is not None
    [told] = explain_activations(found.partition.profiles[HCP], plan, found.partition.clock_ms, "g1")
    assert told.consent is not None
    assert (told.consent.id, told.consent.subject) == ("e2", CRM)
    [consent] = [each.text for each in told.refusals if each.code == "consent"]
    assert consent.endswith(f"was withdrawn at 2026-03-02T00:00:00.000Z by /s e2, told of {CRM}")


def test_an_alias_says_for_whom_it_stands_since_when_and_by_which_event() -> None:
    told = person(replayed(LINKED), CRM)
    assert (told.stands_for, told.link, told.aliases) == (HCP, event(5, 4), (APP,))
    assert told.in_nothing
    assert told.because == (f"stands for {HCP} since 2026-03-05T00:00:00.000Z by /s e4: it is in nothing itself",)


def test_a_link_that_was_taken_back_is_told() -> None:
    found = replayed([*LINKED, row(9, CRM, "identity.unlinked")])
    assert person(found, CRM).because == ("stands for itself again since 2026-03-09T00:00:00.000Z by /s e7",)
    assert [each.subject for each in person(found, HCP).subjects] == [HCP]


def test_an_erased_profile_says_so_and_has_nothing_else() -> None:
    found = replayed([*LINKED, row(9, APP, "privacy.erased", request="dsr")])
    for subject in (HCP, CRM, APP):
        told = person(found, subject)
        assert told.because == ("erased at 2026-03-09T00:00:00.000Z by /s e7: nothing is known of it",)
        assert (told.subjects, told.stands_for, told.link, told.aliases) == ((), None, None, ())
        assert told.in_nothing


def test_a_profile_that_began_anew_says_that_it_was_erased() -> None:
    rows = [*LINKED[:2], row(9, HCP, "privacy.erased"), row(11, HCP, "viewed")]
    told = person(replayed(rows, erasure={"afterwards": "begin_anew"}), HCP)
    assert told.because == ("erased at 2026-03-09T00:00:00.000Z by /s e3: what is known of it came later",)
    assert not told.in_nothing


def test_what_is_explained_is_the_same_of_a_profile_that_was_stored() -> None:
    found = replayed(LINKED)
    profile = found.partition.profiles[HCP]
    stored = unpack(HCP, profile.pack())
    assert explain_person(stored) == explain_person(profile)
    assert format_instant(stored.known_since_ms) == "2026-03-01T00:00:00.000Z"
