"""The message map in words: gaps, pairs that cover twice, content to look at; for terminal, page and programs alike."""

from collections.abc import Iterable, Mapping
from typing import Final

from rules.ground.instants import format_instant
from rules.reports.message_map import Double, MapGap, MappedActivation, MessageMap, State

STATES: Final[Mapping[State, str]] = {
    "speaks": "approved",
    "expired": "content expired",
    "pending": "content pending",
    "withdrawn": "content withdrawn",
    "draft": "draft",
    "in_review": "in review",
}
FULL_DAY: Final = 10
"""Characters of an instant that are its day."""


def day(t_ms: int) -> str:
    """Write the day of an instant, in UTC."""
    return format_instant(t_ms)[:FULL_DAY]


def where(gap: MapGap) -> str:
    """Return the place of a gap: `hcp × evaluation × email`."""
    parts = [gap.audience, gap.stage, gap.segment and f"segment {gap.segment}", gap.channel]
    return " × ".join(part for part in parts if part)


def what(gap: MapGap, drawn: MessageMap) -> str:
    """Say what is missing at a gap, for which segments, and which activations would fill it."""
    if gap.channel is not None:
        said = "nothing on this channel"
    elif gap.segment is not None:
        said = "no activation is for it"
    else:
        said = "no activation at all" if gap.stage is None else "no activation at this stage"
    if gap.segments and gap.segment is None:
        said += f": {names(gap.segments)}"
        used = [name for name in gap.segments if name in drawn.building]
        if used:
            said += f" ({names(used)} {_is(used)} used by other definitions)" if len(gap.segments) > 1 else _USED
    if gap.silent:
        said += f"; not speaking: {names(gap.silent)}"
    return said


_USED: Final = " (used by other definitions)"


def twice(double: Double) -> str:
    """Say what two activations have in common, and where."""
    place = f"{double.audience} × {names(double.stages)} × {double.channel}"
    return f"{double.first} and {double.second}: same {' and '.join(double.same)} ({place})"


def content(message: MappedActivation) -> str | None:
    """Say what somebody should look at in the content of an activation; None: nothing."""
    expires_ms = message.activation.review_expires_ms
    if message.state == "expired" and expires_ms is not None:
        return f"content expired on {day(expires_ms)}"
    if message.expires_soon and expires_ms is not None:
        said = f"content expires on {day(expires_ms)}"
        return said if message.speaks else f"{STATES[message.state]}; {said}"
    return None if message.speaks else STATES[message.state]


def journeys(drawn: MessageMap) -> dict[str, list[MappedActivation]]:
    """Return the messages by journey, sorted; the highest priority first."""
    found: dict[str, list[MappedActivation]] = {}
    for message in drawn.messages:
        found.setdefault(message.activation.slot, []).append(message)
    for each in found.values():
        each.sort(key=lambda message: (-message.activation.priority, message.activation.id))
    return dict(sorted(found.items()))


def summary(drawn: MessageMap) -> str:
    """Count what is on a map."""
    return ", ".join(
        (
            counted(len(drawn.messages), "activation", "activations"),
            counted(len(journeys(drawn)), "journey", "journeys"),
            counted(len(drawn.gaps), "gap", "gaps"),
            counted(len(drawn.doubles), "pair covers twice", "pairs cover twice"),
        )
    )


def nothing(drawn: MessageMap, audience: str, stage: str) -> str:
    """Say why a stage has no message."""
    return "only keeps members out" if (audience, stage) in drawn.excluding else "nothing"


def names(found: Iterable[str]) -> str:
    """Join names."""
    return ", ".join(found)


def counted(number: int, one: str, many: str) -> str:
    """Write a number with its noun."""
    return f"{number} {one if number == 1 else many}"


def _is(found: list[str]) -> str:
    return "is" if len(found) == 1 else "are"
