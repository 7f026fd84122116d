"""The members of a segment, and the profiles for which an activation is active."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from rules.catalogue.activation import Activation
from streams.operations.errors import UnknownName
from streams.operations.naming import resolve
from streams.operations.servers import Servers
from streams.operations.sight import Sight
from streams.operations.snapshots import standing
from streams.store.terms import PartitionStore

SCANNED_AT_ONCE: Final = 1_000


async def members(
    servers: Servers, name: str, *, activation: bool = False, restricted: bool = False
) -> AsyncGenerator[str, None]:
    """Yield the subject of every member of a segment, or of every profile for which an activation is active, once.

    `activation`: take the name for the activation's where a segment has it too. Members come as last written to Redis,
    a partition after the other, in no order; who is active comes as last published, sorted within a partition. Close
    the iterator to end early. Raises UnknownName; Restricted, unless `restricted`; Unreachable.
    """
    catalogue = await servers.catalogue()
    named, sight = resolve(catalogue, name), Sight.of(catalogue, restricted)
    if named.activation is not None and (activation or named.segment is None):
        sight.expect("activation", name)
        found = _active(servers, named.activation)
    elif named.segment is not None and not activation:
        sight.expect("segment", name)
        found = _members(servers, named.segment.id)
    else:
        raise UnknownName(name, f"{name!r} is a segment; the catalogue in force has no such activation")
    async with aclosing(found):
        async for subject in found:
            yield subject


async def _members(servers: Servers, segment: str) -> AsyncGenerator[str, None]:
    for partition in range(servers.deployment.partitions):
        async with servers.stored(partition) as store, aclosing(scan(store, segment, SCANNED_AT_ONCE)) as pages:
            async for page in pages:
                for subject in page:
                    yield subject


async def scan(store: PartitionStore, segment: str, at_once: int) -> AsyncGenerator[Sequence[str], None]:
    """Yield the members of a segment in one partition, in pages of about `at_once`, each member once."""
    cursor, seen = 0, set[str]()
    while True:
        cursor, found = await store.members(segment, cursor, at_once)
        # a scan may meet a member twice while the set is changing
        page = [subject for subject in dict.fromkeys(found) if subject not in seen]
        seen.update(page)
        if page:
            yield page
        if cursor == 0:
            return


async def _active(servers: Servers, activation: Activation) -> AsyncGenerator[str, None]:
    async with aclosing(standing(servers, activation.channel)) as snapshot:
        async for active in snapshot:
            for subject in sorted(subject for subject, name in active if name == activation.id):
                yield subject
