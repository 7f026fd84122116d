"""Apply the records of one partition: chunks in, output at record boundaries out; silently as long as it is a replay.

Around the engine, which is pure and sync, stands what it asks for: profiles by MGET before a chunk, wakes and visits by
the page, catalogues by their hash. While it waits for one of these the engine may stand within a record; whoever takes
slices does so between chunks only. Clean profiles are forgotten from the least recently touched on.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from rules.engine.change import AnyChange
from rules.engine.partition import BEGINNING_MS, Partition, Record, Rehomed, Slice, UnknownCatalogue
from streams.errors import Incident
from streams.intake.decoding import decoder_of, subjects_of
from streams.partition.checkpoints import Checkpoints
from streams.partition.points import UNOBSERVED
from streams.partition.shared import Shared
from streams.partition.waking import Waking
from streams.records import Fetched, OutRecord
from streams.store.terms import Meta

log = logging.getLogger(__name__)

TURN_MS: Final = 5
"""How long a chunk may go on before the other partitions get their turn; what it brought so far is submitted."""
TURN_LOOK: Final = 8
"""Records between two looks at the clock."""
EVICT_MAX: Final = 2_000
"""Profiles looked at for eviction at one boundary."""


class Boundary(NamedTuple):
    """A record boundary, and the digest of all changes before it."""

    offset: int
    digest: str


@dataclass(slots=True)
class Output:
    """What records brought that are not out yet."""

    records: list[OutRecord] = field(default_factory=list)
    changes: int = 0
    withdrawn: int = 0
    """Standing memberships taken from topics that their segment's changes have left."""
    refused: int = 0
    applied: int = 0
    """Records applied that were no replay."""


class Applying:
    """The engine of one partition with what it needs around it, from one `meta` on."""

    def __init__(self, partition: int, shared: Shared, checkpoints: Checkpoints, meta: Meta, silent: Boundary) -> None:
        """`silent`: replay puts nothing out up to there, where its digest must be equal."""
        self._partition = partition
        self._shared = shared
        self._clock = shared.clock
        self._checkpoints = checkpoints
        self._rehomed: list[Rehomed] = []
        """Of the record at hand."""
        self.engine = Partition(
            shared.deployment.generation,
            decoder_of(partition, shared.deployment.partitions),
            offset=meta.offset,
            clock_ms=meta.clock_ms,
            last_ms=meta.last_ms,
            digest=meta.digest,
            horizon=(BEGINNING_MS, ""),
            rehomed=self._rehomed,
        )
        self.waking = Waking(self.engine, self)
        self.silent: Boundary | None = silent
        self._clean: OrderedDict[str, None] = OrderedDict()
        """Subjects in memory whose profile the store has as it is, least recently touched first."""

    async def resume(self, meta: Meta) -> None:
        """Take up the cuts of `meta`; waits for their catalogues. Raises Incident."""
        for cut in meta.cuts:
            self.engine.know(cut.catalogue, await self._shared.catalogue(cut.catalogue))
        self.engine.resume(meta.cuts)
        self.end_silence()

    @property
    def boundary(self) -> Boundary:
        """Where the engine stands; meaningful between chunks."""
        return Boundary(self.engine.offset, self.engine.digest)

    @property
    def catalogue(self) -> str:
        """Hash of the catalogue in force; "" before the first."""
        current = self.engine.current
        return "" if current is None else current.catalogue.hash

    # -- records

    async def chunk(self, chunk: Sequence[Fetched], submit: Callable[[Output], None], changes_max: int) -> None:
        """Apply records, giving way to others now and then. Output goes to `submit`, at record boundaries.

        Raises Gap, Fenced, Incident (then the engine may stand within a record: drop it), or our bugs.
        """
        if chunk[0].offset < self.engine.offset:
            raise AssertionError(f"record {chunk[0].offset} came again, at {self.engine.offset}")
        await self.load(subjects_of(chunk))
        changes: list[AnyChange] = []
        output = Output()
        until_ms = self._clock.now_ms() + TURN_MS
        on_point = None if self._shared.on_point is UNOBSERVED else self._shared.on_point
        for done, found in enumerate(chunk):
            if not done % TURN_LOOK and done and self._clock.now_ms() > until_ms:
                if self.silent is None:
                    submit(output)
                    output = Output()
                await asyncio.sleep(0)
                until_ms = self._clock.now_ms() + TURN_MS
            if self.silent is not None and found.offset >= self.silent.offset:
                self.end_silence(found.offset)
            code = await self._apply(found, changes)
            if self.silent is None:
                self._put_out(found, changes, code, output)
            changes.clear()
            self._rehomed.clear()
            if on_point is not None:
                on_point("step" if self.silent is None else "replay")
            if output.changes + output.withdrawn >= changes_max:
                submit(output)
                output = Output()
        self.end_silence()
        if self.silent is None:
            submit(output)

    def _put_out(self, found: Fetched, changes: Sequence[AnyChange], code: str | None, output: Output) -> None:
        wire, engine = self._shared.wire, self.engine
        output.applied += 1
        rehomed = deque(self._rehomed)
        output.withdrawn += len(rehomed)
        for before, change in enumerate(changes, start=engine.changes_total - len(changes)):
            while rehomed and rehomed[0].before <= before:
                output.records.append(wire.withdrawal(self._partition, rehomed.popleft()))
            output.changes += 1
            output.records += wire.change_records(self._partition, change)
        output.records += [wire.withdrawal(self._partition, each) for each in rehomed]
        if code is not None:
            output.refused += 1
            output.records.append(wire.dead_letter(self._partition, found, code))

    async def _apply(self, found: Fetched, changes: list[AnyChange]) -> str | None:
        """Apply one record. Returns its reason code if it was refused."""
        engine = self.engine
        record = Record(found.offset, found.timestamp, found.key, found.value, found.headers)
        r_ms = engine.instant_of(found.timestamp)
        while not engine.pass_wakes(r_ms, changes, record=record):
            await self.waking.widen(r_ms)
        while True:
            try:
                applied = engine.apply(record)
            except UnknownCatalogue as unknown:
                engine.know(unknown.catalogue, await self._shared.catalogue(unknown.catalogue))
            else:
                break
        changes += applied.changes
        if applied.kind == "cut":
            self._shared.on_point("cut")
            log.info("partition %d: a catalogue took effect at record %d", self._partition, found.offset)
        return applied.refusal if applied.kind == "refused" else None

    def end_silence(self, next_offset: int | None = None) -> None:
        """Leave silent replay where it ends, comparing the digest there: unequal means that the law is broken.

        `next_offset`: of the record about to be applied, at which it must have ended.
        """
        if self.silent is None or (self.engine.offset < self.silent.offset and next_offset is None):
            return
        found = self.boundary
        if found != self.silent:
            raise Incident(
                f"replay stands at {found.offset} with digest {found.digest}, but changes were published up to"
                f" {self.silent.offset} with digest {self.silent.digest}: the log or the program is not what it was."
                " Nothing more is published. Run `segue verify` on this partition, and do not let another version of"
                " Segue go on with it"
            )
        self.silent = None

    # -- what it reads (waking.Reads)

    async def load(self, subjects: Sequence[str]) -> None:
        """Give the engine the profiles among these that it does not have."""
        engine = self.engine
        # in one order, whatever a set's order was: the simulation repeats itself by its seed
        missing = sorted({subject for subject in subjects if not engine.has(subject)})
        if not missing:
            return
        for subject, blob in zip(missing, await self._checkpoints.profiles(missing), strict=True):
            if blob is not None:
                engine.add(subject, blob)
                self._clean[subject] = None

    async def due(self, before_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """Read wakes."""
        return await self._checkpoints.due(before_ms, after, limit)

    async def subjects(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """Scan subjects."""
        return await self._checkpoints.subjects(cursor, count)

    # -- memory

    def take_slice(self) -> Slice:
        """Pack all that was touched since the last slice; between chunks only."""
        taken = self.engine.take_slice()
        for subject in taken.profiles:
            self._clean.pop(subject, None)
        return taken

    def written(self, subjects: Iterable[str]) -> None:
        """Note that the store has these as memory has them."""
        for subject in subjects:
            self._clean[subject] = None

    def evict(self, kept_max: int) -> None:
        """Forget clean profiles beyond a limit, those not touched for longest first."""
        for _ in range(min(len(self._clean) - kept_max, EVICT_MAX)):
            subject, _ = self._clean.popitem(last=False)
            # what a slice not yet written holds comes back when it is
            if not self._checkpoints.holds(subject) and not self.engine.forget(subject):
                self._clean[subject] = None
