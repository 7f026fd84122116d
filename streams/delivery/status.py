"""What a deliverer is doing. Its parts count; log lines and web pages read.

Holds no subjects and no payloads.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from streams.dependencies import Dependencies
from streams.health import NOTICES, Reason, Standing, ready_page
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
    """Accepted, without those that tell of an erasure."""
    erased: int = 0
    """Accepted, and they tell of an erasure."""
    superseded: int = 0
    """Not sent: a deletion of the person took their place."""
    refused: int = 0
    """Among the dead letters."""
    erasures_refused: int = 0
    """Those of them that tell of an erasure: the platform still has the person."""
    requests: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    """Requests by the HTTP status of their answer; `none`: no answer came."""
    retries: int = 0
    in_hand: int = 0
    lag_changes: int = -1
    lost: int = 0
    """Offsets that retention dropped before they were delivered."""
    waiting: dict[int, str] = field(default_factory=dict)
    """Why requests wait for another attempt, by request."""
    log_away: str = ""
    dependencies: Dependencies = field(default_factory=lambda: Dependencies(("kafka",)))
    kafka_refuses: Callable[[], str] = lambda: ""
    """Tells why a broker refused the last connection of any client of this process; "": it did not."""
    stopping: bool = False
    failure: str = ""
    _standing: Standing = field(default_factory=Standing)

    def reasons(self, wall_ms: int) -> tuple[Reason, ...]:
        """Return why changes do not get through now, with since when; see streams.health."""
        return self._standing.noted(self._reasons(), wall_ms)

    def _reasons(self) -> Iterator[Reason]:
        if self.failure:
            yield Reason("failed", f"the deliverer ends: {self.failure}")
        if self.stopping:
            yield Reason("stopping", "the deliverer was asked to stop, or ends")
        elif self.assigned is None:
            yield Reason("not_assigned", "the consumer group has given this deliverer no partitions yet")
        yield from self.dependencies.reasons()
        if self.log_away and self.dependencies.up("kafka"):
            yield Reason("dependency_away", f"Kafka cannot be used: {self.log_away}", dependency="kafka")
        if self.dependencies.up("kafka") and (refusal := self.kafka_refuses()):
            yield Reason("dependency_away", refusal, dependency="kafka")
        if self.waiting:
            why = f"{len(self.waiting)} requests wait for {self.host}: {next(iter(self.waiting.values()))}"
            yield Reason("endpoint_waits", why, dependency="endpoint")

    def ready(self, wall_ms: int) -> bool:
        """Tell whether changes get through: partitions are known, and no request waits for the endpoint or Kafka."""
        return all(each.code in NOTICES for each in self.reasons(wall_ms))

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
        if self.erased:
            line += f", {self.erased:,} erased"
        if self.erasures_refused:
            line += f", {self.erasures_refused:,} of the refused are erasures"
        if self.stopping:
            return line
        lag = "not known" if self.lag_changes < 0 else f"{self.lag_changes:,}"
        waiting = f"; waiting: {self.why_waiting}" if self.why_waiting else ""
        return f"{line}, {self.in_hand:,} in hand, lag {lag}{waiting}"

    def as_json(self, wall_ms: int) -> dict[str, Any]:
        """Return everything, for /status."""
        return {
            "channel": self.channel,
            "host": self.host,
            "shape": self.shape,
            "ready": self.ready(wall_ms),
            "reasons": [each.as_json() for each in self.reasons(wall_ms)],
            "waiting_for": self.why_waiting,
            "dependencies": self.dependencies.as_json(),
            "partitions": None if self.assigned is None else list(self.assigned),
            "delivered": self.delivered,
            "erased": self.erased,
            "superseded": self.superseded,
            "refused": self.refused,
            "erasures_refused": self.erasures_refused,
            "requests": self.requests,
            "retries": self.retries,
            "in_hand": self.in_hand,
            "lag_changes": self.lag_changes,
            "lost": self.lost,
            "stopping": self.stopping,
            "failure": self.failure,
        }

    def pages(self, wall_ms: Callable[[], int]) -> dict[str, Page]:
        """Return the web pages /live, /ready and /status, like a worker's."""
        return {
            "/live": lambda: (503 if self.failure else 200, {"live": not self.failure, "failure": self.failure}),
            "/ready": lambda: self._ready_page(wall_ms()),
            "/status": lambda: (200, self.as_json(wall_ms())),
        }

    def _ready_page(self, wall_ms: int) -> tuple[int, dict[str, Any]]:
        status, body = ready_page(self.reasons(wall_ms))
        return status, {**body, "waiting_for": self.why_waiting}
