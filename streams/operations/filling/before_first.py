"""Links and erasures that came before the first catalogue: the engine has refused them, so nothing stands by them.

A fill of the first catalogue brings the facts of old events in. They belong to the persons that the links make, and who
was erased must not come back. So the fill reads all links and erasures first, and appends events like any, each with
its own (time, source, id):

(1) an erasure for every subject of an erased person;
(2) the link event that stands of each subject, once every erasure is in the log. So a link to an erased subject reaches
    a partition that knows of the erasure: the link erases nobody that was linked later.

The histories come after both. They bring no facts that an erasure refuses. Appended again, erasures and links are
redeliveries.

What came after the first catalogue the engine has applied, but without the links: an erasure reached one subject of a
person, and not the others. So links and erasures are read up to the end of the log.

An erasure that is told again goes on along the links that came after the first catalogue. If it would reach somebody
whom no erasure of the log reaches, it is not told: that subject is *spared*, and a person decides.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson

from rules.engine.decode import check_envelope, decode
from rules.engine.persons.packed import Identity, Link
from rules.engine.persons.person import identity_of
from rules.engine.persons.steps import link_of
from rules.ground.event import Event
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from rules.language.dictionary import ERASED, LINKED, NO_FACTS, UNLINKED, Dictionary
from streams.operations.erase import event_of
from streams.operations.filling.past import Past, Place
from streams.records import Fetched, OutRecord

_NAMES: Final = tuple(name.encode() for name in sorted(NO_FACTS))


class Told(NamedTuple):
    """A link event or an erasure."""

    place: Place
    """Of its record."""
    subject: str
    said: Identity | Link
    """An erasure, or what a link event says."""
    early: bool = True
    """Whether it came before the first catalogue."""


@dataclass(slots=True)
class Early:
    """What came before the first catalogue, as it stands now."""

    begins_anew: bool = False
    """Whether the policy takes facts that are later than an erasure."""
    links: dict[str, Link] = field(default_factory=dict)
    """By subject: the link event that stands, where it came before the first catalogue."""
    erased: dict[str, Identity] = field(default_factory=dict)
    """By subject: the erasure that stands."""
    applied: dict[str, Identity] = field(default_factory=dict)
    """By subject: the erasure of it that came after the first catalogue."""

    erased_at: dict[str, Place] = field(default_factory=dict)
    """By subject: the record of that erasure."""
    spared: frozenset[str] = frozenset()
    """Erased subjects whose erasure is not told again: it would erase somebody linked with them since."""

    @property
    def aliases(self) -> int:
        """How many subjects stand for another by these links."""
        return sum(link.canonical is not None for link in self.links.values())

    def takes(self, subject: str, time_ms: int, place: Place) -> bool:
        """Tell whether a subject knows a fact now. `place`: of the fact's record."""
        erasure = self.erased.get(subject)
        if erasure is None:
            return True
        return self.begins_anew and time_ms > erasure.time_ms and place > self.erased_at[subject]

    def erasures(self, topic: str, partitions: int) -> Iterator[OutRecord]:
        """Make the erasure of each subject, as a record of the input; those that workers have applied are left out.

        So are those of `spared`.
        """
        for subject, erasure in sorted(self.erased.items() - self.applied.items()):
            if subject in self.spared:
                continue
            yield _record(topic, partitions, subject, event_of(subject, erasure, None))

    def link_events(self, topic: str, partitions: int) -> Iterator[OutRecord]:
        """Make the link event of each subject, as a record of the input."""
        for subject, link in sorted(self.links.items()):
            yield _record(topic, partitions, subject, _link_event(subject, link))


def _record(topic: str, partitions: int, subject: str, value: bytes) -> OutRecord:
    key = subject.encode()
    return OutRecord(topic, partition_of(key, partitions), key, value)


def _link_event(subject: str, link: Link) -> bytes:
    event = {
        "specversion": "1.0",
        "id": link.id,
        "source": link.source,
        "type": UNLINKED if link.canonical is None else LINKED,
        "subject": subject,
        "time": format_instant(link.time_ms),
    }
    return orjson.dumps(event if link.canonical is None else event | {"data": {"canonical": link.canonical}})


async def read_early(
    past: Past,
    cuts: Mapping[int, tuple[int, int]],
    ends: Mapping[int, int],
    dictionary: Dictionary,
    *,
    begins_anew: bool,
) -> Early:
    """Read what came before the first catalogue, and what was said of it since.

    By partition, `cuts`: the offsets at which its log begins and of its first cut; `ends`: where its log ends.
    Raises NotReachable, Unreachable.
    """
    found: list[Told] = []
    for partition, (start, cut) in cuts.items():
        r_ms = -1
        async for stretch in past.read(partition, start, ends[partition]):
            for record in stretch.records:
                r_ms = max(r_ms, record.timestamp)
                event = _link_or_erasure(record, dictionary, r_ms)
                if event is not None and check_envelope(event, record.key, partition, len(ends)) is None:
                    said = identity_of(event) if event.type == ERASED else link_of(event)
                    early = record.offset < cut
                    found.append(Told(Place(r_ms, partition, record.offset), event.subject, said, early))
    return early_of(sorted(found, key=lambda told: told.place), begins_anew=begins_anew)


def _link_or_erasure(record: Fetched, dictionary: Dictionary, r_ms: int) -> Event | None:
    # Kafka's headers may be null, which our type does not say
    texts = [text or b"" for text in (record.value, *(value for _, value in record.headers))]
    if not any(name in text for name in _NAMES for text in texts):
        return None
    found = decode(record.value, record.headers, dictionary, r_ms)
    return found if isinstance(found, Event) and found.type in NO_FACTS else None


class _Standing:
    """The links that stand while links and erasures are read in order."""

    def __init__(self) -> None:
        self.told: Final[dict[str, Told]] = {}
        """By subject: its link event that stands."""
        self._aliases: Final[defaultdict[str, set[str]]] = defaultdict(set)
        """By subject: those whose link event names it."""

    def stand(self, told: Told) -> bool:
        """Let a link event stand, and return True, unless a later one of its subject does."""
        known = self.told.get(told.subject)
        if known is not None and known.said[:3] >= told.said[:3]:
            return False
        self.drop(told.subject)
        self.told[told.subject] = told
        canonical = _canonical(told)
        if canonical is not None:
            self._aliases[canonical].add(told.subject)
        return True

    def drop(self, subject: str) -> str | None:
        """Drop the link event of a subject; return for whom the subject stood."""
        told = self.told.pop(subject, None)
        canonical = None if told is None else _canonical(told)
        if canonical is not None:
            self._aliases[canonical].discard(subject)
        return canonical

    def aliases(self, subject: str) -> set[str]:
        """Return who stands for a subject."""
        return self._aliases.get(subject, set())


def early_of(told: Sequence[Told], *, begins_anew: bool = False) -> Early:
    """Say who is erased and which links stand, from all of them in order (docs/language.md, Erasure)."""
    early, standing = Early(begins_anew), _Standing()

    def erase(subject: str, erasure: Identity, place: Place) -> None:
        waiting = [subject]
        while waiting:
            other = waiting.pop()
            if other in early.erased and early.erased[other] >= erasure:
                continue
            early.erased[other], early.erased_at[other] = erasure, place
            canonical = standing.drop(other)
            waiting += standing.aliases(other)
            waiting += [] if canonical is None else [canonical]

    for each in told:
        subject, said = each.subject, each.said
        if not isinstance(said, Link):
            erase(subject, said, each.place)
            if not each.early:
                early.applied[subject] = said
            continue
        refused = early.erased.get(subject)
        if refused is not None and (not begins_anew or said.time_ms <= refused.time_ms):
            continue
        if standing.stand(each):
            erasure = None if said.canonical is None else early.erased.get(said.canonical)
            if erasure is not None and said.identity <= erasure:
                erase(subject, erasure, each.place)
    early.links = {
        subject: each.said for subject, each in standing.told.items() if each.early and isinstance(each.said, Link)
    }
    early.spared = _linked_since(told, early.erased) & early.erased.keys() - early.applied.keys()
    return early


def _linked_since(told: Sequence[Told], erased: Mapping[str, Identity]) -> frozenset[str]:
    """Return who is linked with a subject that is not erased, by links that came after the first catalogue."""
    latest: dict[str, Link] = {}
    for each in told:
        if isinstance(each.said, Link) and not each.early:
            latest[each.subject] = max(each.said, latest.get(each.subject, each.said), key=lambda link: link.identity)
    linked: defaultdict[str, set[str]] = defaultdict(set)
    for subject, link in latest.items():
        if link.canonical is not None:
            linked[subject].add(link.canonical)
            linked[link.canonical].add(subject)
    found = {subject for subject in linked if subject not in erased}
    waiting = [*found]
    while waiting:
        new = linked[waiting.pop()] - found
        found |= new
        waiting += new
    return frozenset(found)


def _canonical(told: Told) -> str | None:
    return told.said.canonical if isinstance(told.said, Link) else None
