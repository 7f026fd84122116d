"""An activation change, to the byte (docs/language.md, Activation changes)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from rules.ground.instants import format_instant


@dataclass(frozen=True, slots=True)
class ActivationReason:
    """Why it changed: `allowed`, `definition_changed`, `retired`, or the code of a refusal, and what refuses.

    `was`, only with `activated`: the kind of the last `deactivated` of that activation and profile.
    """

    kind: str
    by: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    was: str | None = None


@dataclass(frozen=True, slots=True)
class ActivationChange:
    """One activation change. `value` is its compact JSON in UTF-8; the rest repeats parts of it for routing."""

    id: str
    subject: str
    activation: str
    channel: str
    activated: bool
    sequence: int
    effective_ms: int
    kind: str
    value: bytes

    @property
    def type(self) -> str:
        """The CloudEvents type."""
        return "activation.activated" if self.activated else "activation.deactivated"


ActiveRows: TypeAlias = tuple[tuple[str, str, int], ...]
"""(activation, channel, for how many profiles it is active), sorted; nothing where it is active for none."""


class ActiveCounts:
    """For how many profiles each activation is active, kept up with every change.

    A change that tells an active one anew (`definition_changed`) moves nothing.
    """

    __slots__ = ("_counts",)

    def __init__(self, rows: ActiveRows = ()) -> None:
        self._counts: Counter[tuple[str, str]] = Counter({(activation, on): n for activation, on, n in rows})

    def take(self, change: ActivationChange) -> None:
        """Count a change."""
        if not change.activated:
            self._counts[change.activation, change.channel] -= 1
        elif change.kind != "definition_changed":
            self._counts[change.activation, change.channel] += 1

    def rows(self) -> ActiveRows:
        """Return the counts as they are now."""
        return tuple(sorted((activation, on, n) for (activation, on), n in self._counts.items() if n))


def activation_change(
    *,
    generation: str,
    subject: str,
    activation: str,
    version: Any,
    channel: str,
    activated: bool,
    sequence: int,
    effective_ms: int,
    reason: ActivationReason,
    journey: str | None,
    content: Mapping[str, Any],
    arm: str | None,
) -> ActivationChange:
    """Return a change with its exact bytes: keys in the order of docs/language.md, nothing escaped without need."""
    change_id = f"{generation}/{subject}/{channel}/{sequence}"
    why: dict[str, Any] = {"kind": reason.kind}
    if activated:
        why["was"] = reason.was
    why["by"] = reason.by
    why["events"] = reason.events
    value = orjson.dumps(
        {
            "id": change_id,
            "profile": subject,
            "activation": activation,
            "activation_version": version,
            "channel": channel,
            "change": "activated" if activated else "deactivated",
            "sequence": sequence,
            "effective_at": format_instant(effective_ms),
            "reason": why,
            "journey": journey,
            "content": content,
            "arm": arm,
        }
    )
    return ActivationChange(
        change_id, subject, activation, channel, activated, sequence, effective_ms, reason.kind, value
    )
