"""What a partition touched since its last checkpoint, packed at one record boundary."""

from collections.abc import Mapping
from dataclasses import dataclass

from rules.engine.activations.change import ActiveRows
from rules.engine.change import Change
from rules.engine.cut import Cut
from rules.engine.plan import Plan
from rules.engine.profile import Profile


@dataclass(frozen=True, slots=True)
class Slice:
    """All that was touched since the last slice, packed, as it stood at one record boundary."""

    offset: int
    """The next record to apply."""
    clock_ms: int
    last_ms: int
    """Timestamp of the last record applied."""
    catalogue: str
    """Hash of the catalogue in force; "" before the first."""
    digest: str
    cuts: tuple[Cut, ...]
    active: ActiveRows | None
    """For how many profiles each activation is active; None: not known."""
    profiles: dict[str, bytes]
    """Packed, by subject."""
    wakes: dict[str, int]
    """The next wake of each of these profiles; FOREVER: none."""
    joined: dict[str, list[str]]
    """Subjects that are members now, by segment."""
    left: dict[str, list[str]]
    """Subjects that are no members now, by segment."""
    erased: dict[str, bool]
    """Those of the profiles that were erased; True: nothing else is known of it (`Profile.is_forgotten`)."""


class Packing:
    """A slice whose boundary is behind, while its profiles are packed one after the other.

    A slice is the state at one record boundary. So a profile that is still to be packed is packed before it changes
    (`before_change`). All others are as they were at the boundary, whenever they are packed.
    """

    __slots__ = ("_waiting", "slice")

    def __init__(self, begun: Slice, subjects: set[str]) -> None:
        """`begun`: the slice without its profiles; `subjects`: whose profiles it takes."""
        self.slice = begun
        self._waiting = subjects

    @property
    def left(self) -> int:
        """How many profiles are still to be packed."""
        return len(self._waiting)

    def __contains__(self, subject: str) -> bool:
        """Tell whether the slice takes the profile. Until it is whole no store has what it takes."""
        return subject in self._waiting or subject in self.slice.profiles

    def before_change(self, profile: Profile, plans: Mapping[int, Plan]) -> None:
        """Pack a profile that is about to change, if it is still to be packed."""
        if profile.subject in self._waiting:
            self._waiting.remove(profile.subject)
            self._pack(profile, plans)

    def pack(self, profiles: Mapping[str, Profile], plans: Mapping[int, Plan], profiles_max: int | None) -> bool:
        """Pack so many more profiles (None: all); tell whether the slice is whole."""
        waiting = self._waiting
        for _ in range(len(waiting) if profiles_max is None else min(profiles_max, len(waiting))):
            self._pack(profiles[waiting.pop()], plans)
        return not waiting

    def _pack(self, profile: Profile, plans: Mapping[int, Plan]) -> None:
        """Pack a profile, its states pruned to what a window may still reach at the boundary."""
        profile.prune(plans[profile.cut].states, self.slice.clock_ms)
        self.slice.profiles[profile.subject] = profile.pack()
        self.slice.wakes[profile.subject] = profile.wake_ms
        if profile.person is not None and profile.person.erased is not None:
            self.slice.erased[profile.subject] = profile.is_forgotten


class Slices:
    """What the next slice carries, and the slice that was begun and is not whole yet."""

    __slots__ = ("_moved", "packing", "touched")

    def __init__(self) -> None:
        self.touched: set[str] = set()
        """Subjects of the profiles that were touched since the last slice was begun."""
        self.packing: Packing | None = None
        self._moved: dict[tuple[str, str], bool] = {}

    def move(self, change: Change) -> None:
        """Note a membership change."""
        self._moved[change.segment, change.subject] = change.entered

    def needs(self, subject: str) -> bool:
        """Tell whether a slice needs the profile: no store has it as it is."""
        return subject in self.touched or (self.packing is not None and subject in self.packing)

    def begin(self, begun: Slice) -> None:
        """Begin a slice of all that was touched. `begun`: what it says of its boundary; the slice before is whole."""
        for (segment, subject), member in self._moved.items():
            (begun.joined if member else begun.left).setdefault(segment, []).append(subject)
        self.packing = Packing(begun, self.touched)
        self.touched, self._moved = set(), {}
