"""Laws of deciding activations that transcripts cannot say: bytes, assignment, packing, explanations."""

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from rules.activations.assignment import arm_of, held_out, share
from rules.activations.explain import CHANGES_IT, TEXTS, ActivationExplanation, explain_activations
from rules.activations.refusals import PRECEDENCE
from rules.activations.slots import journey_with_slot
from rules.instants import parse_instant
from rules.replay import Replay
from tests.properties.batches import Batched
from tests.transcripts.implementations import compiled, engine
from tests.transcripts.transcript import Case, Files, read_cases

CASES = [
    pytest.param(case, id=f"{path.stem}: {case.name}")
    for path in sorted((Path(__file__).parents[1] / "transcripts" / "cases").glob("*.yaml"))
    for case in read_cases(path)
    if case.activating
]
EXAMPLE: dict[str, Any] = {
    "activation": "access-resources-email",
    "version": 2,
    "status": "approved",
    "channel": "email",
    "audience": "hcp",
    "segments": {"all": ["planners"]},
    "markets": ["US"],
    "journey": "access-2026",
    "exclusive_group": "oncology-journeys",
    "priority": 50,
    "suppress_while": ["treatment-initiation-programme"],
    "requires_consent": {"purpose": "promotional"},
    "frequency_cap": [{"of": "channel", "at_most": 3, "within": "7d"}],
    "arms": {"salt": "access-2026", "weights": {"summary": 50, "evidence-pack": 50}},
    "content": {
        "call_to_action": "request-checklist",
        "asset": "AC-104",
        "intent": "access_resources",
        "depth": "summary",
        "topic": "coverage",
        "evidence": "guideline",
        "claims": ["CLM-12"],
        "review": {"status": "approved", "reference": "MLR-2231", "expires": "2027-01-31"},
    },
}


def catalogue(**changes: Any) -> Files:
    """A catalogue of the example's activation alone."""
    flags = {name: {"type": "boolean"} for name in ("planner", "starting")}
    segment = {"version": 1, "status": "approved"}
    return {
        "dictionary.yaml": {
            "traits": {**flags, "country": {"type": "string"}},
            "events": {
                "set": {
                    "data": {**flags, "country": {"type": "string"}},
                    "sets": {"planner": "planner", "starting": "starting", "country": "country"},
                }
            },
        },
        "policy.yaml": {"market_trait": "country", "assignment_key": "k"},
        "segments/a.yaml": {**segment, "segment": "planners", "enter": {"trait": "planner", "equals": True}},
        "segments/b.yaml": {
            **segment,
            "segment": "treatment-initiation-programme",
            "enter": {"trait": "starting", "equals": True},
        },
        "activations/a.yaml": {**EXAMPLE, **changes},
    }


def line(at: str, type_: str, data: dict[str, Any], id_: str) -> bytes:
    """One event of the one profile."""
    event = {"specversion": "1.0", "id": id_, "source": "/crm", "type": type_, "subject": "hcp:1234567893", "time": at}
    return json.dumps({**event, "data": data}).encode()


LINES = [
    line("2026-03-01T14:00:00Z", "consent.granted", {"channel": "email", "purpose": "promotional"}, "evt-7"),
    line("2026-03-01T14:01:00Z", "set", {"planner": True, "country": "US"}, "evt-8"),
    line("2026-03-01T14:05:00.012Z", "set", {"starting": True}, "evt-9"),
]


def test_a_change_is_the_reference_to_the_byte() -> None:
    changes, _ = engine(catalogue(), LINES, [], None, False)
    arm = arm_of(b"k", "access-2026", [("summary", 50), ("evidence-pack", 50)], "hcp:1234567893")
    content = (
        '"journey":"access-2026","content":{"asset":"AC-104","intent":"access_resources","depth":"summary",'
        '"topic":"coverage","evidence":"guideline","call_to_action":"request-checklist","claims":["CLM-12"]},'
        f'"arm":"{arm}"}}'
    )
    about = '"profile":"hcp:1234567893","activation":"access-resources-email","activation_version":2,"channel":"email",'
    told = [change.decode() for change in changes if b'"activation"' in change]
    assert told == [
        '{"id":"g1/hcp:1234567893/email/1",' + about + '"change":"activated","sequence":1,'
        '"effective_at":"2026-03-01T14:01:00.000Z","reason":{"kind":"allowed","was":null,"by":[],'
        '"events":["/crm evt-8"]},' + content,
        '{"id":"g1/hcp:1234567893/email/2",' + about + '"change":"deactivated","sequence":2,'
        '"effective_at":"2026-03-01T14:05:00.012Z","reason":{"kind":"suppressed_by",'
        '"by":["treatment-initiation-programme"],"events":["/crm evt-9"]},' + content,
    ]


@pytest.mark.parametrize("case", CASES)
def test_a_restart_after_every_record_changes_no_byte(case: Case) -> None:
    cuts = list(case.cuts)
    whole, _ = engine(case.files, case.lines, cuts, case.until, True)
    batched = Batched(case.files, cuts, set(range(1, len(case.lines) + 1)))
    assert batched.run(case.lines, case.until) == whole


def test_assignment_is_the_first_eight_bytes_of_the_keyed_hash() -> None:
    digest = hmac.new(b"key", "salt|hcp:é".encode(), sha256).digest()
    assert share(b"key", "salt|hcp:é") == int.from_bytes(digest[:8], "big") / 2**64
    place = share(b"key", "salt|hcp:é")
    assert not held_out(b"key", "salt", 100 * place * (1 - 1e-12), "hcp:é")
    assert held_out(b"key", "salt", 100 * place * (1 + 1e-12), "hcp:é")


def test_every_subject_has_an_arm_that_has_a_weight_and_most_have_the_heavier() -> None:
    weights = [("none", 0), ("few", 10.5), ("most", 89.5), ("never", 0)]
    arms = [arm_of(b"key", "salt", weights, f"hcp:{number}") for number in range(2_000)]
    assert {*arms} == {"few", "most"}
    assert 0.08 < arms.count("few") / 2_000 < 0.13


def test_a_slot_without_anyone_free_is_an_error() -> None:
    with pytest.raises(ValueError, match="min"):
        journey_with_slot([], (), preempt=True)


def explained(lines: list[bytes], at: str, **changes: Any) -> ActivationExplanation:
    """Explain the example's activation after some lines."""
    replay = Replay(compiled(catalogue(**changes)))
    list(replay.run(lines))
    plan = replay.partition.current
    assert plan is not None
    profile = replay.partition.profiles["hcp:1234567893"]
    before = profile.pack(plan)
    [found] = explain_activations(profile, plan, parse_instant(at), "g1")
    assert profile.pack(plan) == before
    return found


def test_an_explanation_names_every_refusal_and_what_would_end_it() -> None:
    sent = line("2026-03-02T00:00:00Z", "message.sent", {"channel": "email"}, "m")
    withdrawn = line("2026-03-03T00:00:00Z", "consent.withdrawn", {"channel": "email"}, "w")
    cap = [{"of": "channel", "at_most": 1, "within": "7d"}]
    found = explained([*LINES, sent, withdrawn], "2026-03-04T00:00:00Z", frequency_cap=cap)
    assert not found.active
    assert [refusal.code for refusal in found.refusals] == ["consent", "suppressed_by", "frequency_cap"]
    assert found.refusals[1].by == ("treatment-initiation-programme",)
    assert found.refusals[2].until_ms == parse_instant("2026-03-09T00:00:00Z")
    assert found.was == "suppressed_by"
    assert found.next is None


def test_an_explanation_says_when_time_alone_begins_or_ends_it() -> None:
    sent = line("2026-03-02T00:00:00Z", "message.sent", {"channel": "email"}, "m")
    cap = [{"of": "channel", "at_most": 1, "within": "7d"}]
    found = explained([*LINES[:2], sent], "2026-03-04T00:00:00Z", frequency_cap=cap)
    assert found.next is not None
    assert (found.next.at_ms, found.next.activated) == (parse_instant("2026-03-09T00:00:00Z"), True)
    found = explained(LINES[:2], "2026-03-04T00:00:00Z")
    assert found.active
    assert found.refusals == ()
    assert found.next is not None
    assert (found.next.at_ms, found.next.kind) == (parse_instant("2027-01-31T00:00:00Z"), "content_expired")


def test_an_explanation_of_what_is_beaten_names_the_journey() -> None:
    files = catalogue()
    files["activations/b.yaml"] = {**EXAMPLE, "activation": "better", "journey": "other", "priority": 60}
    replay = Replay(compiled(files))
    list(replay.run(LINES[:2]))
    plan = replay.partition.current
    assert plan is not None
    told = explain_activations(replay.partition.profiles["hcp:1234567893"], plan, 0, "g1")
    assert [(each.activation, each.active) for each in told] == [("access-resources-email", False), ("better", True)]
    assert [(refusal.code, refusal.by) for refusal in told[0].refusals] == [("exclusive_group", ("other",))]


def test_every_refusal_can_be_explained() -> None:
    assert {*TEXTS} == {*CHANGES_IT} == {*PRECEDENCE} - {"erased"}
