"""What a worker counts for its metrics besides its status: once a chunk, a transaction or a checkpoint, never an event.

Counts of output are added when the transaction is answered: a change that is computed again after a doubt counts once.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rules.engine.activations.change import ActivationChange, ActiveRows
from rules.engine.change import AnyChange, Change
from rules.engine.decode import Own
from rules.engine.outcome import Applied, Mark
from rules.engine.persons.effects import EFFECT_TYPES
from rules.engine.refusal import REFUSALS
from rules.ground.event import Event
from streams.metrics.histogram import CALL_S, LATENCY_S, Histogram

SUPPRESSIONS: Final = frozenset({"erased", "merged", "restricted", "consent", "suppressed_by", "not_member"})
"""Why a profile must not be contacted any more: the deactivations whose latency is told."""


@dataclass(slots=True)
class Notes:
    """What the output of some records was, until its transaction is answered."""

    stamps_ms: list[int] = field(default_factory=list)
    """Of each record that brought changes or a dead letter."""
    changes: list[AnyChange] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """Reason codes."""
    effects: list[str] = field(default_factory=list)
    """Types of the effects on other profiles."""
    traces: list[bytes] = field(default_factory=list)
    """`traceparent` of these records where the producer samples it; empty unless spans are wanted."""


class Unwritten:
    """Since when records are applied that no checkpoint holds. Exact to `STEP_MS`, and never too young."""

    STEP_MS: Final = 500

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: deque[tuple[int, float]] = deque()
        """(offset, now): records before the offset were applied then or later, those of the mark before it earlier."""

    def note(self, applied: int, written: int, now_ms: float) -> None:
        """Note how far records are applied and written, by the steady clock."""
        marks = self._marks
        if marks and applied < marks[-1][0]:
            marks.clear()  # the store went back, or the partition was claimed anew
        while marks and marks[0][0] <= written:
            marks.popleft()
        if applied <= written:
            return
        if not marks or now_ms - marks[-1][1] >= self.STEP_MS:
            if not marks or applied > marks[-1][0]:
                marks.append((applied, now_ms))
        else:
            marks[-1] = (applied, marks[-1][1])

    def age_ms(self, now_ms: float) -> float:
        """Return the age; 0: every applied record is written."""
        return now_ms - self._marks[0][1] if self._marks else 0.0


@dataclass(slots=True)
class PartitionTally:
    """The counts of one partition, since this worker was given it."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (type, outcome)."""
    changes: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    """By reason code."""
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Effects on other profiles by (type, outcome)."""
    marks: Counter[Mark] = field(default_factory=Counter)
    """What is worth a look in links."""
    erased: int = 0
    """Facts and links that an erasure refused."""
    timers_fired: int = 0
    first_wake: tuple[int, bool] | None = None
    """The first wake (FOREVER: none is due ever), and whether it is exact: else it is that instant or later."""
    unwritten: Unwritten = field(default_factory=Unwritten)
    active: ActiveRows | None = None
    """For how many profiles each activation is active, as last written; None: not known."""


class Tally:
    """The counts of one worker."""

    def __init__(self) -> None:
        self.partitions: dict[int, PartitionTally] = {}
        """Of the partitions that are held."""
        self.publish_latency = Histogram(LATENCY_S)
        self.transactions = Histogram(CALL_S)
        self.checkpoints = Histogram(CALL_S)
        self.applies = Histogram(CALL_S)
        self.suppression_latency = Histogram(LATENCY_S)
        self.segment_changes: Counter[tuple[str, bool, str]] = Counter()
        """By (segment, entered, reason)."""
        self.deactivations: Counter[tuple[str, str, str]] = Counter()
        """By (activation, channel, reason)."""

    def of(self, partition: int) -> PartitionTally:
        """Return the counts of a partition that is held."""
        found = self.partitions.get(partition)
        if found is None:
            found = self.partitions[partition] = PartitionTally()
        return found

    def retire(self, partition: int) -> None:
        """Forget a partition that was let go."""
        self.partitions.pop(partition, None)

    def applied(
        self,
        partition: int,
        types: Sequence[str],
        others: Sequence[Applied],
        wakes: int,
        took_ms: float,
        *,
        silent: bool,
    ) -> None:
        """Count a chunk of applied records, and the wakes that they fired. `silent`: their changes were published.

        `types`: of new events without marks, nearly all records; `others`: all other records.
        """
        self.applies.observe(took_ms / 1000)
        mine = self.of(partition)
        if not silent:
            mine.timers_fired += wakes
        new = "replayed" if silent else "applied"
        # a chunk has a few records or 200: a Counter of its own would cost more than it counts
        counts: dict[str, int] = {}
        for type_ in types:
            counts[type_] = counts.get(type_, 0) + 1
        for type_, count in counts.items():
            mine.events[type_, new] += count
        for each in others:
            if each.kind == "event":
                mine.events[each.decoded.type, new] += 1  # type: ignore[union-attr]
            elif each.kind == "redelivery" and isinstance(each.decoded, Event):
                mine.events[each.decoded.type, "replayed" if silent else "redelivered"] += 1
            elif each.kind == "own" and isinstance(each.decoded, Own) and each.decoded.type in EFFECT_TYPES:
                read = "unreadable" if "unreadable" in each.marks else "applied"
                mine.effects[each.decoded.type, "replayed" if silent else read] += 1
            elif each.kind == "refused" and each.refusal == REFUSALS["erased"] and not silent:
                mine.erased += 1
            if each.marks and not silent:
                mine.marks.update(each.marks)
                mine.erased += each.marks.count("erased_fact")

    def published(self, notes: Sequence[tuple[int, Notes]], took_ms: float, wall_ms: int) -> None:
        """Count a transaction that was answered: the notes of its slices with their partitions."""
        self.transactions.observe(took_ms / 1000)
        late: list[int] = []
        for partition, each in notes:
            mine = self.of(partition)
            mine.changes += len(each.changes)
            mine.dead_letters.update(each.refusals)
            mine.effects.update((type_, "sent") for type_ in each.effects)
            self.publish_latency.observe_ages(each.stamps_ms, wall_ms)
            for change in each.changes:
                if isinstance(change, Change):
                    self.segment_changes[change.segment, change.entered, change.kind] += 1
                else:
                    self._activation(change, late)
        if late:
            self.suppression_latency.observe_ages(late, wall_ms)

    def _activation(self, change: ActivationChange, late: list[int]) -> None:
        if not change.activated:
            self.deactivations[change.activation, change.channel, change.kind] += 1
            if change.kind in SUPPRESSIONS:
                late.append(change.effective_ms)
