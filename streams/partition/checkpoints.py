"""The state of a partition in the store as its owner keeps it: reads that compare tokens, checkpoints written behind.

Slices are taken from the engine at record boundaries and wait here, in order. Slices whose changes are published are
merged into one checkpoint. At most one checkpoint is in flight (docs/protocol.md):

    take ──▶ waiting (boundary beyond the published offset) ──published──▶ ready ──write──▶ in flight ──▶ written

Crashes: a slice that is not written is lost, and its records are applied again. A write whose outcome is unknown is
sent again with the same bytes and tokens until it is answered; until then reads expect the token before it or its own.
A Gap, a Fenced or an Incident from any call ends this object: its owner drops the engine.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from rules.engine.slice import Slice
from streams.clock import Clock
from streams.errors import Fenced, Gap, Unanswered
from streams.metrics.tally import Tally
from streams.partition.claim import Tokens
from streams.partition.points import OnPoint
from streams.partition.status import PartitionStatus
from streams.retry import backoff_ms, until_answered
from streams.settings import Deployment
from streams.store.terms import CHECKPOINT_BYTES_MAX, CHECKPOINT_PROFILES_MAX, Checkpoint, Meta, PartitionStore, Token

T = TypeVar("T")

STORE: Final = "the store"
PROFILE_BYTES: Final = 4_096.0
"""The assumed length of a packed profile before one was packed: several times the usual length."""


class _Taken(NamedTuple):
    """A slice, and the length of its packed profiles together."""

    slice: Slice
    bytes: int


class Checkpoints:
    """Reads and writes one partition's state under one epoch, from one `meta` on."""

    def __init__(
        self,
        store: PartitionStore,
        lock: asyncio.Lock,
        meta: Meta,
        tokens: Tokens,
        deployment: Deployment,
        status: PartitionStatus,
        clock: Clock,
        on_point: OnPoint,
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._lock = lock
        """The lock of the store's one connection; it outlives this object."""
        self._tokens = tokens
        self._deployment = deployment
        self._status = status
        self._clock = clock
        self._on_point = on_point
        self._tally = tally
        self._token = meta.token
        self._in_flight: Checkpoint | None = None
        self._waiting: deque[_Taken] = deque()
        self._ready: list[_Taken] = []
        self._unwritten: Counter[str] = Counter()
        """How many slices that are not written hold a subject; then the store has an old profile of it."""
        self.written_offset = meta.offset
        self.profile_bytes = PROFILE_BYTES
        """The mean length of a packed profile in the slice taken last."""
        self.asked_ms, status.store_heard_ms = clock.now_ms(), clock.wall_ms()
        """When the store answered last (steady clock)."""
        status.written_offset = meta.offset
        if tally is not None:
            tally.of(status.partition).active = meta.active

    # -- reads

    @property
    def expect(self) -> tuple[Token, ...]:
        """The tokens that the store may show: the last one, and the one of the checkpoint in flight."""
        return (self._token,) if self._in_flight is None else (self._token, self._in_flight.meta.token)

    async def profiles(self, subjects: Sequence[str]) -> list[bytes | None]:
        """Read packed profiles, in the order asked. Raises Gap, Fenced, Incident, StoreBug."""
        blobs: list[bytes | None] = []
        for start in range(0, len(subjects), CHECKPOINT_PROFILES_MAX):
            part = subjects[start : start + CHECKPOINT_PROFILES_MAX]
            blobs += await self._ask(lambda part=part: self._store.profiles(part, self.expect))  # type: ignore[misc]
        return blobs

    async def due(self, before_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """Read wakes; see PartitionStore.due."""
        return await self._ask(lambda: self._store.due(before_ms, after, limit, self.expect))

    async def subjects(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """Scan subjects; see PartitionStore.subjects."""
        return await self._ask(lambda: self._store.subjects(cursor, count, self.expect))

    async def probe(self) -> None:
        """Compare the token, for an owner with nothing to write. Raises Gap, Fenced, Incident."""
        token = await self._ask(self._store.token)
        if token not in self.expect:
            raise Fenced("the token") if token.epoch > self._tokens.epoch else Gap("the token")

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        async def ask() -> T:
            async with self._lock:
                return await call()

        answer = await until_answered(ask, Unanswered, self._back_off)
        self._heard()
        return answer

    def _heard(self) -> None:
        self.asked_ms, self._status.store_heard_ms = self._clock.now_ms(), self._clock.wall_ms()
        self._status.waiting_for = ""

    async def _back_off(self, attempt: int, fault: Exception) -> None:
        if attempt > 1:
            self._status.waiting_for = f"{STORE}: {fault}"
        await self._clock.sleep(backoff_ms(attempt))

    # -- slices

    def take(self, taken: Slice) -> None:
        """Queue a slice; its boundary is beyond the one before it."""
        self._unwritten.update(taken.profiles.keys())
        size = sum(map(len, taken.profiles.values()))
        self._waiting.append(_Taken(taken, size))
        if taken.profiles:
            self.profile_bytes = size / len(taken.profiles)

    def published(self, offset: int) -> None:
        """Note up to which offset changes are published: slices up to there may be written."""
        while self._waiting and self._waiting[0].slice.offset <= offset:
            self._ready.append(self._waiting.popleft())

    @property
    def writable(self) -> bool:
        """Whether something may be written now."""
        return self._in_flight is None and bool(self._ready)

    @property
    def settled(self) -> bool:
        """Whether everything taken is written."""
        return self._in_flight is None and not self._ready and not self._waiting

    @property
    def waits(self) -> bool:
        """Whether a slice waits for its changes to be published."""
        return bool(self._waiting)

    @property
    def unwritten(self) -> int:
        """How many profiles the slices hold that are not written; one that several hold counts once."""
        return len(self._unwritten)

    def holds(self, subject: str) -> bool:
        """Tell whether a slice that is not written holds a subject."""
        return subject in self._unwritten

    async def write(self) -> list[str]:
        """Write the ready slices as one checkpoint. Returns its subjects that no slice waiting to be written holds.

        Sends the same checkpoint again until it is answered. Raises Gap, Fenced, Incident, StoreBug.
        """
        slices = self._batch()
        checkpoint = self._checkpoint(slices)
        self._in_flight = checkpoint
        began_ms = self._clock.now_ms()

        async def send() -> None:
            async with self._lock:
                self._on_point("checkpoint")
                await self._store.write(checkpoint)
                self._token, self._in_flight = checkpoint.meta.token, None

        await until_answered(send, Unanswered, self._back_off)
        self._on_point("checkpointed")
        self._heard()
        if self._tally is not None:
            self._tally.checkpoints.observe((self._clock.now_ms() - began_ms) / 1000)
            self._tally.of(self._status.partition).active = checkpoint.meta.active
        self.written_offset = checkpoint.meta.offset
        status = self._status
        status.written_offset, status.checkpoint_at_ms = checkpoint.meta.offset, self._clock.wall_ms()
        status.checkpoints += 1
        return self._clean(slices)

    def _batch(self) -> list[Slice]:
        """Take as many ready slices as one checkpoint may hold; at least one: a slice is never split."""
        profiles, size, count = 0, 0, 0
        for found in self._ready:
            profiles += len(found.slice.profiles)
            size += found.bytes
            if count and (profiles > CHECKPOINT_PROFILES_MAX or size > CHECKPOINT_BYTES_MAX):
                break
            count += 1
        batch, self._ready = self._ready[:count], self._ready[count:]
        return [found.slice for found in batch]

    def _clean(self, slices: Sequence[Slice]) -> list[str]:
        clean = []
        for written in slices:
            for subject in written.profiles:
                self._unwritten[subject] -= 1
                if not self._unwritten[subject]:
                    del self._unwritten[subject]
                    clean.append(subject)
        return clean

    def _checkpoint(self, slices: Sequence[Slice]) -> Checkpoint:
        last = slices[-1]
        profiles: dict[str, bytes | None] = {}
        wakes: dict[str, int | None] = {}
        erased: dict[str, bool] = {}
        moved: dict[tuple[str, str], bool] = {}
        for one in slices:
            profiles.update(one.profiles)
            wakes.update(one.wakes)
            erased.update(one.erased)
            for found, member in ((one.joined, True), (one.left, False)):
                moved.update(
                    {(segment, subject): member for segment, subjects in found.items() for subject in subjects}
                )
        joined: dict[str, list[str]] = {}
        left: dict[str, list[str]] = {}
        for (segment, subject), member in moved.items():
            (joined if member else left).setdefault(segment, []).append(subject)
        meta = Meta(
            generation=self._deployment.generation,
            token=self._tokens.next(),
            offset=last.offset,
            clock_ms=last.clock_ms,
            catalogue=last.catalogue,
            partitions=self._deployment.partitions,
            digest=last.digest,
            last_ms=last.last_ms,
            cuts=last.cuts,
            active=last.active,
        )
        return Checkpoint(self._token, meta, profiles, wakes, joined, left, erased)
