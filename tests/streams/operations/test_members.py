"""Members of segments, read from a store that is changing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from rules.catalogue.catalogue import Catalogue
from streams.operations.errors import UnknownName
from streams.operations.members import members
from streams.operations.servers import Servers
from streams.settings import Deployment
from tests.streams.world import catalogue

VISITORS = "visitors|enter: {event: portal.login, within: 1h}"


@dataclass
class Store:
    """A partition whose scans answer as told: (cursor, subjects) by cursor."""

    scans: Sequence[tuple[int, Sequence[str]]]

    async def members(self, segment: str, cursor: int, count: int) -> tuple[int, Sequence[str]]:
        assert segment == "visitors"
        return self.scans[cursor]


@dataclass
class Stores:
    """Servers that have stores and nothing else."""

    stores: Sequence[Store]
    opened: list[int] = field(default_factory=list)

    @property
    def deployment(self) -> Deployment:
        return Deployment(partitions=len(self.stores))

    async def catalogue(self) -> Catalogue:
        return catalogue(VISITORS)

    @asynccontextmanager
    async def stored(self, partition: int) -> AsyncIterator[Store]:
        self.opened.append(partition)
        try:
            yield self.stores[partition]
        finally:
            self.opened.remove(partition)


def stores() -> Stores:
    return Stores([Store([(1, ["hcp:1", "hcp:2"]), (0, ["hcp:2", "hcp:3"])]), Store([(0, ["hcp:4"])])])


async def test_a_member_that_a_scan_meets_twice_is_told_once() -> None:
    found = [subject async for subject in members(cast("Servers", stores()), "visitors")]
    assert found == ["hcp:1", "hcp:2", "hcp:3", "hcp:4"]


async def test_an_iterator_closed_early_leaves_no_store_open() -> None:
    servers = stores()
    async with aclosing(members(cast("Servers", servers), "visitors")) as found:
        assert await anext(found) == "hcp:1"
        assert servers.opened == [0]
    assert servers.opened == []


@pytest.mark.parametrize(
    ("name", "activation", "said"),
    [("vistors", False, "did you mean 'visitors'?"), ("visitors", True, "no such activation")],
)
async def test_a_name_that_is_not_in_force_is_an_error_that_carries_it(name: str, activation: bool, said: str) -> None:
    with pytest.raises(UnknownName, match=said) as error:
        await anext(members(cast("Servers", stores()), name, activation=activation))
    assert error.value.name == name
