"""What a reader may see: one ruling for every command that reads segments, activations and traits of profiles.

A segment that uses data restricted by a class is restricted, and so is an activation that names such a segment
(docs/language.md, Restrictions). Without `--restricted` no command reads a restricted one: it refuses one that was
named, and leaves out the others and says how many. `membership` in policy.yaml rules topics, not readers.

Definitions are no data of a profile: `check --lineage`, `map`, `diff`, `catalogues` show restricted ones without the
option. `dump`, `verify` and `rebuild` take a partition whole: they need the rights of who may read the topics.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.language.dictionary import ENDED, STARTED
from streams.operations.errors import Restricted

Kind: TypeAlias = Literal["segment", "activation", "trait", "affiliation"]
_PLURALS: Final[dict[Kind, str]] = {
    "segment": "segments",
    "activation": "activations",
    "trait": "traits",
    "affiliation": "affiliations",
}


def classes_of(catalogue: Catalogue, kind: Kind, name: str) -> frozenset[str] | None:
    """Return the classes that restrict a definition or a trait of a catalogue; None: the catalogue does not have it.

    Affiliations are named by the types of their events.
    """
    if kind == "segment":
        return catalogue.restricted.get(name)
    if kind == "activation":
        activation = catalogue.activations.get(name)
        return None if activation is None else activation.restricted
    if kind == "affiliation":
        event = catalogue.dictionary.events[name]
        classes = (event.restricted, *(each.restricted for each in event.data.values()))
        return frozenset(each for each in classes if each)
    trait = catalogue.dictionary.traits.get(name)
    return None if trait is None else frozenset({trait.restricted} if trait.restricted else ())


@dataclass(slots=True)
class Sight:
    """What one reader sees. `restricted`: the reader gave `--restricted`, and sees everything.

    What any of the catalogues restricts is restricted: a change of the past stays so after its data became public.
    What none of them has is not shown without the option, because nobody can tell.
    """

    restricted: bool
    catalogues: list[Catalogue]
    left_out: Counter[Kind] = field(default_factory=Counter)
    """How many names were left out, by kind; `shown` counts them."""

    @classmethod
    def of(cls, catalogue: Catalogue, restricted: bool) -> "Sight":
        """Make the sight of a reader of one catalogue."""
        return cls(restricted, [catalogue])

    def shows(self, kind: Kind, name: str) -> bool:
        """Tell whether the reader sees this definition or trait of a profile."""
        if self.restricted:
            return True
        found = [classes for each in self.catalogues if (classes := classes_of(each, kind, name)) is not None]
        return bool(found) and not any(found)

    def shown(self, kind: Kind, names: Iterable[str]) -> list[str]:
        """Return the names that the reader sees, in order; count the others."""
        names = list(dict.fromkeys(names))
        seen = [name for name in names if self.shows(kind, name)]
        self.left_out[kind] += len(names) - len(seen)
        return seen

    @property
    def shows_affiliations(self) -> bool:
        """Whether the reader sees to which organisations profiles are tied."""
        return self.shows("affiliation", STARTED) and self.shows("affiliation", ENDED)

    def expect(self, kind: Kind, name: str) -> None:
        """See that the reader may read what was named; raises Restricted, which says what to give."""
        if not self.shows(kind, name):
            classes = {each for one in self.catalogues for each in classes_of(one, kind, name) or ()}
            raise Restricted(kind, name, sorted(classes))

    @property
    def note(self) -> str:
        """Say in one sentence what was left out; "" where nothing was."""
        parts = [
            f"{number} restricted {kind if number == 1 else _PLURALS[kind]}"
            for kind, number in self.left_out.items()
            if number
        ]
        if not parts:
            return ""
        said = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        return f"{said} not shown: give --restricted to read them"

    def as_json(self) -> dict[str, int]:
        """Return how many were left out, for programs: `{"segments": 2}`."""
        return {_PLURALS[kind]: number for kind, number in self.left_out.items() if number}
