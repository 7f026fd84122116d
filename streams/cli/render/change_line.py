"""A published change as one line for people: when, which way, who, what, why."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.text import Text

from streams.operations.reason_words import why, why_moved

_WAYS: Final = {
    "entered": ("→ in", "bold green"),
    "exited": ("← out", "bold red"),
    "activated": ("● activated", "bold green"),
    "deactivated": ("○ deactivated", "bold red"),
}
_WAY_WIDTH: Final = max(len(way) for way, _ in _WAYS.values())


def change_line(change: Mapping[str, Any], conditions: Sequence[str]) -> Text:
    """Return the line of a change, given as its published JSON; `conditions` say the reason of a membership."""
    way, style = _WAYS[change["change"]]
    line = Text.assemble(
        (change["effective_at"], "dim"),
        "  ",
        (way.ljust(_WAY_WIDTH), style),
        "  ",
        (change["profile"], "bold"),
        "  ",
    )
    if "activation" in change:
        _add_activation(line, change)
    else:
        _add_membership(line, change, conditions)
    for event in change["reason"]["events"]:
        line.append(f"  [{event}]", "dim")
    return line


def _add_activation(line: Text, change: Mapping[str, Any]) -> None:
    line.append(change["activation"], "cyan")
    line.append(f" v{change['activation_version']}", "dim")
    line.append(f"  {change['channel']}", "magenta")
    if change["arm"] is not None:
        line.append(f"  arm {change['arm']}", "blue")
    line.append(f"  {why(change['reason'])}", "yellow")


def _add_membership(line: Text, change: Mapping[str, Any], conditions: Sequence[str]) -> None:
    line.append(change["segment"], "cyan")
    line.append(f" v{change['segment_version']}", "dim")
    if change["backfill"]:
        line.append(" (backfill)", "dim")
    line.append(f"  {why_moved(change['reason']['kind'], entered=change['change'] == 'entered')}", "yellow")
    if conditions:
        line.append(": " + "; ".join(conditions))
