"""Links and erasures that came before the first catalogue: the engine has refused them, so nothing stands by them.

A fill of the first catalogue brings the facts of old events in. It must not bring back who was erased before. So it
reads the links and erasures first, and (1) appends an erasure, with its own (time, source, id), for every subject of an
erased person, before any history; (2) leaves these subjects out of the histories. Workers apply the erasures like any:
what comes later of these subjects is refused. Appended again they are redeliveries.

Links are not appended: whoever applies a catalogue is told how many came, and sends them again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from rules.engine.decode import check_envelope, decode
from rules.engine.persons.packed import Identity
from rules.engine.persons.person import identity_of
from rules.engine.persons.steps import link_of
from rules.ground.event import Event
from rules.ground.partitioning import partition_of
from rules.language.dictionary import ERASED, NO_FACTS, Dictionary
from streams.operations.erase import event_of
from streams.operations.filling.past import First, Past
from streams.records import Fetched, OutRecord

_NAMES: Final = tuple(name.encode() for name in sorted(NO_FACTS))


class Told(NamedTuple):
    """A link event or an erasure, in the order of the records of all partitions."""

    r_ms: int
    partition: int
    offset: int
    event: Event


@dataclass(slots=True)
class Early:
    """What came before the first catalogue."""

    links: int = 0
    """Link events of subjects that were not erased."""
    erased: dict[str, Identity] = field(default_factory=dict)
    """By subject: the erasure that stands."""

    def records(self, topic: str, partitions: int) -> Iterator[OutRecord]:
        """Make the erasure of each subject, as a record of the input."""
        for subject, erasure in sorted(self.erased.items()):
            key = subject.encode()
            yield OutRecord(topic, partition_of(key, partitions), key, event_of(subject, erasure, None))


async def read_early(
    past: Past, cuts: Mapping[int, tuple[int, First]], dictionary: Dictionary, partitions: int
) -> Early:
    """Read what came before the first catalogue. `cuts`: by partition, where its log begins, and its first cut.

    Raises NotReachable, Unreachable.
    """
    found: list[Told] = []
    for partition, (start, cut) in cuts.items():
        r_ms = -1
        async for stretch in past.read(partition, start, cut.offset):
            for record in stretch.records:
                r_ms = max(r_ms, record.timestamp)
                event = _link_or_erasure(record, dictionary, r_ms)
                if event is not None and check_envelope(event, record.key, partition, partitions) is None:
                    found.append(Told(r_ms, partition, record.offset, event))
    return early_of(sorted(found, key=lambda told: told[:3]))


def _link_or_erasure(record: Fetched, dictionary: Dictionary, r_ms: int) -> Event | None:
    texts = [record.value or b"", *(value for _, value in record.headers)]
    if not any(name in text for name in _NAMES for text in texts):
        return None
    found = decode(record.value, record.headers, dictionary, r_ms)
    return found if isinstance(found, Event) and found.type in NO_FACTS else None


def early_of(told: Sequence[Told]) -> Early:
    """Say who is erased and how many links there are, from all of them in order (docs/language.md, Erasure)."""
    early, links = Early(), dict[str, tuple[Identity, str | None]]()

    def erase(subject: str, erasure: Identity) -> None:
        if subject in early.erased and early.erased[subject] >= erasure:
            return
        early.erased[subject] = erasure
        _, canonical = links.pop(subject, (None, None))
        aliases = sorted(alias for alias, (_, stands_for) in links.items() if stands_for == subject)
        for other in ([] if canonical is None else [canonical]) + aliases:
            erase(other, erasure)

    for *_, event in told:
        identity = identity_of(event)
        if event.type == ERASED:
            erase(event.subject, identity)
        elif event.subject not in early.erased and (event.subject not in links or links[event.subject][0] < identity):
            canonical = link_of(event).canonical
            links[event.subject] = identity, canonical
            erasure = None if canonical is None else early.erased.get(canonical)
            if erasure is not None and identity <= erasure:
                erase(event.subject, erasure)
    early.links = sum(event.type != ERASED and event.subject not in early.erased for *_, event in told)
    return early
