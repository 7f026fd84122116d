"""Deliver a channel's changes to one endpoint, with one consumer after another, until it is stopped.

- One group a channel, `<group>.deliver.<channel>`: processes share the partitions. The owner of a partition begins at
  its committed offset, and every change before that offset is answered for (or among the dead letters).
- **A lease.** A process that stood still (SIGSTOP, a suspended machine) or is cut off from Kafka may have lost its
  partitions without knowing. Changes are sent only while a lease holds (`lease`), which commits renew every second. A
  request that was on the wire before cannot be called back: receivers see `sequence`.
- A consumer that has gone silent (`watch`), or that Kafka refuses, is replaced by a new one (`subscription`).
"""

import asyncio
import logging
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from aiokafka.errors import KafkaError

from streams.actions import told
from streams.clock import Clock, SystemClock
from streams.delivery.dead_letters import dead_letters_of
from streams.delivery.endpoint import Endpoint
from streams.delivery.flights import Flights
from streams.delivery.hand import Hand
from streams.delivery.lease import Lease
from streams.delivery.receipts import Receipts
from streams.delivery.route import Route
from streams.delivery.sender import Hold, Sender
from streams.delivery.shared import DeliveryShared
from streams.delivery.status import DeliveryStatus
from streams.delivery.subscription import Subscription, make_consumer
from streams.dependencies import DependencyWatch
from streams.log.client import KafkaLog
from streams.log.pulse import KafkaPulse
from streams.retry import GivenUp, Patience, until_answered

log = logging.getLogger(__name__)

STATUS_EVERY_MS: Final = 10_000
NOTE_EVERY_MS: Final = 1_000
"""How exact /ready says since when a reason stands."""


def make_shared(
    route: Route, kafka: KafkaLog, endpoint: Endpoint, status: DeliveryStatus, clock: Clock | None = None
) -> DeliveryShared:
    """Make the parts that live as long as the process."""
    clock = clock or SystemClock()
    dead_letters = dead_letters_of(route.deployment, route.channel)
    hand = Hand(route.shape.limits, route.delivery.window_changes_max, status)
    lease = Lease(clock, route.settings.session_timeout_ms)
    sender = Sender(
        endpoint,
        route.shape,
        route.delivery,
        status,
        clock,
        Hold(hand.closing, lease.holds),
        lambda parcel, code: dead_letters.dead_letter(parcel.partition, parcel.record, code),
        Receipts(route, endpoint.host),
        kafka,
        Random(),
    )
    return DeliveryShared(route, kafka, status, clock, hand, lease, sender, Flights(hand, sender), dead_letters)


class Deliverer:
    """Delivers one channel to one endpoint. For one event loop, once."""

    def __init__(self, shared: DeliveryShared) -> None:
        self._shared: Final = shared

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set. Raises Stopped, KafkaError where Kafka cannot be reached at first, our bugs."""
        shared = self._shared
        senders = [asyncio.create_task(shared.flights.run()) for _ in range(shared.route.delivery.concurrency)]
        beside = [asyncio.create_task(work()) for work in (self._tell, self._note_reasons, self._watch_kafka)]
        tasks = [*senders, *beside, asyncio.create_task(stop.wait())]
        patience = Patience(shared.clock, ended=stop, tell=self._tell_away)
        try:
            while not stop.is_set():
                await until_answered(lambda: self._consume(tasks), KafkaError, patience)
        except GivenUp:
            return  # stopped while Kafka was away
        finally:
            shared.status.stopping = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _tell_away(self, attempt: int, fault: Exception) -> None:
        """Tell that a new consumer takes over. Raises the fault where there was no consumer before."""
        if self._shared.status.assigned is None:
            raise fault
        self._shared.status.log_away = type(fault).__name__
        topic, why = self._shared.route.topic, type(fault).__name__
        log.warning(
            "%s: %s; a new consumer takes over", topic, why, extra=told("consumer_replaced", topic=topic, why=why)
        )

    async def _consume(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """Read with one consumer until a task ends, or the consumer has gone silent. Raises what a task raised."""
        subscription = Subscription(self._shared, make_consumer(self._shared.route, self._shared.kafka.connection))
        own: list[asyncio.Task[None]] = []
        try:
            await subscription.start()
            own = [asyncio.create_task(subscription.poll()), asyncio.create_task(subscription.watch.until_silent())]
            done, _ = await asyncio.wait({*own, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            self._shared.status.stopping = any(task.done() for task in tasks)
        finally:
            subscription.end()
            for task in own:
                task.cancel()
            await asyncio.gather(*own, return_exceptions=True)
            await subscription.leave()
        for task in done:
            task.result()

    async def _tell(self) -> None:
        """Log a line of counts every few seconds, when there is news."""
        before = ""
        while True:
            await self._shared.clock.sleep(STATUS_EVERY_MS)
            line = self._shared.status.line()
            if line != before:
                log.info("%s", line, extra=told("deliverer_state", channel=self._shared.route.channel))
            before = line

    async def _note_reasons(self) -> None:
        """Look again and again since when the reasons of /ready stand."""
        while True:
            self._shared.status.reasons(self._shared.clock.wall_ms())
            await self._shared.clock.sleep(NOTE_EVERY_MS)

    async def _watch_kafka(self) -> None:
        pulse = KafkaPulse(self._shared.kafka.connection)
        try:
            watch = DependencyWatch(self._shared.status.dependencies, {"kafka": pulse.ask}, self._shared.clock)
            await watch.run()
        finally:
            await pulse.close()
