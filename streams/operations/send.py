"""Send lines as events: each to the partition of its subject, acknowledged by all replicas."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Final, TypeAlias

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from rules.ground.partitioning import partition_of
from streams.operations.servers import REACH_MS, Servers

RECORD_BYTES_MAX: Final = 1_000_000
"""No broker takes a larger record by default; the limit of the dead-letter topic is far below (256 KiB)."""
OWN: Final = "segue."
CLOUDEVENT: Final = [("content-type", b"application/cloudevents+json")]

OnBatch: TypeAlias = Callable[[int, int], None]
"""Is called with (bytes of the input read, events sent) after each batch of lines."""
OnTooLarge: TypeAlias = Callable[[int], None]
"""Is called with the number of a line, from 1, that is too large for a record and is left out."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the lines."""

    sent: int
    without_subject: int
    """Of those sent: events that the worker will put into the dead-letter topic."""
    own: int
    """Left out: lines of the workers' own types, segue.*."""
    too_large: int
    """Left out: lines larger than a record may be."""
    bytes: int
    """Of all events sent."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


async def send_lines(
    servers: Servers,
    batches: AsyncIterator[tuple[int, Sequence[bytes]]],
    *,
    rate: int | None = None,
    on_batch: OnBatch = lambda *_: None,
    on_too_large: OnTooLarge = lambda _: None,
) -> Sent:
    """Send lines, each one structured CloudEvent, and return when every delivery is acknowledged.

    `batches` yields (bytes of the input read so far, lines), as `line_batches` does; empty lines are numbered and
    skipped. `rate`: events a second at most. A line without a readable subject goes to any partition, without a key.
    Raises TopicMissing; Unreachable.
    """
    deployment = servers.deployment
    await servers.expect_topics(deployment.events_topic)
    producer = AIOKafkaProducer(
        **servers.connection.options(),
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=256 * 1024,
        max_request_size=RECORD_BYTES_MAX,
        request_timeout_ms=REACH_MS,
    )
    sender = _LineSender(producer, deployment.events_topic, deployment.partitions, on_too_large)
    began_s = monotonic()
    await producer.start()
    try:
        async for read, lines in batches:
            for line in lines:
                await sender.send(line)
                if rate is not None:
                    await sender.keep_to(rate, began_s)
            on_batch(read, sender.sent)
        await producer.flush()
    finally:
        await producer.stop()
    sender.check()
    return sender.result(monotonic() - began_s)


class _LineSender:
    """Turns lines into records and watches over their deliveries."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int, on_too_large: OnTooLarge) -> None:
        self.sent = 0
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._on_too_large = on_too_large
        self._lines = self._without_subject = self._own = self._too_large = self._bytes = 0
        self._failure: BaseException | None = None

    async def send(self, line: bytes) -> None:
        """Send a line, or count why it is left out. Raises the error of an earlier delivery."""
        self._lines += 1
        line = line.strip(b" \t\r\n")
        if not line:
            return
        self.check()
        own, key = _key_of(line)
        if own:
            self._own += 1
            return
        # without a subject no partition is the right one: the worker refuses the event in any
        partition = self._lines % self._partitions if key is None else partition_of(key, self._partitions)
        try:
            delivery = await self._producer.send(
                self._topic, line, key=key, partition=partition, headers=list(CLOUDEVENT)
            )
        except MessageSizeTooLargeError:
            self._too_large += 1
            self._on_too_large(self._lines)
            return
        delivery.add_done_callback(self._delivered)
        self.sent += 1
        self._bytes += len(line)
        self._without_subject += key is None

    def _delivered(self, delivery: "asyncio.Future[Any]") -> None:
        if not delivery.cancelled():
            self._failure = self._failure or delivery.exception()

    def check(self) -> None:
        """Raise the error of the first delivery that failed."""
        if self._failure is not None:
            raise self._failure

    async def keep_to(self, rate: int, began_s: float) -> None:
        """Wait until as many events may have been sent as were."""
        ahead_s = self.sent / rate - (monotonic() - began_s)
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)

    def result(self, seconds: float) -> Sent:
        """Return the counts."""
        return Sent(self.sent, self._without_subject, self._own, self._too_large, self._bytes, seconds)


def _key_of(line: bytes) -> tuple[bool, bytes | None]:
    """Return whether a line is of the workers' own types, and its subject as a key; None: it has no readable one."""
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
