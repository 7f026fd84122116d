"""The protocol with one of its rules broken: the mutations of the exhaustive model, where the real code can be broken.

Patches for claims, publishing and checkpoints over the models; the simulation must notice each. The names are the
model's. Some mutations of the model are missing here. Most need other code rather than broken code: a ring that begins
before the answer, one owner key for all, a retry with other content under the same token. The rest hold in the model.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streams.errors import Doubt, Fenced, Incident, NotReachable
from streams.partition import claim as claims
from streams.partition.claim import Claimed, Hooks, Tokens, regain
from streams.records import OutRecord, Stored
from streams.settings import Deployment
from streams.store.terms import Checkpoint, Meta, Token
from streams.wire.progress import Claim, claim_record, read_claim, tombstones
from tests.models import log as log_memory
from tests.models import store as store_memory
from tests.models.broker import Refused
from tests.models.log import Lost, MemoryLog, MemoryRing
from tests.models.store import Content, MemoryStore
from tests.simulation import protocol
from tests.simulation.protocol import Owner

Patch = tuple[Any, str, Any]
_patiently: Callable[[Hooks, Callable[[], Awaitable[Any]]], Awaitable[Any]] = claims._patiently  # noqa: SLF001
_standing = claims._standing  # noqa: SLF001


@dataclass(frozen=True)
class Claiming:
    """A claim whose steps are reordered, or partly missing."""

    fence_first: bool = False
    latest_only: bool = False
    one_id: bool = False
    bury_first: bool = False
    progress_first: bool = False
    epoch_of_store: bool = False
    meta_first: bool = False

    def patches(self) -> list[Patch]:
        """Return the patches that replace the real claim by this one."""
        return [(protocol, "claim", self.claim)]

    async def claim(
        self, partition: int, log: MemoryLog, ring: MemoryRing, store: MemoryStore, deployment: Deployment, hooks: Hooks
    ) -> Claimed:
        """See `streams.partition.claim.claim`."""
        last = None
        if self.fence_first:
            before = await self._owners(partition, log, deployment, hooks)
            latest = {(record.key or b"").decode(): record.value for record in before}
            await self._fence(
                {name: read_claim(value) for name, value in latest.items() if value is not None and name != ring.name},
                log,
                hooks,
            )
        nonce = hooks.nonce()
        await ring.transaction([claim_record(deployment.owners_topic, partition, ring.name, Claim(ring.ids, nonce))])
        epoch, earlier = _standing(await self._owners(partition, log, deployment, hooks), ring.name, nonce)
        if self.progress_first:
            last = await _patiently(hooks, lambda: log.last(deployment.progress_topic, partition))
        if self.bury_first and earlier:
            await ring.transaction(tombstones(deployment.owners_topic, partition, list(earlier)))
        if not self.fence_first:
            await self._fence(earlier, log, hooks)
        _standing(await self._owners(partition, log, deployment, hooks), ring.name, nonce)
        if not self.progress_first:
            last = await _patiently(hooks, lambda: log.last(deployment.progress_topic, partition))
        if earlier and not self.bury_first:
            await ring.transaction(tombstones(deployment.owners_topic, partition, list(earlier)))
        return await self._raise(partition, epoch, last, log, store, deployment, hooks)

    async def _raise(
        self,
        partition: int,
        epoch: int,
        last: Any,
        log: MemoryLog,
        store: MemoryStore,
        deployment: Deployment,
        hooks: Hooks,
    ) -> Claimed:
        read: Any = await _patiently(hooks, store.read_meta) if self.meta_first or self.epoch_of_store else None
        tokens = Tokens(read.token.epoch + 1 if self.epoch_of_store else epoch)
        meta = await _patiently(hooks, lambda: store.raise_epoch(tokens.next()))
        if self.meta_first:
            meta = replace(read, token=meta.token)
        published = claims._published(last, meta)  # noqa: SLF001
        await claims._check(partition, log, meta, published, deployment, hooks)  # noqa: SLF001
        return Claimed(partition, tokens.epoch, meta, published, tokens)

    async def _owners(self, partition: int, log: MemoryLog, deployment: Deployment, hooks: Hooks) -> Sequence[Stored]:
        found: Sequence[Stored] = await _patiently(hooks, lambda: log.read_to_end(deployment.owners_topic, partition))
        return found

    async def _fence(self, earlier: dict[str, Claim], log: MemoryLog, hooks: Hooks) -> None:
        those = list(earlier.values())[-1:] if self.latest_only else list(earlier.values())
        for id_ in [id_ for claimant in those for id_ in (claimant.ids[:1] if self.one_id else claimant.ids)]:
            await _patiently(hooks, lambda id_=id_: log.fence(id_))  # type: ignore[misc]


def _progress_to_the_last_stable_offset() -> list[Patch]:
    last = MemoryLog.last

    async def to_stable(self: MemoryLog, topic: str, partition: int) -> Any:
        class Shorter(MemoryLog):
            async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
                start, _ = await super().offsets(topic, partition)
                return start, self._broker._partition(topic, partition).stable()  # noqa: SLF001

        return await last(Shorter(self._network, self._patience), topic, partition)

    return [(MemoryLog, "last", to_stable)]


def _tokens_used_again() -> list[Patch]:
    async def again(log: Any, store: Any, claimed: Claimed, *rest: Any) -> Meta:
        claimed.tokens.n = 0
        meta = await regain(log, store, claimed, *rest)
        claimed.tokens.n = meta.token.n + 1
        return meta

    return [(protocol, "regain", again)]


def _same_token_at_step_5() -> list[Patch]:
    raise_epoch = MemoryStore.raise_epoch

    async def same(self: MemoryStore, token: Token) -> Meta:
        return await raise_epoch(self, Token(token.epoch, 0))

    return [(MemoryStore, "raise_epoch", same)]


def _reads_unchecked() -> list[Patch]:
    return [(store_memory, "judge_read", lambda stored, expect: None)]


def _no_compare_and_set() -> list[Patch]:
    return [(store_memory, "judge_write", lambda stored, expect, new: True)]


def _greater_token() -> list[Patch]:
    def judge(stored: Token | None, expect: Token, new: Token) -> bool:
        if stored is None:
            raise Incident("no meta")
        if stored > new:
            raise Fenced("greater")
        return stored < new

    return [(store_memory, "judge_write", judge)]


def _greater_offset() -> list[Patch]:
    async def write(self: MemoryStore, checkpoint: Checkpoint) -> None:
        def act(content: Content) -> None:
            assert content.meta is not None
            if checkpoint.meta.offset > content.meta.offset:
                self._server.put(self._partition, content.after(checkpoint))

        await self._call("write", act)

    return [(MemoryStore, "write", write)]


def _nobody_looks() -> list[Patch]:
    async def probe(self: Owner) -> None:
        """Skip the look at the store."""

    return [(Owner, "probe", probe)]


def _checkpoints_ahead() -> list[Patch]:
    return [(Owner, "writable_to", lambda self: self.offset)]


async def _initialised(ring: MemoryRing, id_: str) -> int:
    try:
        return await log_memory._init(ring._network, id_, 1_000)  # noqa: SLF001
    except NotReachable as error:
        ring._over = True  # noqa: SLF001
        raise Doubt(str(error)) from error


def _initialised_when_used() -> list[Patch]:
    publish = MemoryRing._publish  # noqa: SLF001

    async def open_(self: MemoryRing, patience: int) -> None:
        """Skip the initialisation."""

    async def lazily(self: MemoryRing, id_: str, epoch: int, records: Sequence[OutRecord]) -> list[int]:
        if epoch < 0:
            epoch = self._epochs[id_] = await _initialised(self, id_)
        return await publish(self, id_, epoch, records)

    async def transaction(self: MemoryRing, records: Sequence[OutRecord]) -> list[int]:
        for id_ in self._ids:
            self._epochs.setdefault(id_, -1)
        return await original(self, records)

    original = MemoryRing.transaction
    return [(MemoryRing, "open", open_), (MemoryRing, "_publish", lazily), (MemoryRing, "transaction", transaction)]


def _fence_lifted() -> list[Patch]:
    publish = MemoryRing._publish  # noqa: SLF001

    async def insist(self: MemoryRing, id_: str, epoch: int, records: Sequence[OutRecord]) -> list[int]:
        try:
            return await publish(self, id_, epoch, records)
        except Refused:
            epoch = self._epochs[id_] = await _initialised(self, id_)
            return await publish(self, id_, epoch, records)

    return [(MemoryRing, "_publish", insist)]


def _published_again_on_the_next_id() -> list[Patch]:
    publish = MemoryRing._publish  # noqa: SLF001

    async def again(self: MemoryRing, id_: str, epoch: int, records: Sequence[OutRecord]) -> list[int]:
        try:
            return await publish(self, id_, epoch, records)
        except Lost:
            other = self._ids[self._turn % len(self._ids)]
            self._turn += 1
            return await publish(self, other, self._epochs[other], records)

    return [(MemoryRing, "_publish", again)]


BROKEN: dict[str, Callable[[], list[Patch]]] = {
    "prog_to_lso": _progress_to_the_last_stable_offset,
    "read_unchecked": _reads_unchecked,
    "token_n_reused_after_gap": _tokens_used_again,
    "token_reused_at_step5": _same_token_at_step_5,
    "idle_owner_never_looks": _nobody_looks,
    "fence_before_claim": Claiming(fence_first=True).patches,
    "fence_latest_only": Claiming(latest_only=True).patches,
    "fence_one_id_of_ring": Claiming(one_id=True).patches,
    "tombstone_before_fence": Claiming(bury_first=True).patches,
    "progress_before_fence": Claiming(progress_first=True).patches,
    "epoch_in_redis": Claiming(epoch_of_store=True).patches,
    "meta_read_before_step5": Claiming(meta_first=True).patches,
    "lazy_init": _initialised_when_used,
    "reinit_lifts_fence": _fence_lifted,
    "republish_next_id": _published_again_on_the_next_id,
    "checkpoint_ahead": _checkpoints_ahead,
    "cas_offset_greater": _greater_offset,
    "cas_token_greater": _greater_token,
    "no_cas": _no_compare_and_set,
}
"""Mutations by the model's names."""
