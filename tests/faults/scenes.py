"""How often what a run is for has come, read out of the log alone: the input of all partitions, and progress.

A fault that never met a link shows nothing. So each run of links counts these, and its family asks for its own:

| name                     | one for each                                                                           |
|--------------------------|----------------------------------------------------------------------------------------|
| links crossing           | pair of subjects, each linked to the other before the link of the other reached it     |
| links crossing erasures  | link that reached a subject that was erased while the link was on its way              |
| links over a cut         | link whose effect stands under another catalogue than the link                         |
| links in a fill          | link, or effect of one, between the first history of a fill and its end                |
| links in a rebalance     | link, or effect of one, that the last owner had not published when the next took over  |
| made again, taken again  | effect of a record, or effect that stands there, in a span that Redis forgot           |
"""

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from tests.faults.effects import partition_of
from tests.faults.persons import EFFECTS, ERASED, ERASURE, FACTS, LINKED

CUT: Final = "segue.catalogue"
HISTORY: Final = "segue.history"
FILLED: Final = "segue.filled"
MARKS: Final = (b"identity.linked", b"privacy.erased", b"segue.")


class Stored(Protocol):
    """A record from a consumer."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


class Forgotten(NamedTuple):
    """A span of records that Redis forgot: the state of a partition went back from one offset to another."""

    partition: int
    from_offset: int
    to_offset: int


Span = tuple[int, int]
"""From an offset to before one."""


class Place(NamedTuple):
    """Where a record stands."""

    partition: int
    offset: int
    timestamp_ms: int


class Sent(NamedTuple):
    """An effect of a record."""

    type: str
    way: tuple[str, ...]
    target: str
    cause: tuple[str, int]
    """The subject and the offset of the record that sent it."""
    place: Place


@dataclass
class _Log:
    """What the inputs say about links."""

    links: dict[tuple[str, int], Place] = field(default_factory=dict)
    """Link events by (subject, offset)."""
    effects: list[Sent] = field(default_factory=list)
    erasures: defaultdict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    cuts: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By partition: the offsets of its cuts."""
    fills: defaultdict[int, list[Span]] = field(default_factory=lambda: defaultdict(list))
    """By partition: (offset of the first history of a fill, offset of its end)."""

    def read(self, partition: int, records: Sequence[Stored]) -> None:
        """Read one partition."""
        begun: dict[int, int] = {}
        for record in records:
            value = record.value or b""
            if not any(mark in value for mark in MARKS):
                continue
            try:
                told = json.loads(value)
                type_, subject = told["type"], told.get("subject", "")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # a bad record
            place = Place(partition, record.offset, record.timestamp)
            if type_ == LINKED:
                self.links[subject, record.offset] = place
            elif type_ in EFFECTS and "way" in told["data"]:
                cause, offset, _ = told["id"].partition("/")[2].rsplit("/", 2)
                way = tuple(told["data"]["way"])
                self.effects.append(Sent(type_, way, subject, (cause, int(offset)), place))
            elif type_ == CUT:
                self.cuts[partition].append(record.offset)
            elif type_ == HISTORY:
                begun.setdefault(told["data"]["cut"], record.offset)
            elif type_ == FILLED and told["data"]["cut"] in begun:
                self.fills[partition].append((begun.pop(told["data"]["cut"]), record.offset))
            if type_ in (ERASURE, ERASED):
                self.erasures[subject].append(place)


def scenes_of(
    partitions: Sequence[Sequence[Stored]],
    progress: Sequence[Sequence[Stored]] = (),
    forgotten: Iterable[Forgotten] = (),
) -> Counter[str]:
    """Count what has come. `partitions`: the input; `progress`: the records of that topic, by partition."""
    log = _Log()
    for partition, records in enumerate(partitions):
        log.read(partition, records)
    direct = {each.cause: each for each in log.effects if each.type == FACTS and len(each.way) == 1}
    linked = [(direct[cause], place) for cause, place in log.links.items() if cause in direct]
    around = [*log.links.values(), *(each.place for each in log.effects)]
    found = Counter(
        {
            "links": len(log.links),
            "links crossing": _crossing(linked),
            "links crossing erasures": sum(_met_an_erasure(log, each, place) for each, place in linked),
            "links over a cut": sum(_over_a_cut(log, place, each.place) for each, place in linked),
            "links in a fill": sum(_within(log.fills[each.partition], each.offset) for each in around),
        }
    )
    if progress:
        changes = {partition: _taken_over(records) for partition, records in enumerate(progress)}
        found["links in a rebalance"] = sum(_within(changes[each.partition], each.offset) for each in around)
    gone: defaultdict[int, list[Span]] = defaultdict(list)
    for each in forgotten:
        gone[each.partition].append((each.from_offset, each.to_offset))
    if gone:
        count = len(partitions)
        found["made again"] = sum(
            _within(gone[partition_of(each.cause[0], count)], each.cause[1]) for each in log.effects
        )
        found["taken again"] = sum(_within(gone[each.place.partition], each.place.offset) for each in log.effects)
    return found


def _crossing(linked: Sequence[tuple[Sent, Place]]) -> int:
    """Count pairs, each linked before the other's link was known to it."""
    by_pair: defaultdict[tuple[str, str], list[tuple[Sent, Place]]] = defaultdict(list)
    for effect, place in linked:
        by_pair[effect.way[0], effect.target].append((effect, place))
    count = 0
    for (subject, other), mine in by_pair.items():
        if subject < other:
            theirs = by_pair.get((other, subject), ())
            count += sum(
                own.offset < back.place.offset and link.offset < effect.place.offset
                for effect, own in mine
                for back, link in theirs
                if abs(own.timestamp_ms - link.timestamp_ms) < 60_000
            )
    return count


def _met_an_erasure(log: _Log, effect: Sent, link: Place) -> bool:
    arrived = effect.place
    return any(
        each.offset < arrived.offset and each.timestamp_ms >= link.timestamp_ms for each in log.erasures[effect.target]
    )


def _over_a_cut(log: _Log, link: Place, arrived: Place) -> bool:
    before, after = log.cuts[link.partition], log.cuts[arrived.partition]
    return bisect_right(before, link.offset) != bisect_right(after, arrived.offset)


def _within(spans: Iterable[Span], offset: int) -> bool:
    return any(first <= offset < end for first, end in spans)


def _taken_over(records: Sequence[Stored]) -> list[Span]:
    """Return, for each change of owners, what the new one published first: the last one had not come to it."""
    spans: list[Span] = []
    before: Mapping[str, Any] | None = None
    for record in records:
        now = json.loads(record.value or b"{}")
        if before is not None and now["epoch"] != before["epoch"] and now["offset"] > before["offset"]:
            spans.append((before["offset"], now["offset"]))
        before = now
    return spans
