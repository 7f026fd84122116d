"""The contract suite runs on the model and on Apache Kafka."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.log.worlds import KafkaWorld, MemoryWorld, World


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.servers)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A log of its own for each test."""
    made: World
    if request.param == "memory":
        made = MemoryWorld()
    else:
        made = await KafkaWorld(request.getfixturevalue("kafka").bootstrap).open()
    yield made
    await made.close()
