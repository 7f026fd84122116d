"""Which memories fold an event: found by the event's type, and by the values of its attributes.

A catalogue has many conditions on one type of event that differ in the values that they ask of an attribute
(`topic: {in: [...]}`). An event has one value of it. So each memory is listed under the values of one attribute,
and of thousands of memories an event meets those of its own values only. What a memory asks besides, it tests itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rules.conditions.memory import Memory
from rules.ground.event import Event, Value


@dataclass(frozen=True, slots=True)
class Fold:
    """One shared state, and the segments that it can move: by their entry rules, and by their exit rules."""

    state_key: str
    memory: Memory
    enter_mask: int
    exit_mask: int
    needed_mask: int
    """Segments whose entry rule is false for ever while this state is inert."""


class TypeFolds(NamedTuple):
    """The folds of one type of event."""

    always: tuple[Fold, ...]
    """Those that every event of the type must be shown to."""
    by_value: tuple[tuple[str, Mapping[Value, tuple[Fold, ...]]], ...]
    """By attribute and its value: those that only an event with that value must be shown to."""

    def of(self, event: Event) -> tuple[Fold, ...]:
        """Return the folds that an event of the type must be shown to."""
        found = self.always
        for attribute, by_value in self.by_value:
            value = event.data.get(attribute)
            if value is not None and value in by_value:
                found += by_value[value]
        return found


NO_FOLDS: Final = TypeFolds((), ())


def type_folds(name: str, folds: Iterable[Fold]) -> TypeFolds:
    """Index the folds of one type of event."""
    always: list[Fold] = []
    found: defaultdict[str, defaultdict[Value, list[Fold]]] = defaultdict(lambda: defaultdict(list))
    for fold in folds:
        among = _among(name, fold.memory)
        if not among:
            always.append(fold)
            continue
        attribute = min(among, key=lambda each: (len(among[each]), each))
        for value in among[attribute]:
            found[attribute][value].append(fold)
    return TypeFolds(
        tuple(always),
        tuple(
            (attribute, {value: tuple(those) for value, those in by_value.items()})
            for attribute, by_value in sorted(found.items())
        ),
    )


def _among(name: str, memory: Memory) -> dict[str, frozenset[Value]]:
    """Return, by attribute, the only values with which an event of the type can move the memory's state."""
    matchers = [matcher for matcher in memory.matchers if name in matcher.types]
    if not matchers:
        return {}
    first, *others = (matcher.among for matcher in matchers)
    return {
        attribute: values.union(*(other[attribute] for other in others))
        for attribute, values in first.items()
        if all(attribute in other for other in others)
    }
