"""Pilots in evaluation: which version of a segment governs a profile (docs/language.md, Pilots).

Both versions stand at one position, share the profile's stay, and are folded for everybody. A profile is judged by the
version that governs it at that evaluation. In a catalogue without pilots nothing of this is asked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import AnyOf
from rules.catalogue.pilot import Pilot
from rules.catalogue.policy import Policy
from rules.catalogue.segment_change import differs
from rules.engine.profile import Profile
from rules.engine.segment_plan import SegmentPlan

Takes: TypeAlias = Callable[[Profile], bool]
"""Tells whether a pilot's new version governs a profile."""


def takes_of(pilot: Pilot, policy: Policy) -> Takes:
    """Bind a pilot to the market trait and the key of its policy. Raises AssignmentKeyUnknown: the key is not here."""
    trait = policy.market_trait or ""
    key = b"" if pilot.percent is None or policy.key is None else policy.key.known().encode()
    if pilot.markets is None:
        return lambda profile: pilot.takes(profile.subject, None, key)
    return lambda profile: pilot.takes(profile.subject, profile.trait(trait), key)


@dataclass(frozen=True, slots=True)
class Piloted:
    """A segment that is a pilot: the version that governs the pilot's subjects, and the one that governs the others."""

    takes: Takes
    now: SegmentPlan
    before: SegmentPlan
    """The version before; where there is none, a plan that lets nobody in and keeps nobody (`nobody`)."""
    nobody: bool
    """Whether nothing governs the others."""
    market_trait: str | None
    """The trait whose settings move a profile between the versions; None: none does."""

    def of(self, profile: Profile) -> SegmentPlan:
        """Return the version that governs a profile."""
        return self.now if self.takes(profile) else self.before

    def ungoverned(self, plan: SegmentPlan) -> bool:
        """Tell whether a version stands for nothing at all."""
        return self.nobody and plan is self.before


def piloted(now: SegmentPlan, before: SegmentPlan | None, pilot: Pilot, policy: Policy) -> Piloted:
    """Put the versions of a pilot together; `before` None: nothing governs the others."""
    trait = policy.market_trait if pilot.markets is not None else None
    other = _nobody(now) if before is None else before
    apart = other.audience != now.audience
    now, other = replace(now, audience_may_move=apart), replace(other, audience_may_move=apart)
    return Piloted(takes_of(pilot, policy), now, other, before is None, trait)


def _nobody(now: SegmentPlan) -> SegmentPlan:
    """Return a plan that admits no market: nobody enters, and a member leaves with `market_left`, for no other reason.

    Nothing is armed by it, for there is no `enter` that does not hold.
    """
    return replace(
        now,
        audience=None,
        markets=frozenset(),
        parent=None,
        enter=AnyOf(()),
        exit=None,
        refuse=(),
        min_stay_ms=0,
        max_stay_ms=None,
        reenter_after_ms=None,
        forgets=False,
    )


class Governing:
    """The segments of a catalogue as they govern one profile: what is a pilot is looked up when it is asked for."""

    __slots__ = ("_pilots", "_profile", "_segments")

    def __init__(self, segments: Sequence[SegmentPlan], pilots: Mapping[int, Piloted], profile: Profile) -> None:
        self._segments = segments
        self._pilots = pilots
        self._profile = profile

    def __len__(self) -> int:
        return len(self._segments)

    def __getitem__(self, position: int) -> SegmentPlan:
        """Return the version at a position that governs the profile."""
        pilot = self._pilots.get(position)
        return self._segments[position] if pilot is None else pilot.of(self._profile)

    def __iter__(self) -> Iterator[SegmentPlan]:
        return (self[position] for position in range(len(self._segments)))


class Crossing(NamedTuple):
    """How a cut changes a segment that is a pilot before it or after it: for each profile by itself."""

    was: Takes | None
    """None: one version governed everybody."""
    now: Takes | None
    changed: Mapping[tuple[bool, bool], bool]
    """By whether the version before the cut, and the one after it, is the pilot's own (else: the one before it)."""

    def changes(self, profile: Profile) -> bool:
        """Tell whether the definition that governs a profile is changed at the cut."""
        was = self.was is None or self.was(profile)
        return self.changed[was, self.now is None or self.now(profile)]


def crossing(name: str, old: Catalogue, new: Catalogue) -> Crossing | None:
    """Compare the versions of a segment over a cut; None: it is a pilot neither before nor after."""
    was, now = old.approved.get(name), new.approved[name]
    was_pilot = None if was is None else was.pilot
    if was_pilot is None and now.pilot is None:
        return None
    olds = {True: was, False: old.before.get(name)}
    news = {True: now, False: new.before.get(name)}
    return Crossing(
        None if was_pilot is None else takes_of(was_pilot, old.policy),
        None if now.pilot is None else takes_of(now.pilot, new.policy),
        {
            (one, other): a is None or b is None or differs(a, b, old, new)
            for one, a in olds.items()
            for other, b in news.items()
        },
    )
