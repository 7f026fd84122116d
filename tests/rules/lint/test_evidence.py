# ruff: noqa: E501 - a case a line
"""Lint of re-entry: the traps of new evidence are reported at their place, and nothing else is."""

from collections.abc import Mapping

import pytest

from tests.rules.lint.test_lint import DICTIONARY, linted, segment

SUPPLY = DICTIONARY + "  filled: {data: {days: {type: number}}}\n"
LAPSED = "{all: [%s, {none: [{covered: filled, days: days, gap: 7d}]}]}"
REFILLED = "exit: {covered: filled, days: days, gap: 7d, since: entry}"


def traps(files: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """Lint a catalogue with the event `filled`: the codes of the traps of re-entry, each with its line and column."""
    codes = ("ending-event", "by-turns", "never-again")
    return [(each.code, each.line, each.col) for each in linted(files, SUPPLY) if each.code in codes]


def test_the_event_that_ends_a_stay_and_could_begin_the_next_is_reported_at_the_evidence() -> None:
    files = segment(LAPSED % "{event: filled, within: 90d}", REFILLED)
    assert traps(files) == [("ending-event", 4, 15)]
    [found] = [each for each in linted(files, SUPPLY) if each.code == "ending-event"]
    assert found.message == (
        "an event that ends a stay by 'covered by filled since entry for the sum of its days and a gap of 1w' is no "
        "evidence for the next one: '1 or more of filled within 90d, since the last exit' counts only later events; "
        "write 'since: ever' on it if that event may begin a stay later, 'since: exit' if not"
    )


LATER = {
    "absence": ("{all: [{event: viewed, within: 90d}, {absent: viewed, within: 30d}]}", "exit: {event: viewed, since: entry}"),
    "a count denied": ("{all: [{event: viewed, within: 90d}, {none: [{event: viewed, within: 30d}]}]}", "exit: {event: viewed, since: entry}"),
    "a count of none": ("{all: [{event: viewed}, {event: viewed, count: {at_most: 0}, within: 30d}]}", "exit: {event: viewed, since: entry}"),
    "one alternative": ("{any: [{trait: stage, equals: a}, {all: [{event: viewed, within: 90d}, {absent: viewed, within: 30d}]}]}", "exit: {event: viewed, since: entry}"),
    "an old event": ("{event: viewed, older_than: 30d}", "exit: {event: viewed, since: entry}"),
    "an age": ("{last: viewed, is: {due: {older_than: -3d}}}", "exit: {event: viewed, since: entry}"),
    "one of the exits": ("{all: [{event: viewed, within: 90d}, {absent: viewed, within: 30d}]}", "exit: {any: [{trait: stage, equals: z}, {event: [login, viewed], since: entry}]}"),
    "a where that meets another": ("{all: [{event: viewed, where: {topic: {in: [a, b]}}, within: 90d}, {absent: viewed, within: 30d}]}", "exit: {event: viewed, where: {topic: {equals: b}}, since: entry}"),
}  # fmt: skip


@pytest.mark.parametrize("case", LATER)
def test_evidence_that_the_ending_event_would_be_later_is_reported(case: str) -> None:
    enter, leave = LATER[case]
    files = segment(enter, leave)
    assert [code for code, _, _ in traps(files)] == ["ending-event"]
    assert traps(segment(enter, f"{leave}\nreenter_after: 1d")) == []


TURNS = {
    "the same event": ("{event: viewed, within: 30d}", "exit: {event: viewed, since: entry}"),
    "more of them": ("{event: viewed, within: 30d}", "exit: {event: viewed, count: {at_least: 5}, since: entry}"),
    "beside a trait": ("{all: [{trait: stage, equals: a}, {event: viewed}]}", "exit: {any: [{event: [viewed, login], since: entry}, {absent: login, within: 9d}]}"),
    "an event of a where": ("{event: viewed, where: {topic: {equals: a}}}", "exit: {event: viewed, since: entry}"),
}  # fmt: skip


@pytest.mark.parametrize("case", TURNS)
def test_events_that_begin_and_end_stays_by_turns_are_reported(case: str) -> None:
    enter, leave = TURNS[case]
    assert [code for code, _, _ in traps(segment(enter, leave))] == ["by-turns"]
    assert traps(segment(enter, f"{leave}\nreenter_after: never")) == []


AGAIN = {
    "everyone, until an event": ("{everyone: true}", "exit: {event: viewed, since: entry}"),
    "everyone, for a time": ("{everyone: true}", "max_stay: 9d"),
    "evidence with an end": ("{event: viewed, until: 2026-04-01}", "exit: {event: login, since: entry}"),
    "two of them": ("{any: [{event: viewed, until: 2026-04-01}, {event: login, since: 2026-01-01, until: 2026-04-01}]}", "max_stay: 9d"),
}  # fmt: skip


@pytest.mark.parametrize("case", AGAIN)
def test_a_segment_that_nobody_enters_twice_is_reported(case: str) -> None:
    enter, more = AGAIN[case]
    assert [code for code, _, _ in traps(segment(enter, more))] == ["never-again"]
    assert traps(segment(enter, f"{more}\nreenter_after: never")) == []


NO_TRAPS = {
    "said": (LAPSED % "{event: filled, within: 90d, since: ever}", REFILLED),
    "said the other way": (LAPSED % "{event: filled, within: 90d, since: exit}", REFILLED),
    "turns that are meant": ("{event: viewed, since: exit}", "exit: {event: viewed, since: entry}"),
    "another event ends it": (LAPSED % "{event: filled, within: 90d}", "exit: {event: login, since: entry}"),
    "nothing lasts": ("{event: viewed, within: 30d}", "exit: {absent: viewed, within: 60d}"),
    "another where ends it": ("{event: viewed, where: {topic: {equals: a}}, within: 30d}", "exit: {event: viewed, where: {topic: {equals: b}}, since: entry}"),
    "another event is absent": ("{all: [{event: viewed, within: 90d}, {absent: login, within: 30d}]}", "exit: {all: [{event: viewed, since: entry}, {trait: stage, equals: a}]}"),
    "it is absent for as long": ("{any: [{all: [{event: viewed, within: 30d}, {none: [{event: viewed, within: 30d, count: {at_least: 2}}]}]}]}", "exit: {event: login, since: entry}"),
    "no evidence is asked for": ("{all: [{event: viewed, within: 90d}, {absent: viewed, within: 30d}]}", ""),
    "a stay of some days": ("{all: [{event: viewed, within: 90d}, {absent: viewed, within: 30d}]}", "max_stay: 9d"),
    "one of two evidences ends": ("{any: [{event: viewed, until: 2026-04-01}, {event: login}]}", "max_stay: 9d"),
    "state": ("{trait: stage, equals: a}", "exit: {event: viewed, since: entry}"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_TRAPS)
def test_a_segment_that_can_be_entered_again_is_not_reported(case: str) -> None:
    assert traps(segment(*NO_TRAPS[case])) == []
