"""A model of the store: one server in memory, deterministic, with every fault that a real server can have.

It passes the same contract suite as Redis and Valkey (tests/contract/store); the simulation drives it. A content never
changes: every write makes a new one and keeps the old one, so the server can go back to any of them (`roll_back`).

Each call of a store goes through `MemoryServer.carry` as a *request*. A request is a function: it acts on the server at
once and as a whole, and returns its answer; a refusal is an answer, too, so it never raises. The default `carry` calls
the request at once. A test or a simulation has a `carry` of its own, which can delay the request (await before it),
lose the reply (call it, then raise Unanswered), lose the request (raise Unanswered only), or keep it and call it later
or twice, after the caller has died.
"""

from binascii import crc32
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, TypeVar, cast

from streams.errors import StoreBug, Unanswered
from streams.store.erasure_keys import NO_KEYS, ErasureKeys
from streams.store.keys import exact_due
from streams.store.outcomes import judge_raise, judge_read, judge_write, present
from streams.store.terms import Checkpoint, Meta, PartitionStore, Token

K = TypeVar("K")
T = TypeVar("T")
Request: TypeAlias = Callable[[], object]
Carry: TypeAlias = Callable[[int, str, Request], Awaitable[object]]
"""Called with (partition, name of the method, request). Returns the request's answer, or raises Unanswered."""


@dataclass(frozen=True, slots=True)
class Content:
    """All that a server holds of one partition. A value: its mappings are never written to."""

    meta: Meta | None = None
    profiles: Mapping[str, bytes] = field(default_factory=dict)
    wakes: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    erased: Mapping[bytes, bytes] = field(default_factory=dict)
    """What stays of erased subjects, by their keyed hash."""

    @property
    def token(self) -> Token | None:
        """The token that names this content."""
        return None if self.meta is None else self.meta.token

    @property
    def erased_by(self) -> tuple[str, ...]:
        """Fingerprints of the erasure keys that named a profile."""
        return () if self.meta is None else self.meta.erased_by

    def after(self, checkpoint: Checkpoint, keys: ErasureKeys = NO_KEYS) -> "Content":
        """Return the content after a checkpoint."""
        members = dict(self.members)
        for segment, subjects in checkpoint.left.items():
            members[segment] = members.get(segment, frozenset()).difference(subjects)
        for segment, subjects in checkpoint.joined.items():
            members[segment] = members.get(segment, frozenset()).union(subjects)
        wakes = {subject: None if due is None else exact_due(due) for subject, due in checkpoint.wakes.items()}
        profiles, erased = dict(checkpoint.profiles), dict[bytes, bytes | None]()
        hidden = {subject for subject, forgotten in checkpoint.erased.items() if forgotten and keys}
        for subject in checkpoint.erased:
            erased |= dict.fromkeys(keys.names(subject))
        for subject in hidden:
            erased[keys.names(subject)[0]] = profiles[subject]
        by = self.erased_by
        if hidden and keys.fingerprints[0] not in by:
            by = (*by, keys.fingerprints[0])
        return Content(
            meta=replace(checkpoint.meta, erased_by=by),
            profiles=_merged(self.profiles, profiles | dict.fromkeys(hidden)),
            wakes=_merged(self.wakes, wakes | dict.fromkeys(hidden)),
            members={segment: subjects for segment, subjects in members.items() if subjects},
            erased=_merged(self.erased, erased),
        )

    def blob(self, subject: str, keys: ErasureKeys) -> bytes | None:
        """Return a packed profile: under its name, or under its hash."""
        found = self.profiles.get(subject)
        if found is not None or not self.erased_by:
            return found
        keys.check(self.erased_by)
        return next((self.erased[name] for name in keys.names(subject) if name in self.erased), None)


async def at_once(partition: int, method: str, request: Request) -> object:
    """Carry a request with no fault and no delay."""
    return request()


class MemoryServer:
    """The contents of all partitions, with all earlier ones."""

    def __init__(self, carry: Carry = at_once, erasure_keys: ErasureKeys = NO_KEYS) -> None:
        """`erasure_keys`: of stores that are given none of their own."""
        self.carry: Carry = carry
        self.erasure_keys = erasure_keys
        self.history: Final[dict[int, list[Content]]] = {}
        """Every content that each partition ever had, oldest first; the last one stands."""

    def content(self, partition: int) -> Content:
        """Return the content that stands."""
        contents = self.history.get(partition)
        return contents[-1] if contents else Content()

    def put(self, partition: int, content: Content) -> None:
        """Make another content stand."""
        self.history.setdefault(partition, [Content()]).append(content)

    def roll_back(self, partition: int, index: int) -> None:
        """Go back to the content at `index` of the history (0: the empty one): a restored backup, a lost AOF tail.

        The later contents stay in the history; the server may go back to them, too.
        """
        self.put(partition, self.history.setdefault(partition, [Content()])[index])

    def forget_history(self) -> None:
        """Keep only the content that stands; for long simulations."""
        for contents in self.history.values():
            del contents[:-1]


class MemoryStore(PartitionStore):
    """The state of one partition in a `MemoryServer`."""

    def __init__(self, server: MemoryServer, partition: int, erasure_keys: ErasureKeys | None = None) -> None:
        self._server: Final = server
        self._partition: Final = partition
        self._erasure_keys: Final = server.erasure_keys if erasure_keys is None else erasure_keys
        self._busy = False

    async def read_meta(self) -> Meta | None:
        return await self._call("read_meta", lambda content: content.meta)

    async def create(self, meta: Meta) -> bool:
        def act(content: Content) -> bool:
            if content.meta is not None:
                return False
            self._server.put(self._partition, replace(content, meta=meta))
            return True

        return await self._call("create", act)

    async def raise_epoch(self, token: Token) -> Meta:
        def act(content: Content) -> Meta:
            raised = judge_raise(content.token, token)
            if content.meta is None:
                raise AssertionError("judged above")
            meta = replace(content.meta, token=raised)
            if raised != content.token:
                self._server.put(self._partition, replace(content, meta=meta))
            return meta

        return await self._call("raise_epoch", act)

    async def write(self, checkpoint: Checkpoint) -> None:
        checkpoint.check()

        def act(content: Content) -> None:
            if judge_write(content.token, checkpoint.expect, checkpoint.meta.token):
                if checkpoint.erased:
                    self._erasure_keys.check(content.erased_by)
                self._server.put(self._partition, content.after(checkpoint, self._erasure_keys))

        await self._call("write", act)

    async def token(self) -> Token:
        return await self._call("token", lambda content: present(content.token))

    async def profiles(self, subjects: Sequence[str], expect: Sequence[Token]) -> list[bytes | None]:
        keys = self._erasure_keys
        return await self._read("profiles", expect, lambda content: [content.blob(one, keys) for one in subjects])

    async def due(
        self, before_ms: int, after: tuple[int, str] | None, limit: int, expect: Sequence[Token]
    ) -> list[tuple[int, str]]:
        def act(content: Content) -> list[tuple[int, str]]:
            wakes = sorted((due, subject) for subject, due in content.wakes.items() if due < exact_due(before_ms))
            first = 0 if after is None else bisect_right(wakes, (exact_due(after[0]), after[1]))
            return wakes[first : first + limit]

        return await self._read("due", expect, act)

    async def next_wake(self, expect: Sequence[Token]) -> tuple[int, str] | None:
        return await self._read(
            "next_wake",
            expect,
            lambda content: min(((due, subject) for subject, due in content.wakes.items()), default=None),
        )

    async def subjects(self, cursor: int, count: int, expect: Sequence[Token]) -> tuple[int, list[str]]:
        return await self._read("subjects", expect, lambda content: _scan(content.wakes, cursor, count))

    async def members(self, segment: str, cursor: int, count: int) -> tuple[int, list[str]]:
        return await self._call(
            "members", lambda content: _scan(content.members.get(segment, frozenset()), cursor, count)
        )

    async def size(self, segment: str) -> int:
        return await self._call("size", lambda content: len(content.members.get(segment, frozenset())))

    async def sizes(self, segments: Sequence[str]) -> list[int]:
        return [await self.size(segment) for segment in segments]

    async def drop(self) -> None:
        await self._call("drop", lambda _: self._server.put(self._partition, Content()))

    async def close(self) -> None:
        pass

    async def _read(self, method: str, expect: Sequence[Token], read: Callable[[Content], T]) -> T:
        def act(content: Content) -> T:
            judge_read(content.token, expect)
            return read(content)

        return await self._call(method, act)

    async def _call(self, method: str, act: Callable[[Content], T]) -> T:
        def request() -> object:
            try:
                return act(self._server.content(self._partition))
            except Exception as refusal:
                return refusal

        if self._busy:
            raise StoreBug("two tasks share one store connection")
        self._busy = True
        try:
            answer = await self._server.carry(self._partition, method, request)
        finally:
            self._busy = False
        if isinstance(answer, Exception):
            raise answer
        return cast("T", answer)


class Mishaps:
    """A `carry` for tests, with a list of faults. When the list is used up, every request is carried at once."""

    def __init__(self) -> None:
        self.next: Final[list[str]] = []
        """The faults of the next requests: `fine`, `request lost`, `reply lost`, `late` (kept), `twice`."""
        self.kept: Final[list[Request]] = []

    async def __call__(self, partition: int, method: str, request: Request) -> object:
        """Carry a request."""
        mishap = self.next.pop(0) if self.next else "fine"
        if mishap == "fine":
            return request()
        if mishap == "twice":
            request()
            return request()
        if mishap == "reply lost":
            request()
        elif mishap == "late":
            self.kept.append(request)
        raise Unanswered(mishap)


def _merged(before: Mapping[K, T], changed: Mapping[K, T | None]) -> dict[K, T]:
    merged = dict(before)
    for key, value in changed.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _scan(names: Mapping[str, object] | frozenset[str], cursor: int, count: int) -> tuple[int, list[str]]:
    """Scan by hash, as Redis does: a name that is there throughout is met, whatever comes and goes meanwhile."""
    rest = sorted((crc32(name.encode()) + 1, name) for name in names if crc32(name.encode()) + 1 > cursor)
    if len(rest) <= count:
        return 0, [name for _, name in rest]
    last = rest[count - 1][0]
    page = [name for position, name in rest if position <= last]
    return (last if len(page) < len(rest) else 0), page
