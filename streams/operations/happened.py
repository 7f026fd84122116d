"""One change of the past, with what was in force then."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.catalogue.applied import Applied
from streams.operations.sight import Kind


@dataclass(frozen=True, slots=True)
class InForceThen:
    """A catalogue, and since when it was in force."""

    catalogue: str
    """Its hash."""
    since_ms: int
    """The instant of its cut in the partition; where the log is gone, that of its apply."""
    applied: Applied | None
    """Who applied it, and why; None: no record says."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One change, as it was published."""

    change: Mapping[str, Any]
    in_force: InForceThen | None
    """None: nothing says which catalogue was in force."""
    conditions: tuple[str, ...]
    """What `reason.conditions` names, in the words of the version then in force."""

    @property
    def names(self) -> tuple[Kind, str]:
        """What changed: its kind and its name."""
        kind: Kind = "activation" if "activation" in self.change else "segment"
        return kind, self.change[kind]
