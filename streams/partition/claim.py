"""Claim a partition: become its one owner, and know up to which offset its changes are published (docs/protocol.md).

A model checker has explored the claim together with publishing and checkpoints: run `make model` before you change
anything here. The steps, and what a crash right after each leaves behind:

1. Commit a claim that names this worker's ring to the partition of `segue.owners`. The ring's ids were initialised
   before, so every reader of the claim can fence them. Crash: one more earlier claimant, which the next one fences.
2. Read that partition to its end. The claim's offset there is the epoch. If the claim is missing, if a tombstone hides
   it, or if a claim stands after it, another worker claimed later and fences us, or has done so. Crash: as after 1.
3. Fence every earlier claimant: InitProducerId on each id of its ring aborts or completes its open transaction.
   From here on no earlier claimant can publish for this partition, nor for any other: an owner that is alive and is
   fenced makes a new ring. Crash: the next claimant fences the same claimants again.
4. Read `segue.owners` again to its end, as in 2: a later claimant may have been fencing meanwhile. Then read the last
   progress. It is final now, because everybody who could add to it is fenced. Only then write tombstones for the fenced
   claimants, so that the next claimant need not fence them again. Crash before the tombstones: they are fenced again;
   after them: only our claim is left.
5. Write the epoch into `meta`, and get `meta` in the same call. From here on no checkpoint of an earlier owner applies.
   (A checkpoint that was on its way before a rollback may apply after it; it is right.) Each attempt takes a token of
   its own. Crash: `meta` bears an epoch that nobody uses; the next one is higher.
6. Check that `meta`, the progress and the input belong together, and load the catalogues. Crash: nothing was changed.

Then the owner (7) replays silently to the published offset and compares the digest there, and (8) publishes.
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
    """Another worker claimed the partition after us, or has fenced us: stop, and ask the group if it is still ours."""


class Tokens:
    """The tokens of one epoch. `n` only goes up, also across a GAP, and for every attempt at step 5."""

    __slots__ = ("epoch", "n")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.n = 0
        """The `n` of the next token."""

    def next(self) -> Token:
        """Take the next token. No token is taken twice."""
        token = Token(self.epoch, self.n)
        self.n += 1
        return token


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition is ours. Seek to `meta.offset`, replay silently to `published.offset`, then publish."""

    partition: int
    epoch: int
    meta: Meta
    """`meta` as it stood right after step 5; its token is the one to expect."""
    published: Progress
    """The last progress, which is final: nobody else can add to it. `meta.offset` is never beyond its offset; where the
    offsets are equal, the digests are too. Before the first progress of all it is made of `meta`, with epoch -1."""
    tokens: Tokens


async def _no_catalogue(hash_: str) -> None:
    raise Incident(f"catalogue {hash_} cannot be loaded here")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the caller of a claim gives: waiting, catalogues, and what hears of each step."""

    wait: Wait
    """What happens between two attempts at a server that is away."""
    load_catalogue: Callable[[str], Awaitable[None]] = _no_catalogue
    """Step 6: loads the catalogue of a hash, which is never "". Raises Incident (it is not stored), NotReachable."""
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

    While the log or the store cannot be reached it waits (`hooks.wait`) and goes on where it was. Cancel it to stop: a
    claim broken off leaves nothing that must be undone. Make one claim of a partition at a time.
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
    """After a GAP: read `meta` again, and do step 5 again first if a lower epoch is stored. Raises Fenced, Incident.

    Returns `meta`: seek to its offset and expect its token. `published` is the last progress that is known. It stays as
    it is, and so does a transaction in hand.
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

    Call it only after every transaction that touched the partition was answered, and the last checkpoint too.
    """
    await ring.transaction(tombstones(deployment.owners_topic, partition, [ring.name]))


def _standing(owners: Sequence[Stored], ring: str, nonce: str) -> tuple[int, dict[str, Claim]]:
    """Return the epoch (the offset of our claim), and the earlier claims that no tombstone hides, by ring."""
    latest: dict[str, Stored] = {}
    claims: dict[str, Claim] = {}
    try:
        for record in owners:
            latest[(record.key or b"").decode()] = record
        claims = {name: read_claim(record.value) for name, record in latest.items() if record.value is not None}
    except (MalformedRecord, UnicodeDecodeError) as error:
        raise Incident(f"a claim cannot be read, so its claimant cannot be fenced: {error}") from None
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
            raise Incident(f"the progress cannot be read: {error}") from None
    if meta.clock_ms >= 0:
        raise Incident("state is stored, but no progress: were the internal topics made anew?")
    return Progress(meta.generation, -1, meta.offset, meta.clock_ms, meta.catalogue, meta.digest)


async def _check(
    partition: int, log: Log, meta: Meta, published: Progress, deployment: Deployment, hooks: Hooks
) -> None:
    """Step 6: check that state, progress and input belong together, and load the catalogues. Raises Incident."""
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
