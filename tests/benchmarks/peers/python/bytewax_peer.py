"""Bytewax 0.21: a keyed operator with snapshots in SQLite.

    idiomatic   `op.stateful` and every default: snapshots every 10 s, all segments asked about every event
    best        `op.stateful_batch`, the index, packed snapshots every second

Every profile stays in memory. `notify_at` goes by the wall. A profile whose boundary lies behind the wall but not
behind its partition's records is asked again later (`clock`).

What a crash does: the input goes back to the last snapshot, and so does the state. The changes since then are published
again.
"""

import signal
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Final

import msgspec
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.inputs import StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic, StatefulLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from tests.benchmarks.peers.python.clock import Clock
from tests.benchmarks.peers.python.evaluator import Evaluator, Profile, new_profile
from tests.benchmarks.peers.python.told import Told, ready, told
from tests.benchmarks.peers.python.wire import Change, read_event, write_change
from tests.benchmarks.peers.python.wire import Event as Fact

LEEWAY_S: Final = 0.06
"""Later than a boundary: a little more than the clock's own leeway."""
LATER_S: Final = 0.2
"""Until a profile is asked again whose boundary lies behind the wall."""
USUAL_S: Final = 10
"""Between snapshots: Bytewax's default."""
BEST_S: Final = 1

Arrived = tuple[Fact, int, int]
"""An event, its partition, and its R."""


class Keeper:
    """One profile in memory."""

    def __init__(self, evaluator: Evaluator, clock: Clock, state: bytes | None) -> None:
        self._evaluator = evaluator
        self._clock = clock
        self._profile: Profile = new_profile()
        self._subject = ""
        self._partition = 0
        if state is not None:
            self._subject, self._partition, self._profile = msgspec.msgpack.decode(state)

    def take(self, arrived: Arrived) -> list[Change]:
        """Apply an event."""
        event, self._partition, r_ms = arrived
        self._subject = event.subject
        return self._evaluator.apply(self._profile, event, r_ms)

    def on_notify(self) -> tuple[Iterable[Change], bool]:
        """Fire what is due by the partition's time."""
        return self._evaluator.pass_time(self._profile, self._subject, self._clock.now_ms(self._partition)), False

    def notify_at(self) -> datetime | None:
        """Return when to be asked again."""
        next_s, now_s = self._profile["next_ms"] / 1_000, time.time()
        if not next_s:
            return None
        return datetime.fromtimestamp(next_s + LEEWAY_S if next_s > now_s else now_s + LATER_S, UTC)

    def snapshot(self) -> bytes:
        """Return the state for recovery."""
        return msgspec.msgpack.encode((self._subject, self._partition, self._profile))


class ItemLogic(Keeper, StatefulLogic):  # type: ignore[misc]
    """For `op.stateful`: one event at a time."""

    def on_item(self, value: Arrived) -> tuple[Iterable[Change], bool]:
        """Apply an event."""
        return self.take(value), False


class BatchLogic(Keeper, StatefulBatchLogic):  # type: ignore[misc]
    """For `op.stateful_batch`: what came of a profile at a time."""

    def on_batch(self, batch: list[Arrived]) -> tuple[Iterable[Change], bool]:
        """Apply events."""
        if len(batch) == 1:
            return self.take(batch[0]), False
        return [change for one in batch for change in self.take(one)], False


class Ending(StatefulSourcePartition):  # type: ignore[misc]
    """A partition of Kafka that ends at TERM, so that a last snapshot is taken."""

    def __init__(self, inner: Any, stopping: Event) -> None:
        """Wrap Bytewax's own."""
        self._inner = inner
        self._stopping = stopping

    def next_batch(self) -> list[Any]:
        """Return what is there."""
        if self._stopping.is_set():
            raise StopIteration
        found: list[Any] = self._inner.next_batch()
        return found

    def snapshot(self) -> Any:
        """Return the next offset."""
        return self._inner.snapshot()

    def close(self) -> None:
        """Close the consumer."""
        self._inner.close()


class EndingSource(KafkaSource):  # type: ignore[misc]
    """Kafka's partitions, which end at TERM."""

    def __init__(self, stopping: Event, *arguments: Any) -> None:
        """Take what Bytewax's own takes."""
        super().__init__(*arguments)
        self._stopping = stopping

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Ending:
        """Open a partition."""
        return Ending(super().build_part(step_id, for_part, resume_state), self._stopping)


def make_flow(given: Told, stopping: Event) -> Dataflow:
    """Make the dataflow."""
    evaluator, clock = Evaluator(given.plan(), indexed=given.best), Clock()
    brokers = [given.bootstrap]

    def read(message: Any) -> tuple[str, Arrived]:
        event = read_event(message.value)
        return event.subject, (event, message.partition, clock.saw(message.partition, message.timestamp[1]))

    def write(keyed: tuple[str, Change]) -> Any:
        return KafkaSinkMessage(keyed[0].encode(), write_change(keyed[1]))

    flow = Dataflow("peers")
    messages = op.input("events", flow, EndingSource(stopping, brokers, [given.events]))
    keyed = op.map("read", messages, read)
    if given.best:
        changes = op.stateful_batch("segments", keyed, lambda state: BatchLogic(evaluator, clock, state))
    else:
        changes = op.stateful("segments", keyed, lambda state: ItemLogic(evaluator, clock, state))
    written = op.map("write", changes, write)
    # Kafka's own partitioner, so that a subject's changes stand in the partition of its events
    op.output("changes", written, KafkaSink(brokers, given.changes, {"partitioner": "murmur2_random"}))
    return flow


def main() -> None:
    """Run until TERM."""
    given, stopping = told(), Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    snapshots = given.folder / "snapshots"
    if not snapshots.exists():
        snapshots.mkdir()
        init_db_dir(snapshots, 1)
    flow = make_flow(given, stopping)
    ready()
    interval = timedelta(seconds=BEST_S if given.best else USUAL_S)
    cli_main(flow, epoch_interval=interval, recovery_config=RecoveryConfig(snapshots))


if __name__ == "__main__":
    main()
