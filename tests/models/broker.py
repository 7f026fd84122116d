"""A model of Kafka's transactions, for tests and for the simulation of faults; `tests.models.log` is its client.

`Broker` is a state machine without I/O, clock or randomness. Like Kafka's coordinator, it keeps for each transactional
id:

    state            InitProducerId            produce      EndTxn(commit)     markers    time-out
    empty            epoch+1 → empty           → ongoing    refused            -          -
    ongoing          epoch+1 → prepare_abort,  → ongoing    → prepare_commit   -          epoch+1 → prepare_abort
                     Concurrent
    prepare_commit   Concurrent                Concurrent   Concurrent         → commit   -
    prepare_abort    Concurrent                Concurrent   refused            → abort    -
    commit           epoch+1 → empty           → ongoing    answered again     -          -
    abort            epoch+1 → empty           → ongoing    refused            -          -

A request with another epoch than the current one is `Refused`. The decision (prepare) is made at once. The markers are
written later, one partition at a time (`write_marker`); until then the last stable offset does not move. A marker has
an offset of its own. `compact` and `trim` leave holes. The loss of acknowledged records is not modelled.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from streams.records import OutRecord, Stored

TopicPartition = tuple[str, int]
State = Literal["empty", "ongoing", "prepare_commit", "prepare_abort", "commit", "abort"]


class Refused(Exception):
    """The broker refused: another epoch, a state that does not allow it, an unknown topic or offset."""


class Concurrent(Exception):
    """CONCURRENT_TRANSACTIONS: ask again later."""


@dataclass(slots=True)
class _Entry:
    offset: int
    timestamp_ms: int
    record: OutRecord | None
    """None: a marker."""
    producer: str | None = None
    """The transactional id while the transaction is undecided in this partition."""
    aborted: bool = False


@dataclass(slots=True)
class _Partition:
    entries: list[_Entry] = field(default_factory=list)
    """Ascending by offset, with holes."""
    start: int = 0
    end: int = 0
    undecided: dict[str, int] = field(default_factory=dict)
    """Transactional id → the first offset of its undecided transaction."""

    def append(self, timestamp_ms: int, record: OutRecord | None, producer: str | None = None) -> int:
        self.entries.append(_Entry(self.end, timestamp_ms, record, producer))
        if producer is not None:
            self.undecided.setdefault(producer, self.end)
        self.end += 1
        return self.end - 1

    def stable(self) -> int:
        """The last stable offset: every transaction below it is decided in this partition."""
        return min(self.undecided.values(), default=self.end)

    def between(self, offset: int, end: int) -> list[_Entry]:
        """Return the entries from an offset on and before another."""
        first, last = (bisect_left(self.entries, at, key=lambda entry: entry.offset) for at in (offset, end))
        return self.entries[first:last]


@dataclass(slots=True)
class _Transaction:
    epoch: int = -1
    state: State = "empty"
    partitions: set[TopicPartition] = field(default_factory=set)


class Broker:
    """Topics and a transaction coordinator. `now_ms` is the broker's clock (LogAppendTime); the caller sets it."""

    def __init__(self, topics: dict[str, int], now_ms: int = 0) -> None:
        self.now_ms = now_ms
        self.record_bytes_max = 8_000_000
        self.names = 0
        """How many rings were made: their names must differ, and a model has no randomness."""
        self._partitions = {(topic, n): _Partition() for topic, count in topics.items() for n in range(count)}
        self._transactions: dict[str, _Transaction] = {}

    # ---- requests

    def init_producer_id(self, id_: str) -> int:
        """Fence and take over an id; return the new epoch. Raises Concurrent while its transaction is being ended."""
        txn = self._transactions.setdefault(id_, _Transaction())
        if txn.state == "ongoing":
            txn.epoch += 1
            txn.state = "prepare_abort"
        if txn.state in ("prepare_commit", "prepare_abort"):
            raise Concurrent
        txn.epoch += 1
        txn.state = "empty"
        return txn.epoch

    def produce(self, id_: str, epoch: int, records: Sequence[OutRecord]) -> list[int]:
        """Append records of a transaction; the first ones open it. Return their offsets."""
        txn = self._holder(id_, epoch)
        if txn.state in ("prepare_commit", "prepare_abort"):
            raise Concurrent
        partitions = [self._partition(record.topic, record.partition) for record in records]
        txn.state = "ongoing"
        txn.partitions.update((record.topic, record.partition) for record in records)
        return [
            partition.append(self.now_ms, record, id_)
            for partition, record in zip(partitions, records, strict=True)
        ]  # fmt: skip

    def end_transaction(self, id_: str, epoch: int) -> None:
        """Decide to commit; return when that is decided. The markers come later."""
        txn = self._holder(id_, epoch)
        if txn.state == "ongoing":
            txn.state = "prepare_commit"
        elif txn.state == "prepare_commit":
            raise Concurrent
        elif txn.state != "commit":
            raise Refused("INVALID_TXN_STATE")

    def append(self, record: OutRecord) -> int:
        """Append a record outside any transaction; return its offset."""
        return self._partition(record.topic, record.partition).append(self.now_ms, record)

    def watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        """Return (log start, high watermark)."""
        found = self._partition(topic, partition)
        return found.start, found.end

    def fetch(self, topic: str, partition: int, position: int, count: int = 1 << 30) -> tuple[list[Stored], int]:
        """Return (committed records from a position on, next position). Stops at the last stable offset."""
        found = self._partition(topic, partition)
        if not found.start <= position <= found.end:
            raise Refused("OFFSET_OUT_OF_RANGE")
        stable = max(position, found.stable())
        records: list[Stored] = []
        for entry in found.between(position, stable):
            if entry.record is not None and not entry.aborted:
                if len(records) == count:
                    return records, entry.offset
                records.append(Stored(entry.offset, entry.record.key, entry.record.value, entry.timestamp_ms))
        return records, stable

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic."""
        return [n for name, n in self._partitions if name == topic]

    # ---- events without a request, when the scheduler calls them

    def markers(self) -> list[tuple[str, TopicPartition]]:
        """Return the markers that are not written yet: (transactional id, topic partition), in a fixed order."""
        waiting = ((id_, txn) for id_, txn in self._transactions.items() if txn.state.startswith("prepare"))
        return [(id_, partition) for id_, txn in waiting for partition in sorted(txn.partitions)]

    def write_marker(self, id_: str, partition: TopicPartition) -> None:
        """Write one marker. The last one completes the transaction."""
        txn = self._transactions[id_]
        commit = txn.state == "prepare_commit"
        assert commit or txn.state == "prepare_abort", txn.state
        txn.partitions.remove(partition)
        log = self._partitions[partition]
        for entry in log.between(log.undecided.pop(id_), log.end):
            if entry.producer == id_:
                entry.producer, entry.aborted = None, not commit
        log.append(self.now_ms, None)
        if not txn.partitions:
            txn.state = "commit" if commit else "abort"

    def settle(self) -> bool:
        """Write every marker that waits. False: there was none."""
        waiting = self.markers()
        for id_, partition in waiting:
            self.write_marker(id_, partition)
        return bool(waiting)

    def open_transactions(self) -> list[str]:
        """Return the transactional ids with an undecided transaction."""
        return [id_ for id_, txn in self._transactions.items() if txn.state == "ongoing"]

    def time_out(self, id_: str) -> None:
        """Abort an open transaction, as the broker does after `transaction.timeout.ms`."""
        txn = self._transactions[id_]
        assert txn.state == "ongoing", txn.state
        txn.epoch += 1
        txn.state = "prepare_abort"

    def compact(self, topic: str, partition: int, *, tombstones: bool = True) -> None:
        """Drop records with a later committed record of their key, aborted records, and (by default) tombstones."""
        log = self._partition(topic, partition)
        stable, latest = log.stable(), {}
        for entry in log.entries:
            if entry.record is not None and not entry.aborted and entry.offset < stable:
                latest[entry.record.key] = entry.offset
        log.entries = [
            entry
            for entry in log.entries
            if entry.offset >= stable
            or (
                entry.record is not None
                and latest.get(entry.record.key) == entry.offset
                and not (tombstones and entry.record.value is None)
            )
        ]

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Drop everything below an offset (retention)."""
        log = self._partition(topic, partition)
        log.start = max(log.start, min(before, log.end))
        log.entries = [entry for entry in log.entries if entry.offset >= log.start]

    def _holder(self, id_: str, epoch: int) -> _Transaction:
        txn = self._transactions.get(id_)
        if txn is None or txn.epoch != epoch:
            raise Refused("INVALID_PRODUCER_EPOCH")
        return txn

    def _partition(self, topic: str, partition: int) -> _Partition:
        found = self._partitions.get((topic, partition))
        if found is None:
            raise Refused("UNKNOWN_TOPIC_OR_PARTITION")
        return found
