"""A catalogue that loads: dictionary, segments, activations and policy, and what they say of each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.catalogue.activation import Activation
from rules.catalogue.policy import Policy
from rules.catalogue.segment import Segment
from rules.language.dictionary import Dictionary
from rules.language.problems import Problem, Source


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """A catalogue that loads. Made by `rules.catalogue.loading` only."""

    dictionary: Dictionary
    policy: Policy
    segments: Mapping[str, Segment]
    """By id, whatever their status."""
    activations: Mapping[str, Activation]
    """By id, whatever their status."""
    rank: Mapping[str, int]
    """By segment: the longest path over `parent` and `segment:`, exits included; 0 refers to none."""
    approved: Mapping[str, Segment]
    order: tuple[str, ...]
    """The approved segments in the order of evaluation: by (rank, id)."""
    restricted: Mapping[str, frozenset[str]]
    """By segment: the classes of restricted data that it uses, also through `parent` and `segment:`."""
    before: Mapping[str, Segment]
    """By segment that is a pilot: the version before, which governs the other subjects. Without one nothing does."""
    activations_before: Mapping[str, Activation]
    """By activation that is a pilot: the version before."""
    files: Mapping[str, Any]
    """By file name: the raw values, templates as they are written."""
    given: tuple[Source, ...]
    """The files that it was loaded from, with the places of their values."""
    sources: tuple[Source, ...]
    """The definitions that were compiled, with their places: of a template one for each combination of values."""
    hash: str
    """SHA-256 in hex of the canonical JSON of its definitions, templates expanded, and of the rules version."""
    warnings: tuple[Problem, ...] = ()

    @property
    def approved_activations(self) -> Mapping[str, Activation]:
        """Return the approved activations by id, in the order of `activations`."""
        return {name: each for name, each in self.activations.items() if each.status == "approved"}

    def versions(self, segment: str) -> tuple[Segment, ...]:
        """Return the definitions of an approved segment that are in force: two where it is a pilot with one before."""
        before = self.before.get(segment)
        now = self.approved[segment]
        return (now,) if before is None else (now, before)

    def forgets(self, segment: str) -> bool:
        """Tell whether re-entry into a segment asks for new evidence."""
        return self.segments[segment].forgets

    def is_hidden(self, segment: str) -> bool:
        """Tell whether policy.yaml keeps a segment's changes off the public membership topics."""
        restrictions = (self.policy.restrictions.get(name) for name in self.restricted.get(segment, ()))
        return any(each is not None and each.membership == "restricted" for each in restrictions)
