"""One assigned partition: claim it, take its state up, replay silently, then apply, publish and write behind.

The runner has no Kafka, no Faust and no wall clock of its own. Log, store, input, publisher and clock are given to it,
so that the simulation drives this very code over models.

A *tenure* is the time from a claim to its end. One task does everything that moves the engine, in this order:

    claim (1)-(6) ─▶ take up `meta` ─▶ open the input ─▶ replay silently ─▶ run ─▶ release
                          ▲                                             │
                          └──────── GAP: the store went back ───────────┘

    run, again and again: check and apply a chunk of records; submit its output at its boundary; take a slice when a
    checkpoint is due. A second task writes the published slices, one checkpoint at a time. An idle owner compares the
    token every second, and appends a tick when everything is applied and a wake is due.

Crashes: the successor computes everything after "published" again, with the same ids and bytes. It computes everything
between "checkpointed" and "published" again silently, and compares the digest.
"""

import asyncio
import logging
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from streams.actions import bind, told
from streams.errors import Doubt, Fenced, Gap, Incident
from streams.intake.guard import BadStamp
from streams.log.terms import Ring
from streams.partition.claim import Hooks, LaterClaimant, claim, hand_over, regain
from streams.partition.notices import Notices
from streams.partition.publisher import Publisher
from streams.partition.shared import PartitionShared
from streams.partition.states import Step
from streams.partition.status import PartitionStatus
from streams.partition.tenure import Tenure
from streams.retry import backoff_ms
from streams.store.terms import PartitionStore
from streams.wire.progress import MalformedRecord

log = logging.getLogger(__name__)

CLAIM_WAITS_MS: Final = 10_000
"""A claim that waits so long says so in the worker's log."""


class TenureEnd(Enum):
    """Why a tenure ended."""

    RELEASED = auto()
    """It ended in order, as asked."""
    OVERTAKEN = auto()
    """Another worker claimed later: claim again only when the group says that the partition is still ours."""
    DOUBT = auto()
    """The ring of producers is over: claim anew with a new one."""
    INCIDENT = auto()
    """Something must not be guessed at. The partition stays stopped, and `status.incident` says what to do."""


class _Released(Exception):
    """The release was asked for while claiming."""


class PartitionRunner:
    """Runs one partition, tenure after tenure. `on_…` are called from the same event loop and never block."""

    def __init__(self, partition: int, store: PartitionStore, shared: PartitionShared, status: PartitionStatus) -> None:
        self.partition = partition
        self.status = status
        self._store = store
        self._shared = shared
        self._on_point = shared.on_point
        self._lock = asyncio.Lock()
        self._notices = Notices()
        self._tenure: Tenure | None = None
        self._got_on_ms = 0.0
        """When the last step of the claim was done."""
        self._silence_ms: float = CLAIM_WAITS_MS

    # -- what others tell it

    def on_doubt(self, error: BaseException) -> None:
        """Learn that the ring is over."""
        self._notices.failure = self._notices.failure or Doubt(str(error))
        self._notices.poke.set()

    def release(self) -> None:
        """Ask for the end of the tenure: publish and write what was applied, and hand over. Then `run` returns."""
        self._notices.releasing = True
        self._notices.poke.set()

    def reopen(self) -> None:
        """Ask for the input to be opened again where it was read to: the consumer went silent."""
        self._notices.reopening = True
        self._notices.poke.set()

    @property
    def written_offset(self) -> int | None:
        """The offset of the last checkpoint; None while the partition is not held."""
        return self.status.written_offset if self._tenure is not None and self.status.written_offset >= 0 else None

    async def sizes(self, segments: Sequence[str]) -> list[int]:
        """Return how many members segments have, as last written. Raises Unanswered, StoreBug."""
        async with self._lock:
            return await self._store.sizes(segments)

    # -- tenures

    async def run(self, publisher: Publisher, ring: Ring) -> TenureEnd:
        """Claim the partition with this ring and run it until the tenure ends.

        Any exception is our bug, and stops the worker. Cancel the call to abandon everything.
        """
        self._notices = Notices()
        status = self.status
        status.move("claiming")
        status.incident = ""
        try:
            ending = await self._run(publisher, ring)
        except (LaterClaimant, Fenced) as error:
            why = type(error).__name__
            extra = told("partition_overtaken", why=why)
            log.warning("partition %d: another worker claimed it after us (%s)", self.partition, why, extra=extra)
            status.move("waiting")
            ending = TenureEnd.OVERTAKEN
            await publisher.drop(self.partition)
        except Doubt as error:
            log.warning(
                "partition %d: the ring of producers is over: %s", self.partition, error, extra=told("ring_over")
            )
            status.move("waiting")
            ending = TenureEnd.DOUBT
            publisher.doubt(error)
        except _Released:
            if status.state != "releasing":
                status.move("releasing")
            status.move("released")
            ending = TenureEnd.RELEASED
        except (Incident, BadStamp, MalformedRecord) as error:
            status.move("stopped")
            status.incident = _with_remedy(str(error))
            extra = told("partition_stopped", why=type(error).__name__)
            log.error("partition %d stopped: %s", self.partition, status.incident, extra=extra)  # noqa: TRY400 - no bug
            ending = await self._let_go(publisher, ring)
        finally:
            self._shared.input.shut(self.partition)
            tenure, self._tenure = self._tenure, None
            if tenure is not None:
                await tenure.abandon()
        return ending

    async def _let_go(self, publisher: Publisher, ring: Ring) -> TenureEnd:
        """After an incident: publish nothing more, and hand over, so that no successor must fence the whole worker."""
        try:
            if await publisher.drop(self.partition):
                await hand_over(self.partition, ring, self._shared.deployment)
        except Doubt as error:
            publisher.doubt(error)
        return TenureEnd.INCIDENT

    async def _run(self, publisher: Publisher, ring: Ring) -> TenureEnd:
        shared = self._shared
        hooks = Hooks(load_catalogue=self._have_catalogue, wait=self._wait, on_step=self._on_step)
        self._get_on()
        claimed = await claim(self.partition, shared.log, ring, self._store, shared.deployment, hooks)
        self.status.epoch = claimed.epoch
        bind(epoch=claimed.epoch)
        log.info(
            "partition %d is ours: epoch %d, state at %d, published to %d",
            self.partition,
            claimed.epoch,
            claimed.meta.offset,
            claimed.published.offset,
            extra=told("partition_claimed", offset=claimed.meta.offset, published=claimed.published.offset),
        )
        tenure = Tenure(claimed, publisher, self._store, self._lock, shared, self.status, self._notices)
        self._tenure = tenure
        publisher.begin(claimed, tenure.on_published)
        meta = claimed.meta
        while not self._notices.releasing:
            await tenure.take_up(meta)
            try:
                await tenure.work()
            except Gap:
                self._on_point("gap")
                self.status.gaps += 1
                what = "partition %d: the store went back; its state is read again"
                log.warning(what, self.partition, extra=told("store_went_back"))
                await tenure.abandon()
                published = publisher.published(self.partition)
                self._get_on()
                async with self._lock:  # the counting of members may be asking over the same connection
                    meta = await regain(shared.log, self._store, claimed, published, shared.deployment, hooks)
                continue
            break
        if self.status.state != "releasing":
            # the release was asked for between the claim, or a GAP, and the work
            self.status.move("releasing")
        if await publisher.drop(self.partition):
            await hand_over(self.partition, ring, shared.deployment)
            self._on_point("handed_over")
        self.status.move("released")
        return TenureEnd.RELEASED

    async def _have_catalogue(self, digest: str) -> None:
        await self._shared.catalogue(digest)

    async def _wait(self, attempt: int, fault: Exception) -> None:
        what = f"{type(fault).__name__}: {fault}"
        # nothing is in hand while a claim waits: only here it can be broken off without a doubt
        self._notices.check()
        if self._notices.releasing:
            raise _Released
        waited_ms = self._shared.clock.now_ms() - self._got_on_ms
        if attempt > 1 or waited_ms >= CLAIM_WAITS_MS:
            self.status.waiting_for = what
        if waited_ms >= self._silence_ms:
            # the first time after a while, and then each time twice as late
            self._silence_ms = 2 * waited_ms
            waited_s = waited_ms // 1000
            extra = told("claim_waits", seconds=waited_s, why=type(fault).__name__)
            log.warning("partition %d: its claim waits, for %d s now: %s", self.partition, waited_s, what, extra=extra)
        await self._shared.clock.sleep(backoff_ms(attempt))

    def _on_step(self, step: Step) -> None:
        self._on_point("claim")
        self._get_on()

    def _get_on(self) -> None:
        self._got_on_ms, self._silence_ms = self._shared.clock.now_ms(), CLAIM_WAITS_MS


def _with_remedy(incident: str) -> str:
    """Return the incident with what to do about it: what it says itself, or else what helps with every incident."""
    if "`" in incident or "set " in incident:
        return incident
    return f"{incident}. `segue topics` checks what is there; `segue rebuild` makes the state again from the log"
