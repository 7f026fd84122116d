"""A membership change, to the byte (docs/language.md, A membership change)."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from rules.engine.activations.change import ActivationChange
from rules.ground.instants import format_instant


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a membership changed: kind, the paths of the deciding leaves, the event evaluated as `source id`."""

    kind: str
    conditions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One membership change. `value` is its compact JSON in UTF-8; the rest repeats parts of it for routing."""

    id: str
    subject: str
    segment: str
    entered: bool
    sequence: int
    effective_ms: int
    kind: str
    backfill: bool
    value: bytes
    restricted: bool = False
    """Whether policy.yaml keeps it off the public membership topics."""

    @property
    def type(self) -> str:
        """The CloudEvents type."""
        return "segment.entered" if self.entered else "segment.exited"


AnyChange: TypeAlias = Change | ActivationChange
"""What an evaluation publishes: membership changes first, then activation changes."""


def membership_change(
    *,
    generation: str,
    subject: str,
    segment: str,
    version: Any,
    entered: bool,
    sequence: int,
    effective_ms: int,
    reason: Reason,
    layers: dict[str, str],
    backfill: bool,
    restricted: bool = False,
) -> Change:
    """Return a change with its exact bytes: keys in the order of docs/language.md, nothing escaped without need."""
    change_id = f"{generation}/{subject}/{sequence}"
    value = orjson.dumps(
        {
            "id": change_id,
            "profile": subject,
            "segment": segment,
            "segment_version": version,
            "change": "entered" if entered else "exited",
            "sequence": sequence,
            "effective_at": format_instant(effective_ms),
            "reason": {"kind": reason.kind, "conditions": reason.conditions, "events": reason.events},
            "layers": layers,
            "backfill": backfill,
        }
    )
    return Change(
        change_id, subject, segment, entered, sequence, effective_ms, reason.kind, backfill, value, restricted
    )
