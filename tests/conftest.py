"""Fixtures for every test: the servers, each started once a session by the first test that asks for it."""

from collections.abc import Iterator

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.servers import TEST_REDIS_URL, running_kafka, running_valkey


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """The session's Apache Kafka, embedded. Shared: never stop it; use `unique` names."""
    with running_kafka() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """The session's Valkey, embedded. Shared: never stop or flush it; use `unique` key prefixes."""
    with running_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def redis_like(request: pytest.FixtureRequest) -> str:
    """URL of the server under the store's suites: SEGUE_TEST_REDIS_URL where set (Redis in CI), else the Valkey."""
    if TEST_REDIS_URL:
        return TEST_REDIS_URL
    server: ValkeyServer = request.getfixturevalue("valkey")
    return server.redis_url
