"""A pilot: a new version of a definition governs some subjects, the version before it all others.

docs/language.md, Pilots, has the meaning. Which version governs a subject depends on the value of its market trait and
on the keyed hash of its name, on nothing else.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from rules.ground.assignment import below
from rules.ground.event import Value
from rules.language.problems import DefinitionReader
from rules.language.validation import Items, Maybe, Name, Number, Strict

PILOT: Final = "pilot"


class PilotText(Strict):
    """A pilot as written."""

    markets: Maybe[Annotated[Items[Name], Field(min_length=1)]] = None
    percent: Maybe[Annotated[Number, Field(ge=0, le=100)]] = None
    salt: Maybe[str] = None


@dataclass(frozen=True, slots=True)
class Pilot:
    """The subjects that a new version governs; what is None is not asked."""

    markets: frozenset[str] | None
    percent: float | None
    salt: str

    @classmethod
    def of(cls, text: PilotText | None) -> "Pilot | None":
        """Make it from what is written; None: there is no pilot."""
        if text is None:
            return None
        markets = None if text.markets is None else frozenset(text.markets)
        return cls(markets, text.percent, text.salt or "")

    def takes(self, subject: str, market: Value | None, key: bytes) -> bool:
        """Tell whether the new version governs a subject. `market`: the value of its market trait, None: no value."""
        if self.markets is not None and market not in self.markets:
            return False
        return self.percent is None or below(key, self.salt, self.percent, subject)

    def __str__(self) -> str:
        """Say it: `markets DE, US, 20 % by salt x`."""
        said = [] if self.markets is None else [f"markets {', '.join(sorted(self.markets))}"]
        said += [] if self.percent is None else [f"{self.percent:g} % by salt {self.salt}"]
        return ", ".join(said)


def check_pilot(reader: DefinitionReader, pilot: Pilot, market_trait: str | None, has_key: bool) -> None:
    """Record what a pilot lacks. The reader stands at `pilot`, which the model accepts; the rest is of the policy."""
    value = reader.value
    if pilot.markets is None and pilot.percent is None:
        reader.problem("'pilot' must have 'markets' or 'percent': they say which subjects it governs")
    if pilot.markets is not None and market_trait is None:
        reader.down("markets").problem("'markets' of a pilot needs 'market_trait' in policy.yaml")
    if pilot.percent is not None and not has_key:
        reader.down("percent").problem("'percent' of a pilot needs 'assignment_key' in policy.yaml")
    if pilot.percent is not None and not value.get("salt"):
        reader.down("percent").problem("'percent' of a pilot needs a 'salt': any text, the same as long as it runs")
    if pilot.percent is None and "salt" in value:
        reader.down("salt").problem("'salt' of a pilot means nothing without 'percent'")
