"""Who applied the catalogue that took effect at a cut."""

from collections import defaultdict

from rules.catalogue.applied import Applied
from rules.catalogue.stored import applied_of
from streams.operations.servers import Servers


class Appliers:
    """How each catalogue was applied, from the topic of catalogues. One that was applied again has several records."""

    def __init__(self) -> None:
        self._found: defaultdict[str, list[tuple[int, Applied]]] = defaultdict(list)

    @classmethod
    async def read(cls, servers: Servers) -> "Appliers":
        """Read the topic of catalogues to its end."""
        made = cls()
        for record in await servers.log.read_to_end(servers.deployment.catalogues_topic, 0):
            applied = None if record.value is None else applied_of(record.value)
            if record.key is not None and applied is not None:
                made.add(record.key.decode(), record.timestamp_ms, applied)
        return made

    def add(self, catalogue: str, recorded_ms: int, applied: Applied) -> None:
        """Take in one record of a catalogue, in the order of the topic."""
        self._found[catalogue].append((recorded_ms, applied))

    def of(self, catalogue: str, cut_ms: int) -> Applied | None:
        """Return how the catalogue that took effect at `cut_ms` was applied; None: no record says.

        Both records are of one transaction, and the broker stamps both. So the record nearest to the cut is the one.
        Compaction may have left only the record of a later apply of the same catalogue; that one does not say it.
        """
        found = self._found.get(catalogue, ())
        nearest = min(found, key=lambda each: abs(each[0] - cut_ms), default=None)
        return None if nearest is None or abs(nearest[0] - cut_ms) > APART_MS else nearest[1]


APART_MS = 60_000
"""Two records of one transaction are not stamped further apart than this."""
