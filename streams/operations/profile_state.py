"""One profile's state in Redis, and an engine that holds that profile alone.

The profile and `meta` (which catalogues have taken effect, up to which offset) are read under one token, so both are of
one moment. A checkpoint or a claim between the two reads moves the token: then both are read again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from rules.engine.partition import Partition
from streams.errors import Fenced, Gap, Unanswered
from streams.intake.decoding import decoder_of
from streams.operations.errors import NoState, OtherState
from streams.operations.servers import Servers
from streams.store.terms import Meta, PartitionStore

T = TypeVar("T")

ATTEMPTS: Final = 20
"""Reads of the same: a checkpoint comes between two calls at most once a second."""


@dataclass(frozen=True, slots=True)
class ProfileState:
    """A profile as it is stored, and the `meta` of its partition at the same moment."""

    subject: str
    partition: int
    meta: Meta
    blob: bytes | None
    """None: the partition has no such profile."""


async def read_profile(servers: Servers, subject: str, partition: int) -> ProfileState:
    """Read a profile and its partition's `meta`. Raises NoState, Unanswered."""
    async with servers.stored(partition) as store:
        meta, [blob] = await read_together(store, partition, [subject])
    return ProfileState(subject, partition, meta, blob)


async def read_together(
    store: PartitionStore, partition: int, subjects: Sequence[str]
) -> tuple[Meta, list[bytes | None]]:
    """Read profiles and their partition's `meta` at one moment. Raises NoState, Unanswered."""
    return await at_one_moment(store, partition, lambda meta: store.profiles(subjects, [meta.token]))


async def at_one_moment(store: PartitionStore, partition: int, read: Callable[[Meta], Awaitable[T]]) -> tuple[Meta, T]:
    """Read `meta`, and under its token something else; both again where a worker came between.

    Raises NoState, Unanswered, and what `read` raises besides Gap and Fenced.
    """
    for _ in range(ATTEMPTS):
        meta = await meta_of(store, partition)
        try:
            return meta, await read(meta)
        except (Gap, Fenced):
            continue
    raise Unanswered("the state keeps moving")


async def meta_of(store: PartitionStore, partition: int) -> Meta:
    """Read a partition's `meta`. Raises NoState, Unanswered."""
    meta = await store.read_meta()
    if meta is None:
        raise NoState(partition)
    return meta


async def engine_of(servers: Servers, state: ProfileState) -> Partition:
    """Return an engine that stands where the partition's state stands, and holds no other profile.

    Raises OtherState, CatalogueNotStored, CatalogueUnusable.
    """
    deployment, meta = servers.deployment, state.meta
    decode = decoder_of(state.partition, deployment.partitions)
    engine = Partition(deployment.generation, decode, offset=meta.offset, clock_ms=meta.clock_ms)
    for cut in meta.cuts:
        engine.give_catalogue(cut.catalogue, await servers.catalogue_of(cut.catalogue))
    engine.resume(meta.cuts)
    try:
        engine.give_profile(state.subject, state.blob)
    except (KeyError, ValueError):
        raise OtherState from None
    return engine
