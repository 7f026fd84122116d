"""Reading links out of the profiles in Redis: of one subject with its person, or of all."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from rules.engine.layout import decode
from rules.engine.persons.journeys import Moved
from rules.engine.persons.packed import PackedPerson
from rules.ground.partitioning import by_partition, partition_of
from streams.operations.errors import OtherState
from streams.operations.links.graph import Linked, Links
from streams.operations.profile_state import at_one_moment, read_profile, read_together
from streams.operations.servers import Servers
from streams.store.redis import RedisStore

SCAN: Final = 1_000
"""Profiles that are read at once."""
PERSON_MAX: Final = 10_000
"""Subjects of one person that are read: beyond, `segue links` without a subject reads all in another order."""
OnRead = Callable[[int], None]
"""Is called with how many profiles more were read."""


async def read_all(servers: Servers, on_read: OnRead = lambda _: None, also: Collection[str] = ()) -> Links:
    """Read the links of all partitions. Raises NoState, OtherState, Unanswered; Incident: an erasure key is lacking.

    `also`: subjects that are asked for by name. A subject that was erased may stand under a hash, and is found only so.
    """

    async def one(partition: int, store: RedisStore) -> list[Linked]:
        found: dict[str, Linked] = {}
        cursor: int | None = 0
        while cursor is not None:
            after, subjects = await _page(store, partition, cursor)
            await look(partition, store, subjects, found)
            cursor = after or None
        named = sorted(each for each in parted.get(partition, ()) if each not in found)
        for begin in range(0, len(named), SCAN):
            await look(partition, store, named[begin : begin + SCAN], found)
        return list(found.values())

    async def look(partition: int, store: RedisStore, subjects: Sequence[str], found: dict[str, Linked]) -> None:
        _, blobs = await read_together(store, partition, subjects)
        for subject, blob in zip(subjects, blobs, strict=True):
            linked = linked_of(subject, blob)
            if linked is not None:
                found[subject] = linked
        on_read(len(subjects))

    parted = by_partition({*also}, servers.deployment.partitions)
    return Links(linked for partition in await servers.in_each(one) for linked in partition)


async def read_person(servers: Servers, subject: str) -> Links:
    """Read the links of one subject's person, hop by hop: up to the end of its links, then down to all aliases.

    Raises NoState, OtherState, Unanswered.
    """
    found: dict[str, Linked] = {}
    left: list[str] = [subject]
    while left and len(found) < PERSON_MAX:
        each = left.pop()
        if each in found:
            continue
        partition = partition_of(each.encode(), servers.deployment.partitions)
        state = await read_profile(servers, each, partition)
        found[each] = linked_of(each, state.blob) or Linked(each, known=state.blob is not None)
        left += found[each].aliases
        if (canonical := found[each].canonical) is not None:
            left.append(canonical)
    return Links(found.values())


def linked_of(subject: str, blob: bytes | None) -> Linked | None:
    """Return what a packed profile says of links; None: it never met one. Raises OtherState."""
    if blob is None:
        return None
    try:
        packed = decode(blob)
    except ValueError:
        raise OtherState from None
    person: PackedPerson | None = packed.person
    if person is None:
        return None
    link = person.link
    alias = link is not None and link.canonical is not None
    return Linked(
        subject,
        None if link is None else link.canonical,
        None if link is None or not alias else link.time_ms,
        f"{link.source} {link.id}" if link is not None and alias else "",
        None if person.erased is None else person.erased.time_ms,
        tuple(sorted(person.aliases)),
        tuple(Moved(*each) for each in person.moved or ()),
        tuple(sorted(name for name, standing in packed.activations.items() if standing.active)),
    )


async def _page(store: RedisStore, partition: int, cursor: int) -> tuple[int, Sequence[str]]:
    _, page = await at_one_moment(store, partition, lambda meta: store.subjects(cursor, SCAN, [meta.token]))
    return page
