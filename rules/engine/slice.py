"""What a partition touched since its last checkpoint, packed at one record boundary."""

from collections.abc import Mapping
from dataclasses import dataclass

from rules.engine.change import Change
from rules.engine.cut import Cut
from rules.engine.plan import Plan
from rules.engine.profile import Profile


@dataclass(frozen=True, slots=True)
class Slice:
    """All that was touched since the last slice, packed, at one record boundary."""

    offset: int
    """The next record to apply."""
    clock_ms: int
    last_ms: int
    """Timestamp of the last record applied."""
    catalogue: str
    """Hash of the catalogue in force; "" before the first."""
    digest: str
    cuts: tuple[Cut, ...]
    profiles: dict[str, bytes]
    """Packed, by subject."""
    wakes: dict[str, int]
    """The next wake of each of these profiles; FOREVER: none."""
    joined: dict[str, list[str]]
    """Subjects that are members now, by segment."""
    left: dict[str, list[str]]
    """Subjects that are no members now, by segment."""


class Touched:
    """The profiles and memberships that the next slice carries."""

    __slots__ = ("_moved", "subjects")

    def __init__(self) -> None:
        self.subjects: set[str] = set()
        self._moved: dict[tuple[str, str], bool] = {}

    def move(self, change: Change) -> None:
        """Note a membership change."""
        self._moved[change.segment, change.subject] = change.entered

    def pack(
        self, profiles: Mapping[str, Profile], plans: Mapping[int, Plan], clock_ms: int
    ) -> tuple[dict[str, bytes], dict[str, int]]:
        """Pack the touched profiles, states pruned to what a window may still reach; returns blobs and wakes."""
        blobs, wakes = {}, {}
        for subject in self.subjects:
            profile = profiles[subject]
            plan = plans[profile.cut]
            for key, state in profile.states.items():
                if state is not None:
                    profile.states[key] = plan.states[key].prune(state, clock_ms)
            blobs[subject] = profile.pack()
            wakes[subject] = profile.wake_ms
        return blobs, wakes

    def moved(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Return who joined and who left, by segment."""
        joined: dict[str, list[str]] = {}
        left: dict[str, list[str]] = {}
        for (segment, subject), member in self._moved.items():
            (joined if member else left).setdefault(segment, []).append(subject)
        return joined, left

    def clear(self) -> None:
        """Begin the next slice."""
        self.subjects = set()
        self._moved = {}
