"""A channel as a platform reads it: the snapshot of the active profiles, then every change, once and in order.

    async with Channel("email", bootstrap_servers="kafka:9092", group="email-platform") as channel:
        for change in (await channel.snapshot()).values():
            ...
        async for change in channel.changes():
            ...
            await channel.commit()

Delivery is at least once across restarts: a change that was handed out and not committed comes again, with the same id.
A commit holds the offset, and where this reading began. A reader that is not `read_committed` looks back no further for
changes that it has had: what an aborted transaction held before that was never handed out.

A consumer that has gone silent (`silence.py`) is replaced. The new one goes on from where reading stands; in a group,
from what the group has committed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
)

from .beginning import Beginnings
from .change import ActiveKey, Change
from .connection import AGAIN_S, Connection, Isolation, running
from .cursor import Cursor
from .errors import Hole
from .position import Position, Start
from .silence import SILENT_S, Silence
from .snapshot import take
from .stopping import has_died

log = logging.getLogger(__name__)

POLL_MS: Final = 200
"""Short: a platform may wait for a change with a time limit of its own, and a poll that is cut off tells nothing."""
CLOSE_S: Final = 10.0
"""How long a consumer gone silent may take to leave."""


class Channel:
    """Reads one channel. For one task; made, entered and left in one event loop."""

    def __init__(
        self,
        name: str,
        *,
        bootstrap_servers: str,
        group: str | None = None,
        partitions: Collection[int] | None = None,
        start: Start | None = None,
        isolation: Isolation = "read_committed",
        topic_prefix: str = "activation",
        **kafka: Any,
    ) -> None:
        """Say what to read, and in which group. Asks Kafka nothing yet.

        `group`: a consumer group that shares the partitions among its readers and keeps their offsets. `partitions`:
        without a group, which to read; all unless given. `start`: where to begin a partition for which the group has no
        offset; without it the snapshot must be taken first. `kafka`: further arguments of aiokafka's clients
        (security_protocol, ssl_context, sasl_mechanism …). Raises ValueError: a group and partitions.
        """
        if group is not None and partitions is not None:
            raise ValueError("a group gives the partitions: name none")
        self._changes_topic: Final = f"{topic_prefix}.{name}"
        self._current_topic: Final = f"{topic_prefix}.{name}.current"
        self._group: Final = group
        self._wanted: Final = partitions
        self._isolation: Final[Isolation] = isolation
        options = {"bootstrap_servers": bootstrap_servers, **kafka}
        self._connection: Final = Connection(self._changes_topic, self._current_topic, options)
        self._beginnings: Final = Beginnings(self._connection, self._changes_topic, group, start)
        self._consumer: Any = None
        self._closing: Final = AsyncExitStack()
        self._reading = AsyncExitStack()
        """Of the consumer."""
        self._silence: Final = Silence(lambda tps: self._connection.ends(isolation, tps))
        self._silent = False
        """Whether a new consumer has to take over."""
        self._replacing: asyncio.Task[None] | None = None
        self._cursors: dict[int, Cursor] = {}
        self._left: dict[int, Position] = {}
        """Partitions that have to begin anew: where their reading stood, in a group where it began."""
        self._fetched: deque[tuple[Cursor, ConsumerRecord, int]] = deque()
        """Records not looked at yet, each with where its partition stands after it."""

    async def __aenter__(self) -> Self:
        """Connect, and join the group. Raises NoChannel, and KafkaError where Kafka is not reachable."""
        async with AsyncExitStack() as opening:
            await opening.enter_async_context(self._connection)
            partitions = await self._connection.partitions(self._wanted)
            if self._group is None:
                self._on_assigned(partitions)
            await self._open()
            self._closing.push_async_exit(opening.pop_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the group and disconnect. Commits nothing."""
        try:
            if self._replacing is not None:
                self._replacing.cancel()
                await asyncio.wait({self._replacing})
            await self._silence.close()
        finally:
            try:
                await self._reading.aclose()
            finally:
                await self._closing.aclose()

    @property
    def positions(self) -> dict[int, Position]:
        """Where reading stands, by partition: after the last change handed out."""
        begun = {each.partition: each.position for each in self._cursors.values() if each.position is not None}
        # without a group only this reader knows where partitions stand that have not begun anew
        return begun if self._group is not None else self._left | begun

    async def snapshot(self) -> dict[ActiveKey, Change]:
        """Read who is active now; `changes` goes on exactly from there. Holds all active profiles in memory.

        With a group: in the partitions that the group gives this reader now. Raises Unreadable, and KafkaError.
        """
        if self._silent:
            await self._replaced()
        while True:
            cursors = self._cursors
            taken = await take(self._connection.consumer, self._changes_topic, self._current_topic, list(cursors))
            # otherwise a rebalance has changed the partitions meanwhile: take it again
            if self._cursors is cursors:
                break
        self._on_assigned(taken.offsets)
        for cursor in self._cursors.values():
            offset = taken.offsets[cursor.partition]
            self._begin_at(cursor, offset, Position(offset, offset))
        return taken.active

    async def changes(self) -> AsyncIterator[Change]:
        """Hand out every change, for ever, in order for each profile; repeats are dropped.

        Raises NoOffset or Hole where reading cannot begin or go on, Unreadable and Disorder at a record; reading on
        raises the same again, until the snapshot is taken. KafkaError where Kafka refuses; reading on tries again.
        """
        while True:
            while self._fetched:
                change = self._next()
                if change is not None:
                    yield change
            if self._silent:
                await self._replaced()
            await self._begin()
            await self._fetch()

    async def commit(self) -> bool:
        """Keep in the group's offsets that every change handed out so far, and the snapshot, was dealt with.

        Returns False while the group shares the partitions out anew or the consumer is replaced: a change that is not
        committed comes again, to the reader that gets its partition. Raises ValueError: there is no group.
        """
        if self._group is None:
            raise ValueError("without a group nothing can be committed: keep `positions` yourself")
        if self._silent:
            return False
        offsets = {self._tp(partition): position.as_committed() for partition, position in self.positions.items()}
        try:
            if offsets:
                await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError):
            return False
        return True

    # -- partitions come and go

    def _on_assigned(self, partitions: Iterable[int]) -> None:
        self._leave()
        self._cursors = {partition: Cursor(partition) for partition in partitions}

    def _on_revoked(self) -> None:
        self._leave()
        self._cursors = {}

    def _leave(self) -> None:
        """Keep where reading stood: in a group a change that was handed out comes again, unless it is committed."""
        self._silence.over()
        for cursor in self._cursors.values():
            stood = cursor.position if self._group is None else cursor.began
            if stood is not None:
                self._left[cursor.partition] = stood

    async def _begin(self) -> None:
        """Seek the partitions that are new to where their reading begins. Raises NoOffset, Hole."""
        new = {each.partition: each for each in self._cursors.values() if each.position is None}
        if new:
            found = await self._beginnings.find(self._consumer, new, self._left)
            for partition, beginning in found.items():
                self._begin_at(new[partition], beginning.offset, beginning.position)

    def _begin_at(self, cursor: Cursor, offset: int, position: Position) -> None:
        """Read from an offset, hand out from a position. Does nothing if a rebalance has come between."""
        if self._cursors.get(cursor.partition) is cursor:
            self._consumer.seek(self._tp(cursor.partition), offset)
            cursor.begin(position)

    # -- the consumer, and the one that replaces it

    async def _open(self) -> None:
        """Begin to read with a new consumer. Raises KafkaError."""
        async with AsyncExitStack() as opening:
            self._consumer = self._connection.make_consumer(self._isolation, self._group)
            if self._group is None:
                self._consumer.assign([self._tp(partition) for partition in self._cursors])
            else:
                self._consumer.subscribe([self._changes_topic], listener=_Listener(self))
            await opening.enter_async_context(running(self._consumer))
            self._reading = opening.pop_all()

    async def _replaced(self) -> None:
        """Wait until a new consumer reads. Cut off, the replacement goes on. Raises KafkaError."""
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._open_again())
        try:
            await asyncio.shield(self._replacing)
        finally:
            if self._replacing.done():
                self._replacing = None

    async def _open_again(self) -> None:
        """Have a new consumer go on from here, as soon as Kafka is reachable. Raises KafkaError where it refuses."""
        self._leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._reading.aclose()
        self._cursors = {partition: Cursor(partition) for partition in self._cursors} if self._group is None else {}
        while self._silent:
            try:
                await self._open()
            except KafkaError as error:
                if not error.retriable:
                    raise
                extra = {"action": "consumer_replaced", "topic": self._changes_topic}
                log.warning("%s: %s", self._changes_topic, type(error).__name__, extra=extra)
                await asyncio.sleep(AGAIN_S)
            else:
                self._silent = False

    # -- reading

    async def _fetch(self) -> None:
        """Poll once. Raises Hole, KafkaError."""
        try:
            found = await self._consumer.getmany(timeout_ms=POLL_MS)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
            for cursor in self._cursors.values():
                if cursor.position is not None and self._tp(cursor.partition) in error.args[0]:
                    what = "the topic has no such offset any more"
                    raise Hole(self._changes_topic, cursor.partition, cursor.position.offset, what) from None
            return
        except KafkaError:
            # a consumer whose tasks have ended raises the same error for ever
            self._silent = has_died(self._consumer)
            raise
        stands: dict[TopicPartition, int] = {}
        for cursor in list(self._cursors.values()):
            if cursor.position is None:
                continue
            tp = self._tp(cursor.partition)
            records = found.get(tp, ())
            # markers of transactions are no records: only the position shows that the consumer has passed them
            try:
                after = stands[tp] = await self._consumer.position(tp)
            except IllegalStateError:
                return  # a rebalance has begun: records that are not handed out yet are read again
            for index, record in enumerate(records, start=1):
                self._fetched.append((cursor, record, after if index == len(records) else record.offset + 1))
            if not records:
                cursor.move(after)
        self._listen(stands)

    def _listen(self, stands: dict[TopicPartition, int]) -> None:
        """Find out after a poll whether the consumer has gone silent."""
        if self._silence.lasts(stands):
            self._silent = True
            extra = {"action": "input_silent", "topic": self._changes_topic, "seconds": SILENT_S}
            what = "%s: nothing was read for %.0f s, though the topic goes on"
            log.warning(what, self._changes_topic, SILENT_S, extra=extra)
        elif has_died(self._consumer):
            self._silent = True
            extra = {"action": "consumer_died", "topic": self._changes_topic}
            log.warning("%s: the consumer has died", self._changes_topic, extra=extra)

    def _next(self) -> Change | None:
        """Take one fetched record; None if it is not to be handed out. Raises Unreadable, Disorder: it stays there."""
        cursor, record, after = self._fetched[0]
        change = cursor.take(record, after) if self._cursors.get(cursor.partition) is cursor else None
        self._fetched.popleft()
        return change

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._changes_topic, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._channel._on_revoked()  # noqa: SLF001

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._channel._on_assigned(sorted(each.partition for each in assigned))  # noqa: SLF001
