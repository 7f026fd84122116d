"""How many people are tied to an organisation, in each role.

The organisation's partition keeps them in pages, under names that no subject can have. Pages are read some at a time,
so a tie that moves meanwhile may be missed or counted twice: the numbers are for people, not for programs that decide.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rules.engine.affiliations.pages import Rows, index_name, page_name
from rules.engine.profile import unpack
from rules.ground.partitioning import partition_of
from streams.operations.profile_state import read_together
from streams.operations.servers import Servers

PAGES_AT_ONCE: Final = 50
"""Pages read with one call, each of up to 512 subjects."""


async def tied_people(servers: Servers, organisation: str) -> Mapping[str, int]:
    """Count the subjects that are tied to an organisation itself, by role; empty: none is.

    Those that are tied to its aliases stand in the pages of these. Raises NoState, Unanswered; Unreachable.
    """
    partition = partition_of(organisation.encode(), servers.deployment.partitions)
    found: Counter[str] = Counter()
    async with servers.stored(partition) as store:
        _, [index] = await read_together(store, partition, [index_name(organisation)])
        names = [page_name(organisation, number) for _, number in _rows(index_name(organisation), index)]
        for chosen in _in_turn(names):
            _, blobs = await read_together(store, partition, chosen)
            for name, blob in zip(chosen, blobs, strict=True):
                for _, *roles in _rows(name, blob):
                    found.update(roles)
    return dict(sorted(found.items()))


def _rows(name: str, blob: bytes | None) -> Rows:
    person = None if blob is None else unpack(name, blob).person
    return [] if person is None or person.page is None else person.page


def _in_turn(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), PAGES_AT_ONCE):
        yield names[start : start + PAGES_AT_ONCE]
