"""What a profile remembers for affiliations: its ties, the latest facts that reach somebody, who told it what.

All are memories like those of conditions, but no condition reads them. So they are joined, withdrawn, erased and
packed with all other states (`rules.engine.persons.joining`).
"""

from collections.abc import Iterable
from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.memory import Memory
from rules.conditions.shapes import NAME, are_named, is_name, is_row, is_value
from rules.conditions.view import State
from rules.engine.affiliations.ties import AFFILIATIONS, TIES_MAX, Order, Tie
from rules.ground.event import Event
from rules.language.dictionary import STARTED
from rules.language.reaches import ORGANISATION

ENTRY_BYTES: Final = 200
"""About what an affiliation takes: an organisation, a role, and the identity of an event."""
TOLD_MAX: Final = 64
"""Facts of a type that a subject was told, and whose organisation it remembers: the latest. Only `explain` asks."""
FACT_BYTES: Final = 4_096
"""About what the data of a fact takes."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class TiesMemory(Memory):
    """State: [[organisation, role, time, source, id, whether it ties], …], by organisation and role."""

    def __init__(self) -> None:
        self.take_name("affiliations")
        self.types = AFFILIATIONS

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Take an affiliation in."""
        entry = [event.data["organisation"], event.data["role"], event.time_ms, event.source, event.id]
        left = _latest([*_entries(state), [*entry, event.type == STARTED]])
        return state if left == state else left

    def prune(self, state: State, t_ms: int) -> State:
        """Affiliations do not grow old."""
        return state

    def _join(self, states: list[State], t_ms: int) -> State:
        return _latest(entry for state in states for entry in _entries(state))

    def later(self, state: State, after_ms: int) -> State:
        """Return the affiliations later than an instant."""
        return [entry for entry in _entries(state) if entry[2] > after_ms] or None

    def is_state(self, value: State) -> bool:
        """Affiliations."""
        return is_row(value) and all(is_row(row) and len(row) == 6 and _is_affiliation(row) for row in value)

    def bytes_max(self) -> int:
        """Return the largest size."""
        return TIES_MAX * ENTRY_BYTES


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class LatestMemory(Memory):
    """State: [time, source, id, data] of the latest fact of a type."""

    def __init__(self, type_: str) -> None:
        self.types = frozenset({type_})
        self.take_name(f"latest {type_}")

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Take a fact in."""
        found = [event.time_ms, event.source, event.id, dict(event.data)]
        return found if state is None or found[:3] > list(state)[:3] else state

    def prune(self, state: State, t_ms: int) -> State:
        """A fact does not grow old."""
        return state

    def _join(self, states: list[State], t_ms: int) -> State:
        return max(states, key=lambda state: list(state)[:3])

    def later(self, state: State, after_ms: int) -> State:
        """Return the fact, if it is later than an instant."""
        found: Any = state
        return state if found is not None and found[0] > after_ms else None

    def is_state(self, value: State) -> bool:
        """The identity of a fact, and its data."""
        return is_row(value) and len(value) == NAME + 1 and is_name(value[:NAME]) and _is_data(value[NAME])

    def bytes_max(self) -> int:
        """Return the largest size, about."""
        return FACT_BYTES


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class ToldMemory(Memory):
    """State: [[time, source, id, organisation], …] of the latest facts of a type as which facts are told, in order."""

    def __init__(self, type_: str) -> None:
        self.types = frozenset({type_})
        self.take_name(f"told {type_}")

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Take a fact in. One that nobody told, because a producer sent it, may name no organisation."""
        organisation = event.data.get(ORGANISATION)
        if organisation.__class__ is not str:
            return state
        left = _latest_told([*_entries(state), [event.time_ms, event.source, event.id, organisation]])
        return state if left == state else left

    def prune(self, state: State, t_ms: int) -> State:
        """What was told does not grow old."""
        return state

    def _join(self, states: list[State], t_ms: int) -> State:
        return _latest_told(entry for state in states for entry in _entries(state))

    def later(self, state: State, after_ms: int) -> State:
        """Return the facts later than an instant."""
        return [entry for entry in _entries(state) if entry[0] > after_ms] or None

    def is_state(self, value: State) -> bool:
        """The identities of facts, and the organisation of each."""
        return are_named(value, lambda rest: len(rest) == 1 and rest[0].__class__ is str)

    def bytes_max(self) -> int:
        """Return the largest size."""
        return TOLD_MAX * ENTRY_BYTES


def _is_affiliation(row: Any) -> bool:
    organisation, role, *name, tied = row
    return organisation.__class__ is role.__class__ is str and is_name(name) and tied.__class__ is bool


def _is_data(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(path.__class__ is str and (each is None or is_value(each)) for path, each in value.items())


TIES: Final = TiesMemory()


def ties_in(state: State) -> set[Tie]:
    """Collect the ties of a state of TIES."""
    return {(entry[0], entry[1]) for entry in _entries(state) if entry[5]}


def affiliations_in(state: State) -> list[tuple[Tie, Order, bool]]:
    """List the affiliations of a state of TIES: of each tie the latest event, and whether it ties."""
    return [((entry[0], entry[1]), (entry[2], entry[3], entry[4]), entry[5]) for entry in _entries(state)]


def told_in(state: State) -> dict[Order, str]:
    """Map each fact of a state of a ToldMemory to the organisation that told it."""
    return {(entry[0], entry[1], entry[2]): entry[3] for entry in _entries(state)}


def fact_in(state: State, type_: str, subject: str) -> Event | None:
    """Return the fact of a state of a LatestMemory."""
    if state is None:
        return None
    time_ms, source, id_, data = state
    values = {path: tuple(value) if isinstance(value, list) else value for path, value in data.items()}
    return Event(source, id_, type_, subject, time_ms, values, ())


def _entries(state: State) -> list[Any]:
    return [] if state is None else list(state)


def _latest(entries: Iterable[Any]) -> list[Any]:
    """Keep the latest entry of each organisation and role, and the latest TIES_MAX of these."""
    found: dict[tuple[str, str], Any] = {}
    for entry in entries:
        known = found.get((entry[0], entry[1]))
        if known is None or known[2:5] < entry[2:5]:
            found[entry[0], entry[1]] = entry
    kept = sorted(found.values(), key=lambda entry: entry[2:5])[-TIES_MAX:]
    return sorted(kept, key=lambda entry: entry[:2])


def _latest_told(entries: Iterable[Any]) -> list[Any]:
    """Keep the latest TOLD_MAX facts. Of two with one identity the first counts, whoever told it."""
    found: dict[tuple[Any, ...], Any] = {}
    for entry in entries:
        known = found.get(tuple(entry[:3]))
        if known is None or entry < known:
            found[tuple(entry[:3])] = entry
    return sorted(found.values())[-TOLD_MAX:]
