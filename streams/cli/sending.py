"""Sending lines as events: each to the partition of its subject, acknowledged by all replicas."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, Final

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from rules.ground.partitioning import partition_of
from streams.cli.render.progress import progress
from streams.cli.render.terminal import tell
from streams.operations.servers import REACH_MS, Servers

RECORD_BYTES_MAX: Final = 1_000_000
"""Larger ones no broker takes by default; the dead-letter topic's own limit is far below (256 KiB)."""
LINES_AHEAD: Final = 2_000
"""Read from the file before they are sent."""
TAKEN_AT_ONCE: Final = 200
CHUNK_BYTES: Final = 1 << 16
OWN: Final = "segue."
CLOUDEVENT: Final = [("content-type", b"application/cloudevents+json")]


@dataclass(slots=True)
class Sent:
    """What was sent."""

    sent: int = 0
    without_subject: int = 0
    """Among those sent: they will be dead-lettered."""
    own: int = 0
    """Left out: the workers' own types."""
    too_large: int = 0
    """Left out."""
    bytes: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}

    def summary(self) -> str:
        """For people."""
        rate = self.sent / self.seconds if self.seconds else 0
        parts = [f"{self.sent:,} events sent in {self.seconds:.1f} s ({rate:,.0f} a second)"]
        if self.without_subject:
            parts.append(f"{self.without_subject:,} of them without a readable subject: they will be dead-lettered")
        if self.own:
            parts.append(f"{self.own:,} lines of types segue.* left out")
        if self.too_large:
            parts.append(f"{self.too_large:,} lines too large, left out")
        return "; ".join(parts)


async def send_lines(servers: Servers, file: Path, rate: int | None) -> Sent:
    """Send the lines of a file (`-`: standard input), at most `rate` a second; every delivery is awaited."""
    deployment = servers.deployment
    await servers.expect_topics(deployment.events_topic)
    producer = AIOKafkaProducer(
        bootstrap_servers=servers.settings.kafka_bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=256 * 1024,
        max_request_size=RECORD_BYTES_MAX,
        request_timeout_ms=REACH_MS,
    )
    sending = _Sending(producer, deployment.events_topic, deployment.partitions)
    total = None if str(file) == "-" else file.stat().st_size
    began = monotonic()
    await producer.start()
    try:
        with progress() as shown:
            task = shown.add_task("Sending (bytes)", total=total, note="")
            async for read, lines in _batches(file):
                for line in lines:
                    await sending.send(line)
                    if rate is not None:
                        await sending.keep_to(rate, began)
                shown.update(task, completed=read, note=f"{sending.sent.sent:,} events")
        await producer.flush()
    finally:
        await producer.stop()
    sending.check()
    sending.sent.seconds = monotonic() - began
    return sending.sent


class _Sending:
    """Turns lines into records and watches over their deliveries."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self.sent = Sent()
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._lines = 0
        self._failure: BaseException | None = None

    async def send(self, line: bytes) -> None:
        """Send a line; empty ones are skipped. Raises what an earlier delivery failed with."""
        self._lines += 1
        line = line.strip(b" \t\r\n")
        if not line:
            return
        self.check()
        own, key = _key_of(line)
        if own:
            self.sent.own += 1
            return
        # without a subject there is no right partition: any will do, and the worker refuses it
        partition = self._lines % self._partitions if key is None else partition_of(key, self._partitions)
        try:
            delivery = await self._producer.send(
                self._topic, line, key=key, partition=partition, headers=list(CLOUDEVENT)
            )
        except MessageSizeTooLargeError:
            self.sent.too_large += 1
            tell(f"line {self._lines}: too large")
            return
        delivery.add_done_callback(self._delivered)
        self.sent.sent += 1
        self.sent.bytes += len(line)
        self.sent.without_subject += key is None

    def _delivered(self, delivery: "asyncio.Future[Any]") -> None:
        if not delivery.cancelled():
            self._failure = self._failure or delivery.exception()

    def check(self) -> None:
        """Raise what a delivery failed with."""
        if self._failure is not None:
            raise self._failure

    async def keep_to(self, rate: int, began: float) -> None:
        """Wait until that many events may have been sent."""
        ahead_s = self.sent.sent / rate - (monotonic() - began)
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)


def _key_of(line: bytes) -> tuple[bool, bytes | None]:
    """Read whether a line is of the workers' own types, and its subject as a key; None: none that can be read."""
    try:
        event = orjson.loads(line)
    except ValueError:
        return False, None
    if not isinstance(event, dict):
        return False, None
    type_, subject = event.get("type"), event.get("subject")
    if isinstance(type_, str) and type_.startswith(OWN):
        return True, None
    if not isinstance(subject, str) or not subject:
        return False, None
    return False, subject.encode()


async def _batches(file: Path) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Read a file a few lines at a time: (bytes read so far, lines).

    A thread reads, one that nobody waits for: a pipe that stays silent holds nothing up.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[int, list[bytes]] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(LINES_AHEAD // TAKEN_AT_ONCE)

    def put(item: tuple[int, list[bytes]] | BaseException | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            with _opened(file) as stream:
                for item in _chunks(stream):
                    room.acquire()
                    put(item)
        except OSError as error:
            put(error)
        except RuntimeError:
            return  # the loop is closed: the command ended
        put(None)

    threading.Thread(target=read, daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
        room.release()


def _opened(file: Path) -> BinaryIO:
    # unbuffered where it may be a pipe: what came is sent, not waited with
    return open(0, "rb", buffering=0, closefd=False) if str(file) == "-" else file.open("rb", buffering=0)


def _chunks(stream: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """Cut a stream into groups of whole lines, each as soon as it is there."""
    read, rest = 0, b""
    while data := stream.read(CHUNK_BYTES):
        read += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for at in range(0, len(lines), TAKEN_AT_ONCE):
            yield read, lines[at : at + TAKEN_AT_ONCE]
    if rest:
        yield read, [rest]
