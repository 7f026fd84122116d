"""The event topic in whole fetched batches: a Faust transport that hands over what one fetch brought, as it came.

Faust's own way makes four tasks of every record (design section 9). Here Faust keeps what it is good at (the group,
rebalancing, the consumer's own thread, restarts), and `Consumer._drain_messages`, which its `Fetcher` service runs,
hands each fetched batch of a partition to the `Intake` in one call. Nothing is acknowledged to Faust: a position is
what the intake sought to, never what the group remembers.

A partition is *open* from `seek` until `shut`, or until a rebalance takes it. Only open partitions are read, and only
open ones are handed over; `hold` leaves it open and stops reading for a while (records on their way still come).

    assigned ──seek──▶ open ──hold──▶ held
                        ▲  ◀──resume──┘
    every rebalance: all are revoked first; `Intake.on_revoked` is awaited before the group goes on

Traps of Faust 0.15.3 met here: its revoked signal is skipped when the application is stopping, so the consumer's own
method is overridden; after a rebalance it seeks to committed offsets, so `seek_to_committed` tells only where
partitions stand; it reads uncommitted unless told otherwise, so the aiokafka consumer is made here; its commit ends
the worker on any error, so group offsets go by `commit_offsets`, which only warns.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, cast

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.intake.input import InputOffsets
from streams.log import consumers
from streams.records import Batch

log = logging.getLogger(__name__)

FETCH_WAIT_MS: Final = 25
"""How long the broker may hold back an empty answer. aiokafka has one request to a node in flight, without the
partitions just handed over: their next records wait for it, so it must be short."""
POLL_S: Final = 0.05
"""How long one look for fetched records waits; a partition opened meanwhile waits for its end."""
IDLE_S: Final = 0.02
"""Between looks while no partition is open."""
ERROR_PAUSE_S: Final = 0.5
"""After a failed fetch."""


class Intake(Protocol):
    """What takes the batches: the worker."""

    def on_batch(self, partition: int, batch: Batch) -> None:
        """Take a batch. Must not block; hold the partition when it is too much."""
        ...

    def on_unreadable(self, partition: int, error: BaseException) -> None:
        """Learn that the position is outside the log. The partition was shut."""
        ...

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Learn all partitions that are this worker's from now on. Must return soon: the group waits."""
        ...

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Let go of partitions, in order, within a deadline: whoever gets them waits for this to return."""
        ...


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How the event topic is read. Times in ms."""

    topic: str
    bootstrap_servers: str
    group: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    """How long the group waits for a worker that is letting go of its partitions."""
    request_timeout_ms: int = 30_000


class Host(Protocol):
    """What the transport asks of the application."""

    options: ConsumerOptions
    intake: Intake


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, over a consumer that reads committed records only and never resets a position."""

    def _create_worker_consumer(self, transport: Any) -> consumers.Consumer:
        options = cast("Host", self.app).options
        self._assignor = RoundRobinPartitionAssignor
        return consumers.Consumer(
            bootstrap_servers=options.bootstrap_servers,
            client_id="segue",
            group_id=options.group,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=options.request_timeout_ms,
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=max(200, options.session_timeout_ms // 5),
            rebalance_timeout_ms=options.rebalance_timeout_ms,
            # nobody is put out of the group for holding back its partitions: the loop of _drain_messages is what polls
            max_poll_interval_ms=300_000,
            check_crcs=True,
        )

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust looks for stuck streams here, and there are none. The worker watches progress."""

    def offsets(self, tp: TP) -> InputOffsets:
        """Tell where reading stands. Reads plain attributes of the consumer thread; may be a moment old."""
        consumer = self._consumer
        subscription = None if consumer is None else consumer._subscription.subscription  # noqa: SLF001
        assignment = None if subscription is None else subscription.assignment
        if assignment is None or TopicPartition(*tp) not in assignment.tps:
            return InputOffsets(None, None)
        state = assignment.state_value(TopicPartition(*tp))
        return InputOffsets(state.position if state.has_valid_position else None, state.highwater)

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit group offsets; for lag tools only, so a failure is logged and forgotten."""
        consumer = self._ensure_consumer()
        mine = {TopicPartition(*tp): OffsetAndMetadata(at, "") for tp, at in offsets.items() if tp in self.assignment()}
        if not mine:
            return
        try:
            await consumer.commit(mine)
        except (KafkaError, ValueError) as error:
            log.info("group offsets were not committed: %s", type(error).__name__)

    async def touch(self) -> None:
        """Let aiokafka know that somebody still polls, though no partition is open."""
        with self._ensure_consumer()._fetcher._subscriptions.fetch_context():  # noqa: SLF001
            pass


class Consumer(driver.Consumer):
    """Faust's consumer, handing over whole batches of the open partitions. Runs in the worker's main loop."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._open: set[TP] = set()
        self._held: set[TP] = set()
        self._asked: frozenset[TP] = frozenset()
        """What the fetch now under way was asked for."""
        self._fetched = asyncio.Event()
        self._fetched.set()
        self._handed: dict[TP, int] = {}
        """The next offset after what was handed over, for seeking back after a failed fetch."""
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _host(self) -> Host:
        return cast("Host", self.app)

    def _tp(self, partition: int) -> TP:
        return TP(self._host.options.topic, partition)

    async def open(self, partition: int, offset: int) -> None:
        """Seek a partition of this worker and read it from there. What was fetched before is never handed over.

        Waits for a fetch under way: its records may be from before the seek or from after it, nobody could tell.
        """
        tp = self._tp(partition)
        self.shut(partition)
        while tp in self._asked:
            await self._fetched.wait()
        await self.seek_wait({tp: offset})
        self._handed[tp] = offset
        self._held.discard(tp)
        self._open.add(tp)

    def shut(self, partition: int) -> None:
        """Read a partition no more; records on their way are dropped."""
        tp = self._tp(partition)
        self._open.discard(tp)
        self._held.discard(tp)

    def hold(self, partition: int) -> None:
        """Read a partition no more for now; records on their way are still handed over."""
        self._held.add(self._tp(partition))

    def resume(self, partition: int) -> None:
        """Read on after `hold`."""
        self._held.discard(self._tp(partition))

    def offsets(self, partition: int) -> InputOffsets:
        """Tell where the reading of a partition stands."""
        return self._thread.offsets(self._tp(partition))

    async def commit_offsets(self, offsets: Mapping[int, int]) -> None:
        """Commit group offsets by partition."""
        await self._thread.call_thread(
            self._thread.commit_offsets, {self._tp(partition): at for partition, at in offsets.items()}
        )

    # -- what Faust calls

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Tell where the open partitions stand; seeks nowhere: positions come from `meta`, by claims."""
        return {tp: self._handed[tp] for tp in self._open}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the intake finish before the group goes on; also when the application is stopping."""
        for tp in revoked:
            self._open.discard(tp)
        await self._host.intake.on_revoked(self._of_events(revoked))
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the intake after Faust has done its own."""
        self._open.clear()
        await super().on_partitions_assigned(assigned, generation_id)
        await self._host.intake.on_assigned(self._of_events(assigned))

    def _of_events(self, partitions: Iterable[TP]) -> frozenset[int]:
        topic = self._host.options.topic
        return frozenset(tp.partition for tp in partitions if tp.topic == topic)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing, see `ConsumerThread`."""

    async def _drain_messages(self, fetcher: Any) -> None:
        touched_s = 0.0
        if self._open:
            # this service was cancelled half-way and started again: what it had in hand is fetched again
            await self.seek_wait({tp: self._handed[tp] for tp in self._open})
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001
            if not self.flow_active:
                await self.wait(self.can_resume_flow.wait())
                continue
            asked = frozenset(self._open - self._held)
            if not asked:
                if time.monotonic() - touched_s > 1:
                    touched_s = time.monotonic()
                    await self._thread.call_thread(self._thread.touch)
                await asyncio.sleep(IDLE_S)
                continue
            await self._hand_over(asked)
            # a fetch that is always ready must not keep everything else from running
            await asyncio.sleep(0)

    async def _hand_over(self, asked: frozenset[TP]) -> None:
        self._asked = asked
        self._fetched.clear()
        try:
            records = await self._getmany(set(asked), timeout=POLL_S)
        except self.consumer_stopped_errors:
            await asyncio.sleep(IDLE_S)
            return
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            self._tell_unreadable(error)
            return
        except Exception as error:
            # any other failure may have lost part of a batch inside the client: seek back, never skip
            log.warning("a fetch failed and is repeated: %s", type(error).__name__)
            await asyncio.sleep(ERROR_PAUSE_S)
            await self.seek_wait({tp: self._handed[tp] for tp in asked & self._open})
            return
        finally:
            self._asked = frozenset()
            self._fetched.set()
        for tp, batch in records.items():
            if batch and tp in self._open:
                self._handed[TP(*tp)] = batch[-1].offset + 1
                self._host.intake.on_batch(tp.partition, batch)

    def _tell_unreadable(self, error: BaseException) -> None:
        found = error.args[0] if error.args else ()
        for tp in found if isinstance(found, dict) else [found]:
            if isinstance(tp, tuple) and TP(*tp[:2]) in self._open:
                self.shut(tp[1])
                self._host.intake.on_unreadable(tp[1], error)


class Transport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer: ClassVar[type[Consumer]] = Consumer


__all__ = ["Consumer", "ConsumerOptions", "Intake", "Transport"]
