"""Fixtures for every test: the servers, each started once a session by the first test that asks for it."""

from collections.abc import Iterator

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.servers import running_kafka, running_valkey


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
