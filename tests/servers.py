"""The servers that tests run against: one Kafka and one Valkey for a whole pytest session.

Names of its own (`unique`) keep a test apart: topics, groups, key prefixes. A test that kills, pauses or fills a server
starts its own (`KafkaServer(remove=folder)`). A server that does not start fails the tests; it never skips them.

`python -m tests.servers COMMAND…` starts Debian's Redis and runs a command (pytest and its arguments) against it.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streams.embedded import KafkaServer, RedisServer, ValkeyServer, prepare
from streams.embedded.kafka import QUICK_START

TEST_REDIS_URL = os.environ.get("SEGUE_TEST_REDIS_URL")
"""A running Redis (or Valkey) that the store suites use instead of the embedded Valkey."""


def unique(name: str) -> str:
    """Make a name that no other test and no earlier run uses: letters, digits and hyphens."""
    return f"{name}-{secrets.token_hex(4)}"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for servers, removed at the end. It is not in pytest's: pytest keeps those and fills the disk."""
    folder = Path(tempfile.mkdtemp(prefix="segue-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_kafka(jvm_options: Sequence[str] = QUICK_START) -> Iterator[KafkaServer]:
    """Start a separate Kafka, killed and removed at the end. `jvm_options`: STEADY compiles for a long run."""
    prepare(lambda _: None)
    with temporary_folder() as folder:
        server = KafkaServer(jvm_options=jvm_options, remove=folder)
        try:
            server.start(folder / "kafka")
            yield server
        finally:
            server.kill()


@contextmanager
def running_valkey(*, appendonly: bool = False) -> Iterator[ValkeyServer]:
    """Start a separate Valkey, killed and removed at the end."""
    with temporary_folder() as folder:
        server = ValkeyServer(appendonly=appendonly, remove=folder)
        try:
            server.start(folder / "valkey")
            yield server
        finally:
            server.kill()


def main(command: list[str]) -> int:
    """Run a command with SEGUE_TEST_REDIS_URL set to a new Redis. Returns the command's status."""
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
