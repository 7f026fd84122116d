"""Bad input: how many of the newest records of a partition were refused, of which reasons, from which sources.

A partition that refuses too much is *held*: it applies nothing more, so that the topic is not emptied into the
dead-letter topic while a producer or the catalogue is wrong. docs/operations/dead-letters.md says when it goes on.

The memory counts records in blocks of a tenth of the window and keeps the newest ten. It is written into the progress
record of the transaction that publishes the dead letters. So it survives a restart, and a takeover by another worker.
It decides only whether a partition is held: the changes stay a function of the records alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streams.wire.progress import RefusedBlock, RefusedMemory

BLOCKS: Final = 10
"""Blocks of a window. The oldest is forgotten whole, so the share is taken of 90 to 100 % of the window."""
PAIRS_MAX: Final = 20
"""Pairs of reason and source that are told apart in a block. Others of a reason count as OTHERS."""
SOURCES_MAX: Final = 20
"""Sources that are shown beside OTHERS. Each is a label of a metric, and a producer may name a new one an event."""
OTHERS: Final = "(other sources)"
UNNAMED: Final = "(no source)"
"""How records are shown whose source cannot be read."""
TOLD: Final = 3
"""Reasons, and sources, that a sentence names."""


class BadRecord(NamedTuple):
    """One refused record."""

    offset: int
    code: str
    source: str
    """The `source` of the event; "": it cannot be read."""


@dataclass(frozen=True, slots=True)
class BadInputLimits:
    """When a partition is held, and when it goes on; `streams.settings.Settings` says what they are."""

    share_max: float = 0.05
    window: int = 10_000
    calm_ms: int = 60_000


@dataclass(slots=True)
class _Block:
    records: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)


class BadInput:
    """What is remembered of the refused records of one partition.

    The share is taken of the whole window, also before it is full: one bad record at the start is no high share.
    """

    def __init__(self, limits: BadInputLimits, memory: RefusedMemory | None = None) -> None:
        """Begin with nothing, or with what a progress record remembers."""
        self.limits: Final = limits
        self._blocks: list[_Block] = [_Block()]
        self.pardoned = 0
        """Records refused before this offset are not counted."""
        if memory is not None:
            self.pardoned = memory.pardoned
            self._blocks = [
                _Block(each.records, Counter({(code, source): n for code, source, n in each.refused}))
                for each in memory.blocks
            ] or [_Block()]
        self.refused = self._total()
        """How many of the newest records were refused."""

    def add(self, records: int, refused: Sequence[BadRecord]) -> None:
        """Count applied records; `refused` are those among them that were refused."""
        block = self._blocks[-1]
        if block.records >= self.limits.window // BLOCKS:
            block = _Block()
            self._blocks = [*self._blocks[1 - BLOCKS :], block]
            self.refused = self._total()
        block.records += records
        for each in refused:
            if each.offset >= self.pardoned:
                pair = (each.code, each.source)
                known = pair in block.refused or len(block.refused) < PAIRS_MAX
                block.refused[pair if known else (each.code, OTHERS)] += 1
                self.refused += 1

    def pardon(self, before_offset: int) -> None:
        """Forget what was refused, and count no record that is refused before an offset."""
        self.pardoned = max(self.pardoned, before_offset)
        self._blocks = [_Block()]
        self.refused = 0

    @property
    def too_much(self) -> bool:
        """Whether the partition is to be held."""
        limits = self.limits
        return limits.share_max < 1 and self.refused > limits.share_max * limits.window

    def memory(self, offset: int) -> RefusedMemory | None:
        """Return what a progress record at an offset is to remember; None: nothing."""
        pardoned = self.pardoned if self.pardoned > offset else 0
        if not pardoned and not self.refused:
            return None
        blocks = tuple(
            RefusedBlock(block.records, tuple((code, source, n) for (code, source), n in sorted(block.refused.items())))
            for block in self._blocks
        )
        return RefusedMemory(blocks, pardoned)

    def reasons(self) -> dict[str, int]:
        """Return how many were refused by reason code, most first."""
        return self._sums(0)

    def sources(self) -> dict[str, int]:
        """Return how many were refused by source, most first; at most SOURCES_MAX and OTHERS."""
        # each block names sources of its own
        sums = Counter(self._sums(1))
        others = sums.pop(OTHERS, 0)
        named = Counter(dict(sums.most_common(SOURCES_MAX)))
        others += sums.total() - named.total()
        sums = named + Counter({OTHERS: others})
        return dict(sorted(sums.items(), key=lambda each: (-each[1], each[0])))

    def said(self) -> str:
        """Say in one sentence how many were refused, why, and where they came from."""
        window = self.limits.window
        return (
            f"{self.refused:,} of the last {window:,} records were refused: {_told(self.reasons())},"
            f" from {_told(self.sources())}"
        )

    def _total(self) -> int:
        return sum(block.refused.total() for block in self._blocks)

    def _sums(self, place: int) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for block in self._blocks:
            for pair, n in block.refused.items():
                sums[pair[place] or UNNAMED] += n
        return dict(sorted(sums.items(), key=lambda each: (-each[1], each[0])))


def _told(counts: Mapping[str, int]) -> str:
    """Name the most frequent, each with its number."""
    named = [f"{name} {n:,}" for name, n in list(counts.items())[:TOLD]]
    left = len(counts) - len(named)
    return " and ".join([", ".join(named), f"{left} more"] if left else [", ".join(named)])
