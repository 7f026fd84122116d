"""A change in words: of a segment by its title, with the rule behind it; of an activation by its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from streams.operations.reason_words import why

TIME_ALONE: Final = "time alone"
_KINDS: Final[Mapping[str, str]] = {
    "entry_rule": "",
    "exit_rule": "",
    "entry_lost": "no longer: ",
    "parent_left": "left what it is part of",
    "market_left": "left the market",
    "max_stay": "stayed as long as it may",
    "retired": "the segment was retired",
    "definition_changed": "the definition changed: ",
    "restricted": "a restriction refuses it",
    "merged": "another name stands for this person now",
    "erased": "forgotten, as somebody asked for",
}
_GOES_ON: Final = "goes on here: another name of this person was in it"
_ONCE: Final = "1 or more of "
_USUAL: Final = ", since the last exit"
"""The default of conditions on events where there is an exit: said of each it would say nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One change for people. `cause` is the event behind it, or `time alone`."""

    at: str
    """Time of the day, UTC, to the millisecond."""
    entered: bool
    profile: str
    segment: str
    """Or the activation."""
    title: str
    why: str
    cause: str
    alone: bool
    way: str = ""
    """`in` and `out` of a segment, `on` and `off` of an activation."""
    suppressed: bool = False
    took_ms: float | None = None
    """From the send of its event to its arrival."""


class Words:
    """Says changes in the words of one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._titles = {name: segment.title or name for name, segment in catalogue.segments.items()}
        self._texts: dict[str, dict[str, str]] = {}
        for name, segment in catalogue.segments.items():
            rules = {"enter": segment.enter, "exit": segment.exit}
            self._texts[name] = {
                path: short(leaf.describe(), denied=denied)
                for rule, node in rules.items()
                if node is not None
                for path, leaf, denied in leaves(node, rule)
            }

    def line(self, change: Mapping[str, Any]) -> Line:
        """Say a change, given as its published JSON."""
        if "activation" in change:
            return self._activation(change)
        reason, segment = change["reason"], change["segment"]
        events: Sequence[str] = reason["events"]
        return Line(
            change["effective_at"][11:23],
            change["change"] == "entered",
            change["profile"],
            segment,
            self.title(segment),
            self._why(segment, reason, entered=change["change"] == "entered"),
            ", ".join(events) or TIME_ALONE,
            not events,
            "in" if change["change"] == "entered" else "out",
        )

    def _activation(self, change: Mapping[str, Any]) -> Line:
        reason = change["reason"]
        events: Sequence[str] = reason["events"]
        activated = change["change"] == "activated"
        arm = "" if change["arm"] is None else f", {change['arm']}"
        return Line(
            change["effective_at"][11:23],
            activated,
            change["profile"],
            change["activation"],
            f"{change['activation']} ({change['channel']}{arm})",
            why(reason),
            ", ".join(events) or TIME_ALONE,
            not events,
            "on" if activated else "off",
            reason["kind"] == "suppressed_by",
        )

    def title(self, segment: str) -> str:
        """The title of a segment, or its id."""
        return self._titles.get(segment, segment)

    def _why(self, segment: str, reason: Mapping[str, Any], *, entered: bool) -> str:
        if entered and reason["kind"] == "merged":
            return _GOES_ON
        known = self._texts.get(segment, {})
        said = "; ".join(known.get(path, path) for path in reason["conditions"])
        return _KINDS.get(reason["kind"], f"{reason['kind']} ") + said


def short(text: str, *, denied: bool = False) -> str:
    """Shorten the description of a condition; `denied`: under `none`, so what is said is that it does not hold."""
    text = text.removeprefix(_ONCE).replace(_USUAL, "")
    return f"not ({text})" if denied else text
