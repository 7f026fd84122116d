"""Where the parts of a change do together what none of them does alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rules.preview.tally import Tally

Figures = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interaction:
    """A segment or an activation that the whole change moves otherwise than the sum of its parts."""

    kind: Literal["segment", "activation"]
    name: str
    whole: Figures
    """(in, out): entered and left, or activated and deactivated."""
    alone: Figures
    """The same, summed over the parts as each does alone."""


def interactions(whole: Tally, parts: Mapping[str, Tally]) -> list[Interaction]:
    """Return them by kind and name. A part that took others along counts these once more, which shows here too."""
    together = Tally()
    for tally in parts.values():
        together.add(tally)
    found: list[Interaction] = []
    if not parts:
        return found
    for name in sorted({*whole.segments, *together.segments}):
        one, other = _segment(whole, name), _segment(together, name)
        if one != other:
            found.append(Interaction("segment", name, one, other))
    for name in sorted({*whole.activations, *together.activations}):
        one, other = _activation(whole, name), _activation(together, name)
        if one != other:
            found.append(Interaction("activation", name, one, other))
    return found


def _segment(tally: Tally, name: str) -> Figures:
    moves = tally.segments.get(name)
    return (0, 0) if moves is None else (moves.entered, moves.left.total())


def _activation(tally: Tally, name: str) -> Figures:
    moves = tally.activations.get(name)
    return (0, 0) if moves is None else (moves.activated, moves.deactivated.total())
