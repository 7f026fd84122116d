"""The state of a partition in Redis 7 or Valkey 9. Contract: `base`. Keys and layouts: `keys`.

Every call is one of three exchanges, each atomic on the server:

1. A read: `MULTI, HGET meta token, <read>, EXEC` in one write. A crash or a lost reply changes nothing. (Redis 7.0
   takes nothing inside MULTI while it is out of memory: there reads wait then, too.)
2. A write, in two: first `WATCH meta, HGET meta token, MULTI`, and the token is judged; then `<writes>, EXEC`, which
   the server refuses (nil) if `meta` moved in between, so it is judged again. The writes are only sent once MULTI was
   answered OK, and never on another connection than MULTI was. A crash between the two leaves nothing; a crash or a
   lost reply after EXEC was sent leaves all or nothing, and the token tells which.
3. `due.lua`, read-only, for wakes in order.

Why not a script for the write: MULTI costs the server half (1.7-2.2 µs a profile of 600 bytes against 2.7-3.8, Valkey 9
and Redis 7, tests/benchmarks/bench_store.py), and the server is what all partitions share. The second round trip is
0.1 ms on a checkpoint a second. Nothing inside it can fail by its data, so an error there is a bug; a script that fails
half-way would leave the first half just the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from redis.exceptions import ResponseError

from streams.errors import StoreBug, Unanswered
from streams.finding import Finding
from streams.store.connection import Argument, Connection, code_of, fault, pack
from streams.store.keys import Keys, due, pack_meta, score, unpack_meta
from streams.store.outcomes import judge_raise, judge_read, judge_write, present
from streams.store.terms import Checkpoint, Meta, Token

COMMAND_ARGUMENTS_MAX: Final = 2_000
"""Arguments of one command inside the atomic write: keeps each a few hundred KB, well inside every server's limits."""
CONTENTIONS_MAX: Final = 5
"""How often `meta` may move between WATCH and EXEC before the call gives up as Unanswered; claims are seconds apart."""

_MULTI: Final = pack([b"MULTI"])
_EXEC: Final = pack([b"EXEC"])
_DISCARD: Final = pack([b"DISCARD"])
_DUE_SCRIPT: Final = files("streams.store").joinpath("due.lua").read_bytes()


class RedisStore:
    """The state of one partition over one connection of its own, opened at the first call."""

    def __init__(self, url: str, prefix: str, partition: int, partitions: int, *, timeout_ms: int = 5_000) -> None:
        """Prepare a store. `prefix`, `partitions`: as in Deployment; `timeout_ms`: for each write and each reply."""
        self._keys: Final = Keys(prefix, partition, partitions)
        self._connection: Final = Connection(url, timeout_ms=timeout_ms)
        self._read_token: Final = pack([b"HGET", self._keys.meta, b"token"])

    async def read_meta(self) -> Meta | None:
        """Read `meta` whole; None where there is none."""
        (fields,) = await self._replies([b"HGETALL", self._keys.meta])
        return unpack_meta(_texts(fields)) if fields else None

    async def create(self, meta: Meta) -> bool:
        """Create `meta` if there is none. False: it exists."""
        for _ in range(CONTENTIONS_MAX):
            (exists,) = await self._watch([b"EXISTS", self._keys.meta])
            if exists:
                await self._let_go()
                return False
            if await self._commit([self._set_meta(pack_meta(meta))]):
                return True
        raise Unanswered("meta keeps moving")

    async def raise_epoch(self, token: Token) -> Meta:
        """Claim step 5; contract in `base`."""
        for _ in range(CONTENTIONS_MAX):
            (fields,) = await self._watch([b"HGETALL", self._keys.meta])
            texts = _texts(fields)
            try:
                stored = unpack_meta(texts) if texts else None
                raised = judge_raise(None if stored is None else stored.token, token)
            except BaseException:
                await self._let_go()
                raise
            if stored is not None and raised == stored.token:
                await self._let_go()
                return stored
            if await self._commit([self._set_meta({"token": str(raised)})]):
                return unpack_meta(texts | {"token": str(raised)})
        raise Unanswered("meta keeps moving")

    async def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; contract in `base`."""
        new = checkpoint.meta.token
        if new.epoch != checkpoint.expect.epoch or new <= checkpoint.expect:
            raise StoreBug(f"token {new} does not follow {checkpoint.expect}")
        writes: list[bytes] | None = None
        for _ in range(CONTENTIONS_MAX):
            (stored,) = await self._watch([b"HGET", self._keys.meta, b"token"])
            try:
                apply = judge_write(_token(stored), checkpoint.expect, new)
            except BaseException:
                await self._let_go()
                raise
            if not apply:
                await self._let_go()
                return
            writes = writes or self._writes(checkpoint)
            if await self._commit(writes):
                return
        raise Unanswered("meta keeps moving")

    async def token(self) -> Token:
        """Read the token alone. No meta: Incident."""
        (stored,) = await self._replies([b"HGET", self._keys.meta, b"token"])
        return present(_token(stored))

    async def profiles(self, subjects: Sequence[str], expect: Sequence[Token]) -> list[bytes | None]:
        """Read packed profiles, in the order asked."""
        keys = [self._keys.profile(subject) for subject in subjects]
        replies = await self._read([pack(one) for one in _chunked([b"MGET"], keys, 1)], expect)
        return [blob for reply in replies for blob in reply]

    async def due(
        self, before_ms: int, after: tuple[int, str] | None, limit: int, expect: Sequence[Token]
    ) -> list[tuple[int, str]]:
        """Read up to `limit` wakes with due < before_ms that sort after `after`."""
        begin: tuple[Argument, Argument] = (b"", b"") if after is None else (score(after[0]), after[1])
        bound = b"(" + score(before_ms)
        stored, flat = (
            await self._replies([b"EVAL_RO", _DUE_SCRIPT, 2, self._keys.meta, self._keys.wakes, bound, *begin, limit])
        )[0]
        judge_read(_token(stored), expect)
        return _wakes(flat)

    async def next_wake(self, expect: Sequence[Token]) -> tuple[int, str] | None:
        """The smallest (due, subject) of all; None for an empty partition."""
        (flat,) = await self._read([pack([b"ZRANGE", self._keys.wakes, 0, 0, b"WITHSCORES"])], expect)
        found = _wakes(flat)
        return found[0] if found else None

    async def subjects(self, cursor: int, count: int, expect: Sequence[Token]) -> tuple[int, list[str]]:
        """Scan all subjects."""
        ((after, flat),) = await self._read([pack([b"ZSCAN", self._keys.wakes, cursor, b"COUNT", count])], expect)
        return int(after), [subject.decode() for subject in flat[::2]]

    async def members(self, segment: str, cursor: int, count: int) -> tuple[int, list[str]]:
        """Scan the members of a segment."""
        ((after, found),) = await self._replies([b"SSCAN", self._keys.members(segment), cursor, b"COUNT", count])
        return int(after), [subject.decode() for subject in found]

    async def size(self, segment: str) -> int:
        """How many members."""
        (size,) = await self._replies([b"SCARD", self._keys.members(segment)])
        return int(size)

    async def drop(self) -> None:
        """Unlink everything of this partition, in bounded steps, `meta` first: half a state never looks like one.

        Walks over all keys of the server (SCAN), so that nothing that belongs here is left; seconds for millions.
        """
        await self._replies([b"UNLINK", self._keys.meta])
        cursor = 0
        while True:
            ((after, found),) = await self._replies([b"SCAN", cursor, b"MATCH", self._keys.pattern, b"COUNT", 1_000])
            if found:
                await self._replies([b"UNLINK", *found])
            cursor = int(after)
            if cursor == 0:
                return

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    def _set_meta(self, fields: Mapping[str, str]) -> bytes:
        return pack([b"HSET", self._keys.meta, *(part for field in fields.items() for part in field)])

    def _writes(self, checkpoint: Checkpoint) -> list[bytes]:
        keys = self._keys
        blobs: list[Argument] = []
        gone: list[Argument] = []
        for subject, blob in checkpoint.profiles.items():
            if blob is None:
                gone.append(keys.profile(subject))
            else:
                blobs += (keys.profile(subject), blob)
        scores: list[Argument] = []
        asleep: list[Argument] = []
        for subject, due_ms in checkpoint.wakes.items():
            if due_ms is None:
                asleep.append(subject)
            else:
                scores += (score(due_ms), subject)
        commands = [
            *_chunked([b"MSET"], blobs, 2),
            *_chunked([b"UNLINK"], gone, 1),
            *_chunked([b"ZADD", keys.wakes], scores, 2),
            *_chunked([b"ZREM", keys.wakes], asleep, 1),
        ]
        for name, sets in ((b"SREM", checkpoint.left), (b"SADD", checkpoint.joined)):
            for segment, subjects in sets.items():
                commands += _chunked([name, keys.members(segment)], subjects, 1)
        return [self._set_meta(pack_meta(checkpoint.meta)), *map(pack, commands)]

    async def _replies(self, *commands: Sequence[Argument]) -> list[Any]:
        """Ask with no transaction; every error reply is raised."""
        return _checked(await self._connection.ask(pack(command) for command in commands))

    async def _read(self, commands: Iterable[bytes], expect: Sequence[Token]) -> list[Any]:
        """Exchange 1: the replies of the reads, once the token that was read with them is judged fine."""
        replies = await self._connection.ask([_MULTI, self._read_token, *commands, _EXEC])
        stored, *found = _inside(_checked(replies)[-1])
        judge_read(_token(stored), expect)
        return found

    async def _watch(self, question: Sequence[Argument]) -> list[Any]:
        """Exchange 2, first half: watch `meta`, ask, open MULTI."""
        watch = pack([b"WATCH", self._keys.meta])
        replies = await self._connection.ask([watch, pack(question), _MULTI], opening=True)
        try:
            _, reply, _ = _checked(replies)
        except BaseException:
            # whatever stood open is gone with the socket
            await self._connection.close()
            raise
        return [reply]

    async def _commit(self, writes: Sequence[bytes]) -> bool:
        """Exchange 2, second half: write and EXEC. False: `meta` moved, nothing was written."""
        replies = await self._connection.ask([*writes, _EXEC], continuing=True)
        committed = _checked(replies)[-1]
        if committed is None:
            return False
        _inside(committed)
        return True

    async def _let_go(self) -> None:
        """Exchange 2, given up: DISCARD ends MULTI and WATCH. If that cannot be said, the socket is closed."""
        try:
            _checked(await self._connection.ask([_DISCARD], continuing=True))
        except (Unanswered, StoreBug):
            await self._connection.close()


_NEEDED: Final = ([b"MULTI"], [b"EXEC"], [b"EVAL_RO", b"return 1", b"0"])
_ALLOW: Final = (
    "let this user do it (ACL SETUSER … +@read +@write +@transaction +eval_ro +info), with its keys (~<prefix>:*)"
)


async def check_server(url: str, *, timeout_ms: int = 5_000) -> list[Finding]:
    """Look whether a server may hold state; a fatal finding means: refuse to start. Raises Unanswered.

    Asks INFO only: CONFIG is forbidden on many managed servers. In a cluster it sees the node that the URL names;
    the others must be set the same.
    """
    connection = Connection(url, timeout_ms=timeout_ms)
    try:
        info, *needed = await connection.ask(pack(command) for command in ([b"INFO"], *_NEEDED))
    finally:
        await connection.close()
    findings = []
    for command, reply in zip(_NEEDED, needed, strict=True):
        if isinstance(reply, ResponseError):
            if code_of(reply) not in ("NOPERM", "ERR"):
                raise fault(reply)
            findings.append(Finding("redis", f"{command[0].decode()} is refused ({code_of(reply)})", _ALLOW))
    if not isinstance(info, ResponseError):
        lines = (line.partition(":") for line in info.decode().splitlines())
        return findings + server_findings({name: value for name, _, value in lines})
    if code_of(info) != "NOPERM":
        raise fault(info)
    return [*findings, Finding("redis", "INFO is refused, so nothing else can be checked", _ALLOW)]


def server_findings(info: Mapping[str, str]) -> list[Finding]:
    """Judge a server by the fields of INFO."""
    findings = []
    version = info.get("redis_version", "0")
    if int(version.partition(".")[0]) < 7:
        findings.append(Finding("redis", f"version {version} is too old", "use Redis 7 or later, or Valkey 8 or later"))
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        remedy = (
            "state would vanish silently: set maxmemory-policy noeviction (redis.conf, CONFIG SET, "
            "or the parameter group of a managed server)"
        )
        findings.append(Finding("redis", f"maxmemory-policy is {policy}", remedy))
    if info.get("role") != "master":
        findings.append(Finding("redis", "the server is a replica", "name the primary in SEGUE_REDIS_URL"))
    if info.get("aof_enabled") != "1":
        remedy = (
            "set appendonly yes: without it a restart of the server means a replay from its last RDB file, or a rebuild"
        )
        findings.append(Finding("redis", "the append-only file is off", remedy, fatal=False))
    return findings


def _checked(replies: list[Any]) -> list[Any]:
    """Return the replies; raise the first error among them (EXECABORT comes after the one that caused it)."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise fault(reply)
    return replies


def _inside(committed: Any) -> list[Any]:
    """Return what EXEC answered. An error in there means that some of the writes stand and some do not: a bug."""
    for reply in committed:
        if isinstance(reply, ResponseError):
            raise StoreBug(f"an error inside the atomic write: {code_of(reply)}")
    return list(committed)


def _chunked(head: Sequence[Argument], arguments: Sequence[Argument], step: int) -> list[list[Argument]]:
    """Spread arguments, `step` of which belong together, over as many commands as they need; none for none."""
    size = COMMAND_ARGUMENTS_MAX // step * step
    return [[*head, *arguments[at : at + size]] for at in range(0, len(arguments), size)]


def _token(stored: bytes | None) -> Token | None:
    return None if stored is None else Token.parse(stored.decode())


def _texts(flat: Sequence[bytes]) -> dict[str, str]:
    texts = [text.decode() for text in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _wakes(flat: Sequence[bytes]) -> list[tuple[int, str]]:
    return [(due(flat[at + 1]), flat[at].decode()) for at in range(0, len(flat), 2)]
