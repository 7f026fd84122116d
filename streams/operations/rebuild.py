"""`segue rebuild`: the state of a partition again, from the log, after Redis was lost.

(1) Apply the input in memory from its first record to the published offset; the digest there must be the published one:
    otherwise nothing is written, and it is said.
(2) Create `meta` under the generation `rebuilding…`: a worker that finds it stops as at any foreign state. A crash from
    here to (4) leaves that, and the rebuild is run again with --force.
(3) Write the profiles, wakes and member sets in bounded checkpoints.
(4) Write `meta` as it is to be, in one last checkpoint: from here the partition can be claimed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from aiokafka import TopicPartition

from rules.engine.slice import Slice
from streams.operations.errors import DigestDiffers, NothingPublished, StateExists, WrongInput
from streams.operations.partitions import OnOffset, chosen
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, Shadow, records
from streams.operations.verify import check_whole, published
from streams.store.terms import Checkpoint, Meta, PartitionStore, Token

REBUILDING: Final = "rebuilding…"
"""The generation of a half-made state: with a character that `Deployment.generation` never has."""
PROFILES_A_WRITE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of one partition."""

    partition: int
    offset: int
    profiles: int
    members: int


async def rebuild(
    servers: Servers, partitions: Sequence[int] | None, on_offset: OnOffset, *, force: bool = False
) -> list[Rebuilt]:
    """Rebuild partitions (None: all), one after the other; return one result a partition.

    Stops at the first partition that fails; the partitions before it are rebuilt. Raises StateExists when its state
    exists (without `force`), DigestDiffers when its digest differs, NothingPublished when it has no progress record.
    """
    deployment = servers.deployment
    wanted = chosen(partitions, deployment.partitions)
    await servers.expect_topics(deployment.events_topic, deployment.progress_topic)
    return [await _rebuild(servers, partition, on_offset, force=force) for partition in wanted]


async def _rebuild(servers: Servers, partition: int, on_offset: OnOffset, *, force: bool) -> Rebuilt:
    deployment = servers.deployment
    async with servers.stored(partition) as store:
        if await store.read_meta() is not None and not force:
            raise StateExists(partition)
        await check_whole(servers, partition)
        progress = await published(servers, partition)
        if progress is None:
            raise NothingPublished(partition)
        shadow = Shadow(partition, deployment.partitions, progress.generation, servers.catalogue_of)
        inputs = TopicPartition(deployment.events_topic, partition)
        async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
            consumer.assign([inputs])
            await consumer.seek_to_beginning(inputs)
            until = progress.offset
            async for record in records(consumer, inputs, until, lambda offset: on_offset(partition, offset, until)):
                await shadow.feed(record)
        if shadow.engine.digest != progress.digest:
            raise DigestDiffers(partition, progress.offset)
        taken = replace(shadow.engine.take_slice(), offset=progress.offset)
        meta = Meta(
            generation=progress.generation,
            token=Token(0, 0),
            offset=progress.offset,
            clock_ms=max(taken.clock_ms, -1),
            catalogue=taken.catalogue,
            partitions=deployment.partitions,
            digest=taken.digest,
            last_ms=taken.last_ms,
            cuts=taken.cuts,
            active=taken.active,
        )
        members = await _write(store, meta, taken)
        return Rebuilt(partition, progress.offset, len(taken.profiles), members)


async def _write(store: PartitionStore, meta: Meta, taken: Slice) -> int:
    await store.drop()
    token = Token(0, 1)
    if not await store.create(replace(meta, generation=REBUILDING, token=token)):
        raise WrongInput("somebody else wrote state meanwhile: stop the workers and run it again")
    members = [(segment, subject) for segment, subjects in taken.joined.items() for subject in subjects]
    profiles = iter(taken.profiles.items())
    following = iter(members)
    while True:
        some, joined = dict(islice(profiles, PROFILES_A_WRITE)), _by_segment(islice(following, PROFILES_A_WRITE))
        last = not some and not joined
        new = Token(0, token.n + 1)
        wakes: dict[str, int | None] = {subject: taken.wakes[subject] for subject in some}
        final = replace(meta, token=new) if last else replace(meta, token=new, generation=REBUILDING)
        erased = {subject: taken.erased[subject] for subject in some if subject in taken.erased}
        await store.write(Checkpoint(token, final, profiles=some, wakes=wakes, joined=joined, erased=erased))
        token = new
        if last:
            return len(members)


def _by_segment(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for segment, subject in pairs:
        found.setdefault(segment, []).append(subject)
    return found
