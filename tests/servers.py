"""The servers that tests run against: one Kafka and one Valkey for a whole pytest session.

A test keeps to itself by names of its own (`unique`): topics, groups, key prefixes. One that kills, pauses or fills a
server starts its own (`KafkaServer(remove=folder)`). A server that does not start fails the tests; it never skips them.

`python -m tests.servers COMMAND…` runs a command (pytest and what to test) against Debian's Redis, started for it.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.embedded import KafkaServer, RedisServer, ValkeyServer, prepare

TEST_REDIS_URL = os.environ.get("SEGUE_TEST_REDIS_URL")
"""A Redis (or Valkey) already running, for the store suites instead of the embedded Valkey."""


def unique(name: str) -> str:
    """Make a name that no other test, nor an earlier run, uses: letters, digits and hyphens."""
    return f"{name}-{secrets.token_hex(4)}"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Have a folder for servers, gone at the end. Not under pytest's own: what those keep would fill the disk."""
    folder = Path(tempfile.mkdtemp(prefix="segue-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_kafka() -> Iterator[KafkaServer]:
    """Start a Kafka of its own, killed and removed at the end."""
    prepare(lambda _: None)
    with temporary_folder() as folder:
        server = KafkaServer(remove=folder)
        try:
            server.start(folder / "kafka")
            yield server
        finally:
            server.kill()


@contextmanager
def running_valkey(*, appendonly: bool = False) -> Iterator[ValkeyServer]:
    """Start a Valkey of its own, killed and removed at the end."""
    with temporary_folder() as folder:
        server = ValkeyServer(appendonly=appendonly, remove=folder)
        try:
            server.start(folder / "valkey")
            yield server
        finally:
            server.kill()


def main(command: list[str]) -> int:
    """Run a command with SEGUE_TEST_REDIS_URL leading to a Redis of its own; returns the command's status."""
    with temporary_folder() as folder:
        server = RedisServer(remove=folder)
        try:
            server.start(folder / "redis")
            return subprocess.run(
                command, env={**os.environ, "SEGUE_TEST_REDIS_URL": server.redis_url}, check=False
            ).returncode
        finally:
            server.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
