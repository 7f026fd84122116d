"""One assigned partition: claim it, take its state up, replay silently, then apply, publish and write behind.

No Kafka, no Faust, no wall clock of its own: log, store, input, publisher and clock are given in, so
that the simulation drives this very code over models.

A *tenure* is the time from a claim to its end. One task does everything that moves the engine, in this order:

    claim (1)-(6) ─▶ take up `meta` ─▶ open the input ─▶ replay silently ─▶ run ─▶ release
                          ▲                                             │
                          └──────── GAP: the store went back ───────────┘

    run, again and again: a chunk of records is checked and applied; its output is submitted at its boundary; a slice is
    taken when a checkpoint is due; slices that are published are written by a second task, one checkpoint at a time; an
    idle owner compares the token every second; a tick is appended when all is applied and a wake is due.

Crashes: everything before "published" is computed again by the successor, with the same ids and bytes; everything
between "published" and "checkpointed" is computed again silently, and its digest is compared.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol

from rules.catalogue import Catalogue
from rules.change import Change
from rules.decode import Own, Refusal, check_envelope, decode
from rules.dictionary import Dictionary
from rules.event import Event
from rules.partition import BEGINNING_MS, Decode, Partition, PendingCut, Record, UnknownCatalogue
from streams.checkpoints import Checkpoints, Fixed
from streams.claim import Claimed, Hooks, LaterClaimant, Place, claim, hand_over, regain
from streams.clock import Clock, backoff_ms
from streams.guard import BadStamp, RefusalShare, check_stamps
from streams.input import Batch, Fetched, Input
from streams.log.base import Doubt, Log, NotReachable, OutRecord, Ring
from streams.points import NOWHERE, At
from streams.progress import Progress, Unreadable
from streams.publisher import Publisher, PublishSlice
from streams.status import PartitionStatus
from streams.store.base import Fenced, Gap, Incident, Meta, PartitionStore
from streams.ticks import Ticks
from streams.waking import Waking

log = logging.getLogger(__name__)

CHUNK: Final = 200
"""Records applied before other partitions get their turn; their output is submitted together …"""
CHUNK_MS: Final = 5
"""… or after so long."""
CHUNK_LOOK: Final = 8
"""Records between two looks at the clock."""
INBOX_HIGH: Final = 4_000
"""Fetched records waiting above which the input is held …"""
INBOX_LOW: Final = 1_000
"""… and below which it is read on."""
PROBE_MS: Final = 1_000
"""How long an owner may go without comparing the token."""
SLICE_RECORDS_MAX: Final = 10_000
"""Records applied after which a slice is taken before its time: it must stay well below a checkpoint's limit."""
EVICT_MAX: Final = 2_000
"""Profiles looked at for eviction at one boundary."""
IDLE_WAIT_MS: Final = 1_000


class Ending(Enum):
    """Why a tenure ended."""

    RELEASED = auto()
    """In order, as asked."""
    OVERTAKEN = auto()
    """Somebody claimed after us: claim again only when the group says that the partition is still ours."""
    DOUBT = auto()
    """The ring of producers is over: claim anew with a new one."""
    INCIDENT = auto()
    """Something must not be guessed at: the partition stays stopped, `status.incident` says what to do."""


class Wire(Protocol):
    """How output looks; see streams.wire."""

    def change_records(self, partition: int, change: Change) -> Sequence[OutRecord]:
        """The records of one membership change, in order."""
        ...

    def dead_letter(self, partition: int, record: Fetched, code: str) -> OutRecord:
        """The dead letter of a refused record."""
        ...

    def tick(self, partition: int) -> OutRecord:
        """A tick, for the input partition."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a runner; see Settings for what they are."""

    checkpoint_every_ms: int = 1_000
    unpublished_records_max: int = 50_000
    changes_per_transaction_max: int = 1_000
    profiles_cached_max: int = 25_000
    """Clean profiles of this partition kept in memory."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a runner works with; shared by the runners of a worker."""

    log: Log
    input: Input
    wire: Wire
    place: Place
    clock: Clock
    share: RefusalShare
    catalogue: Callable[[str], Awaitable[Catalogue]]
    """The catalogue of a hash. Raises Incident: it is nowhere. Waits while the log cannot be reached."""
    limits: Limits = field(default_factory=Limits)
    at: At = NOWHERE


class _Overtaken(Exception):
    """Somebody claimed after us."""


class _Released(Exception):
    """The release was asked for while claiming."""


class PartitionRunner:
    """Runs one partition, tenure after tenure. `on_…` are called from the same event loop and never block."""

    def __init__(self, partition: int, store: PartitionStore, around: Surroundings, status: PartitionStatus) -> None:
        self.partition = partition
        self.status = status
        self._store = store
        self._around = around
        self._clock = around.clock
        self._at = around.at
        self._lock = asyncio.Lock()
        self._poke = asyncio.Event()
        self._releasing = False
        self._doubt: BaseException | None = None

    # -- what others tell it

    def on_batch(self, batch: Batch) -> None:
        """Take a fetched batch; never empty."""
        self._at("fetched")
        tenure = self._tenure
        if tenure is not None:
            tenure.on_batch(batch)
            self._poke.set()

    def on_published(self, progress: Progress) -> None:
        """Learn that changes are out up to an offset."""
        self._at("published")
        tenure = self._tenure
        if tenure is not None:
            tenure.on_published(progress)
            self._poke.set()

    def on_unreadable(self, error: BaseException) -> None:
        """Learn that the position is outside the log."""
        if self._tenure is not None:
            self._tenure.failure = Incident(
                f"the input has no record at offset {self.status.applied_offset} any more ({type(error).__name__}):"
                " run `segue rebuild` with a log that reaches back far enough, or start a new generation"
            )
            self._poke.set()

    def on_doubt(self, error: BaseException) -> None:
        """Learn that the ring is over."""
        self._doubt = error
        self._poke.set()

    def release(self) -> None:
        """Ask for the end of the tenure: finish what is in hand, write it, hand over. `run` returns when done."""
        self._releasing = True
        self._poke.set()

    def reopen(self) -> None:
        """Ask for the input to be opened again where it stands: it went silent."""
        if self._tenure is not None:
            self._tenure.reopen = True
            self._poke.set()

    @property
    def written_offset(self) -> int | None:
        """The offset of the last checkpoint of this tenure; None outside one."""
        return None if self._tenure is None else self._tenure.checkpoints.written_offset

    # -- tenures

    _tenure: "_Tenure | None" = None

    async def run(self, publisher: Publisher, ring: Ring) -> Ending:
        """Claim the partition with this ring and run it until the tenure ends.

        Anything raised besides is our bug (or TooMuchBadInput) and stops the worker. Cancel it to abandon everything.
        """
        self._doubt, self._releasing = None, False
        status = self.status
        status.state, status.incident = "claiming", ""
        try:
            ending = await self._run(publisher, ring)
        except (LaterClaimant, Fenced, _Overtaken) as error:
            log.warning("partition %d: somebody claimed it after us (%s)", self.partition, type(error).__name__)
            status.state, ending = "waiting", Ending.OVERTAKEN
            await publisher.drop(self.partition)
        except Doubt as error:
            log.warning("partition %d: the ring of producers is over: %s", self.partition, error)
            status.state, ending = "waiting", Ending.DOUBT
            publisher.doubt(error)
        except _Released:
            ending = Ending.RELEASED
        except (Incident, BadStamp, Unreadable) as error:
            status.state, status.incident = "stopped", _with_remedy(str(error))
            log.error("partition %d stopped: %s", self.partition, status.incident)  # noqa: TRY400 - no bug
            ending = await self._let_go(publisher, ring)
        finally:
            self._around.input.shut(self.partition)
            tenure, self._tenure = self._tenure, None
            if tenure is not None:
                await tenure.abandon()
        return ending

    async def _let_go(self, publisher: Publisher, ring: Ring) -> Ending:
        """After an incident: publish nothing more, and hand over, so that no successor need fence the whole worker."""
        try:
            if await publisher.drop(self.partition):
                await hand_over(self.partition, ring, self._around.place)
        except Doubt as error:
            publisher.doubt(error)
        return Ending.INCIDENT

    async def _run(self, publisher: Publisher, ring: Ring) -> Ending:
        around = self._around
        hooks = Hooks(load_catalogue=self._have_catalogue, wait=self._wait, on_step=lambda step: self._at("claim"))
        claimed = await claim(self.partition, around.log, ring, self._store, around.place, hooks)
        self.status.epoch, self.status.waiting_for = claimed.epoch, ""
        publisher.begin(claimed)
        log.info(
            "partition %d is ours: epoch %d, state at %d, published to %d",
            self.partition,
            claimed.epoch,
            claimed.meta.offset,
            claimed.published.offset,
        )
        tenure = self._tenure = _Tenure(self, claimed, publisher, self._store, around, self._lock)
        meta = claimed.meta
        while not self._releasing:
            await tenure.take_up(meta)
            try:
                await tenure.work()
            except Gap:
                self._at("gap")
                self.status.gaps += 1
                log.warning("partition %d: the store went back; its state is read again", self.partition)
                await tenure.abandon()
                published = publisher.published(self.partition)
                meta = await regain(around.log, self._store, claimed, published, around.place, hooks)
                continue
            break
        if await publisher.drop(self.partition):
            await hand_over(self.partition, ring, around.place)
            self._at("handed_over")
        return Ending.RELEASED

    async def _have_catalogue(self, digest: str) -> None:
        await self._around.catalogue(digest)

    async def _wait(self, attempt: int, what: str) -> None:
        # nothing is in hand while a claim waits: the one place where it can be broken off without a doubt
        self.check()
        if self._releasing:
            raise _Released
        if attempt > 1:
            self.status.waiting_for = what
        await self._clock.sleep(backoff_ms(attempt))

    def check(self) -> None:
        """Raise what came in from outside."""
        if self._doubt is not None:
            raise Doubt(str(self._doubt))

    @property
    def releasing(self) -> bool:
        """Whether the end was asked for."""
        return self._releasing

    @property
    def poke(self) -> asyncio.Event:
        """Set whenever there may be something to do."""
        return self._poke


class _Tenure:
    """From a claim to its end. `take_up` begins it at a `meta`, again after a GAP; `work` runs it."""

    def __init__(
        self,
        runner: PartitionRunner,
        claimed: Claimed,
        publisher: Publisher,
        store: PartitionStore,
        around: Surroundings,
        lock: asyncio.Lock,
    ) -> None:
        self._runner = runner
        self._partition = claimed.partition
        self._claimed = claimed
        self._publisher = publisher
        self._store = store
        self._around = around
        self._clock = around.clock
        self._limits = around.limits
        self._at = around.at
        self._lock = lock
        self._status = runner.status
        self._published = (claimed.published.offset, claimed.published.digest)
        self._submitted = self._published
        """What the publisher was given last, whether answered or not: up to there nothing is submitted again."""
        self._inbox: deque[Batch] = deque()
        self._inbox_records = 0
        self._head = 0
        """How many records of the first batch are applied."""
        self._held = False
        self._writing: asyncio.Task[list[str]] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._ticks = Ticks()
        self.failure: BaseException | None = None
        self.reopen = False

    # -- what others tell it

    def on_batch(self, batch: Batch) -> None:
        self._inbox.append(batch)
        self._inbox_records += len(batch)
        if self._inbox_records > INBOX_HIGH:
            self._hold()

    def on_published(self, progress: Progress) -> None:
        self._published = (progress.offset, progress.digest)
        self._status.published_offset = progress.offset
        self.checkpoints.published(progress.offset)

    # -- beginning

    async def take_up(self, meta: Meta) -> None:
        """Stand the engine at `meta`, with nothing in memory, and open the input there."""
        around, status = self._around, self._status
        engine = Partition(
            around.place.generation,
            reader(self._partition, around.place.partitions),
            offset=meta.offset,
            clock_ms=meta.clock_ms,
            last_ms=meta.last_ms,
            digest=meta.digest,
            horizon=(BEGINNING_MS, ""),
        )
        for cut in meta.cuts:
            engine.know(cut.catalogue, await around.catalogue(cut.catalogue))
        engine.resume(
            [PendingCut(cut.ordinal, cut.t_ms, cut.catalogue, cut.visited_to, cut.introductions) for cut in meta.cuts]
        )
        self._engine = engine
        self.checkpoints = Checkpoints(
            self._store,
            self._lock,
            meta,
            self._claimed.tokens,
            Fixed(around.place.generation, around.place.partitions),
            status,
            self._clock,
            self._at,
        )
        self.checkpoints.published(self._published[0])
        self._waking = Waking(engine, self)
        self._clean: OrderedDict[str, None] = OrderedDict()
        self._slice_ms = self._clock.now_ms()
        self._ticks = Ticks()
        self._clear_inbox()
        self._silent: tuple[int, str] | None = self._submitted
        """Replay is silent up to there: (offset, digest to be found there)."""
        self._end_silence()
        status.replays += 1 if self._silent is not None else 0
        status.state = "running" if self._silent is None else "replaying"
        status.published_offset, status.submitted_offset = self._published[0], self._submitted[0]
        self._tell()
        self._at("take_up")
        await around.input.open(self._partition, meta.offset)

    def _clear_inbox(self) -> None:
        self._inbox.clear()
        self._inbox_records = self._head = 0
        self._held = False

    async def abandon(self) -> None:
        """Drop everything in hand; what is in flight may still happen, and does no harm."""
        self._around.input.shut(self._partition)
        for task in (self._writing, self._ticking):
            if task is not None:
                task.cancel()
                with contextlib.suppress(BaseException):
                    await task
        self._writing = self._ticking = None
        self._clear_inbox()

    # -- running

    async def work(self) -> None:
        """Run until the release is done. Raises Gap, Fenced, Doubt, Incident, BadStamp, or what is our bug."""
        poke = self._runner.poke
        while not self._runner.releasing:
            poke.clear()
            self._check()
            if self._inbox and not self._blocked():
                await self._chunk()
                # one turn for everybody else
                await asyncio.sleep(0)
            await self._keep()
            if not (self._inbox and not self._blocked()):
                await self._clock.wait(poke, await self._idle())
        await self._finish()

    def _check(self) -> None:
        self._runner.check()
        if self.failure is not None:
            raise self.failure
        self._reap()

    def _blocked(self) -> bool:
        behind = self._engine.offset - self.checkpoints.written_offset
        unpublished = self._submitted[0] - self._published[0]
        blocked = max(behind, unpublished) > self._limits.unpublished_records_max
        if blocked:
            self._hold()
        return blocked

    def _hold(self) -> None:
        if not self._held:
            self._held = True
            self._around.input.hold(self._partition)

    def _maybe_resume(self) -> None:
        if self._held and self._inbox_records < INBOX_LOW and not self._blocked():
            self._held = False
            self._around.input.resume(self._partition)

    # -- applying

    def _next_chunk(self) -> Sequence[Fetched]:
        batch = self._inbox[0]
        if not self._head:
            check_stamps(batch, self._clock.wall_ms())
        return batch[self._head : self._head + CHUNK]

    def _done(self, count: int) -> None:
        """Take applied records out of the inbox."""
        self._head += count
        self._inbox_records -= count
        if self._head >= len(self._inbox[0]):
            self._inbox.popleft()
            self._head = 0

    async def _chunk(self) -> None:
        """Apply a chunk; on return the engine stands at a record boundary and its output is submitted."""
        chunk = self._next_chunk()
        if chunk[0].offset < self._engine.offset:
            raise AssertionError(f"record {chunk[0].offset} came again, at {self._engine.offset}")
        await self.load(_subjects(chunk))
        out: list[Change] = []
        records: list[OutRecord] = []
        changes = refused = counted = done = 0
        until_ms = self._clock.now_ms() + CHUNK_MS
        at = None if self._at is NOWHERE else self._at
        for found in chunk:
            if not done % CHUNK_LOOK and done and self._clock.now_ms() > until_ms:
                break
            done += 1
            if self._silent is not None and found.offset >= self._silent[0]:
                self._end_silence(found.offset)
                out.clear()
                records.clear()
                changes = refused = counted = 0
            code = await self._apply(found, out)
            counted += 1
            if self._silent is not None:
                out.clear()
                self._at("replay")
                continue
            if out:
                changes += len(out)
                for change in out:
                    records += self._around.wire.change_records(self._partition, change)
                out.clear()
            if code is not None:
                refused += 1
                records.append(self._around.wire.dead_letter(self._partition, found, code))
            if at is not None:
                at("step")
            if changes >= self._limits.changes_per_transaction_max // 2:
                self._submit(records, changes)
                records, changes = [], 0
        self._done(done)
        self._end_silence()
        if self._silent is None:
            self._submit(records, changes)
            self._count(counted, refused)
        self._ticks.applied(self._engine.offset, self._engine.clock_ms, self._clock.wall_ms())
        self._status.events += done

    async def _apply(self, found: Fetched, out: list[Change]) -> str | None:
        """Apply one record; its changes go to `out`. Returns its reason code if it was refused."""
        engine = self._engine
        record = Record(found.offset, found.timestamp, found.key, found.value, found.headers)
        r_ms = engine.instant_of(found.timestamp)
        while not engine.pass_wakes(r_ms, out, record=record):
            await self._waking.widen(r_ms)
        while True:
            try:
                applied = engine.apply(record)
            except UnknownCatalogue as unknown:
                engine.know(unknown.catalogue, await self._around.catalogue(unknown.catalogue))
            else:
                break
        out += applied.changes
        if applied.kind == "cut":
            self._at("cut")
            log.info("partition %d: a catalogue took effect at record %d", self._partition, found.offset)
        return applied.refusal if applied.kind == "refused" else None

    def _end_silence(self, next_offset: int | None = None) -> None:
        """Leave silent replay where it ends, comparing the digest there: unequal means that the law is broken."""
        if self._silent is None:
            return
        offset, digest = self._silent
        engine = self._engine
        if engine.offset < offset and next_offset is None:
            return
        if engine.offset != offset or engine.digest != digest:
            raise Incident(
                f"replay stands at {engine.offset} with digest {engine.digest}, but changes were published up to"
                f" {offset} with digest {digest}: the log or the program is not what it was. Nothing more is published."
                " Run `segue verify` on this partition, and do not let another version of Segue go on with it"
            )
        self._silent = None
        if self._status.state == "replaying":
            self._status.state = "running"
            log.info("partition %d: replayed to %d, digest equal", self._partition, offset)

    def _submit(self, records: list[OutRecord], changes: int) -> None:
        engine = self._engine
        if engine.offset <= self._submitted[0]:
            return
        self._publisher.submit(
            self._partition,
            PublishSlice(
                upto_offset=engine.offset,
                records=records,
                clock_ms=engine.clock_ms,
                catalogue=engine.current.catalogue.hash if engine.current is not None else "",
                digest=engine.digest,
                changes=changes,
            ),
        )
        self._submitted = (engine.offset, engine.digest)
        self._status.changes += changes
        self._at("submitted")

    def _count(self, records: int, refused: int) -> None:
        self._status.dead_letters += refused
        self._around.share.add(records, refused)

    # -- what paging reads (see waking.Reads)

    async def load(self, subjects: Sequence[str]) -> None:
        """Give the engine the profiles among these that it does not have."""
        engine = self._engine
        # in one order, whatever a set's order was: the simulation repeats itself by its seed
        missing = sorted({subject for subject in subjects if not engine.has(subject)})
        if not missing:
            return
        for subject, blob in zip(missing, await self.checkpoints.profiles(missing), strict=True):
            if blob is not None:
                engine.add(subject, blob)
                self._clean[subject] = None

    async def due(self, before_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """Read wakes."""
        return await self.checkpoints.due(before_ms, after, limit)

    async def subjects(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """Scan subjects."""
        return await self.checkpoints.subjects(cursor, count)

    # -- keeping: slices, checkpoints, memory, ticks, probes

    async def _keep(self) -> None:
        """Do what is due at this record boundary."""
        self._slice_if_due()
        self._write_if_ready()
        self._evict()
        if self.reopen:
            self.reopen = False
            await self._open_again()
        self._maybe_resume()
        if self._writing is None and self._clock.now_ms() - self.checkpoints.asked_ms >= PROBE_MS:
            await self.checkpoints.probe()
        self._tell()

    def _slice_if_due(self, *, now: bool = False) -> None:
        engine, checkpoints = self._engine, self.checkpoints
        applied = engine.offset - checkpoints.taken_offset
        if applied <= 0:
            return
        waited_ms = self._clock.now_ms() - self._slice_ms
        if now or waited_ms >= self._limits.checkpoint_every_ms or applied >= SLICE_RECORDS_MAX:
            taken = engine.take_slice()
            checkpoints.take(taken)
            for subject in taken.profiles:
                self._clean.pop(subject, None)
            checkpoints.published(self._published[0])
            self._slice_ms = self._clock.now_ms()
            self._at("slice")

    def _write_if_ready(self) -> None:
        if self._writing is None and self.checkpoints.writable:
            self._writing = asyncio.ensure_future(self.checkpoints.write())
            self._writing.add_done_callback(lambda task: self._runner.poke.set())

    def _reap(self) -> None:
        """Take the result of a checkpoint or a tick that ended. Raises what it raised."""
        if self._writing is not None and self._writing.done():
            writing, self._writing = self._writing, None
            for subject in writing.result():
                self._clean[subject] = None
        if self._ticking is not None and self._ticking.done():
            ticking, self._ticking = self._ticking, None
            ticking.result()

    def _evict(self) -> None:
        excess = min(len(self._clean) - self._limits.profiles_cached_max, EVICT_MAX)
        for _ in range(excess):
            subject, _ = self._clean.popitem(last=False)
            # what a slice not yet written holds comes back when it is
            if not self.checkpoints.holds(subject) and not self._engine.forget(subject):
                self._clean[subject] = None

    async def _open_again(self) -> None:
        # a batch half-applied is fetched again from where the engine stands
        self._clear_inbox()
        await self._around.input.open(self._partition, self._engine.offset)

    async def _idle(self) -> float:
        """Do what only an owner with nothing to apply does; returns how long it may wait, in ms."""
        now_ms = self._clock.now_ms()
        waits = [IDLE_WAIT_MS, self.checkpoints.asked_ms + PROBE_MS - now_ms]
        if self._engine.offset > self.checkpoints.taken_offset:
            waits.append(self._slice_ms + self._limits.checkpoint_every_ms - now_ms)
        self._check_end()
        if not self._inbox and self._silent is None and self._around.input.place(self._partition).at_end:
            wall_ms = self._clock.wall_ms()
            while not self._waking.complete_to(wall_ms):
                await self._waking.widen(wall_ms)
            due_ms = self._engine.next_due()
            self._status.next_due_ms = -1 if due_ms is None else due_ms
            if due_ms is not None and self._ticking is None and self._ticks.wanted(due_ms, wall_ms):
                self._ticks.asked(due_ms, wall_ms)
                self._ticking = asyncio.ensure_future(self._tick())
            ask_at_ms = self._ticks.ask_at_ms(due_ms)
            if ask_at_ms is not None and ask_at_ms > wall_ms:
                waits.append(ask_at_ms - wall_ms)
        return max(1.0, min(waits))

    def _check_end(self) -> None:
        end = self._around.input.place(self._partition).end
        if self._silent is not None and end is not None and end < self._silent[0]:
            raise Incident(
                f"changes were published up to {self._silent[0]}, but the input ends at {end}: it lost records."
                " Restore it, or start a new generation"
            )

    async def _tick(self) -> None:
        try:
            offset = await self._around.log.append(self._around.wire.tick(self._partition))
        except NotReachable:
            self._ticks.failed(self._clock.wall_ms())
        else:
            self._ticks.appended(offset)
            # it may have been read before its offset was known
            self._ticks.applied(self._engine.offset, self._engine.clock_ms, self._clock.wall_ms())
            self._status.ticks += 1
            self._at("tick")
        self._runner.poke.set()

    def _tell(self) -> None:
        status, engine = self._status, self._engine
        status.applied_offset, status.clock_ms = engine.offset, engine.clock_ms
        status.submitted_offset = self._submitted[0]
        status.catalogue = engine.current.catalogue.hash if engine.current is not None else ""
        status.profiles = len(engine.profiles)
        status.oldest_unapplied_ms = self._inbox[0][self._head].timestamp if self._inbox else -1
        place = self._around.input.place(self._partition)
        if place.end is not None:
            status.end_offset = place.end
            if place.at_end and not self._inbox:
                # what is left are markers
                status.end_offset = engine.offset

    # -- ending

    async def _finish(self) -> None:
        """Finish what is in hand: publish all that was applied, and write it."""
        self._status.state = "releasing"
        self._at("release")
        self._around.input.shut(self._partition)
        self._clear_inbox()
        if self._ticking is not None:
            self._ticking.cancel()
        if self._silent is None:
            self._submit([], 0)
        self._slice_if_due(now=True)
        if not await self._publisher.flush(self._partition):
            raise Doubt("nothing more was published")
        while not self.checkpoints.settled:
            self._runner.poke.clear()
            self._runner.check()
            self._reap()
            self._write_if_ready()
            if not self.checkpoints.settled:
                await self._clock.wait(self._runner.poke, IDLE_WAIT_MS)
        self._reap()
        self._tell()


def reader(partition: int, partitions: int) -> Decode:
    """Make the decoder of one partition's records: the event, and whether it is where it belongs."""

    def read(record: Record, dictionary: Dictionary, r_ms: int) -> Event | Own | Refusal:
        found = decode(record.value, record.headers, dictionary, r_ms)
        if isinstance(found, Event):
            code = check_envelope(found, record.key, partition, partitions)
            if code is not None:
                return Refusal(code)
        return found

    return read


def _with_remedy(incident: str) -> str:
    """Every incident says what to do; where it does not by itself, what helps with all of them."""
    if "`" in incident or "set " in incident:
        return incident
    return f"{incident}. `segue topics` checks what is there; `segue rebuild` makes the state again from the log"


def _subjects(chunk: Sequence[Fetched]) -> list[str]:
    """The subjects that the keys of a chunk name; what is no text names none (its record will be refused)."""
    keys = {found.key for found in chunk}
    keys.discard(None)
    try:
        return [key.decode() for key in keys if key is not None]
    except UnicodeDecodeError:
        return [key.decode() for key in keys if key is not None and _is_text(key)]


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
