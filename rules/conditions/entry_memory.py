"""Memories that keep an entry for each matching event (`rules.conditions.occurrences`).

They differ in how much they keep: all events that the window may reach (`WindowMemory`), only the latest few, only the
earliest few, or older ones by bucket. A condition reads them all in one way: `counted`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from mypy_extensions import mypyc_attr

from rules.conditions import bucketed
from rules.conditions.bucketed import Values
from rules.conditions.joining import all_of, arrived_entries, latest, merged, present
from rules.conditions.matching import Matcher
from rules.conditions.memory import Memory
from rules.conditions.occurrences import (
    ENTRIES_MAX,
    ENTRY_BYTES,
    Entries,
    Entry,
    as_past,
    drop_until,
    entry_of,
    keep_all,
    keep_earliest,
    keep_latest,
    later_than,
    remembered,
)
from rules.conditions.shapes import IsValue, are_entries, is_value
from rules.conditions.view import Mark, State
from rules.conditions.window import Window
from rules.ground.event import Event
from rules.ground.instants import FOREVER

ValueOf: TypeAlias = Callable[[Event], Any]
"""Makes the fifth field of an event's entry; None: the event does not count."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class WindowMemory(Memory):
    """Keeps all that the window may reach: the latest ENTRIES_MAX by (time, source, id), and the witness."""

    def __init__(
        self,
        state_text: str,
        matchers: tuple[Matcher, ...],
        window: Window,
        *,
        reach_ms: int | None,
        value_of: ValueOf | None = None,
        value_bytes: int = 0,
        shape: IsValue = is_value,
    ) -> None:
        """`reach_ms`: an event so old at R, or older, counts no more; None: none grows too old.

        Of several matchers, `value_of` says whether an event counts. `shape` tells what it gives.
        """
        self.take_name(state_text)
        self._match(matchers)
        self._where = matchers[0].where if len(matchers) == 1 else None
        self._window = window
        self._dated = window.since_ms is not None or window.until_ms is not None
        self._reach_ms = reach_ms
        self._value_of = value_of
        self._shape = None if value_of is None else shape
        self._entry_bytes = ENTRY_BYTES + value_bytes

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the event's entry, if it matches and the dates admit it."""
        where = self._where
        if where is not None and not where.holds(event):
            return state
        if self._dated and not self._window.admits(event.time_ms):
            return state
        entry = entry_of(event, arrival)
        if self._value_of is not None:
            value = self._value_of(event)
            if value is None:
                return state
            entry.append(value)
        return self._keep(state, entry, t_ms)

    def fold_past(self, state: State, event: Event, t_ms: int) -> State:
        """As `fold`; an event that came after the cut as well, by a late redelivery, is later than no mark either."""
        moved = super().fold_past(state, event, t_ms)
        return self._as_past(state, event) if moved is state else moved

    def _as_past(self, state: State, event: Event) -> State:
        return as_past(state, event)

    def oldest_ms(self, t_ms: int) -> int:
        """As the window and its dates say."""
        since_ms = self._window.since_ms
        oldest_ms = self._uncounted_ms(t_ms)
        return oldest_ms if since_ms is None else max(oldest_ms, since_ms - 1)

    def _uncounted_ms(self, t_ms: int) -> int:
        """Return the instant up to which events are out of the window at t_ms, dates apart; -FOREVER: there is none."""
        return self._oldest_ms(t_ms)

    def _keep(self, state: State, entry: Entry, t_ms: int) -> State:
        return keep_all(state, entry, self._oldest_ms(t_ms))

    def _oldest_ms(self, t_ms: int) -> int:
        return -FOREVER if self._reach_ms is None else t_ms - self._reach_ms

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        return state if self._reach_ms is None else drop_until(state, t_ms - self._reach_ms)

    def _join(self, states: list[State], t_ms: int) -> State:
        return self._limited(merged(states), t_ms)

    def _limited(self, entries: Entries, t_ms: int) -> Entries | None:
        """Return what folding would have kept of entries."""
        return all_of(entries, self._oldest_ms(t_ms))

    def arrived(self, state: State, arrival: int, known: Sequence[State]) -> State:
        """Set the arrival of every entry."""
        return arrived_entries(state, arrival, present(known)) if state else state

    def later(self, state: State, after_ms: int) -> State:
        """Drop the earlier entries."""
        return drop_until(state, after_ms)

    def counted(self, state: State, mark: Mark | None) -> tuple[Entries, Entries]:
        """Return the units (`rules.conditions.bucketed`) and the entries that are later than a mark, in order."""
        return [], later_than(remembered(state), mark) if state else []

    def capped(self, state: State, mark: Mark | None) -> bool:
        """Tell whether entries were dropped at the limit."""
        return len(state or ()) > ENTRIES_MAX

    def is_state(self, value: State) -> bool:
        """Entries."""
        return are_entries(value, self._shape)

    def bytes_max(self) -> int:
        """All entries up to the limit."""
        return (ENTRIES_MAX + 1) * self._entry_bytes


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class LatestMemory(WindowMemory):
    """Keeps the latest few, and the entries of the same time as the last of them."""

    def __init__(
        self,
        state_text: str,
        matchers: tuple[Matcher, ...],
        window: Window,
        *,
        reach_ms: int | None,
        wanted: int,
        value_of: ValueOf | None = None,
        value_bytes: int = 0,
        shape: IsValue = is_value,
    ) -> None:
        super().__init__(
            state_text,
            matchers,
            window,
            reach_ms=reach_ms,
            value_of=value_of,
            value_bytes=value_bytes,
            shape=shape,
        )
        self._wanted = wanted

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the event's entry: as the base does, but with no calls between: most events come here."""
        where = self._where
        if where is not None and not where.holds(event):
            return state
        if self._dated and not self._window.admits(event.time_ms):
            return state
        entry = [event.time_ms, event.source, event.id, arrival]
        if self._value_of is not None:
            value = self._value_of(event)
            if value is None:
                return state
            entry.append(value)
        oldest_ms = -FOREVER if self._reach_ms is None else t_ms - self._reach_ms
        return keep_latest(state, entry, self._wanted, oldest_ms)

    def _limited(self, entries: Entries, t_ms: int) -> Entries | None:
        return latest(entries, self._wanted, self._oldest_ms(t_ms))

    def bytes_max(self) -> int:
        """The wanted entries (ties apart)."""
        return self._wanted * self._entry_bytes


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class EarliestMemory(WindowMemory):
    """Keeps the earliest few."""

    def __init__(self, state_text: str, matchers: tuple[Matcher, ...], window: Window, *, wanted: int) -> None:
        super().__init__(state_text, matchers, window, reach_ms=None)
        self._wanted = wanted

    def _keep(self, state: State, entry: Entry, t_ms: int) -> State:
        return keep_earliest(state, entry, self._wanted)

    def _limited(self, entries: Entries, t_ms: int) -> Entries | None:
        return entries[: self._wanted]

    def bytes_max(self) -> int:
        """The wanted entries."""
        return self._wanted * self._entry_bytes


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class BucketedMemory(WindowMemory):
    """Keeps the latest ENTRIES_MAX one by one, and counts older ones by bucket."""

    def __init__(
        self,
        state_text: str,
        matchers: tuple[Matcher, ...],
        window: Window,
        *,
        reach_ms: int | None,
        value_of: ValueOf | None = None,
        values: Values | None = None,
        shape: IsValue = is_value,
    ) -> None:
        super().__init__(state_text, matchers, window, reach_ms=reach_ms, value_of=value_of, shape=shape)
        assert window.bucket_ms is not None
        self._bucket_ms = window.bucket_ms
        self._values = values

    def _keep(self, state: State, entry: Entry, t_ms: int) -> State:
        return bucketed.keep(state, entry, self._oldest_ms(t_ms), t_ms, self._bucket_ms, self._values)

    def _uncounted_ms(self, t_ms: int) -> int:
        """An event counts by its time rounded up, so one up to a bucket older may count."""
        oldest_ms = self._oldest_ms(t_ms)
        return oldest_ms if oldest_ms <= -FOREVER else oldest_ms // self._bucket_ms * self._bucket_ms

    def _as_past(self, state: State, event: Event) -> State:
        if state is None:
            return None
        entries = as_past(state[0], event)
        return state if entries is state[0] else [entries, *state[1:]]

    def _join(self, states: list[State], t_ms: int) -> State:
        return bucketed.join_states(states, self._oldest_ms(t_ms), t_ms, self._bucket_ms, self._values)

    def arrived(self, state: State, arrival: int, known: Sequence[State]) -> State:
        """Set the arrival of every entry; what is counted by bucket has none."""
        if state is None:
            return None
        entries = arrived_entries(state[0], arrival, [each[0] for each in present(known)])
        return state if entries is state[0] else [entries, *state[1:]]

    def later(self, state: State, after_ms: int) -> State:
        """Drop the earlier entries, and every bucket with an earlier event."""
        return bucketed.later(state, after_ms, self._bucket_ms)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        return bucketed.drop(state, self._oldest_ms(t_ms), self._bucket_ms)

    def counted(self, state: State, mark: Mark | None) -> tuple[Entries, Entries]:
        """Return the units and the entries that are later than a mark."""
        return bucketed.counted(state, mark)

    def capped(self, state: State, mark: Mark | None) -> bool:
        """Tell whether a mark lies inside a bucket that was counted as one."""
        return bucketed.straddles(state, mark)

    def is_state(self, value: State) -> bool:
        """Entries, units and identities."""
        return bucketed.is_state(value, self._shape)

    def bytes_max(self) -> int:
        """What a busy profile needs."""
        return bucketed.bytes_max()
