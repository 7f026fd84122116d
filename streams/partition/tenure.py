"""One owner's time with a partition, after the claim: apply, publish, write behind, tick, probe, finish.

One task does everything that moves the engine (`work`). A second writes checkpoints, one at a time; a third appends a
tick. After a GAP `take_up` begins again at the state that the store has, under the same claim.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from streams.actions import told
from streams.errors import Doubt, Incident
from streams.intake.bad_input import BadInput
from streams.intake.inbox import Inbox, bytes_of
from streams.partition.applier import Applier, Boundary
from streams.partition.beside import Beside
from streams.partition.checkpoints import Checkpoints
from streams.partition.claim import Claimed
from streams.partition.look_ahead import GoOn, LookAhead
from streams.partition.notices import Notices
from streams.partition.outgoing import PublishSlice
from streams.partition.output import Output
from streams.partition.publisher import Publisher
from streams.partition.shared import PartitionShared
from streams.partition.status import PartitionStatus
from streams.partition.ticker import Ticker
from streams.partition.writer import Writer
from streams.store.terms import Meta, PartitionStore
from streams.wire.progress import Progress

log = logging.getLogger(__name__)

CHUNK: Final = 200
"""Records whose profiles are read together; between chunks slices are taken and checkpoints written."""
CHUNK_BYTES_MAX: Final = 2 << 20
"""The length of their values together. It is small because a slice can be taken only between chunks."""
PROBE_MS: Final = 1_000
"""How long an owner may go without comparing the token."""
IDLE_MS: Final = 1_000
"""The longest wait for something to do."""
CONGESTED_LOOK_MS: Final = 50
"""How long to wait between two looks whether the publisher is still congested."""


class Tenure:
    """The owner of one partition under one claim; see the module."""

    def __init__(
        self,
        claimed: Claimed,
        publisher: Publisher,
        store: PartitionStore,
        lock: asyncio.Lock,
        shared: PartitionShared,
        status: PartitionStatus,
        notices: Notices,
    ) -> None:
        """`lock` guards the store's one connection."""
        self._partition = claimed.partition
        self._claimed = claimed
        self._publisher = publisher
        self._store = store
        self._lock = lock
        self._shared = shared
        self._clock = shared.clock
        self._limits = shared.limits
        self._on_point = shared.on_point
        self._status = status
        self._notices = notices
        self._inbox = Inbox(claimed.partition, shared.input, self._on_fetched)
        self._published = claimed.published.offset
        self._submitted = Boundary(claimed.published.offset, claimed.published.digest)
        """The boundary that the publisher was given last, answered or not: nothing before it is submitted again."""
        self._writing: Beside[list[str]] = Beside(notices.poke)
        self._ticking: Beside[None] = Beside(notices.poke)
        self._bad_input = BadInput(shared.bad_input, claimed.published.refused)
        self._ahead: LookAhead | None = None
        """What a held partition reads with; None: it is not held."""

    # -- what others tell it

    def on_published(self, progress: Progress) -> None:
        """Learn that the changes up to an offset are published."""
        self._on_point("published")
        self._published = self._status.published_offset = progress.offset
        self.checkpoints.published(progress.offset)
        self._notices.poke.set()

    def _on_fetched(self) -> None:
        """Learn that a batch was fetched, or that none can be."""
        self._on_point("fetched")
        self._tell_input()
        self._notices.poke.set()

    def _check(self) -> None:
        """Raise Doubt if the ring is over, Incident if the log does not hold the next record."""
        self._notices.check()
        error = self._inbox.error if self._ahead is None else self._ahead.error
        if error is not None:
            raise Incident(
                f"the input has no record at offset {self._applier.engine.offset} any more"
                f" ({type(error).__name__}): run `segue rebuild` with a log that reaches back far enough,"
                " or start a new generation"
            )

    # -- beginning

    async def take_up(self, meta: Meta) -> None:
        """Begin at `meta`, with nothing in memory, and open the input there. Raises Incident."""
        shared, status = self._shared, self._status
        self.checkpoints = Checkpoints(
            self._store,
            self._lock,
            meta,
            self._claimed.tokens,
            shared.deployment,
            status,
            self._clock,
            self._on_point,
            shared.tally,
        )
        self.checkpoints.published(self._published)
        self._applier = Applier(self._partition, shared, self.checkpoints, meta, self._submitted)
        self._began = meta.offset
        await self._applier.resume(meta)
        self._writer = Writer(self._partition, shared, self._applier, self.checkpoints, self._writing)
        self._ticker = Ticker(self._partition, shared, self._applier, status, self._ticking)
        self._inbox.clear()
        self._end_hold()
        replaying = self._applier.silent is not None
        status.replays += replaying
        status.move("replaying" if replaying else "running")
        status.published_offset = self._published
        self._tell()
        self._on_point("take_up")
        await shared.input.open(self._partition, meta.offset, self._inbox)

    async def abandon(self) -> None:
        """Drop everything in hand. A write or a tick in flight may still happen, and does no harm."""
        self._shared.input.shut(self._partition)
        await self._writing.abandon()
        await self._ticking.abandon()
        self._inbox.clear()

    # -- running

    async def work(self) -> None:
        """Run until the release is done. Raises Gap, Fenced, Doubt, Incident, BadStamp, or an error that is our bug."""
        notices = self._notices
        while not notices.releasing:
            notices.poke.clear()
            self._check()
            self._reap()
            await self._hold_or_go_on()
            if self._ahead is None and self._inbox and not self._blocked():
                await self._apply_chunk()
                if self._inbox:
                    # give the other tasks a turn; with nothing more to apply a wait gives it
                    await asyncio.sleep(0)
            await self._keep()
            if self._ahead is not None:
                await self._clock.wait(notices.poke, 1 if self._ahead.waiting else await self._idle())
            elif not self._inbox or self._blocked():
                await self._clock.wait(notices.poke, await self._idle())
        await self._finish()

    def _blocked(self) -> bool:
        """Whether to apply no more now: a transaction is slow, or too much waits to be published or written."""
        behind = self._applier.engine.offset - self.checkpoints.written_offset
        unpublished = self._submitted.offset - self._published
        blocked = max(behind, unpublished) > self._limits.unpublished_records_max or self._writer.full
        if blocked:
            self._inbox.hold()
        return blocked or self._publisher.congested(self._partition)

    def _behind(self) -> bool:
        """Whether many records wait, and what is not published yet will not soon keep them waiting (`_blocked`)."""
        unpublished = self._applier.engine.offset - self._published
        return (
            self._inbox.many
            and unpublished < self._limits.unpublished_records_max // 4
            and not self._writer.needs_progress
        )

    async def _apply_chunk(self) -> None:
        applier, status = self._applier, self._status
        chunk = self._inbox.chunk(CHUNK, CHUNK_BYTES_MAX, self._clock.wall_ms())
        changes_max = max(1, self._limits.changes_per_transaction_max // 2)
        if applier.silent is not None:
            upto = applier.silent.offset
            if chunk[0].offset >= upto:
                applier.end_silence(chunk[0].offset)
                self._replayed()
            else:
                chunk = [found for found in chunk if found.offset < upto]
        applied = await applier.chunk(chunk, self._submit, changes_max, self._writer.touched_max)
        self._inbox.done(applied)
        self._writer.applied(bytes_of(chunk[:applied]))
        status.events += applied
        if applier.silent is None and status.state == "replaying":
            self._replayed()
        self._ticker.applied()

    def _replayed(self) -> None:
        """Note that the silent replay is done. Begin a slice there: its changes are published, so it can be written.

        A slice that went further would have to wait for the next transaction. If that ended in a doubt, everything
        would be replayed again, and on a machine that is too slow for both without end.
        """
        self._status.move("running")
        upto = self._claimed.published.offset
        log.info(
            "partition %d: replayed to %d, digest equal", self._partition, upto, extra=told("replay_done", offset=upto)
        )
        self._writer.begin_slice(self._published)

    def _submit(self, output: Output) -> bool:
        """Give output to the publisher, at a record boundary. Returns whether to apply no more for now."""
        applier, status = self._applier, self._status
        engine = applier.engine
        self._bad_input.add(output.applied, output.refused)
        if engine.offset > self._submitted.offset:
            self._publisher.submit(
                self._partition,
                PublishSlice(
                    upto_offset=engine.offset,
                    records=output.records,
                    clock_ms=engine.clock_ms,
                    catalogue=engine.catalogue,
                    digest=engine.digest,
                    changes=output.changes,
                    effect_bytes=output.effect_bytes,
                    notes=output.notes,
                    refused=self._bad_input.memory(engine.offset),
                    behind=self._behind(),
                ),
            )
            self._submitted = applier.boundary
            self._on_point("submitted")
        status.changes += output.changes
        if output.refused:
            status.dead_letters += len(output.refused)
            self._tell_refused()
        return self._publisher.congested(self._partition)

    # -- holding: too many records were refused

    async def _hold_or_go_on(self) -> None:
        """Hold the partition if too many records were refused; look ahead while it is held, and go on in the end."""
        if self._ahead is None:
            if self._bad_input.too_much and self._applier.silent is None:
                await self._hold()
            return
        go_on = await self._ahead.look()
        if go_on is not None:
            await self._go_on(go_on)

    async def _hold(self) -> None:
        engine, status = self._applier.engine, self._status
        self._inbox.clear()
        self._ticking.cancel()
        self._ahead = self._look_ahead()
        status.move("held")
        status.held, status.held_since_ms = self._bad_input.said(), self._clock.wall_ms()
        self._tell_refused()
        extra = told(
            "partition_held", offset=engine.offset, reasons=status.refused_reasons, sources=status.refused_sources
        )
        log.error("partition %d is held: %s", self._partition, status.held, extra=extra)
        self._on_point("held")
        await self._shared.input.open(self._partition, engine.offset, self._ahead)

    async def _hold_again(self) -> None:
        """Look ahead from the beginning: the consumer went silent, and its records may be lost."""
        engine = self._applier.engine
        self._ahead = self._look_ahead()
        await self._shared.input.open(self._partition, engine.offset, self._ahead)

    def _look_ahead(self) -> LookAhead:
        engine = self._applier.engine
        return LookAhead(self._partition, self._shared, engine.catalogue, engine.clock_ms, self._on_fetched)

    async def _go_on(self, go_on: GoOn) -> None:
        engine, status = self._applier.engine, self._status
        before = max(engine.offset, go_on.before_offset)
        extra = told(
            "partition_resumed",
            offset=engine.offset,
            end_offset=before,
            records=go_on.looked,
            seconds=round((self._clock.wall_ms() - status.held_since_ms) / 1000, 1),
            by=go_on.by,
        )
        why = f"{go_on.by} resumed it" if go_on.by else "the log is calm"
        log.warning("partition %d goes on: %s", self._partition, why, extra=extra)
        self._bad_input.pardon(before)
        self._end_hold()
        self._tell_refused()
        status.move("running")
        self._on_point("went_on")
        await self._shared.input.open(self._partition, engine.offset, self._inbox)

    def _end_hold(self) -> None:
        self._ahead = None
        self._status.held, self._status.held_since_ms = "", -1

    def _tell_refused(self) -> None:
        self._status.refused_reasons = self._bad_input.reasons()
        self._status.refused_sources = self._bad_input.sources()

    # -- keeping: slices, checkpoints, memory, probes

    async def _keep(self) -> None:
        """Do what is due at this record boundary."""
        self._writer.pack(self._published)
        self._writer.write_if_ready()
        if self._writer.needs_progress:
            self._publisher.hasten(self._partition)
        self._applier.supplies.evict(self._shared.kept_max)
        if self._notices.reopening:
            # the rest of a batch that is half applied is fetched again
            self._notices.reopening = False
            self._inbox.clear()
            if self._ahead is not None:
                await self._hold_again()
            else:
                await self._shared.input.open(self._partition, self._applier.engine.offset, self._inbox)
        if not self._writing.busy and self._clock.now_ms() - self.checkpoints.asked_ms >= PROBE_MS:
            await self.checkpoints.probe()
        if self._inbox.wants_more and not self._blocked():
            self._inbox.resume()
        self._tell()

    def _reap(self) -> None:
        """Take the result of a checkpoint or a tick that ended. Raises what it raised."""
        self._writer.reap()
        ended = self._ticking.ended()
        if ended is not None:
            ended.result()

    def _tell(self) -> None:
        status, applier = self._status, self._applier
        status.applied_offset, status.clock_ms = applier.engine.offset, applier.engine.clock_ms
        status.submitted_offset = self._submitted.offset
        status.catalogue = applier.engine.catalogue
        status.profiles = len(applier.engine.profiles)
        if applier.engine.offset > self._began:
            status.last_record_ms = applier.engine.last_ms
        if self._shared.tally is not None:
            mine = self._shared.tally.of(self._partition)
            mine.first_wake = applier.first_wake()
            mine.unwritten.note(applier.engine.offset, self.checkpoints.written_offset, self._clock.now_ms())
        self._tell_input()

    def _tell_input(self) -> None:
        """Tell what waits. It is told with each batch, too: an owner that waits for the store gets no further."""
        status = self._status
        status.oldest_unapplied_ms = self._inbox.oldest_ms if self._ahead is None else self._ahead.oldest_ms
        offsets = self._shared.input.offsets(self._partition)
        if offsets.end is not None:
            status.heard_ms = -1 if offsets.heard_ms is None else offsets.heard_ms
            # at the end only markers are left, and they are no lag
            at_end = self._ahead is None and not self._inbox and offsets.at_end
            status.end_offset = status.applied_offset if at_end else offsets.end
            if at_end:
                status.caught_up_ms = status.heard_ms

    # -- with nothing to apply

    async def _idle(self) -> float:
        """Do what only an owner with nothing to apply does. Returns how long it may wait, in ms."""
        now_ms = self._clock.now_ms()
        waits: list[float] = [IDLE_MS]
        if not self._writing.busy:
            waits.append(self.checkpoints.asked_ms + PROBE_MS - now_ms)
        if self._publisher.congested(self._partition):
            waits.append(CONGESTED_LOOK_MS)
        if self._writer.packing:
            waits.append(self._writer.portion_in_ms)
        elif self._writer.behind:
            waits.append(self._writer.due_in_ms)
        if self._applier.silent is not None:
            self._check_end(self._applier.silent)
        elif self._ahead is None and self._inbox.at_end:
            waits.append(await self._ticker.look())
        return max(1.0, min(waits))

    def _check_end(self, silent: Boundary) -> None:
        end = self._shared.input.offsets(self._partition).end
        if end is not None and end < silent.offset:
            raise Incident(
                f"changes were published up to {silent.offset}, but the input ends at {end}: it lost records."
                " Restore it, or start a new generation with `segue topics`"
            )

    # -- ending

    async def _finish(self) -> None:
        """Publish everything that was applied, and write it."""
        self._status.move("releasing")
        self._on_point("release")
        self._shared.input.shut(self._partition)
        self._inbox.clear()
        self._ticking.cancel()
        if self._applier.silent is None:
            self._submit(Output())
        self._writer.begin_slice(self._published)
        self._writer.finish_slice(self._published)
        if not await self._publisher.flush(self._partition):
            raise Doubt("nothing more was published")
        await self._until(lambda: self.checkpoints.settled)
        self._reap()
        self._tell()

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._notices.poke.clear()
            self._check()
            self._reap()
            self._writer.write_if_ready()
            if not done():
                await self._clock.wait(self._notices.poke, IDLE_MS)
