"""One thing that the doctor looked at, and how it is."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from streams.exits import Exit
from streams.finding import Finding

Area: TypeAlias = Literal["settings", "redis", "kafka", "topics", "rights", "state", "catalogue"]
Outcome: TypeAlias = Literal["right", "advice", "wrong", "away", "unknown"]
"""right: as it must be. advice: it works, and could do better. wrong: no worker may start. away: a server does not
answer, or refuses this process. unknown: it could not be looked at, because something before it failed."""
OUTCOMES: Final[tuple[Outcome, ...]] = ("away", "wrong", "unknown", "advice", "right")
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing and how it is. Holds no personal data and no secret."""

    area: Area
    name: str
    """What was looked at, in a few words: `topic segment.membership`."""
    outcome: Outcome
    said: str
    """How it is, a sentence or its beginning."""
    remedy: str = ""
    """What to do; "": nothing."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Examined:
    """All that was looked at, in order."""

    checked: tuple[Checked, ...]

    def count(self, outcome: Outcome) -> int:
        """Count the things that are so."""
        return sum(each.outcome == outcome for each in self.checked)

    @property
    def exit(self) -> Exit:
        """3 where a server is away or refuses, 1 where something is wrong, else 0."""
        if self.count("away"):
            return Exit.NOT_REACHABLE
        return Exit.WRONG_INPUT if self.count("wrong") else Exit.DONE

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "ok": self.exit == Exit.DONE,
            "counts": {outcome: self.count(outcome) for outcome in OUTCOMES},
            "checks": [each.as_json() for each in self.checked],
        }


def of_findings(area: Area, findings: Iterable[Finding]) -> list[Checked]:
    """Make them of findings: what `segue topics` and the start of a worker say."""
    return [Checked(area, each.where, "wrong" if each.fatal else "advice", each.what, each.remedy) for each in findings]


def or_right(found: list[Checked], area: Area, name: str, said: str) -> list[Checked]:
    """Return what was found; where that is nothing, that all is right."""
    return found or [Checked(area, name, "right", said)]
