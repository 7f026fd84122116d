"""The history of a trait's settings, as far as a window can reach: what `held` and `changed` remember.

A state is a list of `[time_ms, source, id, value]` in the order of (time, source, id); no value is null. The latest
setting at or before the window's start is kept too: it stood when the window began.

Where the condition came in at a cut without its history, a fifth field says how a setting became known, unless it came
after the cut: STOOD, it stood at the cut and nothing else is known of it; PAST, a record of history brought it. What
stood before the first setting that is known is not known if any of them is STOOD, or is PAST and the log was not whole.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self

from mypy_extensions import mypyc_attr

from rules.conditions.base import Completion, Condition
from rules.conditions.memory import Memory
from rules.conditions.occurrences import ENTRIES_MAX, ENTRY_BYTES, Entries, Entry, drop_until, evidence_of, remembered
from rules.conditions.shapes import are_named, is_value, is_whole
from rules.conditions.view import Mark, Register, State, View
from rules.conditions.window import Window
from rules.ground.event import Value
from rules.language.problems import canonical_json

VALUE: Final = 3
KNOWN_BY: Final = 4
STOOD: Final = 1
PAST: Final = 2
VALUE_BYTES: Final = 64
"""The bytes that lint reckons for a value."""


def plain(value: Value | None) -> Any:
    """Return a value as it comes back from JSON, so that a fresh value equals a stored one."""
    return list(value) if isinstance(value, tuple) else value


def entry_of(setting: Register) -> Entry:
    """Make the entry of a setting."""
    return [setting.time_ms, setting.source, setting.id, plain(setting.value)]


def keep_settings(history: Entries | None, entry: Entry, start_ms: int, one_a_millisecond: bool) -> Entries | None:
    """Add a setting; return the settings after `start_ms` and the last one until then, up to the limit and its witness.

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
        if before == 0 and (len(history) > ENTRIES_MAX or (after is not None and after[0] <= start_ms)):
            return history if before == at else [entry, *history[at:]]
        kept = [*history[:before], entry, *history[at:]]
    return drop_settings(kept, start_ms)


def drop_settings(history: Entries, start_ms: int) -> Entries:
    """Return the settings without those that ended before the window's start; the very same list if none did."""
    first = max(0, len(history) - ENTRIES_MAX - 1)
    if len(history) > 1 and history[1][0] <= start_ms:
        first = max(first, bisect_left(history, [start_ms + 1]) - 1)
    return history[first:] if first else history


def joined_settings(histories: Sequence[Entries], start_ms: int, one_a_millisecond: bool) -> Entries:
    """Return what `keep_settings` would have kept of the settings of several histories; there is one at least.

    One that several have is known as well as in that which knows it best.
    """
    found: dict[tuple[int, str, str], Entry] = {}
    for entry in (each for history in histories for each in history):
        name = (entry[0], entry[1], entry[2])
        known = found.get(name)
        if known is None:
            found[name] = entry
        elif known_by(known) < known_by(entry):
            found[name] = [*known[:KNOWN_BY], entry[KNOWN_BY]]
    names = sorted(found)
    if one_a_millisecond:
        names = sorted({name[0]: name for name in names}.values())
    return drop_settings([found[name] for name in names], start_ms)


def known_better(history: Entries, entry: Entry) -> Entries:
    """Return the settings with an entry's own `KNOWN_BY`, where it is known already; the very same if it was better."""
    at = bisect_left(history, entry[:3])
    if at == len(history) or history[at][:3] != entry[:3] or known_by(history[at]) >= known_by(entry):
        return history
    return [*history[:at], [*history[at][:KNOWN_BY], entry[KNOWN_BY]], *history[at + 1 :]]


def known_by(entry: Entry) -> int:
    """Tell how a setting became known: 0, by an event after the cut; STOOD; PAST."""
    return entry[KNOWN_BY] if len(entry) > KNOWN_BY else 0


def _is_setting(rest: Any) -> bool:
    return (
        len(rest) in (1, 2)
        and (rest[0] is None or is_value(rest[0]))
        and (len(rest) == 1 or (is_whole(rest[1]) and rest[1] in (STOOD, PAST)))
    )


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class SettingsMemory(Memory):
    """Keeps the settings of a trait in the last `reach_ms`, and the one that stood when they began."""

    def __init__(self, kind: str, trait: str, reach_ms: int, *, one_a_millisecond: bool) -> None:
        self.take_name(canonical_json([kind, trait, reach_ms]))
        self.traits = frozenset({trait})
        self._reach_ms = reach_ms
        self._one_a_millisecond = one_a_millisecond

    def fold_setting(self, state: State, trait: str, setting: Register, arrival: int, t_ms: int) -> State:
        """Keep the setting."""
        return keep_settings(state, entry_of(setting), t_ms - self._reach_ms, self._one_a_millisecond)

    def fold_past_setting(self, state: State, trait: str, setting: Register, t_ms: int) -> State:
        """Keep the setting, or know better how it became known."""
        entry = [*entry_of(setting), PAST]
        moved = keep_settings(state, entry, t_ms - self._reach_ms, self._one_a_millisecond)
        return known_better(state, entry) if moved is state and state else moved

    def standing(self, setting: Register) -> State:
        """Know the one setting."""
        return [[*entry_of(setting), STOOD]]

    def _join(self, states: list[State], t_ms: int) -> State:
        return joined_settings(states, t_ms - self._reach_ms, self._one_a_millisecond)

    def later(self, state: State, after_ms: int) -> State:
        """Drop the earlier settings."""
        return drop_until(state, after_ms)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what no window can reach; the last setting stays."""
        return drop_settings(state, t_ms - self._reach_ms) if state else None

    def capped(self, state: State, mark: Mark | None) -> bool:
        """Tell whether settings were dropped at the limit."""
        return len(state or ()) > ENTRIES_MAX

    def is_state(self, value: State) -> bool:
        """Settings."""
        return are_named(value, _is_setting)

    def bytes_max(self) -> int:
        """All settings up to the limit."""
        return (ENTRIES_MAX + 1) * (ENTRY_BYTES + VALUE_BYTES)


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class OfSettings(Condition):
    """A condition on the settings of a trait in the last `reach_ms`."""

    looks_at_history = True
    one_a_millisecond: ClassVar[bool] = False
    """Whether of several settings in one millisecond only the last counts."""

    def __init__(self, definition: Any, trait: str, reach_ms: int, text: str) -> None:
        """`text` says it in plain English."""
        self.definition = definition
        memory = SettingsMemory(self.kind, trait, reach_ms, one_a_millisecond=self.one_a_millisecond)
        self.memory = memory
        self.state_key = memory.state_key
        self.traits = memory.traits
        self._trait = trait
        self._reach_ms = reach_ms
        self._text = text
        self.since_ms: int | None = None

    def history(self, view: View) -> Entries:
        """Return the settings remembered. One that only the register knows (set before this was kept) is the last."""
        history = remembered(view.facts.state(self.state_key) or [])
        register = view.facts.traits.get(self._trait)
        if register is None or (history and [*register[:3]] <= history[-1][:3]):
            return history
        return [*history, entry_of(register)]

    def of_cut(self, cut: int, since_ms: int | None) -> Self:
        """As the base does; it remembers since when it knows all."""
        found = super().of_cut(cut, since_ms)
        found.since_ms = since_ms
        return found

    def unknown_before(self, history: Entries, view: View) -> int | None:
        """Return the instant before which the trait's value is not known: that of the first setting. None: it is known.

        Before the first setting of all there is no value, and no setting is earlier than the profile's first event.
        """
        if not history or self.memory is None or not self.memory.cut:
            return None
        first_ms: int = history[0][0]
        if first_ms <= view.facts.known_since_ms:
            return None
        whole = self.since_ms is None or view.facts.born_ms >= self.since_ms
        doubtful = any(by == STOOD or (by == PAST and not whole) for by in map(known_by, history))
        return first_ms if doubtful else None

    def completions(self, cut_ms: int) -> tuple[Completion, ...]:
        """As of a window `within`."""
        return ((Window(within_ms=self._reach_ms).complete_at(cut_ms), None),)

    def describe(self) -> str:
        """`stage equals trial for 30d`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the settings in reach."""
        return evidence_of(self.history(view))
