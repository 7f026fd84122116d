"""The event topic in whole batches: a Faust transport that hands over each fetched batch in one call.

Faust makes four tasks of every record, which is several times slower. Here Faust keeps what it is good at (the group,
rebalancing, restarts). Its `Fetcher` service runs `_drain_messages`, which puts
each fetched batch of a partition into that partition's queue. Nothing is acknowledged to Faust: reading begins at the
offset that the owner asked for, never at one that the group remembers.

A partition is *open* from `open` until `shut`, or until a rebalance takes it. Only open partitions are read, and only
they get batches. `hold` leaves a partition open and fetches no more of it; batches on their way still come.

    assigned ──open──▶ open ──hold──▶ held
                        ▲  ◀──resume──┘
    every rebalance: all are revoked first; `GroupListener.on_revoked` is awaited before the group goes on

Traps of Faust 0.15.3 met here: it skips its revoked signal when the application is stopping, so the consumer's own
method is overridden; after a rebalance it seeks to committed offsets, so `seek_to_committed` tells only how far
partitions were read; it reads uncommitted unless told otherwise, so `ConsumerThread` makes the aiokafka consumer; its
commit ends the worker on any error, so group offsets go by `commit_offsets`, which only warns.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, cast

from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.actions import told
from streams.intake.hosting import Host
from streams.intake.input import BatchQueue, InputOffsets
from streams.intake.thread import ConsumerThread

log = logging.getLogger(__name__)

POLL_S: Final = 0.05
"""How long one look for fetched records waits. A partition opened meanwhile waits until the look ends."""
IDLE_S: Final = 0.02
"""Between looks while no partition is open."""
ERROR_PAUSE_S: Final = 0.5
"""After a failed fetch."""


class BatchConsumer(driver.Consumer):
    """Faust's consumer, handing over whole batches of the open partitions. Runs in the worker's main loop."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._tps: dict[int, TP] = {}
        """By partition: they are asked for several times a batch."""
        self._open: dict[TP, BatchQueue] = {}
        self._held: set[TP] = set()
        self._asked: frozenset[TP] = frozenset()
        """The partitions that the fetch under way asked for."""
        self._fetched = asyncio.Event()
        self._fetched.set()
        self._handed: dict[TP, int] = {}
        """The offset after the last batch handed over, for seeking back after a failed fetch."""
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _host(self) -> Host:
        return cast("Host", self.app)

    def _tp(self, partition: int) -> TP:
        found = self._tps.get(partition)
        if found is None:
            found = self._tps[partition] = TP(self._host.options.topic, partition)
        return found

    async def open(self, partition: int, offset: int, queue: BatchQueue) -> None:
        """Seek a partition of this worker, and put its batches into the queue from there on.

        Waits for a fetch under way, because nobody could tell whether its records are from before the seek or after.
        """
        tp = self._tp(partition)
        self.shut(partition)
        while tp in self._asked:
            await self._fetched.wait()
        await self.seek_wait({tp: offset})
        self._handed[tp] = offset
        self._held.discard(tp)
        self._open[tp] = queue

    def shut(self, partition: int) -> None:
        """Stop reading a partition. Records on their way are dropped."""
        tp = self._tp(partition)
        self._open.pop(tp, None)
        self._held.discard(tp)

    def hold(self, partition: int) -> None:
        """Stop reading a partition for a while. Records on their way are still put into its queue."""
        self._held.add(self._tp(partition))

    def resume(self, partition: int) -> None:
        """Read again after `hold`."""
        self._held.discard(self._tp(partition))

    def offsets(self, partition: int) -> InputOffsets:
        """Return how far a partition is read."""
        return self._thread.offsets(self._tp(partition))

    async def commit_offsets(self, offsets: Mapping[int, int]) -> None:
        """Commit group offsets by partition."""
        await self._thread.call_thread(
            self._thread.commit_offsets, {self._tp(partition): at for partition, at in offsets.items()}
        )

    # -- what Faust calls

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Return how far the open partitions are read. Seeks nowhere: a claim says where reading begins, by `meta`."""
        return {tp: self._handed[tp] for tp in self._open}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the listener finish before the group goes on, also when the application is stopping."""
        for tp in revoked:
            self._open.pop(tp, None)
        await self._host.listener.on_revoked(self._of_events(revoked))
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the listener after Faust has done its own part."""
        self._open.clear()
        await super().on_partitions_assigned(assigned, generation_id)
        await self._host.listener.on_assigned(self._of_events(assigned))

    def _of_events(self, partitions: Iterable[TP]) -> frozenset[int]:
        topic = self._host.options.topic
        return frozenset(tp.partition for tp in partitions if tp.topic == topic)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing, see `ConsumerThread`."""

    async def _drain_messages(self, fetcher: Any) -> None:
        touched_s = 0.0
        if self._open:
            # this service was cancelled half-way and started again: the batch it had in hand is fetched again
            await self.seek_wait({tp: self._handed[tp] for tp in self._open})
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001
            if not self.flow_active:
                await self.wait(self.can_resume_flow.wait())
                continue
            asked = frozenset(self._open.keys() - self._held)
            if not asked:
                if time.monotonic() - touched_s > 1:
                    touched_s = time.monotonic()
                    await self._thread.call_thread(self._thread.touch)
                await asyncio.sleep(IDLE_S)
                continue
            await self._hand_over(asked)
            # fetches that are always ready must not keep other tasks from running
            await asyncio.sleep(0)

    async def _hand_over(self, asked: frozenset[TP]) -> None:
        """Put what was fetched into the queues."""
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
            why = type(error).__name__
            log.warning("a fetch failed and is repeated: %s", why, extra=told("fetch_failed", why=why))
            await asyncio.sleep(ERROR_PAUSE_S)
            await self.seek_wait({tp: self._handed[tp] for tp in asked & self._open.keys()})
            return
        finally:
            self._asked = frozenset()
            self._fetched.set()
        self._thread.gather(gathering=bool(records))
        for tp, batch in records.items():
            queue = self._open.get(tp)
            if batch and queue is not None:
                self._handed[TP(*tp)] = batch[-1].offset + 1
                queue.put(batch)

    def _tell_unreadable(self, error: BaseException) -> None:
        found: Any = error.args[0] if error.args else ()
        for tp in found if isinstance(found, dict) else [found]:
            queue = self._open.get(TP(*tp[:2])) if isinstance(tp, tuple) and len(tp) >= 2 else None
            if queue is not None:
                self.shut(tp[1])
                queue.unreadable(error)


class Transport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
