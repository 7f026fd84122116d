"""The sender: events to the partition of their subject, at the pace that this machine keeps up with."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from rules.ground.partitioning import partition_of
from streams.demo.figures import Figures
from streams.log.connection import KafkaConnection
from streams.operations.servers import REACH_MS
from streams.settings import Deployment

RATE_START: Final = 200.0
RATE_MAX: Final = 600.0
"""Events a second, unless asked for otherwise: plenty to look at, and little enough to check every change after it."""
RATE_MIN: Final = 25.0
FASTER: Final = 1.25
SLOWER: Final = 0.6
BEHIND_S: Final = 1.0
"""A lag of more events than are sent in so long: too fast."""
CLOSE_S: Final = 0.3
BRISK_MS: Final = 250.0
"""Median latency above which it goes no faster."""
STEP_S: Final = 0.01
OPEN_WINDOW: Final = 3_000
"""As fast as it goes: so many records may be unapplied in partitions that have an owner, and as many in the others."""
_CLOUDEVENT: Final = (("content-type", b"application/cloudevents+json"),)


@dataclass(slots=True)
class LoadRate:
    """A rate that rises while the workers keep up and falls when they do not; it stays below a rate found too fast."""

    rate: float
    most: float

    def judge(self, lag: int, p50_ms: float) -> None:
        """Look at the lag and the latency, about once a second, and choose the rate."""
        if lag > self.rate * BEHIND_S:
            self.most = max(RATE_MIN, min(self.most, self.rate * 0.9))
            self.rate = max(RATE_MIN, self.rate * SLOWER)
        elif lag < self.rate * CLOSE_S and p50_ms < BRISK_MS:
            self.rate = min(self.most, self.rate * FASTER)


class Load:
    """Sends events until they end or `stop` is set."""

    def __init__(
        self,
        connection: KafkaConnection,
        deployment: Deployment,
        events: Iterator[dict[str, Any]],
        pace: LoadRate | None,
    ) -> None:
        """`pace` None: as fast as the workers go."""
        self.pace = pace
        self.stop = asyncio.Event()
        self._deployment = deployment
        self._events = events
        self._producer = AIOKafkaProducer(
            **connection.options(),
            acks="all",
            enable_idempotence=True,
            linger_ms=2,
            request_timeout_ms=REACH_MS,
        )
        self._failure: BaseException | None = None
        self._between: deque[dict[str, Any]] = deque()

    def send_between(self, event: dict[str, Any]) -> None:
        """Send an event between the others, as soon as may be."""
        self._between.append(event)

    async def run(self, figures: Figures) -> None:
        """Send, and return when everything sent is acknowledged."""
        await self._producer.start()
        try:
            await self._play(figures)
            await self._producer.flush()
        finally:
            await self._producer.stop()
        self._check()

    async def _play(self, figures: Figures) -> None:
        figures.playing_s = monotonic()
        due = 0.0
        last_s = figures.playing_s
        while not self.stop.is_set():
            self._check()
            now_s = monotonic()
            if self.pace is None:
                owned = sum(lane.lag for lane in figures.lanes if lane.running)
                room = min(OPEN_WINDOW - owned, 2 * OPEN_WINDOW - figures.lag)
                due = min(200.0, room)
            else:
                figures.rate = self.pace.rate
                # a pause of this process is not made up for by a burst
                due = min(due + (now_s - last_s) * self.pace.rate, self.pace.rate * 0.25 + 1)
            last_s = now_s
            while self._between:
                await self._send(self._between.popleft(), figures)
            while due >= 1:
                event = next(self._events, None)
                if event is None:
                    return
                await self._send(event, figures)
                due -= 1
            await asyncio.sleep(STEP_S)

    async def _send(self, event: dict[str, Any], figures: Figures) -> None:
        key = event["subject"].encode()
        partition = partition_of(key, self._deployment.partitions)
        value = orjson.dumps(event)
        figures.arrivals.sent(event["source"], event["id"], monotonic())
        delivery = await self._producer.send(
            self._deployment.events_topic, value, key=key, partition=partition, headers=list(_CLOUDEVENT)
        )
        figures.sent += 1
        lane = figures.lanes[partition]

        def delivered(done: "asyncio.Future[Any]") -> None:
            if done.cancelled():
                return
            self._failure = self._failure or done.exception()
            if self._failure is None:
                lane.end = max(lane.end, done.result().offset + 1)

        delivery.add_done_callback(delivered)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
