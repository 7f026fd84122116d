"""One consumer in the channel's group: from joining until it leaves, or has gone silent.

- **A partition given up** (a rebalance, SIGTERM): nothing new is begun, requests that wait for another attempt are
  left, requests under way have until the deadline to be answered, then are cut off. Then the progress is committed. A
  change that was cut off goes again from the next owner of its partition: with the same id, after all changes before it
  of its profile.
- **Memory**: so many changes and bytes in hand, then reading pauses. The group hears from a paused consumer, too.
"""

import asyncio
import contextlib
import logging
from typing import Any, Final

from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError

from streams.actions import told
from streams.client import Unreadable, read_change
from streams.delivery.commits import COMMIT_MS, Commits
from streams.delivery.route import Route
from streams.delivery.sender import Abandoned
from streams.delivery.shapes.base import kind_of
from streams.delivery.shared import DeliveryShared
from streams.delivery.watch import Watch
from streams.delivery.window import Parcel, SendWindow, fits
from streams.log.connection import KafkaConnection
from streams.log.consumers import Consumer

log = logging.getLogger(__name__)

POLL_MS: Final = 200
COMMIT_EVERY_MS: Final = 1_000
"""Or a third of the lease, if that is less."""
FETCH_BYTES: Final = 1 << 18
"""Of a partition at a time. A larger record comes whole all the same."""
REBALANCE_MARGIN_MS: Final = 5_000
"""How much longer the group waits than a deliverer takes to let go of its partitions."""
LEAVE_MS: Final = 900
"""How long the last commit may take, and leaving the group: with the deadline, a stop takes less than 10 s."""


def make_consumer(route: Route, connection: KafkaConnection) -> Consumer:
    """Make a consumer of the channel's group, not started."""
    settings = route.settings
    return Consumer(
        **connection.options(),
        group_id=route.group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=max(200, settings.session_timeout_ms // 4),
        rebalance_timeout_ms=settings.stop_deadline_ms + REBALANCE_MARGIN_MS,
        request_timeout_ms=max(settings.request_timeout_ms, settings.session_timeout_ms),
        max_partition_fetch_bytes=FETCH_BYTES,
    )


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads with one consumer. Start it, run `poll` and `watch.until_silent` as tasks, end it."""

    def __init__(self, shared: DeliveryShared, consumer: Any) -> None:
        self._shared: Final = shared
        self._consumer: Final = consumer
        self.watch: Final = Watch(shared, consumer)
        self._commits: Final = Commits(shared, consumer)
        self._ending = False
        """This consumer is done with: it takes no partitions any more."""
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and ask for partitions. Raises KafkaError."""
        await self._consumer.start()
        self._consumer.subscribe([self._shared.route.topic], listener=self)
        self.watch.heard()

    def end(self) -> None:
        """Take no partitions any more: called before `poll` is ended."""
        self._ending = True

    async def leave(self) -> None:
        """Give the partitions up and leave the group, or at least let go of all connections, within the deadline."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._let_go()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_MS / 1000):
                await self._consumer.stop()

    # -- the group

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Let go of the changes in hand, within the deadline."""
        await self._let_go()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Begin with the partitions that the group gives."""
        if self._ending:
            return
        shared = self._shared
        partitions = tuple(sorted(tp.partition for tp in assigned))
        shared.status.assigned = partitions
        self.watch.heard()
        shared.lease.begin(shared.clock.now_ms())
        shared.hand.begin()
        extra = told("partitions_assigned", channel=shared.route.channel, partitions=list(partitions))
        log.info("%s: partitions %s", shared.route.channel, " ".join(map(str, partitions)) or "none", extra=extra)
        if self._looking is not None:
            self._looking.cancel()
        self._looking = asyncio.create_task(self.watch.tell_losses(partitions))

    async def _let_go(self) -> None:
        """Finish the requests under way, or cut them off; commit; forget."""
        self._shared.hand.closing.set()
        await self._shared.flights.land(self._shared.route.settings.stop_deadline_ms)
        await self._commits.commit(LEAVE_MS)
        self._shared.hand.forget()
        self._commits.forget()

    # -- reading

    async def poll(self) -> None:
        """Read and commit, for ever. Raises KafkaError."""
        hand, clock = self._shared.hand, self._shared.clock
        committed_ms = clock.now_ms()
        every_ms = min(COMMIT_EVERY_MS, self._shared.route.settings.session_timeout_ms / 6)
        while True:
            records = await self._fetch()
            # nothing has run since the client gave them: they belong to the partitions of this epoch
            epoch, window = hand.epoch, hand.window
            if records:
                self.watch.heard()
                if not self._shared.lease.holds():
                    first = {record.partition: record.offset for record in reversed(records)}
                    await self._commits.renew_lease(first | window.progress())
            if epoch == hand.epoch and not hand.closing.is_set():
                with contextlib.suppress(Abandoned):
                    for record in records:
                        await self._take(record, window)
                hand.stir.set()
            if clock.now_ms() - committed_ms >= every_ms:
                committed_ms = clock.now_ms()
                await self._commits.pass_markers(epoch)
                await self._commits.commit(COMMIT_MS)
                await self.watch.measure()

    async def _fetch(self) -> list[Any]:
        """Read what there is room for; without room, wait a little for it and only keep in touch with the group."""
        delivery, hand = self._shared.route.delivery, self._shared.hand
        window = hand.window
        if window.changes >= delivery.window_changes_max or window.size_bytes >= delivery.window_bytes_max:
            with contextlib.suppress(IllegalStateError):
                self._consumer.pause(*self._consumer.assignment())
            hand.room.clear()
            await self._shared.clock.wait(hand.room, POLL_MS)
        elif self._consumer.paused():
            with contextlib.suppress(IllegalStateError):
                self._consumer.resume(*self._consumer.paused())
        room = max(1, delivery.window_changes_max - window.changes)
        paused = bool(self._consumer.paused())
        found = await self._consumer.getmany(timeout_ms=0 if paused else POLL_MS, max_records=room)
        return [record for records in found.values() for record in records]

    async def _take(self, record: Any, window: SendWindow) -> None:
        """Take one record in hand; a record that can never be sent goes to the dead letters at once."""
        shape = self._shared.route.shape
        try:
            change = read_change(record)
        except Unreadable as unreadable:
            extra = told("change_unreadable", partition=record.partition, offset=record.offset)
            log.warning("%s", unreadable, extra=extra)
            await self._bury_unsent(record, "unreadable", window)
            return
        parcel = Parcel(
            partition=record.partition,
            offset=record.offset,
            id=change.id,
            profile=change.subject,
            activation=change.activation,
            kind=kind_of(change),
            effective_ms=int(change.effective_at.timestamp() * 1000),
            stamped_ms=record.timestamp,
            parts=shape.parts(change),
            record=record,
            erasure=change.reason.events[0] if kind_of(change) == "erased" and change.reason.events else "",
        )
        if fits(parcel, shape.limits):
            self._shared.hand.add(parcel, window)
        else:
            await self._shared.sender.bury(parcel, "too_large")
            window.seen(record.partition, record.offset)

    async def _bury_unsent(self, record: Any, code: str, window: SendWindow) -> None:
        letter = self._shared.dead_letters.dead_letter(record.partition, record, code)
        await self._shared.sender.append([letter])
        self._shared.status.refused += 1
        window.seen(record.partition, record.offset)
