"""What a worker tells Prometheus, read from its status, its tally and its lookout when somebody scrapes.

Nothing here is counted for each event. Series of a partition end when it is let go: only partitions held are read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, get_args

from rules.catalogue.catalogue import Catalogue
from rules.engine.outcome import Mark
from rules.engine.refusal import LETTER_CODES
from streams import native
from streams.clock import Clock
from streams.metrics import names
from streams.metrics.build import segue_version
from streams.metrics.exposition import Reading
from streams.metrics.tally import PartitionTally, Tally
from streams.operations.sight import Sight
from streams.partition.states import State
from streams.partition.status import PartitionStatus
from streams.worker.lookout import Lookout, Retention
from streams.worker.status import WorkerStatus

CATALOGUE_DIGITS: Final = 12
"""Of a catalogue's hash, as `segue lag` and `segue catalogues` show it."""

_ODD: Final[dict[str, Mark]] = {
    "to_erased": "link_to_erased",
    "ring": "ring",
    "many_subjects": "many_subjects",
    "journey_ended": "journey_ended",
    "arm_switched": "arm_switched",
}
"""Values of `what`, and the marks that they count."""
LOOKED_MS: Final = 3_000
"""An idle owner reads the wakes of the store up to now once a second."""


class WorkerMetrics:
    """Reads one worker."""

    def __init__(
        self,
        status: WorkerStatus,
        tally: Tally,
        lookout: Lookout,
        catalogues: Callable[[], Sequence[Catalogue]],
        clock: Clock,
        *,
        restricted: bool,
    ) -> None:
        """`catalogues`: all that were in force since the start. `restricted`: tell of restricted definitions, too."""
        self._status = status
        self._tally = tally
        self._lookout = lookout
        self._catalogues = catalogues
        self._clock = clock
        self._restricted = restricted

    def read(self) -> Iterable[Reading]:
        """Return every reading of now."""
        yield from self._worker()
        for number, status in sorted(self._status.partitions.items()):
            tally = self._tally.of(number)
            yield from self._input(number, status)
            yield from self._waits(str(number), tally)
            yield from _counted(str(number), status, tally)
        yield from self._unstable()
        yield from self._business()

    # -- of a worker

    def _worker(self) -> Iterator[Reading]:
        status, tally = self._status, self._tally
        yield Reading(names.REBALANCES, (), status.rebalances)
        yield Reading(names.RINGS, (), status.rings)
        yield Reading(names.CONSUMER_SILENT, (), bool(status.silent))
        if not status.starting:  # before, nobody has asked yet
            for name in status.dependencies.names:
                yield Reading(names.DEPENDENCY_UP, (name,), status.dependencies.up(name))
        in_force = sorted({each.catalogue[:CATALOGUE_DIGITS] for each in status.partitions.values() if each.catalogue})
        for catalogue in in_force or [""]:
            yield Reading(names.BUILD_INFO, (segue_version(), status.generation, catalogue, native.engine()), 1)
        yield Reading(names.PUBLISH_LATENCY_SECONDS, (), tally.publish_latency)
        yield Reading(names.TRANSACTION_SECONDS, (), tally.transactions)
        yield Reading(names.CHECKPOINT_SECONDS, (), tally.checkpoints)
        yield Reading(names.APPLY_SECONDS, (), tally.applies)

    # -- of a partition

    def _input(self, partition: int, status: PartitionStatus) -> Iterator[Reading]:
        number = str(partition)
        lag_records = self._lag_records(partition, status)
        if lag_records is not None:
            yield Reading(names.INPUT_LAG_RECORDS, (number,), lag_records)
        lag_s = self._lag_s(status, lag_records)
        if lag_s is not None:
            yield Reading(names.INPUT_LAG_SECONDS, (number,), lag_s)
        used = self._retention_used(partition, status, lag_s)
        if used is not None:
            yield Reading(names.INPUT_RETENTION_USED, (number,), used)
        marks = self._lookout.seen.input.get(partition)
        offsets = {
            "end": max(status.end_offset, -1 if marks is None else marks.end),
            "applied": status.applied_offset,
            "published": status.published_offset,
            "checkpointed": status.written_offset,
        }
        for stage, offset in offsets.items():
            if offset >= 0:
                yield Reading(names.INPUT_OFFSET, (number, stage), offset)
        for state in get_args(State):
            yield Reading(names.PARTITION_STATE, (number, state), status.shown == state)
        yield Reading(names.PARTITION_STATE, (number, "retrying"), status.shown == "retrying")
        for source, count in status.refused_sources.items():
            yield Reading(names.REFUSED_RECORDS, (number, source), count)

    def _lag_records(self, partition: int, status: PartitionStatus) -> int | None:
        """Return the lag; None: not known.

        The consumer tells the end with each fetch. One that is silent or shut does not: then the end that the lookout
        saw counts.
        """
        known, behind = status.lag_records(self._clock.wall_ms()), self._lookout.behind(status)
        return behind if known < 0 else max(known, behind or 0)

    def _lag_s(self, status: PartitionStatus, lag_records: int | None) -> float | None:
        """Return the age of the oldest record that is not applied; None: it is not known."""
        wall_ms = self._clock.wall_ms()
        if status.oldest_unapplied_ms >= 0:
            return max(0, wall_ms - status.oldest_unapplied_ms) / 1000
        if not lag_records:
            return None if lag_records is None else 0.0
        stamp = self._lookout.stamp(status)
        return None if stamp is None else max(0, wall_ms - stamp) / 1000

    def _retention_used(self, partition: int, status: PartitionStatus, lag_s: float | None) -> float | None:
        """Return how much of the retention is used; None: not known.

        By time: the age of the oldest record that is not applied. By size: its place among the records that are kept,
        once the broker has begun to delete.
        """
        kept, marks = self._lookout.seen.retention, self._lookout.seen.input.get(partition)
        if kept is None or marks is None or lag_s is None:
            return None
        by_size = 0.0
        if kept.bytes >= 0 and lag_s and status.applied_offset >= 0 and 0 < marks.start < marks.end:
            by_size = min(1.0, (marks.end - status.applied_offset) / (marks.end - marks.start))
        return max(_by_time(kept, lag_s), by_size)

    def _waits(self, number: str, tally: PartitionTally) -> Iterator[Reading]:
        overdue_ms = _overdue_ms(tally.first_wake, self._clock.wall_ms())
        if overdue_ms is not None:
            yield Reading(names.TIMER_OVERDUE_SECONDS, (number,), overdue_ms / 1000)
        yield Reading(names.CHECKPOINT_AGE_SECONDS, (number,), tally.unwritten.age_ms(self._clock.now_ms()) / 1000)

    def _unstable(self) -> Iterator[Reading]:
        wall_ms = self._clock.wall_ms()
        for (topic, partition), found in sorted(self._lookout.seen.unstable.items()):
            if partition in self._status.partitions:
                labels = (str(partition), topic)
                since_s = 0.0 if found is None else (wall_ms - found.since_ms) / 1000
                yield Reading(names.LOG_UNSTABLE_SECONDS, labels, since_s)
                yield Reading(names.LOG_UNSTABLE_RECORDS, labels, 0 if found is None else found.records)

    # -- audiences and channels

    def _business(self) -> Iterator[Reading]:
        tally, sight = self._tally, Sight(self._restricted, list(self._catalogues()))
        yield Reading(names.SUPPRESSION_LATENCY_SECONDS, (), tally.suppression_latency)
        members: Counter[str] = Counter()
        for partition, sizes in self._lookout.seen.members.items():
            if partition in self._status.partitions:
                for segment, size in sizes.items():
                    members[segment] += size
        for segment, size in members.items():
            if sight.shows("segment", segment):
                yield Reading(names.SEGMENT_MEMBERS, (segment,), size)
        for (segment, entered, reason), count in list(tally.segment_changes.items()):
            if sight.shows("segment", segment):
                change = "entered" if entered else "exited"
                yield Reading(names.SEGMENT_CHANGES, (segment, change, reason), count)
        for (activation, channel), active in self._active().items():
            if sight.shows("activation", activation):
                yield Reading(names.ACTIVATION_ACTIVE, (activation, channel), active)
        ended: Counter[tuple[str, str]] = Counter()
        for (activation, channel, reason), count in list(tally.deactivations.items()):
            if sight.shows("activation", activation):
                ended[channel, reason] += count
        for labels, count in ended.items():
            yield Reading(names.DEACTIVATIONS, labels, count)

    def _active(self) -> dict[tuple[str, str], int]:
        """Return for how many profiles each activation is active; those in force count, also where nobody is."""
        found: dict[tuple[str, str], int] = {}
        by_hash = {one.hash: one for one in self._catalogues()}
        for partition, status in self._status.partitions.items():
            rows = self._tally.of(partition).active
            catalogue = by_hash.get(status.catalogue)
            if rows is None or catalogue is None:
                continue
            for name, each in catalogue.approved_activations.items():
                found.setdefault((name, each.channel), 0)
            for name, channel, profiles in rows:
                found[name, channel] = found.get((name, channel), 0) + profiles
        return found


def _counted(number: str, status: PartitionStatus, tally: PartitionTally) -> Iterator[Reading]:
    for (type_, outcome), count in list(tally.events.items()):
        yield Reading(names.EVENTS, (number, type_, outcome), count)
    for reason in LETTER_CODES:  # 0 from the start: Prometheus cannot tell a series that begins at 1 from one that rose
        yield Reading(names.DEAD_LETTERS, (number, reason), tally.dead_letters[reason])
    for (type_, outcome), count in list(tally.effects.items()):
        yield Reading(names.EFFECTS, (number, type_, outcome), count)
    yield Reading(names.EFFECTS_DROPPED, (number,), tally.marks["came_round"])
    for what, mark in _ODD.items():
        yield Reading(names.LINKS_ODD, (number, what), tally.marks[mark])
    yield Reading(names.ERASED_RECORDS, (number,), tally.erased)
    yield Reading(names.CHANGES, (number,), tally.changes)
    yield Reading(names.TIMERS_FIRED, (number,), tally.timers_fired)
    yield Reading(names.CHECKPOINTS, (number,), status.checkpoints)
    yield Reading(names.REPLAYS, (number,), status.replays)
    yield Reading(names.GAPS, (number,), status.gaps)


def _overdue_ms(first_wake: tuple[int, bool] | None, wall_ms: int) -> int | None:
    """Return how long the first wake is due; None: not known."""
    if first_wake is None:
        return None
    first_ms, exact = first_wake
    if exact:
        return max(0, wall_ms - first_ms)
    return 0 if wall_ms - first_ms < LOOKED_MS else None


def _by_time(kept: Retention, lag_s: float) -> float:
    return lag_s * 1000 / kept.ms if kept.ms > 0 else 0.0
