"""Changes, counted by segment and activation. Tallies add up: over chunks of profiles, passes and partitions."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.ground.reasons import RefusalCode

Kind: TypeAlias = Literal["segment", "activation"]
Shows: TypeAlias = Callable[[Kind, str], bool]
"""Tells whether a reader may see what a segment or an activation does with profiles."""
OUTSIDE: Final[frozenset[str]] = frozenset(
    {"retired", "erased", "merged", "restricted", "audience", "market", "not_member"}
)
"""Reasons for which an activation ends because it is not meant for the profile. All other reasons suppress it."""
SUPPRESSING: Final[tuple[str, ...]] = tuple(code for code in get_args(RefusalCode) if code not in OUTSIDE)
TOLD_ANEW: Final = "definition_changed"


@dataclass(slots=True)
class SegmentMoves:
    """Changes of one segment."""

    entered: int = 0
    left: Counter[str] = field(default_factory=Counter)
    """By the reason's kind."""

    def __bool__(self) -> bool:
        return bool(self.entered or self.left)

    def add(self, other: "SegmentMoves") -> None:
        """Add another's changes."""
        self.entered += other.entered
        self.left.update(other.left)


@dataclass(slots=True)
class ActivationMoves:
    """Changes of one activation."""

    activated: int = 0
    """Profiles that became contactable."""
    told_anew: int = 0
    """Profiles that stay contactable and are told another version, journey, content or arm."""
    deactivated: Counter[str] = field(default_factory=Counter)
    """By the reason's kind."""

    def __bool__(self) -> bool:
        return bool(self.activated or self.told_anew or self.deactivated)

    @property
    def suppressed(self) -> int:
        """How many ended although the profile is still a member: consent, caps, holdouts, other journeys, content."""
        return sum(number for kind, number in self.deactivated.items() if kind not in OUTSIDE)

    def add(self, other: "ActivationMoves") -> None:
        """Add another's changes."""
        self.activated += other.activated
        self.told_anew += other.told_anew
        self.deactivated.update(other.deactivated)


@dataclass(slots=True)
class Tally:
    """Changes by segment and by activation; names without a change are not there."""

    segments: dict[str, SegmentMoves] = field(default_factory=dict)
    activations: dict[str, ActivationMoves] = field(default_factory=dict)

    def count(self, changes: Iterable[AnyChange]) -> None:
        """Count changes."""
        for change in changes:
            if isinstance(change, ActivationChange):
                self._activation(change)
                continue
            moves = self.segments.setdefault(change.segment, SegmentMoves())
            if change.entered:
                moves.entered += 1
            else:
                moves.left[change.kind] += 1

    def _activation(self, change: ActivationChange) -> None:
        moves = self.activations.setdefault(change.activation, ActivationMoves())
        if not change.activated:
            moves.deactivated[change.kind] += 1
        elif change.kind == TOLD_ANEW:
            moves.told_anew += 1
        else:
            moves.activated += 1

    def add(self, other: "Tally") -> None:
        """Add another tally's changes."""
        for name, moves in other.segments.items():
            self.segments.setdefault(name, SegmentMoves()).add(moves)
        for name, told in other.activations.items():
            self.activations.setdefault(name, ActivationMoves()).add(told)

    def only(self, shows: Shows) -> "Tally":
        """Return the changes of the definitions that a reader may see."""
        return Tally(
            {name: moves for name, moves in self.segments.items() if shows("segment", name)},
            {name: moves for name, moves in self.activations.items() if shows("activation", name)},
        )

    @property
    def changes(self) -> int:
        """How many changes there are in all."""
        moved = sum(each.entered + each.left.total() for each in self.segments.values())
        told = self.activations.values()
        return moved + sum(each.activated + each.told_anew + each.deactivated.total() for each in told)
