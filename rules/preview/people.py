"""A few of the profiles that a cut moves, each with its explanation before and after.

Subjects are personal data: nobody is named unless it was asked for. Of all who move in one way, those with the smallest
places are taken (`rules.preview.subjects`), so two previews of one change name the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.explain.activations import explain_activations
from rules.explain.segments import explain
from rules.preview.subjects import place_of
from rules.preview.tally import Kind, Shows

Way: TypeAlias = Literal["enter", "leave", "begin", "end", "told anew"]
PEOPLE_MAX: Final = 20
"""Profiles a way: a person reads no more."""


class Moved(NamedTuple):
    """One way in which profiles move."""

    kind: Kind
    name: str
    way: Way


@dataclass(frozen=True, slots=True, order=True)
class Person:
    """One profile that moves."""

    place: int
    subject: str
    before: tuple[str, ...]
    """Sentences: why it stands where it stands."""
    after: tuple[str, ...]


class People:
    """The first few of each way."""

    def __init__(self, limit: int, shows: Shows) -> None:
        """Keep `limit` profiles a way, of definitions that the reader may see."""
        self._limit = limit
        self._shows = shows
        self.found: dict[Moved, list[Person]] = {}

    def take(
        self,
        changes: Iterable[AnyChange],
        before: Callable[[str], tuple[Profile, Plan] | None],
        after: Callable[[str], tuple[Profile, Plan]],
        t_ms: int,
    ) -> None:
        """Look at changes of a cut. `before`, `after`: a profile by subject, and its plan, on each side of it."""
        if not self._limit:
            return
        for change in changes:
            moved = moved_by(change)
            if not self._shows(moved.kind, moved.name):
                continue
            kept, place = self.found.setdefault(moved, []), place_of(change.subject.encode())
            if any(each.subject == change.subject for each in kept):
                continue
            if len(kept) < self._limit or place < kept[-1].place:
                said = (explained(moved, before(change.subject), t_ms), explained(moved, after(change.subject), t_ms))
                kept.append(Person(place, change.subject, *said))
                kept.sort()
                del kept[self._limit :]


def moved_by(change: AnyChange) -> Moved:
    """Return the way in which a change moves its profile."""
    if not isinstance(change, ActivationChange):
        return Moved("segment", change.segment, "enter" if change.entered else "leave")
    anew: Way = "told anew" if change.kind == "definition_changed" else "begin"
    return Moved("activation", change.activation, anew if change.activated else "end")


def explained(moved: Moved, side: tuple[Profile, Plan] | None, t_ms: int) -> tuple[str, ...]:
    """Explain a profile for one segment or activation, in sentences."""
    if side is None:
        return ("the profile is not known",)
    profile, plan = side
    if moved.kind == "segment":
        if moved.name not in plan.by_id:
            return ("the segment is not in force",)
        [found] = explain(profile, plan, t_ms, "preview", moved.name)
        return (("in" if found.member else "out"), *found.because)
    if moved.name not in plan.activations.by_id:
        return ("the activation is not in force",)
    [told] = explain_activations(profile, plan, t_ms, "preview", moved.name)
    return (("contactable" if told.active else "not contactable"), *told.because)
