"""Drive the engine as a worker does, and deliver each effect as a record of its target, right after its cause."""

from collections import Counter, deque
from collections.abc import Sequence

from rules.engine.event_time import record_time
from rules.engine.outcome import Mark
from rules.engine.partition import Partition
from rules.engine.record import Record
from streams.store.erasure_keys import ErasureKeys
from tests.properties.batches import KEYS, Batched, Store, now
from tests.transcripts.transcript import Files


class Delivered(Batched):
    """Drives the engine over lines, and over the effects that they have: one partition, in which everything is near.

    After the records in `boundaries` the state goes to the store and comes back. The effects of a record come in their
    order, and what follows from them after all that waits.
    """

    def __init__(
        self, files: Files, cuts: Sequence[tuple[int, Files]], boundaries: set[int], keys: ErasureKeys = KEYS
    ) -> None:
        super().__init__(files, cuts, boundaries, keys)
        self.effects: list[bytes] = []
        self.marks: Counter[Mark] = Counter()
        self._records = 0

    @property
    def partition(self) -> Partition:
        """The engine as it stands."""
        return self._engine

    def deliver(self, lines: Sequence[bytes], until_ms: int | None) -> list[bytes]:
        """Apply the lines with their effects, then fire every remaining wake. Returns all changes, in order."""
        waiting: deque[bytes] = deque()
        for line in lines:
            text = line.strip(b" \t\r\n")
            if not text:
                continue
            r_ms = self._engine.instant_of(record_time(text))
            if until_ms is not None and r_ms > until_ms:
                break
            self._cut(r_ms)
            waiting.append(text)
            while waiting:
                waiting += self.apply(waiting.popleft())
        if until_ms is not None:
            self._cut(until_ms)
        end_ms = self._engine.clock_ms if until_ms is None else until_ms
        self._pass(lambda: self._engine.pass_time(end_ms + 1))
        return self.changes

    @property
    def store(self) -> Store:
        """The content of the last checkpoint."""
        return self._store

    def apply(self, text: bytes) -> list[bytes]:
        """Apply one record; return its effects."""
        self._records += 1
        applied = now(self._driver.feed(Record(self._records, record_time(text), None, text)))
        self.changes += [change.value for change in applied.changes]
        self.marks.update(applied.marks)
        effects = [effect.value for effect in applied.effects]
        self.effects += effects
        if self._records in self._boundaries:
            self._restart()
        return effects

    def end(self, end_ms: int) -> Partition:
        """Fire every wake up to an instant, and read every profile of the store. Returns the engine."""
        self._pass(lambda: self._engine.pass_time(end_ms + 1))
        for subject, blob in self._store.profiles.items():
            self._engine.give_profile(subject, blob)
        return self._engine
