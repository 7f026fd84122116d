"""The state of a partition in Redis 7 or Valkey 9. `terms` has the contract, `keys` the layouts."""

from collections.abc import Iterable, Mapping, Sequence, Set
from importlib.resources import files
from typing import Any, Final

from rules.engine.affiliations.pages import is_page
from streams.errors import Unanswered
from streams.store.access import RedisConnection
from streams.store.connection import Argument, StoreConnection, pack
from streams.store.erasure_keys import NO_KEYS, ErasureKeys
from streams.store.exchanges import Exchanges
from streams.store.keys import Keys, due, pack_erased, pack_meta, score, unpack_meta
from streams.store.outcomes import judge_raise, judge_read, judge_write, present
from streams.store.shared_reads import Elsewhere, SharedReads
from streams.store.terms import Checkpoint, Meta, PartitionStore, Token

COMMAND_ARGUMENTS_MAX: Final = 2_000
"""Arguments of one command inside the atomic write: a few hundred KB, well inside every server's limits."""
CONTENTIONS_MAX: Final = 5
"""How often `meta` may move between the halves of a write before it raises Unanswered. Claims are seconds apart."""
_SCAN_KEYS: Final = 1_000
"""Keys that one step of `drop` looks at."""

_DUE_SCRIPT: Final = files("streams.store").joinpath("due.lua").read_bytes()
"""Wakes in order, read-only; the script's head says what it takes and returns."""


class RedisStore(PartitionStore):
    """The state of one partition over one connection of its own, which opens at the first call. Profiles are read over
    another one if it is given, which partitions share.
    """

    def __init__(
        self,
        access: RedisConnection,
        prefix: str,
        partition: int,
        partitions: int,
        *,
        timeout_ms: int = 5_000,
        erasure_keys: ErasureKeys = NO_KEYS,
        shared: SharedReads | None = None,
    ) -> None:
        """Prepare a store. `prefix`, `partitions`: as in Deployment. `timeout_ms`: for each write and each reply.

        `shared`: what profiles are read over, together with those of other partitions; None: its own connection.
        """
        self._keys: Final = Keys(prefix, partition, partitions)
        self._erasure_keys: Final = erasure_keys
        self._shared = shared
        self._exchanges: Final = Exchanges(StoreConnection(access, timeout_ms=timeout_ms), self._keys)

    async def read_meta(self) -> Meta | None:
        (fields,) = await self._exchanges.ask([b"HGETALL", self._keys.meta])
        return unpack_meta(_texts(fields)) if fields else None

    async def create(self, meta: Meta) -> bool:
        for _ in range(CONTENTIONS_MAX):
            if await self._exchanges.watch([b"EXISTS", self._keys.meta]):
                await self._exchanges.let_go()
                return False
            if await self._exchanges.commit([self._set_meta(pack_meta(meta))]):
                return True
        raise Unanswered("meta keeps moving")

    async def raise_epoch(self, token: Token) -> Meta:
        for _ in range(CONTENTIONS_MAX):
            texts = _texts(await self._exchanges.watch([b"HGETALL", self._keys.meta]))
            try:
                stored = unpack_meta(texts) if texts else None
                raised = judge_raise(None if stored is None else stored.token, token)
            except BaseException:
                await self._exchanges.let_go()
                raise
            if stored is not None and raised == stored.token:
                await self._exchanges.let_go()
                return stored
            if await self._exchanges.commit([self._set_meta({"token": str(raised)})]):
                return unpack_meta(texts | {"token": str(raised)})
        raise Unanswered("meta keeps moving")

    async def write(self, checkpoint: Checkpoint) -> None:
        checkpoint.check()
        writes: list[bytes] | None = None
        for _ in range(CONTENTIONS_MAX):
            stored, erased = await self._exchanges.watch([b"HMGET", self._keys.meta, b"token", b"erased"])
            try:
                apply = judge_write(_token(stored), checkpoint.expect, checkpoint.meta.token)
                known = _fingerprints(erased)
                if apply and checkpoint.erased:
                    self._erasure_keys.check(known)
            except BaseException:
                await self._exchanges.let_go()
                raise
            if not apply:
                await self._exchanges.let_go()
                return
            writes = writes or self._writes(checkpoint, known)
            if await self._exchanges.commit(writes):
                return
        raise Unanswered("meta keeps moving")

    async def token(self) -> Token:
        (stored,) = await self._exchanges.ask([b"HGET", self._keys.meta, b"token"])
        return present(_token(stored))

    async def profiles(self, subjects: Sequence[str], expect: Sequence[Token]) -> list[bytes | None]:
        found, erased = await self._blobs([self._keys.profile(subject) for subject in subjects], expect)
        if erased and None in found:
            # a page of those who are tied to an organisation has a name that no subject has: nobody erases it
            missing = [place for place, blob in enumerate(found) if blob is None and not is_page(subjects[place])]
            if missing:
                self._erasure_keys.check(erased)
                await self._find_erased(subjects, missing, found, expect)
        return found

    async def _find_erased(
        self, subjects: Sequence[str], missing: Sequence[int], found: list[bytes | None], expect: Sequence[Token]
    ) -> None:
        """Look under their hashes for those that were not found. `missing`: their places."""
        keys = [self._keys.erased(name) for place in missing for name in self._erasure_keys.names(subjects[place])]
        blobs, _ = await self._blobs(keys, expect)
        width = len(self._erasure_keys.fingerprints)
        for index, place in enumerate(missing):
            some = blobs[index * width : (index + 1) * width]
            found[place] = next((blob for blob in some if blob is not None), None)

    async def named(self, subjects: Sequence[str]) -> list[bool]:
        """Tell of each subject whether a profile stands under its name. For an onlooker, whatever the token."""
        found = await self._exchanges.ask(*([b"EXISTS", self._keys.profile(subject)] for subject in subjects))
        return [bool(each) for each in found]

    async def due(
        self, before_ms: int, after: tuple[int, str] | None, limit: int, expect: Sequence[Token]
    ) -> list[tuple[int, str]]:
        begin: tuple[Argument, Argument] = (b"", b"") if after is None else (score(after[0]), after[1])
        bound = b"(" + score(before_ms)
        ((stored, flat),) = await self._exchanges.ask(
            [b"EVAL_RO", _DUE_SCRIPT, 2, self._keys.meta, self._keys.wakes, bound, *begin, limit]
        )
        judge_read(_token(stored), expect)
        return _wakes(flat)

    async def next_wake(self, expect: Sequence[Token]) -> tuple[int, str] | None:
        (flat,) = await self._read([pack([b"ZRANGE", self._keys.wakes, 0, 0, b"WITHSCORES"])], expect)
        found = _wakes(flat)
        return found[0] if found else None

    async def overdue(self, at_ms: int) -> tuple[int, int | None]:
        """Return how many wakes are due before an instant, and when the first of all wakes is; None: there is none.

        For an onlooker: it takes what is stored, which may be a second behind, whatever the token.
        """
        count, first = await self._exchanges.ask(
            [b"ZCOUNT", self._keys.wakes, b"-inf", b"(" + score(at_ms)],
            [b"ZRANGE", self._keys.wakes, 0, 0, b"WITHSCORES"],
        )
        return int(count), _wakes(first)[0][0] if first else None

    async def subjects(self, cursor: int, count: int, expect: Sequence[Token]) -> tuple[int, list[str]]:
        ((after, flat),) = await self._read([pack([b"ZSCAN", self._keys.wakes, cursor, b"COUNT", count])], expect)
        return int(after), [subject.decode() for subject in flat[::2]]

    async def members(self, segment: str, cursor: int, count: int) -> tuple[int, list[str]]:
        ((after, found),) = await self._exchanges.ask([b"SSCAN", self._keys.members(segment), cursor, b"COUNT", count])
        return int(after), [subject.decode() for subject in found]

    async def size(self, segment: str) -> int:
        (size,) = await self._exchanges.ask([b"SCARD", self._keys.members(segment)])
        return int(size)

    async def sizes(self, segments: Sequence[str]) -> list[int]:
        if not segments:
            return []
        sizes = await self._exchanges.ask(*([b"SCARD", self._keys.members(each)] for each in segments))
        return [int(size) for size in sizes]

    async def drop(self) -> None:
        """Unlink everything of this partition; `meta` goes first, so that half a state never looks like a whole one.

        Walks over all keys of the server (SCAN): seconds for millions.
        """
        await self._exchanges.ask([b"UNLINK", self._keys.meta])
        cursor = 0
        while True:
            ((after, found),) = await self._exchanges.ask(
                [b"SCAN", cursor, b"MATCH", self._keys.pattern, b"COUNT", _SCAN_KEYS]
            )
            if found:
                await self._exchanges.ask([b"UNLINK", *found])
            cursor = int(after)
            if cursor == 0:
                return

    async def close(self) -> None:
        await self._exchanges.close()

    async def _read(self, commands: Iterable[bytes], expect: Sequence[Token]) -> list[Any]:
        """Return the replies of packed reads. Raises Incident, Fenced, Gap: they belong to another token."""
        (stored, _), found = await self._exchanges.read(commands)
        judge_read(_token(stored), expect)
        return found

    async def _blobs(self, keys: Sequence[bytes], expect: Sequence[Token]) -> tuple[list[bytes | None], list[str]]:
        """Return the values of keys, and which erasure keys named a profile. Raises as `_read` does."""
        reads = [pack(one) for one in _chunked([b"MGET"], keys, 1)]
        found = None if self._shared is None else await self._over_shared(reads, self._shared, expect)
        if found is None:
            found = await self._exchanges.read(reads)
            judge_read(_token(found[0][0]), expect)
        (_, erased), replies = found
        return [blob for reply in replies for blob in reply], _fingerprints(erased)

    async def _over_shared(
        self, reads: Sequence[bytes], shared: SharedReads, expect: Sequence[Token]
    ) -> tuple[Sequence[bytes | None], list[Any]] | None:
        """Read over the shared connection. None: ask over our own, which decides what another token means."""
        try:
            found = await self._exchanges.read(reads, shared)
        except Elsewhere:
            self._shared = None
            return None
        return found if _token(found[0][0]) in expect else None

    def _set_meta(self, fields: Mapping[str, str]) -> bytes:
        return pack([b"HSET", self._keys.meta, *(part for field in fields.items() for part in field)])

    def _writes(self, checkpoint: Checkpoint, erased_by: Sequence[str]) -> list[bytes]:
        """Pack the commands that write a checkpoint. `erased_by`: the erasure keys that named a profile so far."""
        keys, fields = self._keys, pack_meta(checkpoint.meta)
        hidden: set[str] = set()
        if checkpoint.erased and self._erasure_keys:
            hidden = {subject for subject, forgotten in checkpoint.erased.items() if forgotten}
        if hidden and self._erasure_keys.fingerprints[0] not in erased_by:
            fields |= pack_erased([*erased_by, self._erasure_keys.fingerprints[0]])
        scores: list[Argument] = []
        asleep: list[Argument] = []
        for subject, due_ms in checkpoint.wakes.items():
            if due_ms is None or subject in hidden:
                asleep.append(subject)
            else:
                scores += (score(due_ms), subject)
        commands = [
            *self._profile_writes(checkpoint, hidden),
            *_chunked([b"ZADD", keys.wakes], scores, 2),
            *_chunked([b"ZREM", keys.wakes], asleep, 1),
        ]
        for name, sets in ((b"SREM", checkpoint.left), (b"SADD", checkpoint.joined)):
            for segment, subjects in sets.items():
                commands += _chunked([name, keys.members(segment)], subjects, 1)
        return [self._set_meta(fields), *map(pack, commands)]

    def _profile_writes(self, checkpoint: Checkpoint, hidden: Set[str]) -> list[list[Argument]]:
        """Return the commands that write the profiles. `hidden`: subjects that are known by their hash alone."""
        keys = self._keys
        blobs: list[Argument] = []
        gone: list[Argument] = []
        for subject, blob in checkpoint.profiles.items():
            place = keys.profile(subject)
            if subject in checkpoint.erased:  # it stands in one place, wherever it stood before
                places = [place, *map(keys.erased, self._erasure_keys.names(subject))]
                place = places[1 if subject in hidden else 0]
                gone += (each for each in places if each != place)
            if blob is None:
                gone.append(place)
            else:
                blobs += (place, blob)
        return [*_chunked([b"MSET"], blobs, 2), *_chunked([b"UNLINK"], gone, 1)]


def _chunked(head: Sequence[Argument], arguments: Sequence[Argument], step: int) -> list[list[Argument]]:
    """Spread arguments over as many commands as they need; `step` arguments stay together. None need no command."""
    size = COMMAND_ARGUMENTS_MAX // step * step
    return [[*head, *arguments[start : start + size]] for start in range(0, len(arguments), size)]


def _token(stored: bytes | None) -> Token | None:
    return None if stored is None else Token.parse(stored.decode())


def _fingerprints(stored: bytes | None) -> list[str]:
    return [] if stored is None else stored.decode().split()


def _texts(flat: Sequence[bytes]) -> dict[str, str]:
    texts = [text.decode() for text in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _wakes(flat: Sequence[bytes]) -> list[tuple[int, str]]:
    return [(due(flat[index + 1]), flat[index].decode()) for index in range(0, len(flat), 2)]
