"""What a worker is doing. The worker's parts write it and the web pages read it; nothing is decided by it.

It holds no subjects and no payloads. Every count of a worker stands here.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from streams.dependencies import Dependencies
from streams.health import NOTICES, Reason, Standing, ready_page
from streams.pages import Page
from streams.partition.status import COUNTERS, PartitionStatus
from streams.worker.reasons import reasons_of


@dataclass(slots=True)
class WorkerStatus:
    """What a worker is doing."""

    generation: str
    started_at_ms: int
    partitions: dict[int, PartitionStatus] = field(default_factory=dict)
    assigned: bool = False
    """Whether the group has given an assignment (an empty one too)."""
    stopping: bool = False
    failure: str = ""
    """Why the worker as a whole ends."""
    rings: int = 0
    """Rings of producers opened. More than one: there were doubts."""
    worker: str = ""
    """The first digits of the random name of the ring in use, as `segue lag` shows it."""
    rebalances: int = 0
    dependencies: Dependencies = field(default_factory=Dependencies)
    """Kafka and Redis: whether they answer."""
    kafka_refuses: Callable[[], str] = lambda: ""
    """Tells why a broker refused the last connection of any client of this process; "": it did not."""
    silent: str = ""
    """Partitions from which the consumer reads nothing although the log goes on; "": none."""
    past: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    """The counters of partitions that were let go."""
    lag_ms_max: int = 60_000
    """A partition that is further behind keeps the worker from being ready."""
    starting: str = ""
    """What the checks before the start wait for; "": they are done."""
    _standing: Standing = field(default_factory=Standing)

    def retire(self, partition: int) -> None:
        """Let go of a partition; its counters stay in the sums."""
        found = self.partitions.pop(partition, None)
        if found is not None:
            for name in COUNTERS:
                self.past[name] += getattr(found, name)

    @property
    def live(self) -> bool:
        """Whether the process should be kept."""
        return not self.failure

    def reasons(self, wall_ms: int) -> tuple[Reason, ...]:
        """Return why the worker is not ready, and what else to know, with since when; see streams.health."""
        return self._standing.noted(reasons_of(self, wall_ms), wall_ms)

    def ready(self, wall_ms: int) -> bool:
        """Tell whether nothing keeps the worker from being ready. A partition stopped by an incident does not."""
        return all(each.code in NOTICES for each in self.reasons(wall_ms))

    @property
    def incidents(self) -> dict[str, str]:
        """Why partitions are stopped, by partition."""
        return {str(number): one.incident for number, one in sorted(self.partitions.items()) if one.incident}

    def as_json(self, wall_ms: int) -> dict[str, Any]:
        """Return everything, for /status."""
        partitions = [
            {
                **asdict(one),
                "state": one.shown,
                "lag_records": one.lag_records(wall_ms),
                "lag_ms": one.lag_ms(wall_ms),
            }
            for _, one in sorted(self.partitions.items())
        ]
        return {
            "generation": self.generation,
            "started_at_ms": self.started_at_ms,
            "now_ms": wall_ms,
            "live": self.live,
            "ready": self.ready(wall_ms),
            "reasons": [each.as_json() for each in self.reasons(wall_ms)],
            "stopping": self.stopping,
            "failure": self.failure,
            "dependencies": self.dependencies.as_json(),
            "silent": self.silent,
            "worker": self.worker,
            "rings": self.rings,
            "rebalances": self.rebalances,
            "incidents": sum(1 for one in self.partitions.values() if one.incident),
            **{
                name: self.past[name] + sum(getattr(one, name) for one in self.partitions.values()) for name in COUNTERS
            },
            "partitions": partitions,
        }

    def pages(self, wall_ms: Callable[[], int]) -> dict[str, Page]:
        """Return the web pages: /live, /ready, /status."""
        return {
            "/live": lambda: (200 if self.live else 503, {"live": self.live, "failure": self.failure}),
            "/ready": lambda: self._ready_page(wall_ms()),
            "/status": lambda: (200, self.as_json(wall_ms())),
        }

    def _ready_page(self, wall_ms: int) -> tuple[int, dict[str, Any]]:
        status, body = ready_page(self.reasons(wall_ms))
        return status, {**body, "incidents": self.incidents}
