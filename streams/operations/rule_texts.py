"""The conditions behind published changes, in plain words."""

from collections.abc import Sequence
from time import monotonic
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from streams.operations.errors import OperationError
from streams.operations.servers import Servers, compiled
from streams.wire.applies import is_apply

AGAIN_S: Final = 2.0
"""How soon the topic of catalogues is read again for a change whose definition is not among those read."""


class RuleTexts:
    """Says conditions by segment, version and path, from all catalogues that were applied, the newest first."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._texts: dict[tuple[str, int], dict[str, str]] = {}
        self._read_s = -AGAIN_S
        self._known: set[bytes] = set()

    async def say(self, segment: str, version: int, paths: Sequence[str]) -> list[str]:
        """Return the text of the condition at each path; the path itself where its text is not known."""
        if not paths:
            return []
        if (segment, version) not in self._texts and monotonic() - self._read_s >= AGAIN_S:
            await self._read()
        known = self._texts.get((segment, version), {})
        return [known.get(path, path) for path in paths]

    async def _read(self) -> None:
        self._read_s = monotonic()
        stored = await self._servers.log.read_to_end(self._servers.deployment.catalogues_topic, 0)
        for record in reversed(stored):
            if record.value is None or record.key is None or record.key in self._known or is_apply(record.key):
                continue
            self._known.add(record.key)
            try:
                self._add(compiled(record.value))
            except (OperationError, ValueError):
                continue  # another version of Segue wrote it: its paths must do

    def _add(self, catalogue: Catalogue) -> None:
        for segment in catalogue.segments.values():
            if (segment.id, segment.version) in self._texts:
                continue
            rules = {"enter": segment.enter, "exit": segment.exit}
            self._texts[segment.id, segment.version] = {
                path: leaf.describe()
                for rule, node in rules.items()
                if node is not None
                for path, leaf, _ in leaves(node, rule)
            }
