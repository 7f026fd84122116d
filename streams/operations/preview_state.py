"""An engine that stands where a partition's state in Redis stands, with the profiles of a range, for a preview.

Its worker goes on meanwhile and writes a checkpoint about once a second. Profiles do not depend on each other: so each
is taken at the checkpoint at which it was read, and the records that it has taken in are not given to it again. A cut
or the end of a fill between two reads begins the reading anew.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from rules.catalogue.catalogue import Catalogue
from rules.engine.partition import Partition
from rules.engine.profile import unpack
from rules.engine.record import Decode
from rules.preview.lookback import Starts
from rules.preview.subjects import Range
from streams.errors import Unanswered
from streams.operations.errors import OtherState, WrongInput
from streams.operations.profile_state import ATTEMPTS, at_one_moment, meta_of, read_profile
from streams.operations.servers import Servers
from streams.store.redis import RedisStore
from streams.store.terms import Meta, Token

SCAN: Final = 1_000
READ: Final = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resumed:
    """An engine with the profiles of a range, and how far each has come."""

    engine: Partition
    starts: Starts
    catalogues: dict[str, Catalogue]
    hides: bool = False
    """Whether erased subjects may stand under a hash: no reading of all subjects meets them."""
    later: dict[str, int] = field(default_factory=dict)
    """As `starts.later`, to add to."""


async def look_for_erased(servers: Servers, partition: int, state: Resumed, key: bytes, offset: int) -> None:
    """Before a record: give the engine its subject, if it was erased. Else the engine would take it for a new one.

    Raises NoState, Unanswered.
    """
    subject = key.decode(errors="replace")
    if state.hides and offset >= state.starts.offset and subject not in state.engine.profiles:
        found = await read_profile(servers, subject, partition)
        if found.blob is not None and unpack(subject, found.blob).is_forgotten:
            state.engine.give_profile(subject, found.blob)
            state.later[subject] = found.meta.offset


class _Moved(Exception):
    """The cuts of the state are others than at the beginning of the reading."""


async def resumed(servers: Servers, partition: int, subjects: Range, decode: Decode, first: int) -> Resumed:
    """Read the state of a partition. `first`: the first record of its log.

    Raises NoState, OtherState, WrongInput where the log does not go on from the state; Unreachable.
    """
    async with servers.stored(partition) as store:
        for _ in range(ATTEMPTS):
            try:
                return await _Reader(servers, store, partition, subjects, decode).read(first)
            except _Moved:
                continue
    raise Unanswered("the state keeps moving")


class _Reader:
    """One reading of a partition's state."""

    def __init__(self, servers: Servers, store: RedisStore, partition: int, subjects: Range, decode: Decode) -> None:
        self._servers = servers
        self._store = store
        self._partition = partition
        self._subjects = subjects
        self._decode = decode

    async def read(self, first: int) -> Resumed:
        """Read all profiles of the range. Raises _Moved."""
        meta = await meta_of(self._store, self._partition)
        if meta.offset < first:
            raise WrongInput(
                f"partition {self._partition}: its state stands at offset {meta.offset}, and its log begins at {first}:"
                f" what lies between is not known. Run a worker, or see `segue rebuild`"
            )
        deployment = self._servers.deployment
        engine = Partition(deployment.generation, self._decode, offset=meta.offset, clock_ms=meta.clock_ms)
        catalogues = {cut.catalogue: await self._servers.catalogue_of(cut.catalogue) for cut in meta.cuts}
        for digest, catalogue in catalogues.items():
            engine.give_catalogue(digest, catalogue)
        engine.resume(meta.cuts)
        later: dict[str, int] = {}
        cursor: int | None = 0
        seen: set[str] = set()
        while cursor is not None:
            after, found = await self._scanned(meta, cursor)
            wanted = [each for each in found if each not in seen and self._subjects.has(each.encode())]
            seen.update(wanted)
            for start in range(0, len(wanted), READ):
                await self._give(engine, meta, wanted[start : start + READ], later)
            cursor = after or None
        return Resumed(engine, Starts(meta.offset, later), catalogues, bool(meta.erased_by), later)

    async def _scanned(self, meta: Meta, cursor: int) -> tuple[int, list[str]]:
        _, found = await self._under_the_same_cuts(meta, lambda token: self._store.subjects(cursor, SCAN, [token]))
        return found

    async def _give(self, engine: Partition, meta: Meta, subjects: list[str], later: dict[str, int]) -> None:
        now, blobs = await self._under_the_same_cuts(meta, lambda token: self._store.profiles(subjects, [token]))
        for subject, blob in zip(subjects, blobs, strict=True):
            try:
                engine.give_profile(subject, blob)
            except (KeyError, ValueError):
                raise OtherState from None
            if now.offset > meta.offset:
                later[subject] = now.offset

    async def _under_the_same_cuts(self, first: Meta, read: Callable[[Token], Awaitable[T]]) -> tuple[Meta, T]:
        """Read something under the token of a `meta`; return both. Raises _Moved where other cuts stand there."""

        async def checked(now: Meta) -> T:
            if [cut.ordinal for cut in now.cuts] != [cut.ordinal for cut in first.cuts]:
                raise _Moved
            return await read(now.token)

        return await at_one_moment(self._store, self._partition, checked)
