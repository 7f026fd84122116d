"""What a deliverer tells Prometheus, read from its status and from the changes in hand when somebody scrapes."""

from collections.abc import Callable, Iterable

from streams.delivery.hand import Hand
from streams.delivery.status import DeliveryStatus
from streams.metrics import names
from streams.metrics.build import segue_version
from streams.metrics.exposition import Reading


class DeliveryMetrics:
    """Reads one deliverer."""

    def __init__(self, status: DeliveryStatus, hand: Hand, generation: str, wall_ms: Callable[[], int]) -> None:
        self._status = status
        self._hand = hand
        self._generation = generation
        self._wall_ms = wall_ms

    def read(self) -> Iterable[Reading]:
        """Return every reading of now."""
        status, channel = self._status, self._status.channel
        if status.lag_changes >= 0:
            yield Reading(names.DELIVERY_LAG_CHANGES, (channel,), status.lag_changes)
        lag_s = self._lag_s()
        if lag_s is not None:
            yield Reading(names.DELIVERY_LAG_SECONDS, (channel,), lag_s)
        for outcome in ("delivered", "erased", "superseded", "lost"):
            yield Reading(names.DELIVERY_CHANGES, (channel, outcome), getattr(status, outcome))
        others = status.refused - status.erasures_refused
        yield Reading(names.DELIVERY_CHANGES, (channel, "refused"), others)
        yield Reading(names.DELIVERY_CHANGES, (channel, "erasure_refused"), status.erasures_refused)
        for code, count in list(status.codes.items()):
            yield Reading(names.DELIVERY_REQUESTS, (channel, code), count)
        yield Reading(names.DELIVERY_RETRIES, (channel,), status.retries)
        yield Reading(names.DEPENDENCY_UP, ("kafka",), status.dependencies.up("kafka"))
        yield Reading(names.DEPENDENCY_UP, ("endpoint",), not status.waiting)
        yield Reading(names.BUILD_INFO, (segue_version(), self._generation, "", ""), 1)

    def _lag_s(self) -> float | None:
        """Return the age of the oldest change that is not delivered; None: it is not known."""
        oldest_ms = self._hand.window.oldest_ms()
        if oldest_ms is not None:
            return max(0, self._wall_ms() - oldest_ms) / 1000
        return 0.0 if self._status.lag_changes == 0 else None
