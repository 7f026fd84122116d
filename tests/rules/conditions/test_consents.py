"""What a profile keeps of consent: the order of events does not matter, and parts join to the whole."""

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conditions.consent import consents_later, fold_consent, join_consents
from rules.conditions.view import Consents, Grant, Withdrawal
from rules.ground.event import Event, Value
from rules.language.dictionary import GRANTED, REPLIED, WITHDRAWN


def folded(events: list[Event]) -> Consents:
    """Fold events in their order."""
    consents: Consents = {}
    for each in events:
        fold_consent(consents, each)
    return consents


@st.composite
def words(draw: st.DrawFn) -> Event:
    """A consent event: few times, so that ties are everyday."""
    kind = draw(st.sampled_from([GRANTED, GRANTED, WITHDRAWN, REPLIED]))
    data: dict[str, Value] = {"channel": draw(st.sampled_from(["email", "sms", "all"]))}
    if kind == REPLIED:
        data["text"] = draw(st.sampled_from([" stop\n", "no"]))
    else:
        data["purpose"] = draw(st.sampled_from(["p", "all"]))
    until = draw(st.sampled_from([None, 2, 5, 9]))
    if kind == GRANTED and until is not None:
        data["until"] = until
    time_ms = draw(st.integers(0, 4))
    return Event(draw(st.sampled_from(["/s", "/t"])), draw(st.text("ab", max_size=2)), kind, "hcp:1", time_ms, data, ())


@given(st.lists(words(), max_size=8), st.randoms())
def test_neither_order_nor_repetition_matters(events: list[Event], random: Random) -> None:
    other = [*events, *events]
    random.shuffle(other)
    assert folded(other) == folded(events)


@given(st.lists(words(), max_size=4), st.lists(words(), max_size=4), st.lists(words(), max_size=4))
def test_parts_join_to_the_whole_in_every_order_and_grouping(
    one: list[Event], other: list[Event], third: list[Event]
) -> None:
    whole = folded([*one, *other, *third])
    parts = [folded(each) for each in (one, other, third)]
    for a, b, c in permutations(parts):
        assert join_consents([a, b, c]) == whole
        assert join_consents([join_consents([a, b]), c]) == join_consents([a, join_consents([b, c])]) == whole
    assert join_consents([whole, whole]) == whole
    assert join_consents([]) == {}


@given(st.lists(words(), max_size=8), st.integers(-1, 5))
def test_what_is_later_is_the_fold_of_the_later_events(events: list[Event], after_ms: int) -> None:
    assert consents_later(folded(events), after_ms) == folded([each for each in events if each.time_ms > after_ms])


@given(st.lists(words(), max_size=8))
def test_joining_changes_none_of_its_parts(events: list[Event]) -> None:
    parts = [folded([each]) for each in events]
    before = [dict(each) for each in parts]
    join_consents(parts)
    assert parts == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Grant(1, "/s", "b", 5), Grant(1, "/s", "a", 6)),
        (Grant(1, "/s", "a", 5), Grant(1, "/s", "b", None)),
        (Grant(1, "/s", "b", 5), Grant(1, "/s", "a", 5)),
        (Grant(2, "/s", "a", None), Grant(1, "/s", "b", 5)),
    ],
    ids=["ends first", "ends at all", "of one end the later by identity", "later"],
)
def test_of_two_grants_one_decides(one: Grant, other: Grant) -> None:
    for each in permutations([one, other]):
        assert join_consents([{("email", "p"): (grant, None)} for grant in each]) == {("email", "p"): (one, None)}


def test_of_two_withdrawals_the_later_by_identity_is_kept() -> None:
    key = "email", "p"
    parts: list[Consents] = [{key: (None, Withdrawal(1, "/s", "a"))}, {key: (None, Withdrawal(1, "/t", ""))}]
    assert join_consents(parts) == {key: (None, Withdrawal(1, "/t", ""))}
