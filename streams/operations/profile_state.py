"""One profile's state in Redis, and an engine that holds that profile alone.

The profile and `meta` (which catalogues have taken effect, up to which offset) are read under one token, so both are of
one moment. A checkpoint or a claim between the two reads moves the token: then both are read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rules.engine.partition import Partition
from streams.errors import Fenced, Gap, Unanswered
from streams.intake.decoding import decoder_of
from streams.operations.errors import NoState, OtherState
from streams.operations.servers import Servers
from streams.store.terms import Meta, PartitionStore

ATTEMPTS: Final = 20
"""Reads of the same profiles: a checkpoint comes between two calls at most once a second."""


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
    for _ in range(ATTEMPTS):
        meta = await store.read_meta()
        if meta is None:
            raise NoState(partition)
        try:
            return meta, await store.profiles(subjects, [meta.token])
        except (Gap, Fenced):
            continue
    raise Unanswered("the state keeps moving")


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
