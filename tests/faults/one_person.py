"""P0: nobody is anywhere under two names of one person, and who leaves for a link does so before another enters for it.

A check over the topics alone: the input tells who stands for whom from when to when, by each partition's clock; the
outputs, read committed, tell who was in what. It asks no model, and holds for segments and channels, at every offset:

- a subject that stands for another is in nothing, from the instant of its link to that of the record that ends it;
- an entry that a link brings (`merged`) has its exit: of the subject that was linked, of the same segment, by the same
  event, in the log before it. No exit is used twice;
- who enters or is activated by the event of a link is so after everything that the linked subject leaves by it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.faults.instants import milliseconds
from tests.faults.promises import Violated

MARKS: Final = (b'"identity.', b'"privacy.erased"', b'"segue.erased"')
REFUSED: Final = "x-expected"
ALWAYS: Final = 1 << 62


@dataclass
class Links:
    """The link events and erasures of one subject, as they come."""

    latest: tuple[int, str, str] | None = None
    erased: tuple[int, str, str] | None = None
    canonical: str | None = None
    began_ms: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)
    """When it stood for another: from an instant to before one."""
    events: set[str] = field(default_factory=set)
    """The events, `source id`, that linked it."""

    def lead(self, canonical: str | None, r_ms: int) -> None:
        """Stand for another from an instant on, or for itself."""
        if self.canonical is not None and canonical is None:
            self.spans.append((self.began_ms, r_ms))
        if self.canonical is None and canonical is not None:
            self.began_ms = r_ms
        self.canonical = canonical

    def whole(self) -> list[tuple[int, int]]:
        """Return all spans, with the one that has not ended."""
        return self.spans + ([(self.began_ms, ALWAYS)] if self.canonical is not None else [])


def links_of(partitions: Iterable[Sequence[Any]], *, anew: bool = False) -> dict[str, Links]:
    """Read from the input who stood for whom. Each subject has one partition.

    `anew`: a link event that is later than the erasure of its subject counts; else it is refused.
    """
    found: defaultdict[str, Links] = defaultdict(Links)
    for records in partitions:
        clock_ms = -1
        for record in records:
            clock_ms = max(clock_ms, record.timestamp)
            value = record.value or b""
            if any(mark in value for mark in MARKS) and not dict(record.headers).get(REFUSED):
                _read(json.loads(value), clock_ms, found, anew)
    return dict(found)


def _read(event: Mapping[str, Any], r_ms: int, found: defaultdict[str, Links], anew: bool) -> None:
    type_ = event["type"]
    if not type_.startswith("identity.") and type_ not in ("privacy.erased", "segue.erased"):
        return  # it names one in passing, as history does
    links = found[event["subject"]]
    if type_ == "segue.erased":
        time_ms, source, id_ = event["data"]["erasure"]
        identity = (time_ms, source, id_)
    else:
        identity = (milliseconds(event["time"]), event["source"], event["id"])
    if type_ in ("privacy.erased", "segue.erased"):
        if links.erased is None or links.erased < identity:
            links.erased, links.latest = identity, None
            links.lead(None, r_ms)
        return
    taken = links.erased is None or (anew and identity[0] > links.erased[0])
    if type_.startswith("identity.") and taken and (links.latest is None or links.latest < identity):
        links.latest = identity
        if type_ == "identity.linked":
            links.events.add(f"{event['source']} {event['id']}")
        links.lead(event["data"]["canonical"] if type_ == "identity.linked" else None, r_ms)


class Moved(NamedTuple):
    """One change of a topic."""

    subject: str
    name: str
    stands: bool
    kind: str
    events: tuple[str, ...]
    effective_ms: int
    published: tuple[int, int, int]
    """(timestamp, partition, offset) of its record."""
    id: str


def moves_of(partitions: Iterable[Sequence[Any]]) -> Iterator[Moved]:
    """Read the changes of a topic, partition by partition."""
    for partition, records in enumerate(partitions):
        for record in records:
            change = json.loads(record.value)
            yield Moved(
                change["profile"],
                change.get("segment") or change["activation"],
                change["change"] in ("entered", "activated"),
                change["reason"]["kind"],
                tuple(change["reason"]["events"]),
                milliseconds(change["effective_at"]),
                (record.timestamp, partition, record.offset),
                change["id"],
            )


def check_one_person(links: Mapping[str, Links], topics: Mapping[str, Sequence[Sequence[Any]]]) -> int:
    """P0. `topics`: by name, the records of each partition. Returns how many entered for a link. Raises Violated."""
    merged = 0
    for topic, partitions in topics.items():
        moves = list(moves_of(partitions))
        _check_aliases(topic, links, moves)
        merged += _check_entries(topic, links, moves)
    return merged


def _check_aliases(topic: str, links: Mapping[str, Links], moves: Sequence[Moved]) -> None:
    """A subject that stands for another is in nothing."""
    spans = {subject: each.whole() for subject, each in links.items()}
    stands: dict[tuple[str, str], Moved] = {}
    for move in moves:
        entry = stands.pop((move.subject, move.name), None)
        if move.stands:
            stands[move.subject, move.name] = move
        if entry is not None:
            _check_stay(topic, entry, move.effective_ms, spans.get(move.subject, ()))
    for entry in stands.values():
        _check_stay(topic, entry, ALWAYS, spans.get(entry.subject, ()))


def _check_stay(topic: str, entry: Moved, until_ms: int, spans: Sequence[tuple[int, int]]) -> None:
    for from_ms, to_ms in spans:
        if entry.effective_ms < to_ms and until_ms > from_ms:
            raise Violated(f"P0 {topic}: {entry.id} stands although its subject stands for another since {from_ms}")


def _check_entries(topic: str, links: Mapping[str, Links], moves: Sequence[Moved]) -> int:
    """Who leaves for a link does so before another enters for it. Returns how many entered for one."""
    gone: defaultdict[str, list[Moved]] = defaultdict(list)
    for move in moves:
        linked = links[move.subject].events if move.subject in links else set()
        if not move.stands and move.kind == "merged" and move.events[0] in linked:
            gone[move.events[0]].append(move)
    used: set[str] = set()
    for move in moves:
        if not move.stands or not move.events:
            continue
        left = [each for each in gone.get(move.events[0], ()) if each.subject != move.subject]
        late = next((each for each in left if not _before(each, move)), None)
        if late is not None:
            raise Violated(f"P0 {topic}: {move.id} comes before {late.id}, which makes room for it")
        if move.kind == "merged":
            exit_ = next((each.id for each in left if each.name == move.name and each.id not in used), None)
            if exit_ is None:
                raise Violated(f"P0 {topic}: {move.id} enters for a link, and nobody has left for it")
            used.add(exit_)
    return len(used)


def _before(exit_: Moved, entry: Moved) -> bool:
    """Tell whether a reader of both has the exit first: in one partition by offset, else by the broker's clock."""
    (exit_ms, exit_partition, exit_offset), (entry_ms, entry_partition, entry_offset) = exit_.published, entry.published
    if exit_partition == entry_partition:
        return exit_offset < entry_offset
    return exit_ms <= entry_ms and exit_.effective_ms <= entry.effective_ms
