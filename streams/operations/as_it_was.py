"""One profile as it was at an instant, exactly: the records of its partition up to then applied, its wakes fired.

The nearest of three beginnings is taken:

- the partition's state in Redis, if its clock is not later than the instant: the records since are applied;
- the same state, if nothing has moved the profile since the instant: it stands there as it stood then. An alias takes
  facts in without an evaluation, so of a profile that met a link this cannot be told;
- an empty state at the log's beginning, if the log still has it.

Where none of them serves, the past cannot be told (`PastGone`). Only records that can move the profile are decoded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from aiokafka import TopicPartition

from rules.engine.cut import Cut
from rules.engine.partition import Partition
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.ground.partitioning import partition_of
from streams.intake.decoding import decoder_of
from streams.operations.concerning import Concerning, History
from streams.operations.errors import CatalogueUnusable, NoState, UnknownProfile
from streams.operations.partitions import OnOffset
from streams.operations.past_errors import NoCutThen, OtherRulesThen, PastGone, UnknownThen
from streams.operations.profile_state import ProfileState, engine_of, read_profile
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, CataloguesOnly
from streams.operations.until import Reading
from streams.partition.driver import Driver


@dataclass(frozen=True, slots=True)
class AsItWas:
    """A profile, and the engine that holds it alone, at an instant. Every wake up to and including it has fired."""

    engine: Partition
    plan: Plan
    """The catalogue in force then."""
    profile: Profile
    clock_ms: int
    """The instant of the last record that had been applied."""
    offset: int
    """The next record."""
    read_from: Literal["state", "log"]


async def profile_at(servers: Servers, subject: str, t_ms: int, on_offset: OnOffset) -> AsItWas:
    """Return a profile as it was at t_ms.

    Raises PastGone, OtherRulesThen, NoCutThen, UnknownThen, UnknownProfile; CatalogueNotStored, OtherState;
    Unreachable.
    """
    deployment = servers.deployment
    partition = partition_of(subject.encode(), deployment.partitions)
    state = await _state(servers, subject, partition)
    known_from_ms = None
    if state is not None:
        engine = await engine_of(servers, state)
        if state.meta.clock_ms <= t_ms:
            offset = await _apply(servers, engine, subject, partition, t_ms, on_offset)
            return _as_it_was(engine, subject, partition, t_ms, offset, "state")
        if state.blob is None:
            raise UnknownProfile(partition)
        profile = engine.profiles[subject]
        if profile.person is None:
            known_from_ms = max(profile.evaluated_ms, *(cut.t_ms for cut in state.meta.cuts))
        if known_from_ms is not None and known_from_ms <= t_ms and not await _history_since(servers, state, t_ms):
            return _as_it_was(engine, subject, partition, t_ms, state.meta.offset, "state")
    start, _ = await servers.log.offsets(deployment.events_topic, partition)
    if start > 0:
        raise PastGone(partition, start, known_from_ms)
    engine = Partition(deployment.generation, decoder_of(partition, deployment.partitions))
    try:
        offset = await _apply(servers, engine, subject, partition, t_ms, on_offset)
    except CatalogueUnusable:
        raise OtherRulesThen(known_from_ms) from None
    return _as_it_was(engine, subject, partition, t_ms, offset, "log")


async def _state(servers: Servers, subject: str, partition: int) -> ProfileState | None:
    """Read the profile's state; None where the partition has no state under a catalogue."""
    try:
        state = await read_profile(servers, subject, partition)
    except NoState:
        return None
    return state if state.meta.cuts else None


async def _history_since(servers: Servers, state: ProfileState, t_ms: int) -> bool:
    """Tell whether a record has brought the profile history since an instant: that moves it without an evaluation.

    Only where the history of a cut is not all there yet can it be so.
    """
    if not any(_open_cuts(state.meta.cuts)):
        return False
    topic = servers.deployment.events_topic
    inputs = TopicPartition(topic, state.partition)
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([inputs])
        later = (await consumer.offsets_for_times({inputs: t_ms + 1}))[inputs]
        if later is None or later.offset >= state.meta.offset:
            return False
        consumer.seek(inputs, later.offset)
        reading = Reading(consumer, inputs, None, state.meta.offset, offset=later.offset)
        async for _ in reading.records(History(state.subject)):
            return True
    return False


def _open_cuts(cuts: Sequence[Cut]) -> Iterator[int]:
    """Yield the cuts whose history is not all there yet, as far as a checkpoint knows."""
    filled = {cut.ordinal: False for cut in cuts if not cut.fills}
    for cut in cuts:
        filled |= {made.cut: made.filled for made in (*cut.made, *cut.fills)}
    yield from (ordinal for ordinal, done in filled.items() if not done)


async def _apply(
    servers: Servers, engine: Partition, subject: str, partition: int, t_ms: int, on_offset: OnOffset
) -> int:
    """Apply the records from where the engine stands up to t_ms; return the offset of the next one."""
    topic = servers.deployment.events_topic
    _, end = await servers.log.offsets(topic, partition)
    driver = Driver(engine, CataloguesOnly(servers.catalogue_of))
    inputs = TopicPartition(topic, partition)
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([inputs])
        consumer.seek(inputs, engine.offset)
        reading = Reading(consumer, inputs, t_ms, end, engine.clock_ms, engine.offset)
        async for record in reading.records(Concerning(subject), on_offset):
            await driver.feed(record)
    engine.clock_ms = reading.clock_ms
    return reading.offset


def _as_it_was(
    engine: Partition, subject: str, partition: int, t_ms: int, offset: int, read_from: Literal["state", "log"]
) -> AsItWas:
    plan = engine.current
    if plan is None:
        raise NoCutThen(partition, t_ms)
    engine.pass_time(t_ms + 1)
    profile = engine.profiles.get(subject)
    if profile is None:
        raise UnknownThen(partition, t_ms)
    return AsItWas(engine, plan, profile, engine.clock_ms, offset, read_from)
