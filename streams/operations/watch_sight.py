"""Which published changes a reader of the topics may see, while catalogues come and go."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from rules.catalogue.catalogue import Catalogue
from streams.operations.errors import OperationError
from streams.operations.rule_texts import AGAIN_S
from streams.operations.servers import Servers, compiled
from streams.operations.sight import Kind, Sight, classes_of


class WatchSight:
    """The sight of a reader who follows changes: of the catalogue in force, and of each that is applied meanwhile.

    A change may name what no such catalogue has: a definition that went, in a change of the past. Then all catalogues
    that were ever applied are read, once every AGAIN_S at most.
    """

    def __init__(self, servers: Servers, in_force: Catalogue | None, *, restricted: bool) -> None:
        self.sight = Sight(restricted, [] if in_force is None else [in_force])
        self._servers = servers
        self._read_s = -AGAIN_S

    def take_up(self, catalogue: Catalogue) -> None:
        """Take in a catalogue that was applied meanwhile."""
        self.sight.catalogues.insert(0, catalogue)

    async def shows(self, change: Mapping[str, Any]) -> bool:
        """Tell whether the reader sees a published change."""
        kind: Kind = "activation" if "activation" in change else "segment"
        name = change[kind]
        if not self.sight.restricted and not self._knows(kind, name) and monotonic() - self._read_s >= AGAIN_S:
            await self._read()
        return self.sight.shows(kind, name)

    def _knows(self, kind: Kind, name: str) -> bool:
        return any(classes_of(each, kind, name) is not None for each in self.sight.catalogues)

    async def _read(self) -> None:
        self._read_s = monotonic()
        known = {each.hash for each in self.sight.catalogues}
        stored = await self._servers.log.read_to_end(self._servers.deployment.catalogues_topic, 0)
        for record in reversed(stored):
            if record.key is None or record.value is None or record.key.decode() in known:
                continue
            known.add(record.key.decode())
            try:
                self.sight.catalogues.append(compiled(record.value))
            except (OperationError, ValueError):
                continue  # another version of Segue wrote it: what only it names is not shown
