"""The judgement: published changes against the log applied again, and against the evaluator that shares no code.

1. Every committed change of the membership topic and of each channel's, from offset 0, is the published side.
2. Every record of the input is applied again by the engine, with nothing in between: what comes out up to the offset at
   which the load had drained must be published, once, byte for byte, in that order. What comes out after it (ticks go
   on) may be.
3. The naive evaluator lives through sampled profiles alone: each one's own events at the instants of their records, up
   to the last instant of its partition. Its changes before that instant must be the published ones, byte for byte.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson
from aiokafka import TopicPartition

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.decode import Own
from rules.engine.outcome import Applied
from rules.engine.persons.effects import REACHED_TYPE
from rules.engine.persons.received import read_effect
from rules.engine.record import Record
from rules.ground.event import Event
from rules.ground.instants import format_instant
from streams.operations.dump import line
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, Shadow, records
from streams.operations.verify_effects import Exchange
from streams.wire.names import channel_topics


class Line(NamedTuple):
    """One event for the naive evaluator."""

    subject: str
    value: bytes
    """With the instant of its record as `recordedtime`."""
    at_ms: int
    """That instant."""
    place: int
    """Number of its record in the partition."""


class Arrived(NamedTuple):
    """An effect of another subject's event, in the partition of its target."""

    at_ms: int
    place: int


_EVERY: Final = 500
"""Records between two words on how far it is."""


@dataclass(slots=True)
class Ledger:
    """One partition: published changes, the engine's changes, and the events as lines for the naive evaluator."""

    partition: int
    published: list[bytes] = field(default_factory=list)
    due: list[bytes] = field(default_factory=list)
    """Changes that must be published."""
    later: list[bytes] = field(default_factory=list)
    """Changes of records that came after the load had drained: they may be."""
    lines: list[Line] = field(default_factory=list)
    """The events."""
    effects: dict[tuple[str, str], Arrived] = field(default_factory=dict)
    """(target, `source id` of the event behind it) → the first effect of that event there."""
    reached: dict[tuple[str, str], tuple[str, Arrived]] = field(default_factory=dict)
    """(subject, `source id` of an organisation's event) → that organisation, and when its event reached the subject."""
    clock_ms: int = 0
    """At the end of what is due."""
    records: int = 0
    channels: dict[str, "Ledger"] = field(default_factory=dict)
    """A ledger for each channel's topic: its published changes, the due ones, the permitted ones."""

    def channel(self, name: str) -> "Ledger":
        """The ledger of one channel of this partition."""
        return self.channels.setdefault(name, Ledger(self.partition))

    def of(self, change: AnyChange) -> "Ledger":
        """The ledger of the topic to which a change belongs."""
        return self.channel(change.channel) if isinstance(change, ActivationChange) else self


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """What came of a comparison; ids of changes, or counts."""

    missing: frozenset[bytes]
    """Expected and not published."""
    duplicates: int
    """Published more than once, counted beyond the first."""
    unexpected: frozenset[bytes]
    """Published and not expected."""
    out_of_order: int
    """Partitions whose changes stand in another order."""
    effects: tuple[str, ...] = ()
    """What is wrong with effects on other profiles, in words."""

    @property
    def right(self) -> bool:
        """Whether all is as it must be."""
        return not (self.missing or self.duplicates or self.unexpected or self.out_of_order or self.effects)


async def ends(servers: Servers) -> list[int]:
    """Ask for the end of every input partition."""
    topic, count = servers.deployment.events_topic, servers.deployment.partitions
    return [(await servers.log.offsets(topic, partition))[1] for partition in range(count)]


async def read_published(servers: Servers, ledgers: Sequence[Ledger]) -> None:
    """Read every committed change from offset 0; forget earlier readings."""
    deployment = servers.deployment
    await _read_topic(servers, deployment.membership_topic, ledgers)
    stored = await servers.latest_catalogue()
    if stored is None or stored.key is None:
        return
    catalogue = await servers.catalogue_of(stored.key.decode())
    for name in sorted({each.channel for each in catalogue.approved_activations.values()}):
        topic, _ = channel_topics(deployment, name)
        await _read_topic(servers, topic, [ledger.channel(name) for ledger in ledgers])


async def _read_topic(servers: Servers, topic: str, ledgers: Sequence[Ledger]) -> None:
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        for ledger in ledgers:
            partition = TopicPartition(topic, ledger.partition)
            _, end = await servers.log.offsets(topic, ledger.partition)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            ledger.published = [record.value or b"" async for record in records(consumer, partition, end)]


async def apply_again(
    servers: Servers,
    ledgers: Sequence[Ledger],
    drained: Sequence[int],
    on_records: Callable[[int], None],
) -> Exchange:
    """Apply the input again, all of it; `drained` are the offsets up to which changes are due.

    Returns the effects that are due, and those that stand in the input.
    """
    deployment = servers.deployment
    exchange = Exchange(deployment.partitions, deployment.generation)
    async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        for ledger, until, end in zip(ledgers, drained, await ends(servers), strict=True):
            shadow = Shadow(ledger.partition, deployment.partitions, deployment.generation, servers.catalogue_of)
            partition = TopicPartition(deployment.events_topic, ledger.partition)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            async for record in records(consumer, partition, end):
                applied = await shadow.feed(record)
                due = record.offset < until
                for change in applied.changes:
                    belongs = ledger.of(change)
                    (belongs.due if due else belongs.later).append(change.value)
                exchange.take(ledger.partition, record)
                ledger.records += 1
                if due:
                    for effect in applied.effects:
                        exchange.send(ledger.partition, effect)
                    _note(ledger, record, applied, shadow.engine.clock_ms)
                if ledger.records % _EVERY == 0:
                    on_records(sum(each.records for each in ledgers))
    on_records(sum(each.records for each in ledgers))
    return exchange


def _note(ledger: Ledger, record: Record, applied: Applied, clock_ms: int) -> None:
    """Keep what the naive evaluator needs of a record that is due."""
    ledger.clock_ms, decoded = clock_ms, applied.decoded
    if isinstance(decoded, Event):
        # at the clock: the file of a few profiles has none of the records that moved it
        value = line(record._replace(timestamp_ms=clock_ms), decoded)
        ledger.lines.append(Line(decoded.subject, value, clock_ms, ledger.records))
    elif isinstance(decoded, Own) and (effect := read_effect(decoded)) is not None:
        arrived = Arrived(clock_ms, ledger.records)
        ledger.effects.setdefault((effect.subject, effect.event), arrived)
        if effect.type == REACHED_TYPE:
            ledger.reached.setdefault((effect.subject, effect.event), (effect.way[0], arrived))


def judge_effects(exchange: Exchange, drained: Sequence[int]) -> tuple[str, ...]:
    """Compare the effects that are due with those that stand in the input."""
    read = {*range(exchange.partitions)}
    found = (exchange.difference(partition, until, read) for partition, until in enumerate(drained))
    return tuple(each for each in found if each)


def judge(ledgers: Sequence[Ledger]) -> CheckVerdict:
    """Compare the published changes with the engine's."""
    missing: set[bytes] = set()
    unexpected: set[bytes] = set()
    duplicates = out_of_order = 0
    for ledger in (*ledgers, *(channel for each in ledgers for channel in each.channels.values())):
        seen = Counter(ledger.published)
        # a second change of one id is a repetition, also with other bytes
        ids = Counter(id_of(value) for value in ledger.published)
        duplicates += sum(count - 1 for count in ids.values())
        missing |= {value for value in ledger.due if value not in seen}
        unexpected |= seen.keys() - set(ledger.due) - set(ledger.later)
        once = list(dict.fromkeys(ledger.published))
        allowed = set(seen)
        expected = [value for value in [*ledger.due, *ledger.later] if value in allowed]
        out_of_order += [value for value in once if value not in unexpected] != expected
    return CheckVerdict(frozenset(missing), duplicates, frozenset(unexpected), out_of_order)


def judge_profiles(ledger: Ledger, said: Mapping[str, Sequence[bytes]]) -> CheckVerdict:
    """Compare the published changes of sampled profiles with the naive evaluator's, by subject.

    Memberships, and each channel's activations, have an order of their own: they are compared apart.
    """
    # at the very last instant a wake may still be due in the live system
    before = format_instant(ledger.clock_ms)
    published: defaultdict[tuple[str, str], list[bytes]] = defaultdict(list)
    for each in (ledger, *ledger.channels.values()):
        _sort(each.published, before, published)
    wanted_of: defaultdict[tuple[str, str], list[bytes]] = defaultdict(list)
    for values in said.values():
        _sort(values, before, wanted_of)
    missing: set[bytes] = set()
    unexpected: set[bytes] = set()
    out_of_order = 0
    for key in [key for key in {*published, *wanted_of} if key[0] in said]:
        wanted, once = wanted_of[key], list(dict.fromkeys(published[key]))
        missing |= set(wanted) - set(once)
        unexpected |= set(once) - set(wanted)
        out_of_order += set(wanted) == set(once) and wanted != once
    return CheckVerdict(frozenset(missing), 0, frozenset(unexpected), out_of_order)


def _sort(values: Iterable[bytes], before: str, into: dict[tuple[str, str], list[bytes]]) -> None:
    """Sort changes before an instant by (profile, channel); a membership has none."""
    for value in values:
        change = orjson.loads(value)
        if change["effective_at"] < before:
            into[change["profile"], change.get("channel", "")].append(value)


def id_of(value: bytes) -> str:
    """The id of a published change."""
    found: str = orjson.loads(value)["id"]
    return found
