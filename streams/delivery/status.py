"""What a deliverer is doing: counted by its parts, read by the log lines and the web pages.

Holds no subjects and no payloads.
"""

from dataclasses import dataclass, field
from typing import Any

from streams.pages import Page


@dataclass(slots=True)
class DeliveryStatus:
    """One deliverer's counts. `lag_changes`: in hand or not read yet; -1: not known."""

    channel: str
    host: str
    shape: str
    assigned: tuple[int, ...] | None = None
    """Partitions; None: the group has given nothing yet."""
    delivered: int = 0
    refused: int = 0
    """Among the dead letters."""
    requests: int = 0
    retries: int = 0
    in_hand: int = 0
    lag_changes: int = -1
    lost: int = 0
    """Offsets that retention had dropped before they were delivered."""
    waiting: dict[int, str] = field(default_factory=dict)
    """Why requests wait for another attempt, by request."""
    log_away: str = ""
    stopping: bool = False
    failure: str = ""

    @property
    def ready(self) -> bool:
        """Whether changes get through: partitions known, nothing waits for the endpoint or Kafka."""
        return (
            self.assigned is not None
            and not self.waiting
            and not self.log_away
            and not self.stopping
            and not self.failure
        )

    @property
    def why_waiting(self) -> str:
        """The first reason why something waits; "" when nothing does."""
        return self.failure or self.log_away or next(iter(self.waiting.values()), "")

    def line(self) -> str:
        """Say it in a line for the log."""
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
        """Everything, for /status."""
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
        """The web pages: /live, /ready, /status; as a worker's."""
        return {
            "/live": lambda: (503 if self.failure else 200, {"live": not self.failure, "failure": self.failure}),
            "/ready": lambda: (
                200 if self.ready else 503,
                {"ready": self.ready, "waiting_for": self.why_waiting},
            ),
            "/status": lambda: (200, self.as_json()),
        }
