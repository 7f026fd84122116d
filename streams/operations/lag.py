"""How far behind the partitions are, who owns them, and what becomes of it.

It reads the logs, the consumer group and Redis, and writes nothing. It asks no worker, so it is right while none is
alive, or one stands still.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer

from streams.clock import SystemClock
from streams.intake.bad_input import BadInput, BadInputLimits
from streams.log.admin import Cluster, Group
from streams.operations.behind import FETCH_BYTES, Reached, behind
from streams.operations.filling.state import HistoryState, read_history_state
from streams.operations.outlook import Look, Trend, catches_up_s, outlook, trend
from streams.operations.owners import Owner, owner_of, why_not_owned
from streams.operations.servers import Servers
from streams.store.redis import RedisStore
from streams.wire.progress import Progress, read_progress

OPEN_S: Final = 3.0
"""How long a transaction of a worker that is open may hold up a look."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """The lag of one partition. Offsets are next records."""

    partition: int
    end: int
    applied: int | None
    """Of the state in Redis; None: there is no state."""
    published: int | None
    """None: nothing was ever published, or a transaction that is open hides it."""
    lag_records: int
    lag_seconds: float | None
    """Age of the oldest unapplied record; 0: there is none; None: an open transaction of a producer hides it."""
    catalogue: str
    """Hash of the catalogue in force there; empty: none has taken effect."""
    history: HistoryState | None = None
    """What is open of its history; None: nothing is."""
    overdue_wakes: int = 0
    """Wakes that are due and have not fired, in the state that is stored."""
    overdue_seconds: float = 0.0
    """How long the first of them has been due; below LATE_S it is usual."""
    owner: str | None = None
    """Whose claim stands: the first digits of a random name; None: nobody's."""
    owner_heard_seconds: float | None = None
    """How long ago that worker claimed the partition, or last published for it. One without events is silent."""
    assigned: bool | None = None
    """Whether a worker that sends heartbeats has it; None: the group's state is not known."""
    waits_for: str = ""
    """Why nobody works on it; "": somebody does."""
    growth_records_per_second: float | None = None
    """Since the look before; below 0: the lag shrinks; None: there was no look before."""
    caught_up_in_seconds: float | None = None
    """If it goes on so; 0: it is caught up; None: not known, or never."""
    outlook: str = ""
    """What becomes of it, in a sentence."""

    @property
    def late_seconds(self) -> float | None:
        """How late it is: by its oldest record or its first wake, whichever is later. None: not known."""
        if self.applied is None or self.lag_seconds is None:
            return None
        return max(self.lag_seconds, self.overdue_seconds)


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of all partitions, in order."""

    partitions: tuple[PartitionLag, ...]

    @property
    def lag_records(self) -> int:
        """The records of all partitions that are not applied yet."""
        return sum(each.lag_records for each in self.partitions)

    @property
    def lag_seconds(self) -> float | None:
        """The age of the oldest unapplied record of all partitions; None: one is not known."""
        known = [each.lag_seconds for each in self.partitions if each.lag_seconds is not None]
        return max(known) if len(known) == len(self.partitions) else None

    @property
    def without_state(self) -> tuple[int, ...]:
        """The partitions that have no state in Redis: an incident."""
        return tuple(each.partition for each in self.partitions if each.applied is None)

    @property
    def caught_up(self) -> bool:
        """Whether a second look could tell nothing new: no record waits."""
        return not self.lag_records

    def later_than(self, seconds: float) -> tuple[PartitionLag, ...]:
        """Return the partitions that are later than so many seconds, or not known to be."""
        return tuple(each for each in self.partitions if each.late_seconds is None or each.late_seconds > seconds)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "partitions": [asdict(each) for each in self.partitions],
            "lag_records": self.lag_records,
            "lag_seconds": self.lag_seconds,
            "overdue_wakes": sum(each.overdue_wakes for each in self.partitions),
            "overdue_seconds": max(each.overdue_seconds for each in self.partitions),
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look found of one partition."""

    reached: Reached
    owner: Owner | None
    history: HistoryState | None
    overdue_wakes: int
    overdue_s: float
    waits_for: str


class LagMeter:
    """Measures the lag again and again over the same connections; see `lag_meter`."""

    def __init__(self, servers: Servers, consumer: AIOKafkaConsumer, cluster: Cluster) -> None:
        self._servers = servers
        self._consumer = consumer
        self._cluster = cluster
        self._before: dict[int, Look] = {}

    async def measure(self) -> Lag:
        """Return the lag of every partition, now; from the second time on with its trend.

        A partition is behind from the later of its applied and its published offset: what is published was applied.
        Takes a few seconds longer than the servers' answers where an open transaction hides records.
        """
        servers = self._servers
        group = await self._cluster.group(servers.settings.group, servers.deployment.events_topic)
        seen = await servers.in_each(lambda partition, store: self._see(partition, store, group))
        late = [each.reached for each in seen if each.reached.end > each.reached.behind_from]
        unapplied = await behind(self._consumer, late)
        now_ms = SystemClock().wall_ms()
        at_s = monotonic()
        return Lag(
            tuple(
                self._lag(each, unapplied.get(each.reached.partition, (0, None)), group, at_s, now_ms) for each in seen
            )
        )

    async def _see(self, partition: int, store: RedisStore, group: Group | None) -> _Seen:
        deployment, log = self._servers.deployment, self._servers.log
        _, end = await log.offsets(deployment.events_topic, partition)
        last, hidden = await _unless_held(log.last(deployment.progress_topic, partition), None)
        claims, _ = await _unless_held(log.read_to_end(deployment.owners_topic, partition), [])
        progress = None if last is None else read_progress(last.value)
        epoch, published_ms = (-1, -1) if last is None or progress is None else (progress.epoch, last.timestamp_ms)
        owner = owner_of(claims, epoch, published_ms)
        meta = await store.read_meta()
        now_ms = SystemClock().wall_ms()
        count, first_ms = await store.overdue(now_ms)
        reached = Reached(
            partition,
            end,
            None if meta is None else meta.offset,
            None if progress is None else progress.offset,
            "" if meta is None else meta.catalogue,
        )
        if meta is None:
            waits_for = "its state is missing: run `segue rebuild`"
        elif hidden:
            waits_for = why_not_owned(group, partition, owner) or "a transaction of a worker is open"
        else:
            waits_for = why_not_owned(group, partition, owner) or self._held(progress)
        history = await read_history_state(log, deployment, partition)
        overdue_s = 0.0 if first_ms is None else max(0, now_ms - first_ms) / 1000
        return _Seen(reached, owner, history, count, overdue_s, waits_for)

    def _held(self, progress: Progress | None) -> str:
        """Say that the partition is held because of bad input; "": it is not."""
        settings = self._servers.settings
        limits = BadInputLimits(settings.bad_input_share_max, settings.bad_input_window, settings.bad_input_calm_ms)
        held = progress is not None and BadInput(limits, progress.refused).too_much
        return "it is held because of bad input: see `segue letters` and `segue resume`" if held else ""

    def _lag(
        self, seen: _Seen, unapplied: tuple[int, int | None], group: Group | None, at_s: float, now_ms: int
    ) -> PartitionLag:
        reached, owner = seen.reached, seen.owner
        count, oldest_ms = unapplied
        age_s = max(0, now_ms - oldest_ms) / 1000 if oldest_ms is not None else None if count else 0.0
        look = Look(at_s, count, reached.behind_from)
        before = self._before.get(reached.partition)
        change: Trend | None = None if before is None else trend(before, look)
        self._before[reached.partition] = look
        waits_for = seen.waits_for or ("a transaction of a producer is open" if age_s is None else "")
        return PartitionLag(
            reached.partition,
            reached.end,
            reached.applied,
            reached.published,
            count,
            age_s,
            reached.catalogue,
            seen.history,
            seen.overdue_wakes,
            seen.overdue_s,
            None if owner is None else owner.name,
            None if owner is None else max(0, now_ms - owner.heard_ms) / 1000,
            None if group is None or not (group.stable or not group.members) else reached.partition in group.assigned,
            waits_for,
            None if change is None else change.growth,
            catches_up_s(count, change),
            outlook(count, age_s, seen.overdue_wakes, seen.overdue_s, waits_for, change),
        )


async def _unless_held(read: Awaitable[T], otherwise: T) -> tuple[T, bool]:
    """Return what is read, and False; `otherwise` and True where an open transaction holds the read up for long."""
    try:
        async with asyncio.timeout(OPEN_S):
            return await read, False
    except TimeoutError:
        return otherwise, True


@asynccontextmanager
async def lag_meter(servers: Servers) -> AsyncIterator[LagMeter]:
    """Have a meter of the lag. Raises WrongInput where topics are missing; Unreachable."""
    deployment = servers.deployment
    topics = (deployment.events_topic, deployment.progress_topic, deployment.owners_topic, deployment.fills_topic)
    await servers.expect_topics(*topics)
    async with (
        servers.cluster() as cluster,
        servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _),
    ):
        yield LagMeter(servers, consumer, cluster)
