"""The servers of fault runs: one Kafka for all, or a Kafka for one run; a Valkey or Redis for each run."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams.embedded import KafkaServer, RedisServer, ValkeyServer, prepare
from tests.faults.zygote import Zygote


@dataclass
class Servers:
    """The servers of a session of fault runs. The runs share Kafka; each has a store of its own."""

    kafka: KafkaServer
    folder: Path
    zygote: Zygote


@contextmanager
def servers() -> Iterator[Servers]:
    """Start Kafka; it ends with the `with`, and if this process is killed."""
    prepare(lambda _: None)
    folder = Path(tempfile.mkdtemp(prefix="segue-faults-"))
    kafka, zygote = KafkaServer(remove=folder), Zygote()
    try:
        kafka.start(folder / "kafka")
        yield Servers(kafka, folder, zygote)
    finally:
        zygote.close()
        kafka.kill()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def own_kafka(servers: Servers, settings: Mapping[str, str] | None = None) -> AsyncIterator[KafkaServer]:
    """Start a Kafka for one run, which may do anything to it."""
    kafka = KafkaServer(settings=settings, remove=servers.folder)
    try:
        await asyncio.to_thread(kafka.start, servers.folder / f"kafka-{secrets.token_hex(4)}")
        yield kafka
    finally:
        await asyncio.to_thread(kafka.kill)


def store_of(seed: int) -> type[ValkeyServer]:
    """Return Redis for every other seed, if it is installed (Debian's package redis-server); Valkey otherwise."""
    return RedisServer if seed % 2 and shutil.which("redis-server") else ValkeyServer


@contextmanager
def store(
    folder: Path,
    *,
    fsync: str = "everysec",
    options: tuple[str, ...] = (),
    kind: type[ValkeyServer] = ValkeyServer,
) -> Iterator[ValkeyServer]:
    """Start a Valkey, or a Redis, with an append-only file."""
    server = kind(appendonly=True, appendfsync=fsync, options=options, remove=folder)  # type: ignore[arg-type]
    try:
        server.start(folder / f"valkey-{secrets.token_hex(4)}")
        yield server
    finally:
        server.kill()
