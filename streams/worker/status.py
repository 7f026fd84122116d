"""What a worker is doing. The worker's parts write it and the web pages read it; nothing is decided by it.

It holds no subjects and no payloads. Every count of a worker stands here.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from streams.pages import Page
from streams.partition.status import COUNTERS, PartitionStatus


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
    rebalances: int = 0
    log_away: str = ""
    """Why the log could not be reached at the last look; "": it could."""
    silent: str = ""
    """Partitions from which the consumer reads nothing although the log goes on; "": none."""
    past: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    """The counters of partitions that were let go."""

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

    @property
    def ready(self) -> bool:
        """Whether every partition given is running or stopped by an incident, and every server can be reached."""
        return (
            self.live
            and self.assigned
            and not self.stopping
            and not self.log_away
            and not self.silent
            and all(
                (one.state == "running" and not one.waiting_for) or one.state == "stopped"
                for one in self.partitions.values()
            )
        )

    @property
    def incidents(self) -> dict[str, str]:
        """Why partitions are stopped, by partition."""
        return {str(number): one.incident for number, one in sorted(self.partitions.items()) if one.incident}

    def as_json(self, wall_ms: int) -> dict[str, Any]:
        """Return everything, for /status."""
        partitions = [
            {**asdict(one), "lag_records": one.lag_records(), "lag_ms": one.lag_ms(wall_ms)}
            for _, one in sorted(self.partitions.items())
        ]
        return {
            "generation": self.generation,
            "started_at_ms": self.started_at_ms,
            "now_ms": wall_ms,
            "live": self.live,
            "ready": self.ready,
            "stopping": self.stopping,
            "failure": self.failure,
            "log_away": self.log_away,
            "silent": self.silent,
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
            "/ready": lambda: (200 if self.ready else 503, {"ready": self.ready, "incidents": self.incidents}),
            "/status": lambda: (200, self.as_json(wall_ms())),
        }
