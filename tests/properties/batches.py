"""Drive the engine over a file as a worker does: in batches, with its state packed into a store and read back.

The store is a few dicts. It names what stays of erased subjects by a keyed hash, as one with an erasure key does, and
lists it nowhere. The worker's own `Driver` and `WakePages` load profiles, wakes and visits, in very small pages.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.catalogue.pilots import with_before
from rules.conditions.view import View
from rules.engine.cut import Cut
from rules.engine.event_time import record_time
from rules.engine.outcome import Need, Passed, changes_of
from rules.engine.partition import BEGINNING_MS, Partition
from rules.engine.record import Record
from rules.engine.replay import decode_live_line
from rules.engine.slice import Slice
from streams.partition.driver import Driver
from streams.partition.wake_pages import WakePages
from streams.store.erasure_keys import ErasureKeys
from tests.transcripts.implementations import compiled
from tests.transcripts.transcript import Files

T = TypeVar("T")
KEYS: Final = ErasureKeys.read("k" * 32)


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("it waited")


@dataclass
class Store:
    """The content of the last checkpoint."""

    profiles: dict[str, bytes] = field(default_factory=dict)
    wakes: dict[str, int] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()
    offset: int = 0
    clock_ms: int = BEGINNING_MS
    last_ms: int = -1
    digest: str = ""
    keys: ErasureKeys = KEYS
    """None: erased subjects keep their names."""
    erased: dict[bytes, bytes] = field(default_factory=dict)
    """Packed profiles of which only the erasure is known, by their hash."""

    def take(self, slice_: Slice) -> None:
        """Write a slice."""
        self.profiles |= slice_.profiles
        self.wakes |= slice_.wakes
        self.cuts, self.offset, self.clock_ms = slice_.cuts, slice_.offset, slice_.clock_ms
        self.last_ms, self.digest = slice_.last_ms, slice_.digest
        for subject, forgotten in slice_.erased.items():
            for name in self.keys.names(subject):
                self.erased.pop(name, None)
                if forgotten:
                    del self.wakes[subject]
                    self.erased[name] = self.profiles.pop(subject)

    def blob(self, subject: str) -> bytes | None:
        """Return a packed profile."""
        hidden = (self.erased.get(name) for name in self.keys.names(subject))
        return self.profiles.get(subject) or next(hidden, None)


class Supplies:
    """A store with the interface that `Driver` and `WakePages` read."""

    def __init__(self, engine: Partition, store: Store) -> None:
        self._engine = engine
        self._store = store
        self._pages = WakePages(engine, self)

    async def catalogue(self, digest: str) -> Catalogue:
        """Never called: no line puts a catalogue into force."""
        raise AssertionError(digest)

    async def load(self, subjects: Sequence[str]) -> None:
        """Load the profiles that the engine lacks."""
        for subject in subjects:
            if self._engine.lacks(subject):
                self._engine.give_profile(subject, self._store.blob(subject))

    async def widen(self, before_ms: int) -> None:
        """Load one page of wakes."""
        await self._pages.widen(before_ms)

    async def turn(self) -> None:
        """Do nothing: nobody else is here."""

    async def due(self, before_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """Return a page of wakes."""
        found = sorted((due, subject) for subject, due in self._store.wakes.items() if due < before_ms)
        return [entry for entry in found if after is None or entry > after][:limit]

    async def subjects(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """Return all subjects."""
        return 0, list(self._store.wakes)


class Batched:
    """Drives the engine over lines. After the lines in `boundaries` the state goes to the store and comes back."""

    def __init__(
        self, files: Files, cuts: Sequence[tuple[int, Files]], boundaries: set[int], keys: ErasureKeys = KEYS
    ) -> None:
        first = last = compiled(files)
        self._then: list[tuple[int, Catalogue]] = []
        for at, each in cuts:
            last = with_before(compiled(each), last)  # as an apply does
            self._then.append((at, last))
        self._catalogues = {each.hash: each for each in (first, *(each for _, each in self._then))}
        self._boundaries = boundaries
        self._store = Store(keys=keys)
        self._take(Partition("g1", decode_live_line))
        self._engine.cut(first, self._engine.clock_ms)
        self.changes: list[bytes] = []
        self.restarts = 0

    def run(
        self, lines: Sequence[bytes], until_ms: int | None, after: Callable[[int, Partition], None] | None = None
    ) -> list[bytes]:
        """Apply the lines, then fire every remaining wake. `after` is called after each line, with its number."""
        for number, line in enumerate(lines, 1):
            text = line.strip(b" \t\r\n")
            if not text:
                continue
            record = Record(number, record_time(text), None, text)
            r_ms = self._engine.instant_of(record.timestamp_ms)
            if until_ms is not None and r_ms > until_ms:
                break
            self._cut(r_ms)
            self.changes += [change.value for change in now(self._driver.feed(record)).changes]
            if number in self._boundaries:
                self._restart()
            if after is not None:
                after(number, self._engine)
        if until_ms is not None:
            self._cut(until_ms)
        end_ms = self._engine.clock_ms if until_ms is None else until_ms
        self._pass(lambda: self._engine.pass_time(end_ms + 1))
        return self.changes

    def facts(self, instants: Sequence[int]) -> dict[str, Any]:
        """Return each profile's traits, consent, and the verdicts of each condition at some instants, without marks.

        Conditions on memberships are left out: they rightly depend on the order of arrival.
        """
        plan = self._engine.current
        assert plan is not None
        found: dict[str, Any] = {}
        for subject, profile in self._engine.profiles.items():
            told: dict[str, Any] = {
                "traits": {name: [*register] for name, register in profile.traits.items()},
                "consents": profile.consents,
                "known": (profile.known_since_ms, profile.latest_ms, profile.arrivals),
            }
            for segment in plan.segments:
                for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
                    for path, leaf, _ in leaves(node, rule) if node is not None else ():
                        if not leaf.segments:
                            views = [View(t, profile, observed_since_ms=profile.known_since_ms) for t in instants]
                            told[f"{segment.id} {path}"] = [leaf.verdict(view)[0] for view in views]
            found[subject] = told
        return found

    def _cut(self, r_ms: int) -> None:
        while self._then and self._then[0][0] <= r_ms:
            at, catalogue = self._then.pop(0)
            self._pass(lambda at=at, catalogue=catalogue: self._engine.cut(catalogue, at))  # type: ignore[misc]

    def _pass(self, call: Callable[[], Passed | Need]) -> None:
        """Repeat a call until it needs nothing more."""
        outcome = call()
        while not isinstance(outcome, Passed):
            now(self._driver.supply(outcome))
            outcome = call()
        self.changes += [change.value for change in changes_of(outcome.items)]

    def _take(self, engine: Partition) -> None:
        self._engine = engine
        self._driver = Driver(engine, Supplies(engine, self._store))

    def _restart(self) -> None:
        """Write a checkpoint, forget everything, and resume from the checkpoint."""
        store, slice_ = self._store, self._engine.take_slice()
        store.take(slice_)
        engine = Partition(
            "g1",
            decode_live_line,
            offset=store.offset,
            clock_ms=store.clock_ms,
            last_ms=store.last_ms,
            digest=store.digest,
            horizon=(BEGINNING_MS, ""),
            active=slice_.active,
            portion=1 + self.restarts % 3,
        )
        for digest, catalogue in self._catalogues.items():
            engine.give_catalogue(digest, catalogue)
        engine.resume(store.cuts)
        self._take(engine)
        self.restarts += 1
