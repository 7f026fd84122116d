"""Definitions that each kind takes or refuses, its sentences, what can move it, and when its history is whole."""

from typing import Any

import pytest

from rules.conditions.context import RuleContext
from rules.ground.instants import FOREVER
from tests.rules.conditions.worlds import CONTEXT, START, at, condition, event, learned, memory, refused

FORGETS = RuleContext(CONTEXT.dictionary, "enter", "here", forgets=True)
EXIT = RuleContext(CONTEXT.dictionary, "exit", "here", forgets=True)
DAY = 86_400_000
SEEN = START + 300_000
"""5 min after a cut at START."""


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"trait": "nope", "equals": "x"}, "unknown trait 'nope'"),
        ({"trait": "s", "equals": 1}, "must be a string"),
        ({"trait": "s", "equal": "x"}, "did you mean 'equals'?"),
        ({"trait": "s", "equals": "x", "within": "3d"}, "unknown key 'within'"),
        ({"trait": "s", "for": "3d"}, "needs an operator"),
        ({"trait": "s", "equals": "x", "for": 3}, "'for' must be a duration"),
        ({"changed": "s"}, "missing key 'within'"),
        ({"changed": "s", "to": 1, "within": "3d"}, "must be a string"),
        ({"event": "a", "where": {"z": {"equals": "x"}}}, "has no attribute 'z'"),
        (
            {"event": "a", "where": {"k": "x"}},
            "attribute 'k' must be a mapping like {equals: …}; a string takes equals, not_equals, in, not_in, exists, "
            "contains, starts_with, ends_with, matches",
        ),
        ({"event": "a", "where": ["k"]}, "'where' must be a mapping like {ATTRIBUTE: {OPERATOR: …}}"),
        ({"last": "a", "is": "k"}, "'is' must be a mapping like {ATTRIBUTE: {OPERATOR: …}}"),
        (
            {"event": "a", "where": {"d": {"since": 3}}},
            "unknown operator 'since' on attribute 'd', a datetime; known: above, at_least, at_most, below, between, "
            "equals, exists, in, newer_than, not_equals, not_in, older_than",
        ),
        (
            {"trait": "d", "zzz": 3},
            "unknown key 'zzz'; known: above, at_least, at_most, below, between, equals, exists, for, in, newer_than, "
            "not_equals, not_in, older_than",
        ),
        ({"trait": "l", "is": "x"}, "unknown key 'is'; known: contains, contains_any, exists, for"),
        (
            {"aggregate": "max", "of": "d", "event": "a", "zzz": 3},
            "unknown key 'zzz'; known: above, at_least, at_most, below, between, bucket, equals, exists, in, "
            "newer_than, not_equals, not_in, older_than, since, until, where, within",
        ),
        ({"event": "a", "where": {"k": {}}}, "must not be empty"),
        ({"event": "a", "where": {}}, "must not be empty"),
        ({"event": "a", "where": None}, "must not be empty"),
        ({"event": ["a", "c"], "where": {"k": {"exists": True}}}, "one type: string in a, number in c"),
        ({"event": ["a", "c"], "where": {"n": {"exists": True}}}, "event 'c' has no attribute 'n'"),
        ({"event": []}, "at least one event type"),
        ({"event": 3}, "must be an event type or a list"),
        ({"event": ["a", "aa"]}, "unknown event 'aa'"),
        ({"event": "identity.linked"}, "no rule may name 'identity.linked': links and erasures are no facts"),
        ({"last": ["a", "identity.unlinked"], "is": {"k": {"exists": True}}}, "no rule may name 'identity.unlinked'"),
        (
            {"event": "consent.granted", "where": {"evidence": {"exists": True}}},
            "no rule may use 'evidence'",
        ),
        ({"event": "consent.granted", "where": {"until": {"equals": "x"}}}, "must be a datetime"),
        ({"absent": "privacy.erased", "within": "1d"}, "no rule may name 'privacy.erased'"),
        ({"event": "a", "count": {}}, "must not be empty"),
        ({"event": "a", "count": {"at_least": -1}}, "must be at least 0"),
        ({"event": "a", "count": {"at_least": 1.5}}, "must be an integer"),
        ({"event": "a", "count": {"between": [2]}}, "at least 2 items"),
        (
            {"event": "a", "count": 3},
            "'count' must be a mapping like {at_least: …, at_most: …, exactly: …, between: …}",
        ),
        ({"event": "a", "since": "entry"}, "there is no entry yet"),
        ({"event": "a", "since": "exit"}, "no exit counts"),
        ({"event": "a", "since": "enter"}, "must be entry, exit, ever, or a date"),
        ({"event": "a", "within": "-3d"}, "not a duration"),
        ({"event": "a", "days": "n"}, "unknown key 'days'"),
        ({"last": "a"}, "missing key 'is'"),
        ({"last": "a", "is": {"z": {"exists": True}}}, "has no attribute 'z'"),
        ({"last": "a", "is": {"k": {"exists": True}}, "bucket": "1d"}, "unknown key 'bucket'"),
        ({"absent": "a"}, "missing key 'within'"),
        ({"absent": "a", "within": "1d", "since": "ever"}, "unknown key 'since'"),
        ({"sequence": [], "within": "1d"}, "at least one step"),
        ({"sequence": ["a"]}, "missing key 'within'"),
        ({"sequence": [{"not": "a", "within": "1d"}], "within": "1d"}, "cannot be first"),
        ({"sequence": ["a", {"not": "a"}], "within": "1d"}, "missing key 'within'"),
        ({"sequence": ["a", {"event": "zz"}], "within": "1d"}, "unknown event 'zz'"),
        ({"sequence": ["a", {"not": "identity.linked", "within": "1d"}], "within": "1d"}, "no rule may name"),
        ({"sequence": [{"event": "a", "after": "1d"}], "within": "1d"}, "no event before it"),
        ({"aggregate": "median", "of": "n", "event": "a", "above": 1}, "must be 'sum'"),
        ({"aggregate": "sum", "of": "k", "event": "a", "above": 1}, "'sum' needs a number or an integer"),
        ({"aggregate": "sum", "of": "n", "event": "a"}, "needs an operator"),
        ({"aggregate": "sum", "of": "n", "event": "a", "starts_with": "x"}, "is not for the sum of 'n', a number"),
        ({"aggregate": "distinct", "of": "k", "event": "a", "equals": "x"}, "must be an integer"),
        ({"aggregate": "max", "of": "d", "event": "a", "above": 1}, "must be a datetime"),
        ({"covered": "a"}, "either 'days' or 'until'"),
        ({"covered": "a", "days": "n", "until": "d"}, "either 'days' or 'until'"),
        ({"covered": "a", "days": "k"}, "'days' needs a number or an integer"),
        ({"covered": "a", "until": "n"}, "'until' needs a datetime"),
        ({"covered": "a", "until": "d", "overlap": "merge"}, "'overlap' is for 'days'"),
        ({"covered": "a", "days": "n", "within": "3d"}, "unknown key 'within'"),
        ({"score": [], "at_least": 1}, "at least one item"),
        ({"score": [{"event": "a", "points": 0}], "at_least": 1}, "must be above 0"),
        ({"score": [{"when": {"event": "privacy.erased"}, "points": 1}], "at_least": 1}, "no rule may name"),
        ({"score": [{"event": "a"}], "at_least": 1}, "missing key 'points'"),
        ({"score": [{"when": {"nope": 1}, "points": 1}], "at_least": 1}, "no kind of condition"),
        ({"score": [{"event": "a", "points": 1, "within": "3d"}], "at_least": 1}, "unknown key 'within'"),
        ({"segment": "Not An Id"}, "must be an id"),
        ({"consent": {"channel": "email"}}, "missing key 'purpose'"),
        ({"consent": {"channel": "email", "purpose": "x"}, "is": "given"}, "must be 'granted'"),
        ({"during": {}}, "needs 'from' or 'until'"),
    ],
)
def test_a_wrong_definition_is_said(rule: Any, said: str) -> None:
    messages = refused(rule)
    assert any(said in message for message in messages), messages


def test_marks_are_for_their_places() -> None:
    assert condition({"event": "a"}).mark is None
    assert condition({"event": "a"}, FORGETS).mark == "exit"
    assert condition({"event": "a", "since": at(5)}, FORGETS).mark == "exit"
    assert condition({"event": "a", "since": "ever"}, FORGETS).mark is None
    assert condition({"event": "a"}, EXIT).mark is None
    assert condition({"event": "a", "since": "entry"}, EXIT).mark == "entry"
    assert refused({"event": "a", "since": "exit"}, EXIT)
    for rule in (
        {"last": "a", "is": {"k": {"exists": True}}},
        {"sequence": ["a"], "within": "3d"},
        {"aggregate": "sum", "of": "n", "event": "a", "above": 1},
        {"covered": "a", "days": "n"},
        {"score": [{"event": "a", "points": 1}], "at_least": 1},
    ):
        assert condition(rule, FORGETS).mark == "exit"
    for rule in ({"absent": "a", "within": "3d"}, {"trait": "s", "equals": "x", "for": "3d"}):
        assert condition(rule, FORGETS).mark is None


def test_equal_histories_share_a_state_whatever_is_asked_of_them() -> None:
    rule = {"event": "a", "count": {"at_least": 2}, "within": "3d"}
    assert memory(rule).state_key == memory({**rule, "event": ["a"]}, FORGETS).state_key
    assert memory(rule).state_key != memory({**rule, "within": "4d"}).state_key
    assert memory(rule).state_key != memory({**rule, "where": {"k": {"exists": True}}}).state_key
    total = {"aggregate": "sum", "of": "n", "event": "a", "above": 1}
    assert memory(total).state_key == memory({**total, "aggregate": "max", "above": 9}).state_key
    held = {"trait": "s", "equals": "x", "for": "3d"}
    assert memory(held).state_key == memory({**held, "equals": "y"}).state_key


def test_conditions_say_what_can_move_them() -> None:
    score = condition(
        {
            "score": [
                {"event": "a", "points": 1},
                {"when": {"any": [{"segment": "x"}, {"trait": "s", "equals": "y", "for": "3d"}]}, "points": 2},
            ],
            "at_least": 1,
        }
    )
    assert score.memory is not None
    assert score.memory.types == {"a"}
    assert score.segments == {"x"}
    assert score.traits == {"s"}
    assert [part.kind for part in score.parts] == ["segment", "held"]
    assert condition({"absent": "a", "within": "3d"}).reads_known_since
    assert not condition({"absent": "a", "within": "3d"}, EXIT).reads_known_since
    assert condition({"consent": {"channel": "x", "purpose": "y"}}).reads_consent
    assert memory({"sequence": ["a", {"not": {"event": "b"}, "within": "1d"}], "within": "3d"}).types == {"a", "b"}


@pytest.mark.parametrize(
    ("rule", "complete"),
    [
        ({"event": "a", "within": "3d"}, SEEN + 3 * DAY),
        ({"event": "a"}, FOREVER),
        ({"event": "a", "older_than": "3d"}, FOREVER),
        ({"event": "a", "since": "2026-01-01T00:05:00Z"}, START),
        ({"event": "a", "since": "2026-01-01T00:04:59.999Z"}, FOREVER),
        ({"event": "a", "since": "2026-01-01", "within": "3d"}, SEEN + 3 * DAY),
        ({"event": "a", "within": "3d", "bucket": "1d"}, START + 4 * DAY),
        ({"event": "a", "within": "3d", "bucket": "5m"}, SEEN + 3 * DAY),
        ({"last": "a", "is": {"k": {"exists": True}}, "within": "3d"}, SEEN + 3 * DAY),
        ({"absent": "a", "within": "3d"}, SEEN + 3 * DAY),
        ({"trait": "s", "equals": "x", "for": "3d"}, SEEN + 3 * DAY),
        ({"changed": "s", "within": "3d"}, SEEN + 3 * DAY),
        ({"sequence": ["a"], "within": "3d"}, SEEN + 3 * DAY),
        ({"aggregate": "sum", "of": "n", "event": "a", "above": 1, "within": "3d"}, SEEN + 3 * DAY),
        ({"covered": "a", "days": "n"}, FOREVER),
        ({"covered": "a", "days": "n", "since": "2026-02-01"}, START),
        ({"score": [{"event": "a", "points": 1}], "at_least": 1}, FOREVER),
        ({"score": [{"when": {"everyone": True}, "points": 1}], "at_least": 1}, START),
    ],
)
def test_a_history_is_complete_when_its_window_begins_after_the_cut(rule: Any, complete: int) -> None:
    found = condition(rule)
    assert found.looks_at_history
    windows = [at_ms for at_ms, _ in found.completions(START)]
    assert max(windows, default=START) == complete  # without a window of its own nothing is missing


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"everyone": True}, "everyone"),
        ({"trait": "s", "in": ["x", "y"]}, "s in [x, y]"),
        ({"trait": "s", "equals": "x", "for": "30d"}, "s equals x for 30d"),
        ({"changed": "s", "from": None, "to": "x", "within": "30d"}, "s changed from no value to x within 30d"),
        (
            {"event": "a", "where": {"k": {"equals": "x"}}, "count": {"at_least": 2}, "within": "30d"},
            "2 or more of a where k equals x within 30d",
        ),
        ({"event": ["a", "b"], "count": {"at_most": 2}, "older_than": "1d"}, "at most 2 of a or b at least 1d ago"),
        ({"last": "a", "is": {"k": {"equals": "x"}}}, "the last a has k equals x"),
        ({"absent": ["a", "b"], "within": "60d"}, "no a or b within 60d"),
        (
            {"sequence": ["a", {"not": "b", "within": "1d"}, {"event": "c", "after": "2d"}], "within": "9d"},
            "a, then no b within 1d, then c at least 2d later within 9d",
        ),
        ({"aggregate": "sum", "of": "n", "event": "a", "above": 5, "within": "9d"}, "sum of n of a within 9d above 5"),
        ({"covered": "a", "days": "n", "gap": "9d"}, "covered by a for the sum of its n and a gap of 9d"),
        (
            {
                "score": [{"event": "a", "points": 5, "half_life": "30d"}, {"when": {"segment": "x"}, "points": 2}],
                "at_least": 6,
            },
            "a score of at least 6: 5 for a, halved every 30d; 2 if in segment x",
        ),
        ({"segment": "x", "for": "3d"}, "in segment x for 3d"),
        ({"consent": {"channel": "email", "purpose": "promo"}}, "consent to promo by email is granted"),
        ({"during": {"from": "2026-01-01"}}, "the date is from 2026-01-01T00:00:00.000Z"),
    ],
)
def test_a_condition_says_itself_in_plain_english(rule: Any, said: str) -> None:
    assert condition(rule).describe() == said


def test_evidence_names_what_the_verdict_stands_on() -> None:
    def evidence(rule: Any, offset: int = 20) -> list[int]:
        world = learned(rule, *(event(at, data={"k": "x", "n": 1}, sets={"s": "x"}) for at in (0, 12, 15)))
        return [time - START for time, source, name in world.conditions[0].evidence(world.view(offset))]

    assert evidence({"event": "a", "count": {"at_least": 3}, "within": "10ms"}) == [12, 15]
    assert evidence({"event": "a", "older_than": "8ms", "within": "10ms"}) == [12]
    assert evidence({"event": "a", "count": {"at_least": 600}, "within": "10ms", "bucket": "1ms"}) == [12, 15]
    assert evidence({"last": "a", "is": {"k": {"equals": "x"}}}) == [15]
    assert evidence({"absent": "a", "within": "10ms"}) == [15]
    assert evidence({"aggregate": "sum", "of": "n", "event": "a", "above": 1, "within": "10ms"}) == [12, 15]
    assert evidence({"covered": "a", "days": "n"}) == [0, 12, 15]
    assert evidence({"sequence": ["a", "a"], "within": "10ms"}) == [12, 15]
    assert evidence({"score": [{"event": "a", "points": 1}], "at_least": 1}) == [0, 12, 15]
    assert evidence({"trait": "s", "equals": "x"}) == [15]
    assert evidence({"changed": "s", "within": "10ms"}) == [0, 12, 15]


def test_every_condition_bounds_its_state() -> None:
    assert memory({"event": "a", "count": {"at_least": 3}}).bytes_max() < 400
    assert memory({"absent": "a", "within": "3d"}).bytes_max() < 200
    for rule in (
        {"sequence": ["a"], "within": "3d"},
        {"aggregate": "sum", "of": "n", "event": "a", "above": 1},
        {"covered": "a", "days": "n"},
        {"score": [{"event": "a", "points": 1}], "at_least": 1},
        {"changed": "s", "within": "3d"},
        {"event": "a", "count": {"at_least": 900}, "bucket": "1d"},
    ):
        assert 20_000 < memory(rule).bytes_max() < 200_000


def test_conditions_that_are_not_inert_together_share_no_state() -> None:
    two, one = {"event": "a", "count": {"at_least": 2}}, {"event": "a", "count": {"exactly": 1}}
    assert memory(two).state_key != memory(one).state_key
    both, alone = ({"sequence": steps, "within": "3d"} for steps in (["a", "b"], ["a", {"not": "b", "within": "1d"}]))
    assert memory(both).state_key != memory(alone).state_key
    many = {"event": "a", "count": {"at_least": 600}, "bucket": "1d"}
    assert not memory(many).inert([[[START, "/s", "1", 1]], [], []])
