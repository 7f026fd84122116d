"""Ranks of segments: how many references lie below each (docs/language.md, Evaluation)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ranked:
    """The longest path below each name, and the circles for which there is none."""

    ranks: Mapping[str, int]
    """0: the name refers to nothing. A name in a circle, or one that leads into a circle, has no rank."""
    cycles: tuple[tuple[str, ...], ...]
    """Circles that share no member, each from its smallest name on, in the direction of the references."""


def rank(references: Mapping[str, Iterable[str]]) -> Ranked:
    """Rank names by the longest path over their references; every name referred to must be a key."""
    below = {name: set(names) for name, names in references.items()}
    above: dict[str, list[str]] = {name: [] for name in below}
    for name, names in below.items():
        for other in names:
            above[other].append(name)
    waiting = {name: len(names) for name, names in below.items()}
    ready = [name for name, count in waiting.items() if not count]
    ranks: dict[str, int] = {}
    for name in ready:  # grows while it is walked
        ranks[name] = 1 + max((ranks[other] for other in below[name]), default=-1)
        for other in above[name]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    left = {name: sorted(names - ranks.keys()) for name, names in below.items() if name not in ranks}
    return Ranked(ranks, tuple(_cycles(left)))


def _cycles(left: Mapping[str, list[str]]) -> list[tuple[str, ...]]:
    """Find circles among names that each refer to another of them."""
    cycles: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for start in sorted(left):
        walk: list[str] = []
        name = start
        while name not in seen:
            seen.add(name)
            walk.append(name)
            name = left[name][0]
        if name in walk:
            cycle = walk[walk.index(name) :]
            first = cycle.index(min(cycle))
            cycles.append((*cycle[first:], *cycle[:first]))
    return cycles
