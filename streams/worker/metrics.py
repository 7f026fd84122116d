"""What a worker tells Prometheus, read from its status and its tally when somebody scrapes.

Nothing here is counted for each event. Series of a partition end when it is let go: only partitions held are read.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, get_args

from streams.metrics import names
from streams.metrics.build import segue_version
from streams.metrics.exposition import Reading
from streams.metrics.tally import PartitionTally, Tally
from streams.partition.states import State
from streams.partition.status import PartitionStatus
from streams.worker.status import WorkerStatus

CATALOGUE_DIGITS: Final = 12
"""Of a catalogue's hash, as `segue lag` and `segue catalogues` show it."""


class WorkerMetrics:
    """Reads one worker."""

    def __init__(self, status: WorkerStatus, tally: Tally, wall_ms: Callable[[], int]) -> None:
        self._status = status
        self._tally = tally
        self._wall_ms = wall_ms

    def read(self) -> Iterable[Reading]:
        """Return every reading of now."""
        wall_ms = self._wall_ms()
        for number, status in sorted(self._status.partitions.items()):
            yield from _partition(str(number), status, wall_ms)
            yield from _counted(str(number), status, self._tally.of(number))
        yield from self._worker()
        yield from self._business()

    def _worker(self) -> Iterator[Reading]:
        status = self._status
        yield Reading(names.REBALANCES, (), status.rebalances)
        yield Reading(names.RINGS, (), status.rings)
        yield Reading(names.CONSUMER_SILENT, (), bool(status.silent))
        for name in status.dependencies.names:
            yield Reading(names.DEPENDENCY_UP, (name,), status.dependencies.up(name))
        in_force = sorted({each.catalogue[:CATALOGUE_DIGITS] for each in status.partitions.values() if each.catalogue})
        for catalogue in in_force or [""]:
            yield Reading(names.BUILD_INFO, (segue_version(), status.generation, catalogue), 1)
        tally = self._tally
        yield Reading(names.PUBLISH_LATENCY_SECONDS, (), tally.publish_latency)
        yield Reading(names.TRANSACTION_SECONDS, (), tally.transactions)
        yield Reading(names.CHECKPOINT_SECONDS, (), tally.checkpoints)
        yield Reading(names.APPLY_SECONDS, (), tally.applies)

    def _business(self) -> Iterator[Reading]:
        tally = self._tally
        yield Reading(names.SUPPRESSION_LATENCY_SECONDS, (), tally.suppression_latency)


def _partition(number: str, status: PartitionStatus, wall_ms: int) -> Iterator[Reading]:
    lag_records = status.lag_records(wall_ms)
    if lag_records >= 0:
        yield Reading(names.INPUT_LAG_RECORDS, (number,), lag_records)
    lag_ms = status.lag_ms(wall_ms)
    if lag_ms is not None:
        yield Reading(names.INPUT_LAG_SECONDS, (number,), lag_ms / 1000)
    offsets = {
        "end": status.end_offset,
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


def _counted(number: str, status: PartitionStatus, tally: PartitionTally) -> Iterator[Reading]:
    for (type_, outcome), count in list(tally.events.items()):
        yield Reading(names.EVENTS, (number, type_, outcome), count)
    for reason, count in list(tally.dead_letters.items()):
        yield Reading(names.DEAD_LETTERS, (number, reason), count)
    yield Reading(names.CHANGES, (number,), tally.changes)
    yield Reading(names.CHECKPOINTS, (number,), status.checkpoints)
    yield Reading(names.REPLAYS, (number,), status.replays)
    yield Reading(names.GAPS, (number,), status.gaps)
