"""The load's segments as objects: which events a segment wants, what it remembers, and from when to when it holds.

A segment's memory is a list that JSON can carry. With no new event a condition of the load holds during one span of
time, [begin, end), or never. So a memory and the profile's facts give a span, and the span's ends are the only instants
at which time alone changes a membership.

Folding an event twice gives the same memory: an entry is recognised by (time, name), and a memory keeps the latest
entries, so an entry that is no longer there would not be kept today either.
"""

from bisect import insort
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypedDict

from tests.benchmarks.peers.python.wire import Event

UPDATED: Final = "profile.updated"
NEVER: Final = 1 << 62

Memory = list[Any]
"""JSON values; each kind of segment says which."""


class Span(NamedTuple):
    """Milliseconds of the epoch: from `begin` on, before `end`."""

    begin: int
    end: int


NOWHERE: Final = Span(NEVER, NEVER)


class Facts(TypedDict):
    """What every segment of a profile may look at."""

    known: int
    """The smallest time of its events."""
    latest: dict[str, int]
    """By event type that some segment wants to be absent: the greatest time."""
    traits: dict[str, list[Any]]
    """By trait: [time, name, value] of the setting with the greatest (time, name)."""


class Filter:
    """Which events count: a type, some topics, a least score."""

    __slots__ = ("at_least", "topics", "type")

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Take the load's plain data."""
        self.type: str = given["type"]
        self.topics: Collection[str] = frozenset(given["topics"])
        self.at_least: float = given["score_at_least"]

    def admits(self, event: Event) -> bool:
        """Tell whether an event counts."""
        return (
            event.type == self.type
            and event.data.get("topic") in self.topics
            and event.data.get("score", -1) >= self.at_least
        )


class Segment:
    """One segment. `fold` changes a memory by an event that a filter admits; `span` says when the condition holds."""

    __slots__ = ("id", "key", "match", "then", "within_ms")

    def __init__(self, given: Mapping[str, Any], key: str) -> None:
        """Take the load's plain data. `key`: a short name for the memory."""
        self.id: str = given["id"]
        self.key = key
        self.match = Filter(given["match"]) if given["match"] else None
        self.then = Filter(given["then"]) if given["then"] else None
        self.within_ms: int = given["within_ms"]

    def fold(self, memory: Memory, event: Event) -> None:
        """Remember an event that a filter admits."""
        raise NotImplementedError

    def span(self, memory: Memory, facts: Facts) -> Span:
        """Return when the condition holds if nothing more happens."""
        raise NotImplementedError


class Count(Segment):
    """At least so many events within a time; recency is a count of one. Memory: the latest entries, oldest first."""

    __slots__ = ("at_least",)

    def __init__(self, given: Mapping[str, Any], key: str) -> None:
        super().__init__(given, key)
        self.at_least: int = given["at_least"]

    def fold(self, memory: Memory, event: Event) -> None:
        remember(memory, [event.time_ms, event.name], self.at_least)

    def span(self, memory: Memory, facts: Facts) -> Span:
        return Span(0, memory[0][0] + self.within_ms) if len(memory) == self.at_least else NOWHERE


class Sequence2(Segment):
    """One event, then another one that is not earlier, both within a time. Memory: [best, waiting, last two].

    best     the greatest time of a first event that has its second; 0: none
    waiting  later first events without a second: [time, name, whether it would itself do as a second]
    last     the latest two second events
    """

    __slots__ = ()

    def fold(self, memory: Memory, event: Event) -> None:
        assert self.match is not None
        assert self.then is not None
        if not memory:
            memory += [0, [], []]
        best, waiting, last = memory
        second = self.then.admits(event)
        if second:
            remember(last, [event.time_ms, event.name], 2)
        if self.match.admits(event) and event.time_ms > best:
            entry = [event.time_ms, event.name, second]
            if entry not in waiting:
                insort(waiting, entry)
        # an event that is its own second needs another one beside it
        latest, other = (last[-1][0] if last else 0), (last[0][0] if len(last) == 2 else 0)
        done = [time for time, _, own in waiting if time <= (other if own else latest)]
        if done:
            memory[0] = best = max(best, done[-1])
            memory[1] = [entry for entry in waiting if entry[0] > best]

    def span(self, memory: Memory, facts: Facts) -> Span:
        return Span(0, memory[0] + self.within_ms) if memory and memory[0] else NOWHERE


class Absence(Segment):
    """An event within a time, and none of a type for a while, which the profile was observed for. Memory: [time]."""

    __slots__ = ("absent", "absent_ms")

    def __init__(self, given: Mapping[str, Any], key: str) -> None:
        super().__init__(given, key)
        self.absent: str = given["absent"]
        self.absent_ms: int = given["absent_ms"]

    def fold(self, memory: Memory, event: Event) -> None:
        memory[:] = [max(event.time_ms, *memory, 0)]

    def span(self, memory: Memory, facts: Facts) -> Span:
        if not memory:
            return NOWHERE
        begin = max(facts["known"], facts["latest"].get(self.absent, 0)) + self.absent_ms
        end = memory[0] + self.within_ms
        return Span(begin, end) if begin < end else NOWHERE


class Trait(Segment):
    """A trait has one of some values. It needs no memory."""

    __slots__ = ("trait", "values")

    def __init__(self, given: Mapping[str, Any], key: str) -> None:
        super().__init__(given, key)
        self.trait: str = given["trait"]
        self.values: Collection[str] = frozenset(given["values"])

    def fold(self, memory: Memory, event: Event) -> None:
        """Remember nothing: the trait is a fact of the profile."""

    def span(self, memory: Memory, facts: Facts) -> Span:
        setting = facts["traits"].get(self.trait)
        return Span(0, NEVER) if setting is not None and setting[2] in self.values else NOWHERE


KINDS: Final[Mapping[str, type[Segment]]] = {
    "count": Count,
    "recency": Count,
    "sequence": Sequence2,
    "absence": Absence,
    "trait": Trait,
}


def segments_of(plan: Mapping[str, Any], kinds: Collection[str] = tuple(KINDS)) -> Sequence[Segment]:
    """Make the segments of a plan (`plan.json()` of the load, read) of these kinds, by id. Keys are their places."""
    chosen = sorted((one for one in plan["segments"] if one["kind"] in kinds), key=lambda one: one["id"])
    return [KINDS[one["kind"]](one, str(place)) for place, one in enumerate(chosen)]


def remember(entries: list[list[Any]], entry: list[Any], kept: int) -> None:
    """Add an entry in order unless it is there, and keep the latest ones."""
    if entry in entries:
        return
    insort(entries, entry)
    if len(entries) > kept:
        del entries[0]
