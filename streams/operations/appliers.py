"""Who applied the catalogue that took effect at a cut."""

from collections.abc import Sequence

from rules.catalogue.applied import Applied
from streams.operations.in_force import history
from streams.operations.servers import Servers
from streams.wire.applies import Apply


class Appliers:
    """Every apply, from the topic of catalogues."""

    def __init__(self, applies: Sequence[Apply]) -> None:
        self._applies = applies

    @classmethod
    async def read(cls, servers: Servers) -> "Appliers":
        """Read the topic of catalogues to its end. Raises TopicMissing; Unreachable."""
        return cls((await history(servers)).applies)

    def of(self, catalogue: str, cut_ms: int) -> Applied | None:
        """Return how the catalogue that took effect at `cut_ms` was applied; None: no record says.

        A catalogue may have been applied several times. An apply writes its own instant, and the broker stamps the cut
        a moment later, by another clock: so the nearest one is meant.
        """
        found = [each for each in self._applies if each.catalogue == catalogue]
        nearest = min(found, key=lambda each: abs(each.at_ms - cut_ms), default=None)
        return None if nearest is None else nearest.applied
