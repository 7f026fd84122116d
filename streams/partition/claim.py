"""Claim a partition: become its one owner, and know up to where its changes are out (design section 5).

Explored by a model checker together with publishing and checkpoints: run it before changing anything here. The steps,
and what a crash right after each leaves behind:

1. Commit a claim that names this worker's ring to the partition of `segue.owners`. The ring's ids were initialised
   before: whoever reads the claim can fence them. Crash: an earlier claimant like any other; the next one fences it.
2. Read that partition to its end. The claim's offset there is the epoch. Not there, or hidden by a tombstone, or a
   claim after it: somebody came later, who fences us or has done so. Crash: as after 1.
3. Fence every claimant before it: InitProducerId on each id of its ring aborts or completes what was open. From here on
   no claimant before us can publish for this partition, nor for any other: an owner that is alive and is fenced makes a
   new ring. Crash: the same claimants are fenced again by the next one.
4. Read `segue.owners` again to its end, as in 2 (a claim after ours may have been fencing meanwhile), then the last
   progress, which is final now: all who could add to it are fenced. Only then write tombstones for those fenced, so
   that the next claimant need not fence them again. Crash before the tombstones: fenced again; after: only we are left.
5. Write the epoch into `meta`, which returns `meta` in the same call: from here on no checkpoint of an earlier owner
   applies (one that went out before and after a rollback does, and is right). Each attempt takes a token of its own.
   Crash: `meta` bears an epoch that nobody uses; the next one is higher.
6. Check that `meta`, the progress and the input belong together, load the catalogues. Crash: nothing was changed.

Then, by the owner: (7) replay silently to the published offset, comparing the digest there; (8) publish.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from streams.errors import Fenced, Incident, NotReachable, Unanswered
from streams.log.terms import Log, Ring
from streams.partition.states import CLAIM, ClaimState, Step
from streams.records import Stored
from streams.retry import Wait, until_answered
from streams.settings import Deployment
from streams.store.terms import Meta, PartitionStore, Token
from streams.wire.progress import Claim, MalformedRecord, Progress, claim_record, read_claim, read_progress, tombstones

T = TypeVar("T")


class LaterClaimant(Exception):
    """Somebody claimed the partition after us, or has fenced us: stop, and ask the group if it is still ours."""


class Tokens:
    """The tokens of one epoch: `n` only goes up, also across a GAP, and for every attempt at step 5."""

    __slots__ = ("epoch", "n")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.n = 0
        """Of the next token."""

    def next(self) -> Token:
        """Take the next token; never the same twice."""
        token = Token(self.epoch, self.n)
        self.n += 1
        return token


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition is ours. Seek to `meta.offset`, replay silently to `published.offset`, then publish."""

    partition: int
    epoch: int
    meta: Meta
    """As it stood right after step 5; its token is the one to expect."""
    published: Progress
    """Final: nobody else can add to it. `meta.offset` is never beyond its offset; where they are equal, so are the
    digests. Before the first progress of all: where `meta` was created, epoch -1."""
    tokens: Tokens


async def _no_catalogue(hash_: str) -> None:
    raise Incident(f"catalogue {hash_} cannot be loaded here")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is given in: catalogues, waiting, and a place for faults."""

    wait: Wait
    """What happens between two attempts at a server that is away."""
    load_catalogue: Callable[[str], Awaitable[None]] = _no_catalogue
    """Step 6: have the catalogue of that hash ready ("" is never asked for). Raises Incident (it is nowhere),
    NotReachable."""
    on_step: Callable[[Step], None] = field(default=lambda step: None)
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(16))


class _Course:
    """How far a claim has come, by the table CLAIM."""

    def __init__(self, on_step: Callable[[Step], None]) -> None:
        self._state: ClaimState = CLAIM.first
        self._on_step = on_step

    def done(self, step: Step) -> None:
        """Note that a step is done. Raises IllegalMove."""
        self._state = CLAIM.move(self._state, step)
        self._on_step(step)


async def claim(
    partition: int, log: Log, ring: Ring, store: PartitionStore, deployment: Deployment, hooks: Hooks
) -> Claimed:
    """Claim a partition by steps 1 to 6 (see the module). Raises LaterClaimant, Fenced, Incident, Doubt, StoreBug.

    While the log or the store cannot be reached it waits (`hooks.wait`) and goes on where it was; cancel it to stop.
    One claim of a partition at a time; a claim broken off leaves nothing that must be undone.
    """
    course = _Course(hooks.on_step)
    nonce = hooks.nonce()
    await ring.transaction([claim_record(deployment.owners_topic, partition, ring.name, Claim(ring.ids, nonce))])
    course.done("claimed")

    owners = await _patiently(hooks, lambda: log.read_to_end(deployment.owners_topic, partition))
    epoch, earlier = _standing(owners, ring.name, nonce)
    course.done("read")

    for id_ in [id_ for claimant in earlier.values() for id_ in claimant.ids]:
        await _fence(hooks, log, id_)
    course.done("fenced")

    owners = await _patiently(hooks, lambda: log.read_to_end(deployment.owners_topic, partition))
    _standing(owners, ring.name, nonce)
    last = await _patiently(hooks, lambda: log.last(deployment.progress_topic, partition))
    course.done("reread")

    if earlier:
        await ring.transaction(tombstones(deployment.owners_topic, partition, list(earlier)))
    course.done("buried")

    tokens = Tokens(epoch)
    meta = await _patiently(hooks, lambda: store.raise_epoch(tokens.next()))
    course.done("raised")

    published = _published(last, meta)
    await _check(partition, log, meta, published, deployment, hooks)
    course.done("loaded")
    return Claimed(partition, epoch, meta, published, tokens)


async def regain(
    log: Log, store: PartitionStore, claimed: Claimed, published: Progress, deployment: Deployment, hooks: Hooks
) -> Meta:
    """After a GAP: read `meta` again, and do step 5 again first where a lower epoch is stored. Raises Fenced, Incident.

    Returns `meta`: seek to its offset, expect its token. `published`, up to where changes are out by now, and a
    transaction in hand stay as they are.
    """
    meta = await _patiently(hooks, store.read_meta)
    if meta is None:
        raise Incident("meta is missing")
    if meta.token.epoch > claimed.epoch:
        raise Fenced(f"epoch {meta.token.epoch} is stored, ours is {claimed.epoch}")
    if meta.token.epoch < claimed.epoch:
        meta = await _patiently(hooks, lambda: store.raise_epoch(claimed.tokens.next()))
    await _check(claimed.partition, log, meta, published, deployment, hooks)
    return meta


async def hand_over(partition: int, ring: Ring, deployment: Deployment) -> None:
    """Write the ring's own tombstone: the end of an orderly hand-over. Raises Doubt (then the successor fences).

    Only after every transaction that touched the partition was answered, and after its last checkpoint was; if one was
    not, never call it.
    """
    await ring.transaction(tombstones(deployment.owners_topic, partition, [ring.name]))


def _standing(owners: Sequence[Stored], ring: str, nonce: str) -> tuple[int, dict[str, Claim]]:
    """Read where our claim stands: (its offset: the epoch; the claims before it that no tombstone hides, by ring)."""
    latest: dict[str, Stored] = {}
    claims: dict[str, Claim] = {}
    try:
        for record in owners:
            latest[(record.key or b"").decode()] = record
        claims = {name: read_claim(record.value) for name, record in latest.items() if record.value is not None}
    except (MalformedRecord, UnicodeDecodeError) as error:
        raise Incident(f"who claimed the partition cannot be read, so not fenced either: {error}") from None
    mine = claims.pop(ring, None)
    if mine is None or mine.nonce != nonce:
        raise LaterClaimant("our claim is hidden")
    epoch = latest[ring].offset
    if any(latest[name].offset > epoch for name in claims):
        raise LaterClaimant("a claim stands after ours")
    return epoch, claims


async def _fence(hooks: Hooks, log: Log, id_: str) -> None:
    await _patiently(hooks, lambda: log.fence(id_))


def _published(last: Stored | None, meta: Meta) -> Progress:
    if last is not None:
        try:
            return read_progress(last.value)
        except MalformedRecord as error:
            raise Incident(f"up to where changes are out cannot be read: {error}") from None
    if meta.clock_ms >= 0:
        raise Incident("state is stored, but no progress: were the internal topics made anew?")
    return Progress(meta.generation, -1, meta.offset, meta.clock_ms, meta.catalogue, meta.digest)


async def _check(
    partition: int, log: Log, meta: Meta, published: Progress, deployment: Deployment, hooks: Hooks
) -> None:
    """Step 6: that state, progress and input are of one piece, and the catalogues are at hand."""
    start, end = await _patiently(hooks, lambda: log.offsets(deployment.events_topic, partition))
    problems = {
        f"state is of generation {meta.generation}, not {deployment.generation}": meta.generation
        != deployment.generation,
        f"progress is of generation {published.generation}": published.generation != deployment.generation,
        f"state is of {meta.partitions} partitions, not {deployment.partitions}": meta.partitions
        != deployment.partitions,
        f"state is at {meta.offset}, beyond what is published, {published.offset}": meta.offset > published.offset,
        f"state is at {meta.offset}, the input begins at {start}: records are gone": meta.offset < start,
        f"the input ends at {end}, before what is published, {published.offset}": published.offset > end,
        f"the digests at {meta.offset} differ: state and published changes are not of the same records": (
            meta.offset == published.offset and meta.digest != published.digest
        ),
    }
    for problem, holds in problems.items():
        if holds:
            raise Incident(problem)
    if meta.last_ms >= 0 and meta.offset > start:
        remembered = await _patiently(hooks, lambda: log.record_at(deployment.events_topic, partition, meta.offset - 1))
        if remembered is None or remembered.timestamp_ms != meta.last_ms:
            raise Incident(f"the record before {meta.offset} is not the one applied: was the input made anew?")
    for hash_ in dict.fromkeys([*(cut.catalogue for cut in meta.cuts), meta.catalogue]):
        if hash_:
            await _load(hooks, hash_)


async def _load(hooks: Hooks, hash_: str) -> None:
    await _patiently(hooks, lambda: hooks.load_catalogue(hash_))


async def _patiently(hooks: Hooks, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer."""
    return await until_answered(ask, (NotReachable, Unanswered), hooks.wait)
