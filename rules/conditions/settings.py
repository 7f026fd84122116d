"""The history of a trait's settings, as far as a window can reach: what `held` and `changed` remember.

A state is a list of `[time_ms, source, id, value]` in the order of (time, source, id); a list value is a list, no
value is null. The latest setting at or before the window's start is kept too: it stood when the window began.
"""

from bisect import bisect_left
from typing import Any, Final

from rules.conditions.base import Condition
from rules.conditions.occurrences import ENTRY_BYTES, MEMORY, Entries, Entry, remembered
from rules.conditions.view import Register, State, View
from rules.conditions.window import Window
from rules.ground.event import Value
from rules.ground.instants import format_duration
from rules.language.problems import canonical_json

VALUE: Final = 3
VALUE_BYTES: Final = 64
"""What lint takes a value for."""


def plain(value: Value | None) -> Any:
    """A value as it comes back from JSON, so that fresh and stored ones are equal when they are."""
    return list(value) if isinstance(value, tuple) else value


def entry_of(setting: Register) -> Entry:
    """Make the entry of a setting."""
    return [setting.time_ms, setting.source, setting.id, plain(setting.value)]


def keep_settings(history: Entries | None, entry: Entry, start_ms: int, one_a_millisecond: bool) -> Entries | None:
    """Add a setting; keep those after `start_ms` and the last one until then, up to the limit and its witness.

    `one_a_millisecond`: of several in one millisecond only the last is kept. Returns the very same list if the
    setting is known or out of reach.
    """
    if not history:
        return [entry]
    if history[-1][0] < entry[0]:
        kept = [*history, entry]
    else:
        at = bisect_left(history, entry[:3])
        after = history[at] if at < len(history) else None
        if after is not None and (after[:3] == entry[:3] or (one_a_millisecond and after[0] == entry[0])):
            return history
        before = at - 1 if one_a_millisecond and at and history[at - 1][0] == entry[0] else at
        if before == 0 and (len(history) > MEMORY or (after is not None and after[0] <= start_ms)):
            return history if before == at else [entry, *history[at:]]
        kept = [*history[:before], entry, *history[at:]]
    return drop_settings(kept, start_ms)


def drop_settings(history: Entries, start_ms: int) -> Entries:
    """Drop what stood before the window's start; the very same list if nothing was dropped."""
    first = max(0, len(history) - MEMORY - 1)
    if len(history) > 1 and history[1][0] <= start_ms:
        first = max(first, bisect_left(history, [start_ms + 1]) - 1)
    return history[first:] if first else history


class OfSettings(Condition):
    """A condition on the settings of a trait in the last `reach_ms`."""

    looks_at_history = True
    one_a_millisecond = False

    def __init__(self, definition: Any, trait: str, reach_ms: int) -> None:
        self.definition = definition
        self.traits = frozenset({trait})
        self._trait = trait
        self._reach_ms = reach_ms
        self.state_key = canonical_json([self.kind, trait, reach_ms])

    def fold_setting(self, state: State, trait: str, setting: Register, arrival: int, t_ms: int) -> State:
        """Keep the setting."""
        return keep_settings(state, entry_of(setting), t_ms - self._reach_ms, self.one_a_millisecond)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what no window can reach; the last setting stays."""
        return drop_settings(state, t_ms - self._reach_ms) if state else None

    def history(self, view: View) -> Entries:
        """The settings remembered. One that only the register knows (set before this was kept) is the last."""
        history = remembered(view.facts.states.get(self.state_key) or [])  # type: ignore[arg-type]
        register = view.facts.traits.get(self._trait)
        if register is None or (history and [*register[:3]] <= history[-1][:3]):
            return history
        return [*history, entry_of(register)]

    def complete_at(self, cut_ms: int) -> int:
        """As a window `within`."""
        return Window(within_ms=self._reach_ms).complete_at(cut_ms)

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """The settings in reach."""
        return [(entry[0], entry[1], entry[2]) for entry in self.history(view)]

    def capped(self, view: View) -> bool:
        """Whether settings were dropped at the limit."""
        return len(view.facts.states.get(self.state_key or "") or ()) > MEMORY

    def state_bytes_max(self) -> int:
        """All settings up to the limit."""
        return (MEMORY + 1) * (ENTRY_BYTES + VALUE_BYTES)

    def reach(self) -> str:
        """The length of the window, in plain English."""
        return format_duration(self._reach_ms)
