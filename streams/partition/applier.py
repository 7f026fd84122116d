"""Apply the records of one partition: chunks in, output at record boundaries out.

While a replay is silent, nothing is put out. The profiles of a chunk are read together before it. Between chunks the
engine stands at a record boundary, and only there a slice can be taken.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rules.engine.outcome import Applied
from rules.engine.partition import BEGINNING_MS, Partition
from rules.engine.record import Record
from rules.engine.slice import Slice
from rules.ground.instants import FOREVER
from streams.actions import told
from streams.errors import Incident
from streams.intake.decoding import decoder_of, subjects_of
from streams.partition.checkpoints import Checkpoints
from streams.partition.driver import Driver
from streams.partition.output import Output
from streams.partition.points import UNOBSERVED
from streams.partition.shared import PartitionShared
from streams.partition.store_supplies import StoreSupplies
from streams.records import Fetched
from streams.store.terms import Meta

log = logging.getLogger(__name__)

TURN_MS: Final = 5
"""How long a chunk may go on before the other partitions get their turn; what it brought so far is submitted."""
PORTION: Final = 32
"""How many of the wakes and visits that one record passes fire before the other partitions get their turn: a wake takes
20 to 300 µs, and a record may pass 1,000."""
TURN_LOOK: Final = 8
"""Records between two looks at the clock."""


class Boundary(NamedTuple):
    """A record boundary, and the digest of all changes before it."""

    offset: int
    digest: str


class Applier:
    """Applies records to the engine of one partition, from one `meta` on."""

    def __init__(
        self, partition: int, shared: PartitionShared, checkpoints: Checkpoints, meta: Meta, silent: Boundary
    ) -> None:
        """`silent`: replay puts nothing out up to there, where its digest must be equal."""
        self._partition = partition
        self._shared = shared
        self._clock = shared.clock
        self.engine = Partition(
            shared.deployment.generation,
            decoder_of(partition, shared.deployment.partitions),
            offset=meta.offset,
            clock_ms=meta.clock_ms,
            last_ms=meta.last_ms,
            digest=meta.digest,
            horizon=(BEGINNING_MS, ""),
            active=meta.active,
            portion=PORTION,
        )
        self.supplies = StoreSupplies(self.engine, checkpoints, shared.catalogue)
        self._driver = Driver(self.engine, self.supplies)
        self.silent: Boundary | None = silent
        self._fired = 0
        """Wakes of the engine that were counted."""
        self._effects_are_read = True
        """Whether no effect came yet that cannot be read."""

    async def resume(self, meta: Meta) -> None:
        """Take up the cuts of `meta`; waits for their catalogues. Raises Incident."""
        for cut in meta.cuts:
            self.engine.give_catalogue(cut.catalogue, await self._shared.catalogue(cut.catalogue))
        self.engine.resume(meta.cuts)
        self.end_silence()

    @property
    def boundary(self) -> Boundary:
        """Where the engine stands; meaningful between chunks."""
        return Boundary(self.engine.offset, self.engine.digest)

    async def chunk(
        self, chunk: Sequence[Fetched], submit: Callable[[Output], bool], changes_max: int, touched_max: float
    ) -> int:
        """Apply records, giving way to others now and then. Output goes to `submit`, at record boundaries.

        Stops after the record with which `touched_max` profiles are touched, because a slice must be taken then: a
        record touches as many profiles as it passes wakes. Stops too where `submit` says that too much waits to be
        published: a record brings any number of changes. Returns how many records were applied; at least one.
        Raises Gap, Fenced, Incident (then the engine may stand within a record: drop it), or our bugs.
        """
        began_ms = self._clock.now_ms()
        await self.supplies.load(subjects_of(chunk))
        feed = self.engine.feed
        output = Output(traced=self._shared.traced)
        until_ms = self._clock.now_ms() + TURN_MS
        on_point = None if self._shared.on_point is UNOBSERVED else self._shared.on_point
        # an event is dropped once it is applied: 200 of them together would not fit in the processor's cache
        types: list[str] = []
        others: list[tuple[int, Applied]] = []
        silent = self.silent is not None
        done = 0
        for done, found in enumerate(chunk):
            if not done % TURN_LOOK and done and self._clock.now_ms() > until_ms:
                brought, output = output, Output(traced=self._shared.traced)
                if await self._turn(brought, submit):
                    done -= 1  # this one was not applied
                    break
                until_ms = self._clock.now_ms() + TURN_MS
            if self.silent is not None and found.offset >= self.silent.offset:
                self.end_silence(found.offset)
            record = Record(found.offset, found.timestamp, found.key, found.value, found.headers)
            applied = feed(record)
            if not isinstance(applied, Applied):
                applied = await self._driver.feed(record)
            if applied.kind == "event" and not applied.marks:
                types.append(applied.decoded.type)  # type: ignore[union-attr]
            else:
                others.append((found.offset, applied))
                self._tell(found.offset, applied)
            if self.silent is None:
                if applied.items or applied.effects or applied.kind == "refused":
                    output.add(self._partition, found, applied, self._shared.wire)
                    if output.weight >= changes_max:
                        congested = submit(output)
                        output = Output(traced=self._shared.traced)
                        if congested:
                            break
                else:
                    output.applied += 1  # nearly every record brings nothing
            if on_point is not None:
                on_point("step" if self.silent is None else "replay")
            if self.engine.touched >= touched_max:
                break
        self.end_silence()
        if self.silent is None:
            submit(output)
        self._count(types, others, began_ms, silent=silent)
        self._look_at_effects(others)
        return done + 1

    async def _turn(self, brought: Output, submit: Callable[[Output], bool]) -> bool:
        """Submit what a chunk brought so far, and let the others run. Returns whether to apply no more for now."""
        if self.silent is None and submit(brought):
            return True
        await asyncio.sleep(0)
        return False

    def first_wake(self) -> tuple[int, bool]:
        """Return the first wake, FOREVER if none is due ever, and whether it is exact.

        Else the first wake is that instant or later: the store was read up to there.
        """
        due_ms, horizon = self.engine.next_due(), self.engine.horizon
        due_ms = FOREVER if due_ms is None else due_ms
        return (due_ms, True) if horizon is None or due_ms <= horizon[0] else (horizon[0], False)

    def _tell(self, offset: int, applied: Applied) -> None:
        """Log a cut, and the end of its fill."""
        if applied.kind == "cut":
            self._shared.on_point("cut")
            extra = told("catalogue_in_force", offset=offset, catalogue=self.engine.catalogue[:12])
            log.info("partition %d: a catalogue took effect at record %d", self._partition, offset, extra=extra)
        elif applied.kind == "filled":
            extra = told("history_filled", offset=offset)
            log.info("partition %d: history is filled in up to record %d", self._partition, offset, extra=extra)

    def _count(
        self, types: Sequence[str], others: Sequence[tuple[int, Applied]], began_ms: float, *, silent: bool
    ) -> None:
        """Count a chunk for the metrics."""
        tally = self._shared.tally
        if tally is not None:
            fired, self._fired = self.engine.wakes_total - self._fired, self.engine.wakes_total
            rest = [applied for _, applied in others]
            tally.applied(self._partition, types, rest, fired, self._clock.now_ms() - began_ms, silent=silent)

    def _look_at_effects(self, others: Sequence[tuple[int, Applied]]) -> None:
        """Log the first effect that cannot be read, with its offset; the metrics count all of them."""
        offset = next((offset for offset, applied in others if "unreadable" in applied.marks), None)
        if offset is not None and self._effects_are_read:
            self._effects_are_read = False
            log.warning(
                "partition %d: the effect at record %d cannot be read, so it says nothing."
                " Only Segue should write records of this type: see who else may write to the input",
                self._partition,
                offset,
                extra=told("effect_unreadable", offset=offset),
            )

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

    def pack_slice(self, profiles_max: int | None) -> Slice | None:
        """Pack so many more profiles of the slice that was begun (None: all); return it once it is whole."""
        taken = self.engine.pack_slice(profiles_max)
        if taken is not None:
            self.supplies.touched(taken.profiles)
        return taken
