"""What a deliverer is doing. Its parts count; log lines and web pages read.

Holds no subjects and no payloads.
"""

from dataclasses import dataclass, field
from typing import Any

from streams.pages import Page


@dataclass(slots=True)
class DeliveryStatus:
    """One deliverer's counts. `lag_changes`: changes in hand or not read yet; -1: not known."""

    channel: str
    host: str
    shape: str
    assigned: tuple[int, ...] | None = None
    """The partitions. None: the group has given none yet."""
    delivered: int = 0
    refused: int = 0
    """Among the dead letters."""
    requests: int = 0
    retries: int = 0
    in_hand: int = 0
    lag_changes: int = -1
    lost: int = 0
    """Offsets that retention dropped before they were delivered."""
    waiting: dict[int, str] = field(default_factory=dict)
    """Why requests wait for another attempt, by request."""
    log_away: str = ""
    stopping: bool = False
    failure: str = ""

    @property
    def ready(self) -> bool:
        """Whether changes get through: the partitions are known, and no request waits for the endpoint or Kafka."""
        return (
            self.assigned is not None
            and not self.waiting
            and not self.log_away
            and not self.stopping
            and not self.failure
        )

    @property
    def why_waiting(self) -> str:
        """The first reason to wait; "": nothing waits."""
        return self.failure or self.log_away or next(iter(self.waiting.values()), "")

    def line(self) -> str:
        """Return a line for the log."""
        line = (
            f"{self.channel} to {self.host}: {self.delivered:,} delivered, {self.refused:,} refused,"
            f" {self.retries:,} retries"
        )
        if self.stopping:
            return line
        lag = "not known" if self.lag_changes < 0 else f"{self.lag_changes:,}"
        waiting = f"; waiting: {self.why_waiting}" if self.why_waiting else ""
        return f"{line}, {self.in_hand:,} in hand, lag {lag}{waiting}"

    def as_json(self) -> dict[str, Any]:
        """Return everything, for /status."""
        return {
            "channel": self.channel,
            "host": self.host,
            "shape": self.shape,
            "ready": self.ready,
            "waiting_for": self.why_waiting,
            "partitions": None if self.assigned is None else list(self.assigned),
            "delivered": self.delivered,
            "refused": self.refused,
            "requests": self.requests,
            "retries": self.retries,
            "in_hand": self.in_hand,
            "lag_changes": self.lag_changes,
            "lost": self.lost,
            "stopping": self.stopping,
            "failure": self.failure,
        }

    def pages(self) -> dict[str, Page]:
        """Return the web pages /live, /ready and /status, like a worker's."""
        return {
            "/live": lambda: (503 if self.failure else 200, {"live": not self.failure, "failure": self.failure}),
            "/ready": lambda: (
                200 if self.ready else 503,
                {"ready": self.ready, "waiting_for": self.why_waiting},
            ),
            "/status": lambda: (200, self.as_json()),
        }
