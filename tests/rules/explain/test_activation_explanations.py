"""Laws of explaining activations: what is said to end by itself ends then, and not a millisecond before."""

from random import Random

import pytest

from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.engine.replay import Replay
from rules.explain.activations import ActivationExplanation, explain_activations
from rules.explain.consent import ConsentSaid
from rules.ground.instants import parse_instant
from tests.rules.engine.test_activations import BEGIN_MS, EXAMPLE, HOUR_MS, LINES, catalogue, crowded, happenings, line
from tests.transcripts.implementations import compiled

AHEAD_H = (1, 5, 11, 40)
SUBJECT = "hcp:1234567893"


def explain(profile: Profile, plan: Plan, t_ms: int, activation: str) -> ActivationExplanation:
    """Explain one."""
    [found] = explain_activations(profile, plan, t_ms, "g1", activation)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_what_is_said_of_time_alone_comes_true_at_its_millisecond(seed: int) -> None:
    random = Random(seed)
    replay = Replay(compiled(crowded(random)))
    list(replay.run(happenings(random, 60)))
    plan, t_ms = replay.partition.current, replay.partition.clock_ms
    assert plan is not None
    ended = stayed = turned = 0
    for profile in replay.partition.profiles.values():
        for told in explain_activations(profile, plan, t_ms, "g1"):
            name = told.activation
            for refusal in told.refusals:
                if refusal.until_ms is None:
                    for hours in AHEAD_H:
                        later = explain(profile, plan, t_ms + hours * HOUR_MS, name)
                        assert refusal.code in {each.code for each in later.refusals}
                    stayed += 1
                else:
                    before, at = (explain(profile, plan, refusal.until_ms - back, name) for back in (1, 0))
                    assert refusal.code in {each.code for each in before.refusals}
                    assert refusal.code not in {each.code for each in at.refusals}
                    ended += 1
            if told.next is None:
                continue
            before, at = (explain(profile, plan, told.next.at_ms - back, name) for back in (1, 0))
            assert (before.active, at.active) == (told.active, told.next.activated) == (told.active, not told.active)
            if not at.active:
                assert (told.next.kind, told.next.by) == (at.refusals[0].code, at.refusals[0].by)
            turned += 1
    assert ended + turned
    assert stayed


@pytest.mark.parametrize("seed", range(12, 24))
def test_the_first_refusal_is_the_reason_and_none_is_left_out(seed: int) -> None:
    random = Random(seed)
    replay = Replay(compiled(crowded(random)))
    list(replay.run(happenings(random, 60)))
    plan, t_ms = replay.partition.current, replay.partition.clock_ms
    assert plan is not None
    for profile in replay.partition.profiles.values():
        active = {name for name, standing in profile.activations.items() if standing.active}
        for told in explain_activations(profile, plan, t_ms, "g1"):
            assert told.active == (told.activation in active) == (not told.refusals)
            assert bool(told.ends) == told.active
            codes = [each.code for each in told.refusals]
            sent_to_others = plan.activations.by_id[told.activation].caps and "frequency_cap" in codes
            assert not sent_to_others or told.refusals[codes.index("frequency_cap")].until_ms is not None
            assert all(text and "{" not in text for each in told.refusals for text in (each.text, each.changes_it))


def said(*lines: bytes, at: str, **changes: object) -> ActivationExplanation:
    """Explain the example's activation after some lines."""
    replay = Replay(compiled(catalogue(**changes)))
    list(replay.run([*LINES, *lines]))
    plan = replay.partition.current
    assert plan is not None
    return explain(replay.partition.profiles[SUBJECT], plan, parse_instant(at), "access-resources-email")


def test_every_refusal_names_what_it_stands_on_and_what_would_end_it() -> None:
    lines = [
        line("2026-03-02T00:00:00Z", "message.sent", {"channel": "email"}, "m"),
        line("2026-03-03T00:00:00Z", "consent.withdrawn", {"channel": "email"}, "w"),
        line("2026-03-04T00:00:00Z", "set", {"planner": False, "country": "DE"}, "s"),
    ]
    content = {**EXAMPLE["content"], "review": {"status": "withdrawn", "expires": "2026-03-04"}}
    caps = [{"of": "channel", "at_most": 1, "within": "7d"}]
    holdout = {"percent": 100, "salt": "s"}
    told = said(*lines, at="2026-03-05", frequency_cap=caps, content=content, audience="patient", holdout=holdout)
    assert [(each.code, each.text, each.changes_it) for each in told.refusals] == [
        ("audience", "it is for patient profiles, this one is hcp", "nothing: a profile keeps its kind"),
        ("market", "it is for US; the profile's country is DE", "country is set to US"),
        ("not_member", "the profile is not in planners", "the profile enters planners"),
        ("content_not_approved", "the review of its content is withdrawn", "a catalogue with approved content"),
        (
            "content_expired",
            "its content expired at 2026-03-04T00:00:00.000Z",
            "a catalogue with a later expiry",
        ),
        (
            "consent",
            "consent to promotional by email was withdrawn at 2026-03-03T00:00:00.000Z by /crm w",
            "the profile consents to promotional by email",
        ),
        (
            "suppressed_by",
            "suppressed while in treatment-initiation-programme",
            "the profile leaves treatment-initiation-programme",
        ),
        (
            "holdout",
            "the profile is in its holdout: 100 % are never contacted",
            "nothing: the assignment is for good",
        ),
        (
            "frequency_cap",
            "1 message of channel email within 1w, at most 1",
            "enough of these messages grow older than that",
        ),
    ]
    assert [each.until_ms for each in told.refusals[:-1]] == [None] * 8
    assert told.refusals[-1].until_ms == parse_instant("2026-03-09")


def test_an_active_one_says_what_would_end_it() -> None:
    lines = [
        line("2026-03-02T00:00:00Z", "message.sent", {"channel": "email"}, "m"),
        line("2026-03-03T00:00:00Z", "set", {"starting": False}, "s"),
    ]
    told = said(*lines, at="2026-03-05")
    assert told.because == (
        "nothing refuses it",
        "its journey access-2026 has the slot of the group oncology-journeys",
        "consent to promotional was granted at 2026-03-01T14:00:00.000Z by /crm evt-7",
        "it is assigned to the arm evidence-pack, for good",
    )
    assert [(each.text, each.at_ms) for each in told.ends] == [
        ("country is set to another than US", None),
        ("the profile leaves planners", None),
        ("its content expires", parse_instant("2027-01-31")),
        ("consent to promotional by email is withdrawn", None),
        ("the profile enters treatment-initiation-programme", None),
        ("2 more messages of channel email within 1w: at most 3", None),
        ("a journey of oncology-journeys that goes before it (priority above 50) becomes free", None),
    ]
    assert told.next is not None
    assert (told.next.at_ms, told.next.kind) == (parse_instant("2027-01-31"), "content_expired")


def test_a_grant_with_an_end_says_when_it_ends_and_that_it_did() -> None:
    data = {"channel": "email", "purpose": "all", "until": "2026-03-05T00:00:00.007Z"}
    lines = [
        line("2026-03-02T00:00:00Z", "consent.granted", data, "g"),
        line("2026-03-03T00:00:00Z", "set", {"starting": False}, "s"),
    ]
    ends_ms = parse_instant("2026-03-05T00:00:00.007Z")
    told = said(*lines, at="2026-03-05")
    assert ("its consent ends", ends_ms) in [(each.text, each.at_ms) for each in told.ends]
    given = "granted at 2026-03-02T00:00:00.000Z by /crm g; it"
    assert f"consent to promotional was {given} ends at 2026-03-05T00:00:00.007Z" in told.because
    assert told.next is not None
    assert (told.next.at_ms, told.next.kind) == (ends_ms, "consent")
    assert told.consent == ConsentSaid(True, parse_instant("2026-03-02"), "/crm", "g", ends_ms)
    [refusal] = said(*lines, at="2026-03-05T00:00:00.007Z").refusals
    assert refusal.text == f"consent to promotional by email was {given} ended at 2026-03-05T00:00:00.007Z"
    assert refusal.until_ms is None


def test_a_slot_that_would_be_its_own_is_told_from_one_that_would_not() -> None:
    files = catalogue(suppress_while=["treatment-initiation-programme"])
    other = {**EXAMPLE, "activation": "lesser", "journey": "other", "priority": 10}
    del other["suppress_while"]
    files["activations/b.yaml"] = other
    replay = Replay(compiled(files))
    list(replay.run(LINES))
    plan = replay.partition.current
    assert plan is not None
    profile = replay.partition.profiles[SUBJECT]
    told = explain(profile, plan, BEGIN_MS, "access-resources-email")
    assert [each.code for each in told.refusals] == ["suppressed_by", "exclusive_group"]
    assert told.refusals[1].text == (
        "the journey other has the slot of the group oncology-journeys: lesser has priority 10, this one 50"
    )
    assert told.refusals[1].changes_it == "no other refusal applies: it takes the slot then"
    list(replay.run([line("2026-03-02T00:00:00Z", "set", {"starting": False}, "s")]))
    told = explain(profile, plan, BEGIN_MS, "lesser")
    assert [(each.code, each.by) for each in told.refusals] == [("exclusive_group", ("access-2026",))]
    assert told.refusals[0].changes_it == (
        "the activations of access-2026 are refused, or one of this journey goes before them"
    )
