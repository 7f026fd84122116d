"""Fixtures for every test: the servers, each started once a session by the first test that asks for it."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from streams.embedded import KafkaServer, ValkeyServer
from tests.servers import running_kafka, running_valkey

# judged by what they find, never by how long an example takes on a busy machine; the same examples in every run, unless
# SEGUE_EXAMPLES asks for a search
settings.register_profile(
    "patient", deadline=None, print_blob=True, derandomize="SEGUE_EXAMPLES" not in os.environ, database=None
)
settings.load_profile("patient")

# a shell that puts the suite into the background has it ignore Ctrl-C, and so would commands that a test interrupts
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
