"""A channel as a platform reads it: the snapshot of who is active, then every change, once and in order.

    async with Channel("email", bootstrap_servers="kafka:9092", group="email-platform") as channel:
        for change in (await channel.snapshot()).values():
            ...
        async for change in channel.changes():
            ...
            await channel.commit()

Delivery is at least once across restarts: what was handed out and not committed comes again, with the same ids. A
commit names, besides the offset, where this reading began: a reader that is not `read_committed` looks back no further
for changes that it has had already, for what an aborted transaction held before that was never handed out.

A consumer that has gone silent (`streams.client.silence`) is replaced; the new one goes on from where reading stands,
in a group from what it has committed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from inspect import signature
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    GroupCoordinatorNotAvailableError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
)
from aiokafka.structs import OffsetAndMetadata

from .change import ActiveKey, Change, read_change
from .errors import ChannelError, Hole, NoChannel, NoOffset
from .order import REPEATS_MAX, Order
from .silence import SILENT_S, Silence
from .snapshot import take
from .stopping import has_died, stop_whole

Isolation: TypeAlias = Literal["read_committed", "read_uncommitted"]
log = logging.getLogger(__name__)

POLL_MS: Final = 200
"""Short, for a platform may wait for a change no longer than it likes: what is cut off tells nothing."""
COORDINATOR_TRIES: Final = 10
AGAIN_S: Final = 1.0
CLOSE_S: Final = 10.0
"""How long a consumer gone silent may take to leave."""
_SINCE: Final = "since="


class Position(NamedTuple):
    """Where a reader stands in one partition: keep it with your own data, and give it back as `start`."""

    offset: int
    """The next record."""
    since: int
    """Where reading began: everything from there to `offset` was handed out."""


Start: TypeAlias = Mapping[int, Position] | Literal["earliest", "latest"]


@dataclass(eq=False, slots=True)
class _Cursor:
    """The reading of one partition, from its assignment to its end."""

    partition: int
    position: Position | None = None
    """None: not begun."""
    began: Position | None = None
    """The first one."""
    order: Order = field(default_factory=Order)


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
        """`group`: a consumer group that shares the partitions among its readers and keeps their offsets.

        `partitions`: without a group, which to read; all unless given. `start`: where to begin a partition for which
        the group has no offset; without it the snapshot must be taken first. `kafka`: what else aiokafka's clients are
        to know (security_protocol, ssl_context, sasl_mechanism …).
        """
        if group is not None and partitions is not None:
            raise ValueError("a group gives the partitions: name none")
        self._changes_topic: Final = f"{topic_prefix}.{name}"
        self._current_topic: Final = f"{topic_prefix}.{name}.current"
        self._group: Final = group
        self._wanted: Final = partitions
        self._start: Final = start
        self._isolation: Final[Isolation] = isolation
        self._kafka: Final[dict[str, Any]] = {"bootstrap_servers": bootstrap_servers, **kafka}
        self._consumer: Any = None
        self._admin: Any = None
        self._closing: Final = AsyncExitStack()
        self._reading = AsyncExitStack()
        """Of the consumer."""
        self._silence: Final = Silence(self._ends)
        self._silent = False
        """Whether a new consumer has to take over."""
        self._replacing: asyncio.Task[None] | None = None
        self._cursors: dict[int, _Cursor] = {}
        self._left: dict[int, Position] = {}
        """Where reading of partitions stood that it has to begin anew: a group's, where it began."""
        self._fetched: deque[tuple[_Cursor, ConsumerRecord, int]] = deque()
        """Records not looked at yet, each with where its partition stands after it."""

    async def __aenter__(self) -> Self:
        """Connect, and join the group. Raises NoChannel, and KafkaError where Kafka is not reachable."""
        async with AsyncExitStack() as opening:
            known = signature(AIOKafkaAdminClient).parameters
            self._admin = AIOKafkaAdminClient(**{name: each for name, each in self._kafka.items() if name in known})
            opening.push_async_callback(self._admin.close)
            await self._admin.start()
            partitions = await self._partitions()
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
        # without a group nothing else knows where the others stand until they have begun anew
        return begun if self._group is not None else self._left | begun

    async def snapshot(self) -> dict[ActiveKey, Change]:
        """Read who is active now; `changes` goes on exactly from there. Holds everybody active in memory.

        With a group: of the partitions that it gives this reader now. Raises Unreadable, and KafkaError.
        """
        if self._silent:
            await self._replaced()
        while True:
            cursors = self._cursors
            taken = await take(self._connected, self._changes_topic, self._current_topic, list(cursors))
            # else a rebalance came between, and it is not of the partitions that this reader has now
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

        False: the group is just being shared out anew, or the consumer replaced; what is not committed comes again, to
        whoever gets it.
        """
        if self._group is None:
            raise ValueError("without a group nothing can be committed: keep `positions` yourself")
        if self._silent:
            return False
        offsets = {
            self._tp(partition): OffsetAndMetadata(position.offset, f"{_SINCE}{position.since}")
            for partition, position in self.positions.items()
        }
        try:
            if offsets:
                await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError):
            return False
        return True

    # -- partitions come and go

    def _on_assigned(self, partitions: Iterable[int]) -> None:
        self._leave()
        self._cursors = {partition: _Cursor(partition) for partition in partitions}

    def _on_revoked(self) -> None:
        self._leave()
        self._cursors = {}

    def _leave(self) -> None:
        """Keep where reading stood: in a group what was handed out comes again, unless it is committed."""
        self._silence.over()
        for cursor in self._cursors.values():
            stood = cursor.position if self._group is None else cursor.began
            if stood is not None:
                self._left[cursor.partition] = stood

    async def _begin(self) -> None:
        """Seek the partitions that are new to where their reading begins. Raises NoOffset, Hole."""
        new = [each for each in self._cursors.values() if each.position is None]
        if not new:
            return
        tps = [self._tp(each.partition) for each in new]
        firsts = await self._consumer.beginning_offsets(tps)
        lasts = await self._stable_ends(tps) if self._start == "latest" else firsts
        kept = await self._kept(tps)
        for cursor, tp in zip(new, tps, strict=True):
            first, position = firsts[tp], kept.get(tp)
            if position is None:
                if self._start not in ("earliest", "latest"):
                    raise NoOffset(*self._place(cursor, first), "take the snapshot, or say with `start` where to begin")
                position = Position(lasts[tp], lasts[tp])
            if position.offset < first:
                raise Hole(*self._place(cursor, position.offset), f"the topic begins at {first} now")
            self._begin_at(cursor, max(position.since, position.offset - REPEATS_MAX, first), position)

    async def _stable_ends(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        """The last stable offsets: whatever this reader's isolation, it must not begin amid a transaction."""
        async with self._connected("read_committed") as reader:
            ends: dict[TopicPartition, int] = await reader.end_offsets(tps)
            return ends

    async def _ends(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The ends as this reader could see them."""
        async with self._connected(self._isolation) as another:
            ends: dict[TopicPartition, int] = await another.end_offsets(tps)
            return ends

    async def _kept(self, tps: list[TopicPartition]) -> dict[TopicPartition, Position]:
        """What the group has committed, else where reading was left, else what `start` says."""
        given = {**(self._start if isinstance(self._start, Mapping) else {}), **self._left}
        kept = {tp: given[tp.partition] for tp in tps if tp.partition in given}
        if self._group is not None:
            for tp, found in (await self._committed(tps)).items():
                if found.offset >= 0:
                    since = found.metadata.removeprefix(_SINCE)
                    # whoever else set it knows where to go on, not what was handed out before
                    kept[tp] = Position(found.offset, int(since) if since.isdecimal() else found.offset)
        return kept

    async def _committed(self, tps: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """What the group has committed, -1 where nothing. Raises KafkaError."""
        for _ in range(COORDINATOR_TRIES):
            found: dict[TopicPartition, OffsetAndMetadata] = await self._admin.list_consumer_group_offsets(
                self._group, partitions=tps
            )
            if found.keys() >= set(tps):
                return found
            # a broker that does not coordinate the group (any more) answers with nothing, and aiokafka passes that on
            await asyncio.sleep(AGAIN_S)
        raise GroupCoordinatorNotAvailableError

    def _begin_at(self, cursor: _Cursor, offset: int, position: Position) -> None:
        """Read from an offset, handing out from a position; void where a rebalance has come between."""
        if self._cursors.get(cursor.partition) is cursor:
            self._consumer.seek(self._tp(cursor.partition), offset)
            cursor.position = cursor.began = position

    # -- reading

    async def _open(self) -> None:
        """Begin to read with a new consumer. Raises KafkaError."""
        async with AsyncExitStack() as opening:
            self._consumer = self._made(self._isolation, self._group)
            if self._group is None:
                self._consumer.assign([self._tp(partition) for partition in self._cursors])
            else:
                self._consumer.subscribe([self._changes_topic], listener=_Listener(self))
            await opening.enter_async_context(_running(self._consumer))
            self._reading = opening.pop_all()

    async def _replaced(self) -> None:
        """Wait until a new consumer reads; goes on where whoever waits is cut off. Raises KafkaError."""
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
        self._cursors = {partition: _Cursor(partition) for partition in self._cursors} if self._group is None else {}
        while self._silent:
            try:
                await self._open()
            except KafkaError as error:
                if not error.retriable:
                    raise
                log.warning("%s: %s", self._changes_topic, type(error).__name__)
                await asyncio.sleep(AGAIN_S)
            else:
                self._silent = False

    async def _fetch(self) -> None:
        try:
            found = await self._consumer.getmany(timeout_ms=POLL_MS)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
            for cursor in self._cursors.values():
                if cursor.position is not None and self._tp(cursor.partition) in error.args[0]:
                    what = "the topic has no such offset any more"
                    raise Hole(*self._place(cursor, cursor.position.offset), what) from None
            return
        except KafkaError:
            # without its tasks it raises the same for ever
            self._silent = has_died(self._consumer)
            raise
        stands: dict[TopicPartition, int] = {}
        for cursor in list(self._cursors.values()):
            if cursor.position is None:
                continue
            tp = self._tp(cursor.partition)
            records = found.get(tp, ())
            # markers of transactions are no records: where nothing else is left, the position tells of them
            try:
                after = stands[tp] = await self._consumer.position(tp)
            except IllegalStateError:
                return  # a rebalance has begun: what is not handed out yet is read again, by whoever gets it
            for index, record in enumerate(records, start=1):
                self._fetched.append((cursor, record, after if index == len(records) else record.offset + 1))
            if not records:
                self._move(cursor, after)
        if self._silence.lasts(stands):
            self._silent = True
            log.warning("%s: nothing was read for %.0f s, though the topic goes on", self._changes_topic, SILENT_S)
        elif has_died(self._consumer):
            self._silent = True
            log.warning("%s: the consumer has died", self._changes_topic)

    def _next(self) -> Change | None:
        """Take one fetched record; None if it is not to be handed out. Raises Unreadable, Disorder: it stays there."""
        cursor, record, after = self._fetched[0]
        position = cursor.position
        change = None
        if position is not None and self._cursors.get(cursor.partition) is cursor:
            if record.offset < position.offset:
                self._look_back(cursor, record)
            else:
                read = read_change(record)
                change = read if cursor.order.is_new(read) else None
                self._move(cursor, after)
        self._fetched.popleft()
        return change

    @staticmethod
    def _look_back(cursor: _Cursor, record: ConsumerRecord) -> None:
        try:
            cursor.order.learn(read_change(record))
        except ChannelError:
            return  # told when it was read first

    @staticmethod
    def _move(cursor: _Cursor, offset: int) -> None:
        if cursor.position is not None and offset > cursor.position.offset:
            cursor.position = cursor.position._replace(offset=offset)

    # -- Kafka

    async def _partitions(self) -> list[int]:
        # all topics: a request that names one may create it
        topics = {each["topic"]: each["partitions"] for each in await self._admin.describe_topics()}
        for topic in (self._changes_topic, self._current_topic):
            if not topics.get(topic):
                raise NoChannel(f"there is no topic {topic}: was an activation of this channel ever applied?")
        known = {each["partition"] for each in topics[self._changes_topic]}
        wanted = known if self._wanted is None else set(self._wanted)
        if not wanted <= known:
            raise ValueError(f"{self._changes_topic} has {len(known)} partitions, counted from 0")
        return sorted(wanted)

    def _made(self, isolation: str, group: str | None = None) -> Any:
        own = {
            "group_id": group,
            "isolation_level": isolation,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
        }
        return AIOKafkaConsumer(**{**self._kafka, **own})

    @asynccontextmanager
    async def _connected(self, isolation: str) -> AsyncIterator[Any]:
        async with _running(self._made(isolation)) as consumer:
            yield consumer

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._changes_topic, partition)

    def _place(self, cursor: _Cursor, offset: int) -> tuple[str, int, int]:
        return self._changes_topic, cursor.partition, offset


@asynccontextmanager
async def _running(consumer: Any) -> AsyncIterator[Any]:
    try:
        await consumer.start()
        # aiokafka's tasks must have begun: stopping one that has not raises CancelledError
        await asyncio.sleep(0)
        yield consumer
    finally:
        await stop_whole(consumer, consumer.stop)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._channel._on_revoked()  # noqa: SLF001

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._channel._on_assigned(sorted(each.partition for each in assigned))  # noqa: SLF001
