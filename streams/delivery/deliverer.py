"""Read a channel's changes in a consumer group, have them delivered, and commit what is answered for.

- One group a channel, `<group>.deliver.<channel>`: processes share the partitions; whoever gets one begins where its
  committed offset is, which is never beyond a change that is not answered for (or among the dead letters).
- **A partition given up** (a rebalance, SIGTERM): nothing new is begun, requests that wait for another attempt are
  left, those under way have until the deadline to be answered, then are cut off. What is done is committed. What was
  cut off goes again from whoever goes on: with the same ids, after everything before it of its profiles.
- **A lease.** A process that stood still (SIGSTOP, a suspended machine) or is cut off from Kafka may have lost its
  partitions without knowing. A commit carries its membership: when one is accepted, the partitions are surely ours for
  half a session from its sending on, and only then is anything sent. Commits go out every second while something is in
  hand. What was on the wire before cannot be called back: receivers see `sequence`.
- Memory: at most so many changes and bytes in hand; above, reading pauses while the group hears from us all the same.

Kafka's client can go silent after a broker's restart: where another client sees that the log has gone on, and nothing
comes for half a minute, a new consumer takes over.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from streams.client import Unreadable, read_change
from streams.clock import Clock, SystemClock, backoff_ms
from streams.delivery.dead_letters import dead_letters_of
from streams.delivery.endpoint import Endpoint
from streams.delivery.plan import Parcel, Window, fits
from streams.delivery.sender import Abandoned, Hold, Sender
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import Shape
from streams.delivery.status import DeliveryStatus
from streams.errors import NotReachable
from streams.log.client import KafkaLog
from streams.log.consumers import Consumer
from streams.records import OutRecord
from streams.settings import Deployment, Settings
from streams.wire.names import channel_topics

log = logging.getLogger(__name__)

POLL_MS: Final = 200
COMMIT_EVERY_MS: Final = 1_000
"""Or a third of the lease, if that is less."""
COMMIT_MS: Final = 3_000
"""How long a commit may take; the next one carries the same and more."""
STATUS_EVERY_MS: Final = 10_000
FETCH_BYTES: Final = 1 << 18
"""Of a partition at a time. A larger record comes whole all the same."""
REBALANCE_MARGIN_MS: Final = 5_000
"""How much longer the group waits than a deliverer takes to let go of its partitions."""
LEAVE_MS: Final = 900
"""How long the last commit may take, and leaving the group: with the deadline, a stop takes less than 10 s."""
SILENT_MS: Final = 30_000


def group_of(settings: Settings, channel: str) -> str:
    """Name the consumer group of a channel's deliverers."""
    return f"{settings.group}.deliver.{channel}"


@dataclass(frozen=True, slots=True)
class Route:
    """What is delivered where, and how."""

    channel: str
    deployment: Deployment
    settings: Settings
    delivery: DeliverySettings
    shape: Shape


class Deliverer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Delivers one channel to one endpoint until it is stopped. For one event loop, once."""

    def __init__(
        self, route: Route, kafka: KafkaLog, endpoint: Endpoint, status: DeliveryStatus, clock: Clock | None = None
    ) -> None:
        self._route = route
        self._topic: Final = channel_topics(route.deployment, route.channel)[0]
        self._kafka = kafka
        self._status = status
        self._clock: Final = clock or SystemClock()
        self._window = Window(route.shape.limits)
        self._dead_letters: Final = dead_letters_of(route.deployment, route.channel)
        self._closing: Final = asyncio.Event()
        self._closing.set()
        self._ending = False
        """This consumer is done with: what it is given is left to others."""
        self._lease_ms = 0.0
        """Until then the partitions are surely ours."""
        self._epoch = 0
        """Of what is in hand: whatever was read for an earlier one is dropped."""
        self._stir: Final = asyncio.Event()
        self._room: Final = asyncio.Event()
        self._flights: set[asyncio.Task[None]] = set()
        self._committed: dict[int, int] = {}
        self._heard_ms = 0.0
        self._consumer: Any = None
        self._looking: asyncio.Task[None] | None = None
        hold = Hold(self._closing, self._surely_ours)
        self._sender: Final = Sender(
            endpoint,
            route.shape,
            route.delivery,
            status,
            self._clock,
            hold,
            lambda parcel, code: self._dead_letter(parcel.partition, parcel.record, code),
            kafka,
            Random(),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set. Raises Stopped, KafkaError where Kafka cannot be reached at first, our bugs."""
        workers = [asyncio.create_task(self._send()) for _ in range(self._route.delivery.concurrency)]
        tasks = [*workers, asyncio.create_task(self._tell()), asyncio.create_task(stop.wait())]
        attempt = 0
        try:
            while not stop.is_set():
                try:
                    await self._consume(tasks)
                except KafkaError as error:
                    if self._status.assigned is None:
                        raise
                    attempt += 1
                    self._status.log_away = type(error).__name__
                    log.warning("%s: %s; a new consumer takes over", self._topic, type(error).__name__)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(backoff_ms(attempt) / 1000):
                            await stop.wait()
                else:
                    attempt = 0
        finally:
            self._status.stopping = True
            left = [*tasks, *([self._looking] if self._looking else [])]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _consume(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """Read with one consumer until a task ends, or the consumer has gone silent. Raises what a task raised."""
        settings = self._route.settings
        self._consumer = Consumer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            group_id=group_of(settings, self._route.channel),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=max(200, settings.session_timeout_ms // 4),
            rebalance_timeout_ms=settings.stop_deadline_ms + REBALANCE_MARGIN_MS,
            request_timeout_ms=max(settings.request_timeout_ms, settings.session_timeout_ms),
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        own: list[asyncio.Task[None]] = []
        self._ending = False
        try:
            await self._consumer.start()
            self._consumer.subscribe([self._topic], listener=self)
            self._heard_ms = self._clock.now_ms()
            own = [asyncio.create_task(self._poll()), asyncio.create_task(self._watch())]
            done, _ = await asyncio.wait({*own, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            self._status.stopping = any(task.done() for task in tasks)
        finally:
            self._ending = True
            for task in own:
                task.cancel()
            await asyncio.gather(*own, return_exceptions=True)
            await self._let_go()
            await self._leave()
        for task in done:
            task.result()

    async def _leave(self) -> None:
        """Leave the group, or at least let go of all connections, within the deadline."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_MS / 1000):
                await self._consumer.stop()

    # -- the group

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """See ConsumerRebalanceListener: let go of what is in hand, within the deadline."""
        await self._let_go()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """See ConsumerRebalanceListener: begin."""
        if self._ending:
            return
        partitions = tuple(sorted(tp.partition for tp in assigned))
        self._epoch += 1
        self._status.assigned = partitions
        self._heard_ms = self._clock.now_ms()
        self._lease(self._heard_ms)
        self._closing.clear()
        self._stir.set()
        log.info("%s: partitions %s", self._route.channel, " ".join(map(str, partitions)) or "none")
        if self._looking is not None:
            self._looking.cancel()
        self._looking = asyncio.create_task(self._look_for_losses(partitions))

    async def _let_go(self) -> None:
        """Finish what is under way, or cut it off; commit; forget."""
        self._closing.set()
        await self._land(self._route.settings.stop_deadline_ms)
        await self._commit(LEAVE_MS)
        self._forget()

    async def _land(self, deadline_ms: int) -> None:
        flights = set(self._flights)
        if flights:
            await asyncio.wait(flights, timeout=deadline_ms / 1000)
            for flight in flights:
                flight.cancel()
            await asyncio.wait(flights)

    def _forget(self) -> None:
        self._epoch += 1
        self._window = Window(self._route.shape.limits)
        self._committed.clear()
        self._status.in_hand = 0

    def _lease(self, since_ms: float) -> None:
        self._lease_ms = since_ms + self._route.settings.session_timeout_ms / 2

    def _surely_ours(self) -> bool:
        return self._clock.now_ms() < self._lease_ms

    async def _renew(self, offsets: dict[int, int]) -> None:
        """Have the group say that the partitions are ours, by a commit of where they are; or wait until they are not.

        Refused, nothing is sent any more: the client hears of it too, and gives the partitions up.
        """
        epoch = self._epoch
        while epoch == self._epoch and not self._surely_ours():
            try:
                await self._committing(offsets, COMMIT_MS)
            except (KafkaError, TimeoutError):
                await self._clock.sleep(POLL_MS)

    async def _look_for_losses(self, partitions: Sequence[int]) -> None:
        """Say which changes were dropped by retention before they were delivered."""
        for partition in partitions:
            tp = TopicPartition(self._topic, partition)
            with contextlib.suppress(KafkaError, NotReachable, TimeoutError):
                async with asyncio.timeout(COMMIT_MS / 1000):
                    committed = await self._consumer.committed(tp)
                start, _ = await self._kafka.offsets(self._topic, partition)
                if committed is not None and committed < start:
                    self._status.lost += start - committed
                    log.error(
                        "%s partition %d: offsets %d to %d were dropped by the topic's retention before they were"
                        " delivered; the platform may hold old activations: compare it with %s.current",
                        self._topic,
                        partition,
                        committed,
                        start - 1,
                        self._topic,
                    )

    # -- reading

    async def _poll(self) -> None:
        """Read and commit, for ever."""
        committed_ms = self._clock.now_ms()
        every_ms = min(COMMIT_EVERY_MS, self._route.settings.session_timeout_ms / 6)
        while True:
            records = await self._fetch()
            # nothing has run since the client gave them: they belong to what is assigned now
            epoch, window = self._epoch, self._window
            if records:
                self._heard_ms = self._clock.now_ms()
                if not self._surely_ours():
                    first = {record.partition: record.offset for record in reversed(records)}
                    await self._renew(first | window.progress())
            if epoch == self._epoch and not self._closing.is_set():
                with contextlib.suppress(Abandoned):
                    for record in records:
                        await self._take(record, window)
                self._stir.set()
            if self._clock.now_ms() - committed_ms >= every_ms:
                committed_ms = self._clock.now_ms()
                await self._look_past_markers(epoch)
                await self._commit(COMMIT_MS)
                await self._measure()

    async def _fetch(self) -> list[Any]:
        """Read what there is room for; without room, wait a little for it and only keep in touch with the group."""
        delivery, window = self._route.delivery, self._window
        if window.changes >= delivery.window_changes_max or window.size_bytes >= delivery.window_bytes_max:
            with contextlib.suppress(IllegalStateError):
                self._consumer.pause(*self._consumer.assignment())
            self._room.clear()
            await self._clock.wait(self._room, POLL_MS)
        elif self._consumer.paused():
            with contextlib.suppress(IllegalStateError):
                self._consumer.resume(*self._consumer.paused())
        room = max(1, delivery.window_changes_max - window.changes)
        paused = bool(self._consumer.paused())
        found = await self._consumer.getmany(timeout_ms=0 if paused else POLL_MS, max_records=room)
        return [record for records in found.values() for record in records]

    async def _take(self, record: Any, window: Window) -> None:
        """Take one record in hand; what can never be sent goes to the dead letters at once."""
        try:
            change = read_change(record)
        except Unreadable as unreadable:
            log.warning("%s", unreadable)
            await self._bury_unsent(record, "unreadable", window)
            return
        parcel = Parcel(
            partition=record.partition,
            offset=record.offset,
            id=change.id,
            profile=change.subject,
            activation=change.activation,
            activated=change.activated,
            effective_ms=int(change.effective_at.timestamp() * 1000),
            parts=self._route.shape.parts(change),
            record=record,
        )
        if fits(parcel, self._route.shape.limits):
            window.add(parcel)
            self._status.in_hand = window.changes
        else:
            await self._bury_unsent(record, "too_large", window)

    async def _bury_unsent(self, record: Any, code: str, window: Window) -> None:
        await self._sender.append(self._dead_letter(record.partition, record, code))
        self._status.refused += 1
        window.seen(record.partition, record.offset)

    def _dead_letter(self, partition: int, record: Any, code: str) -> OutRecord:
        return self._dead_letters.dead_letter(partition, record, code)

    # -- sending

    async def _send(self) -> None:
        """Send one request after another, for ever."""
        while True:
            self._stir.clear()
            parcels = [] if self._closing.is_set() else self._window.take()
            if not parcels:
                await self._stir.wait()
                continue
            flight = asyncio.create_task(self._fly(parcels, self._window))
            self._flights.add(flight)
            try:
                await asyncio.wait({flight})
            finally:
                self._flights.discard(flight)
            if not flight.cancelled():
                flight.result()

    async def _fly(self, parcels: Sequence[Parcel], window: Window) -> None:
        def settled(done: Sequence[Parcel]) -> None:
            window.settle(done)
            self._status.in_hand = window.changes
            self._stir.set()
            if window.changes <= self._route.delivery.window_changes_max // 2:
                self._room.set()

        with contextlib.suppress(Abandoned):
            await self._sender.deliver(parcels, settled)

    # -- progress

    async def _commit(self, limit_ms: int) -> None:
        """Commit what is answered for; what cannot be committed now goes with the next.

        Without news too while something is in hand: for the lease.
        """
        progress = self._window.progress()
        if not progress or (progress == self._committed and not self._window.changes):
            return
        try:
            await self._committing(progress, limit_ms)
        except (KafkaError, TimeoutError) as error:
            # a rebalance has begun, or Kafka is away
            log.debug("%s: a commit failed: %s", self._topic, type(error).__name__)

    async def _committing(self, offsets: dict[int, int], limit_ms: int) -> None:
        window, began_ms = self._window, self._clock.now_ms()
        try:
            async with asyncio.timeout(limit_ms / 1000):
                await self._consumer.commit({TopicPartition(self._topic, each): at for each, at in offsets.items()})
        except CommitFailedError:
            if window is self._window:
                self._lease_ms = 0.0
            raise
        if window is self._window:
            self._committed.update(offsets)
            self._lease(began_ms)

    async def _look_past_markers(self, epoch: int) -> None:
        """Count the markers of transactions as read, where nothing is in hand: no lag is left of them."""
        for tp in self._consumer.assignment():
            if not self._window.idle(tp.partition):
                continue
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(0.1):
                    position = await self._consumer.position(tp)
                # records read while partitions are given up are dropped, though the position has passed them
                if epoch == self._epoch and not self._closing.is_set():
                    self._window.pass_by(tp.partition, position)

    async def _measure(self) -> None:
        """Say how many changes are not delivered, as far as this consumer has heard."""
        unread = 0
        for tp in self._consumer.assignment():
            with contextlib.suppress(KafkaError, TimeoutError):
                end = self._consumer.last_stable_offset(tp) or 0
                async with asyncio.timeout(0.1):
                    unread += max(0, end - await self._consumer.position(tp))
        self._status.lag_changes = self._window.changes + unread

    async def _watch(self) -> None:
        """Return when the consumer has brought nothing for long though there is something to read."""
        while True:
            await self._clock.sleep(SILENT_MS / 3)
            for tp in self._consumer.assignment():
                try:
                    _, end = await self._kafka.offsets(tp.topic, tp.partition)
                    async with asyncio.timeout(COMMIT_MS / 1000):
                        position = await self._consumer.position(tp)
                except (NotReachable, KafkaError, TimeoutError) as error:
                    self._status.log_away = str(error) or type(error).__name__
                    self._heard_ms = self._clock.now_ms()
                    break
                self._status.log_away = ""
                if end <= position:
                    continue
                if tp in self._consumer.paused() or self._closing.is_set() or await self._is_held_up(tp, position):
                    self._heard_ms = self._clock.now_ms()
                elif self._clock.now_ms() - self._heard_ms >= SILENT_MS:
                    log.warning("%s: nothing was read for %d s, though the log goes on", self._topic, SILENT_MS // 1000)
                    return

    async def _is_held_up(self, tp: TopicPartition, position: int) -> bool:
        """Tell whether an open transaction of somebody is all that there is to read."""
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(COMMIT_MS / 1000):
                # of a read_committed consumer, this is the last stable offset
                return bool((await self._consumer.end_offsets([tp]))[tp] <= position)
        return False

    async def _tell(self) -> None:
        """Log a line of counts every few seconds, when there is news."""
        before = ""
        while True:
            await self._clock.sleep(STATUS_EVERY_MS)
            line = self._status.line()
            if line != before:
                log.info("%s", line)
            before = line
