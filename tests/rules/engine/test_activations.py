"""Laws of deciding activations that transcripts cannot say: bytes, assignment, packing, explanations."""

import hmac
import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rules.conditions.view import View
from rules.engine.activations.decide import look
from rules.engine.activations.slots import journey_with_slot
from rules.engine.partition import Partition
from rules.engine.replay import Replay, Then
from rules.explain.activations import ActivationExplanation, explain_activations
from rules.explain.sentences import SAYINGS
from rules.ground.assignment import arm_of, below, share
from rules.ground.instants import format_instant, parse_instant
from rules.ground.reasons import PRECEDENCE
from tests.properties.batches import Batched
from tests.transcripts.implementations import compiled, engine
from tests.transcripts.transcript import Case, Files, read_cases

CASES = [
    pytest.param(case, id=f"{path.stem}: {case.name}")
    for path in sorted((Path(__file__).parents[2] / "transcripts" / "cases").glob("*.yaml"))
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


@pytest.mark.parametrize("case", CASES)
def test_counts_of_active_profiles_follow_every_change(case: Case) -> None:
    def check(_: int, engine: Partition) -> None:
        standing = Counter(
            name for profile in engine.profiles.values() for name, each in profile.activations.items() if each.active
        )
        rows = engine.active()
        assert rows is not None
        counted = Counter({name: 0 for name, _, _ in rows})
        for name, _channel, profiles in rows:
            assert profiles > 0
            counted[name] += profiles
        assert counted == standing

    Batched(case.files, list(case.cuts), set()).run(case.lines, case.until, after=check)
    again = Batched(case.files, list(case.cuts), set(range(1, len(case.lines) + 1)))
    before = Batched(case.files, list(case.cuts), set())
    found: list[object] = []
    before.run(case.lines, case.until, after=lambda _, engine: found.append(engine.active()))
    restarted: list[object] = []
    again.run(case.lines, case.until, after=lambda _, engine: restarted.append(engine.active()))
    assert restarted == found


def test_assignment_is_the_first_eight_bytes_of_the_keyed_hash() -> None:
    digest = hmac.new(b"key", "salt|hcp:é".encode(), sha256).digest()
    assert share(b"key", "salt|hcp:é") == int.from_bytes(digest[:8], "big") / 2**64
    place = share(b"key", "salt|hcp:é")
    assert not below(b"key", "salt", 100 * place * (1 - 1e-12), "hcp:é")
    assert below(b"key", "salt", 100 * place * (1 + 1e-12), "hcp:é")


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
    before = profile.pack()
    [found] = explain_activations(profile, plan, parse_instant(at), "g1")
    assert profile.pack() == before
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
    assert {*SAYINGS} == {*PRECEDENCE} - {"erased", "merged"}


def crowded(random: Random) -> Files:
    """A catalogue in which everything that can refuse does now and then, in two groups and without one."""
    flags = {name: {"type": "boolean"} for name in ("a", "b", "c", "optout")}
    traits = {**flags, "country": {"type": "string"}, "due": {"type": "datetime"}}
    files: Files = {
        "dictionary.yaml": {
            "traits": traits,
            "events": {
                "set": {"data": traits, "sets": {name: name for name in traits}},
                "poked": {},
                "read": {"restricted": "genome"},
            },
        },
        "policy.yaml": {
            "market_trait": "country",
            "assignment_key": "k",
            "caps": [{"channel": "sms", "at_most": 2, "within": "9h"}],
            "exclusive_groups": {"held": {"preempt": False}},
            "restrictions": {
                "genome": {"channels": ["sms", "email"], "refuse": random.choice(REFUSE)},
            },
        },
    }
    rules = {
        "a": {"trait": "a", "equals": True},
        "b": {"trait": "b", "equals": True},
        "c": {"any": [{"trait": "c", "equals": True}, {"event": "poked", "within": "7h"}]},
        "quiet": {"absent": "poked", "within": "5h"},
        "told": {"event": "message.sent", "count": {"at_least": 2}, "within": "12h"},
        "read": {"event": "read", "within": "20h"},
    }
    for name, enter in rules.items():
        files[f"segments/{name}.yaml"] = {"segment": name, "version": 1, "status": "approved", "enter": enter}
    for number in range(8):
        named = random.sample(sorted(rules), 3)
        made: dict[str, Any] = {
            "activation": f"x{number}",
            "version": random.randrange(2),
            "status": "approved",
            "channel": random.choice(["sms", "email"]),
            "audience": "hcp",
            "segments": random.choice([{"all": named[:1]}, {"any": named[:2]}, {"all": named[:1], "none": named[1:2]}]),
            "content": {"intent": random.choice("ij"), "review": {"status": "approved"}},
            "priority": random.randrange(3),
        }
        options: dict[str, Any] = {
            "journey": random.choice(["j", "k", "x1"]),
            "exclusive_group": random.choice(["free", "held"]),
            "suppress_while": named[2:],
            "requires_consent": {"purpose": "p"},
            "frequency_cap": [{"of": random.choice(OF), "at_most": random.randrange(1, 4), "within": "6h"}],
            "markets": ["US"],
            "holdout": {"percent": 30, "salt": str(number)},
        }
        made |= {name: value for name, value in options.items() if random.random() < 0.5}
        if random.random() < 0.2:
            made["content"]["review"]["expires"] = "2026-03-02"
        files[f"activations/{number}.yaml"] = made
    return files


OF = ("channel", "journey", "intent", "activation")
REFUSE = ({"trait": "optout", "equals": True}, {"trait": "due", "older_than": "-3h"})
HOUR_MS = 3_600_000
BEGIN_MS = parse_instant("2026-03-01")


def happenings(random: Random, count: int) -> Iterator[bytes]:
    """Events of three profiles, hours apart, some late, many at one instant."""
    at_ms = BEGIN_MS
    for number in range(count):
        at_ms += random.choice([0, 0, HOUR_MS, HOUR_MS, 3 * HOUR_MS])
        type_ = random.choice(["set", "set", "poked", "read", "message.sent", "message.sent", "consent"])
        data: dict[str, Any] = {}
        if type_ == "set":
            name = random.choice(["a", "b", "c", "optout", "country", "due"])
            due = format_instant(at_ms + random.randrange(-4, 9) * HOUR_MS)
            other: dict[str, Any] = {"country": random.choice(["US", "US", "FR"]), "due": due}
            data = {name: other.get(name, random.random() < 0.7)}
        elif type_ == "message.sent":
            data = {"channel": random.choice(["sms", "email"]), "journey": "j", "intent": "i", "activation": "x1"}
        elif type_ == "consent":
            type_ = random.choice(["consent.granted", "consent.granted", "consent.withdrawn"])
            data = {"channel": random.choice(["sms", "all"]), "purpose": random.choice(["p", "all"])}
        time_ms = at_ms - random.choice([0, 0, 0, 2]) * HOUR_MS
        yield json.dumps(
            {
                "specversion": "1.0",
                "id": str(number),
                "source": "/s",
                "type": type_,
                "subject": f"hcp:{random.randrange(3)}",
                "time": format_instant(time_ms),
                "recordedtime": format_instant(at_ms),
                "data": data,
            }
        ).encode()


@pytest.mark.parametrize("seed", range(40))
def test_looking_at_every_activation_at_every_record_finds_nothing_that_was_missed(seed: int) -> None:
    random = Random(seed)
    lines = list(happenings(random, 120))
    first, then = compiled(crowded(random)), compiled(crowded(random))
    replay = Replay(first, [Then(BEGIN_MS + 60 * HOUR_MS, then)], as_live=bool(seed % 2))
    partition, looked_at = replay.partition, 0
    for number in range(len(lines)):
        list(replay.run(lines[number : number + 1]))
        plan, t_ms = partition.current, partition.clock_ms
        assert plan is not None
        for profile in partition.profiles.values():
            if profile.wake_ms <= t_ms or profile.cut != plan.ordinal:
                continue  # it stands before this instant
            active = {name for name, standing in profile.activations.items() if standing.active}
            by_id = plan.activations.by_id
            found = look(plan, profile, View(t_ms, profile), plan.activations_mask, by_id)
            assert active == {each.plan.id for each in found if each.refusal is None}
            groups: dict[str, set[str]] = {}
            for name in active:
                if by_id[name].group is not None:
                    groups.setdefault(str(by_id[name].group), set()).add(by_id[name].slot)
            assert all(len(journeys) == 1 for journeys in groups.values())
            looked_at += len(active)
    assert looked_at
