"""Two catalogues, compared in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rules.reports.definition_changes import DefinitionChange, definition_changes
from streams.clock import SystemClock
from streams.operations.applying.pilots import complete
from streams.operations.in_force import History, history
from streams.operations.references import BEFORE, IN_FORCE, Named, is_folder, named, of_folder
from streams.operations.servers import Servers


@dataclass(frozen=True, slots=True)
class Compared:
    """Two catalogues and what the second says differently from the first."""

    old: Named
    new: Named
    changes: tuple[DefinitionChange, ...]

    @property
    def same(self) -> bool:
        """Whether they mean the same: their hashes are equal."""
        return self.old.catalogue.hash == self.new.catalogue.hash

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "from": {"title": self.old.title, "catalogue": self.old.catalogue.hash},
            "to": {"title": self.new.title, "catalogue": self.new.catalogue.hash},
            "same": self.same,
            "changes": [each.as_json() for each in self.changes],
        }


def need_servers(texts: Sequence[str]) -> bool:
    """Tell whether a comparison asks for a catalogue that only the log has: two folders need none."""
    return not (len(texts) == 2 and all(map(is_folder, texts)))


def compare_folders(one: Path, other: Path) -> Compared:
    """Compare two folders; blocks. Raises CatalogueRefused."""
    return _compared(of_folder(one), of_folder(other))


async def compare(servers: Servers, texts: Sequence[str]) -> Compared:
    """Compare two catalogues. One text alone: against the catalogue in force. None: the last two that were in force.

    A folder is what may come, so it stands on the right of the catalogue in force; anything else alone is what was,
    and stands on its left. Raises what `streams.operations.references.named` does.
    """
    known = await history(servers)
    now_ms = SystemClock().wall_ms()
    left, right = _sides(texts, known)
    one, other = (_named(text, known, servers, now_ms) for text in (left, right))
    return _compared(one, other)


def _sides(texts: Sequence[str], known: History) -> tuple[str, str]:
    if len(texts) == 2:
        return texts[0], texts[1]
    if len(texts) == 1:
        return (IN_FORCE, texts[0]) if is_folder(texts[0]) else (texts[0], IN_FORCE)
    # nothing in force raises NoCatalogue, as it does where it is asked for by name
    other = known.last_other() if known.in_force else None
    # an apply that went back is a change like any other: what it changed is what it left
    return BEFORE if other is None else other.catalogue, IN_FORCE


def _named(text: str, known: History, servers: Servers, now_ms: int) -> Named:
    return named(text, known, servers.deployment.catalogues_topic, now_ms)


def _compared(one: Named, other: Named) -> Compared:
    if other.folder is not None:
        # as it would come into force over the first: a pilot with the version before it
        other = replace(other, catalogue=complete(other.catalogue, one.catalogue, readable=True))
    return Compared(one, other, tuple(definition_changes(one.catalogue, other.catalogue)))
