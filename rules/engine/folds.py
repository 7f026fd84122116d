"""Which memories fold an event: found by the event's type, and by the values of its attributes.

A catalogue has many conditions on one type of event that differ in the values that they ask of an attribute
(`topic: {in: [...]}`). An event has one value of it. So each memory is listed under the values of one attribute,
and of thousands of memories an event meets those of its own values only. Memories that ask for a number of at least so
much stand in the order of their bounds, and an event meets those that its number reaches. What a memory asks besides,
it tests itself.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final, TypeVar

from rules.conditions.memory import Memory
from rules.engine.profile import Profile
from rules.ground.event import Event, Value

Asked = TypeVar("Asked")
"""What a matcher asks of an attribute."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One shared state, and the segments that it can move: by their entry rules, and by their exit rules.

    An entry rule may need several states (`rules.engine.masks`). It looks at the first of them, and where that is the
    one that moved, at the second.
    """

    state_key: str
    memory: Memory
    enter_mask: int
    """By entry rules that need no other state (`rules.engine.sleeping`), and the activations."""
    exit_mask: int
    enter_first_mask: int
    """By entry rules that need another state, which they name first."""
    enter_second_mask: int
    """By entry rules that name this state first of those that they need, and then another one."""
    lasting: bool
    """Whether any of all these looks at the state only by conditions whose verdicts last (`Memory.stands_until`)."""
    loose_mask: int
    """All these but those that do."""

    @property
    def moves_mask(self) -> int:
        """The segments and activations whose rules look at the state, those that may sleep among them."""
        return self.enter_mask | self.exit_mask | self.enter_first_mask | self.enter_second_mask

    def entering(self, profile: Profile) -> int:
        """Return which segments the state can move by their entry rules.

        Left out are segments of which the profile has nothing, neither the other state nor a stay nor a wake: they
        sleep. The masks of the profile must have been found (`rules.engine.fold.find_masks`).
        """
        return (
            self.enter_mask
            | (self.enter_first_mask & profile.first_mask)
            | (self.enter_second_mask & profile.second_mask)
        )


@dataclass(frozen=True, slots=True)
class Bounded:
    """Folds in the order of the least number that they ask of one attribute."""

    attribute: str
    bounds: tuple[float, ...]
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Folds that an event meets together, apart from their bounds."""

    always: tuple[Fold, ...]
    bounded: tuple[Bounded, ...]

    def of(self, data: dict[str, Value]) -> tuple[Fold, ...]:
        """Return the folds that an event with this data must be shown to."""
        found = self.always
        for each in self.bounded:
            value = data.get(each.attribute)
            if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
                found += each.folds[: bisect_right(each.bounds, value)]
        return found


@dataclass(frozen=True, slots=True)
class TypeFolds:
    """The folds of one type of event."""

    general: Group
    """Those that name no values."""
    by_value: tuple[tuple[str, dict[Value, Group]], ...]
    """By attribute and its value: those that only an event with that value must be shown to."""

    def of(self, event: Event) -> tuple[Fold, ...]:
        """Return the folds that an event of the type must be shown to."""
        data = event.data
        general = self.general
        found = general.of(data) if general.bounded else general.always
        for attribute, by_value in self.by_value:
            value = data.get(attribute)
            if value is not None and value in by_value:
                found += by_value[value].of(data)
        return found


NO_FOLDS: Final = TypeFolds(Group((), ()), ())


def type_folds(name: str, folds: Iterable[Fold]) -> TypeFolds:
    """Index the folds of one type of event."""
    general: list[Fold] = []
    found: defaultdict[str, defaultdict[Value, list[Fold]]] = defaultdict(lambda: defaultdict(list))
    for fold in folds:
        among = _among(name, fold.memory)
        if not among:
            general.append(fold)
            continue
        attribute = min(among, key=lambda each: (len(among[each]), each))
        for value in among[attribute]:
            found[attribute][value].append(fold)
    return TypeFolds(
        _group(name, general),
        tuple(
            (attribute, {value: _group(name, those) for value, those in by_value.items()})
            for attribute, by_value in sorted(found.items())
        ),
    )


def _group(name: str, folds: Iterable[Fold]) -> Group:
    """Put folds that ask for a number of at least so much into the order of their bounds."""
    always: list[Fold] = []
    found: defaultdict[str, list[tuple[float, Fold]]] = defaultdict(list)
    for fold in folds:
        least = _least(name, fold.memory)
        if least is None:
            always.append(fold)
        else:
            attribute, bound = least
            found[attribute].append((bound, fold))
    bounded = []
    for attribute, pairs in sorted(found.items()):
        pairs.sort(key=lambda pair: pair[0])
        bounded.append(Bounded(attribute, tuple(bound for bound, _ in pairs), tuple(fold for _, fold in pairs)))
    return Group(tuple(always), tuple(bounded))


def _least(name: str, memory: Memory) -> tuple[str, float] | None:
    """Return an attribute, and the least number of it with which an event of the type can move the memory's state."""
    bounds = _common([matcher.least for matcher in memory.matchers if name in matcher.types], min)
    return min(bounds.items(), default=None)


def _among(name: str, memory: Memory) -> dict[str, frozenset[Value]]:
    """Return, by attribute, the only values with which an event of the type can move the memory's state."""
    return _common([matcher.among for matcher in memory.matchers if name in matcher.types], frozenset.union)


def _common(asked: Sequence[Mapping[str, Asked]], widest: Callable[[Asked, Asked], Asked]) -> dict[str, Asked]:
    """Return what any of several matchers lets through, by the attributes that all of them ask."""
    if not asked:
        return {}
    shared = set(asked[0]).intersection(*asked[1:])
    return {attribute: reduce(widest, (each[attribute] for each in asked)) for attribute in sorted(shared)}
