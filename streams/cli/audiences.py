"""Audiences as Redis has them: members and sizes, over all partitions."""

from collections.abc import Callable
from typing import Any, Final

from rules.catalogue import Catalogue
from rules.problems import nearest
from streams.cli.console import Exit, Failure
from streams.cli.servers import Servers
from streams.store.redis import RedisStore

SCANNED_AT_ONCE: Final = 1_000


def expect_segment(catalogue: Catalogue, segment: str) -> None:
    """See that a segment is in force; ends the command otherwise."""
    if segment in catalogue.approved:
        return
    found = catalogue.segments.get(segment)
    what = (
        f"the catalogue in force has no segment {segment!r}{nearest(segment, catalogue.approved)}"
        if found is None
        else f"segment {segment!r} is {found.status.replace('_', ' ')}: only approved ones have members"
    )
    raise Failure(Exit.WRONG_INPUT, what)


async def list_members(servers: Servers, segment: str, limit: int | None, write: Callable[[str], None]) -> None:
    """Write every member once, a partition after the other, never a whole set at a time."""
    expect_segment(await servers.catalogue(), segment)
    left = limit
    for partition in range(servers.deployment.partitions):
        async with servers.stored(partition) as store:
            cursor, seen = 0, set[str]()
            while True:
                cursor, found = await store.members(segment, cursor, SCANNED_AT_ONCE)
                for subject in found:
                    # a scan may meet a member twice while the set is moving
                    if subject in seen:
                        continue
                    seen.add(subject)
                    write(subject)
                    if left is not None:
                        left -= 1
                        if left == 0:
                            return
                if cursor == 0:
                    break


async def count_members(servers: Servers) -> dict[str, Any]:
    """Count the members of every approved segment."""
    catalogue = await servers.catalogue()

    async def each(_: int, store: RedisStore) -> list[int]:
        return [await store.size(segment) for segment in catalogue.order]

    totals = [sum(found) for found in zip(*await servers.in_each(each), strict=True)]
    counted = sorted(zip(totals, catalogue.order, strict=True), key=lambda each: (-each[0], each[1]))
    segments = [
        {
            "segment": name,
            "members": size,
            "audience": catalogue.approved[name].layers.audience,
            "title": catalogue.approved[name].title,
        }
        for size, name in counted
    ]
    return {"catalogue": catalogue.hash, "segments": segments, "memberships": sum(totals)}
