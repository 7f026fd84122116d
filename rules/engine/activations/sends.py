"""Frequency caps: how many recent `message.sent` events a profile has for a channel, journey, intent or activation.

All caps with the same (of, value) share one counter. Its state is the sends within the longest of their windows, up to
the latest ENTRIES_MAX by (time, source, id). All of these are kept, not only as many as the caps ask for: a cap that a
cut tightens or widens goes on with what is known. A counter that comes in at a cut without history begins there; no cap
is ever pending.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from rules.catalogue.activation import Activation, CapOf
from rules.catalogue.catalogue import Catalogue
from rules.conditions.base import Verdict
from rules.conditions.joining import all_of, arrived_entries, merged, present
from rules.conditions.memory import Memory
from rules.conditions.occurrences import ENTRIES_MAX, ENTRY_BYTES, drop_until, entry_of, keep_all
from rules.conditions.shapes import are_entries
from rules.conditions.view import State, View
from rules.ground.event import Event
from rules.ground.instants import FOREVER, format_duration
from rules.language.dictionary import SENT
from rules.language.problems import canonical_json
from rules.language.value_test import FALSE

OF_POLICY: Final[CapOf] = "channel"


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class SendCounter(Memory):
    """The sends that share a value; `SendCap` asks it. `counters_of` makes it for all caps of a catalogue at once."""

    shares_text = True

    def __init__(self, of: CapOf, value: str, reach_ms: int, least: int) -> None:
        self.of = of
        self.value = value
        self.reach_ms = reach_ms
        self._least = least
        self.types = frozenset((SENT,))
        self.take_name(canonical_json(["sends", of, value]))

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep what some window may reach."""
        if event.data.get(self.of) != self.value:
            return state
        return keep_all(state, entry_of(event, arrival), t_ms - self.reach_ms)

    def _join(self, states: list[State], t_ms: int) -> State:
        return all_of(merged(states), t_ms - self.reach_ms)

    def arrived(self, state: State, arrival: int, known: Sequence[State]) -> State:
        """Set the arrival of every send."""
        return arrived_entries(state, arrival, present(known)) if state else state

    def later(self, state: State, after_ms: int) -> State:
        """Drop the earlier sends."""
        return drop_until(state, after_ms)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the longest window."""
        return drop_until(state, t_ms - self.reach_ms)

    def inert(self, state: State) -> bool:
        """Too few for any cap."""
        return len(state) < self._least if state else True

    def describe(self) -> str:
        """`message.sent where channel equals email within 7d`."""
        return f"{SENT} where {self.of} equals {self.value} within {format_duration(self.reach_ms)}"

    def is_state(self, value: State) -> bool:
        """Entries."""
        return are_entries(value)

    def bytes_max(self) -> int:
        """All up to the limit."""
        return (ENTRIES_MAX + 1) * ENTRY_BYTES


class SendCap(NamedTuple):
    """One cap of one activation: at most so many sends of its counter in any window of that length."""

    counter: SendCounter
    at_most: int
    within_ms: int

    def reached(self, view: View) -> Verdict:
        """Tell whether the cap is reached, and until when with no further send."""
        entries = view.facts.state(self.counter.state_key)
        if not entries or len(entries) < self.at_most or self.at_most > ENTRIES_MAX:
            return FALSE
        end_ms = entries[-self.at_most][0] + self.within_ms
        return (True, end_ms) if view.t_ms < end_ms else FALSE

    def describe(self) -> str:
        """`at most 3 by channel within 7d`."""
        return f"at most {self.at_most} by {self.counter.of} within {format_duration(self.within_ms)}"


class _Cap(NamedTuple):
    of: CapOf
    value: str
    at_most: int
    within_ms: int


def _caps_of(activation: Activation, catalogue: Catalogue) -> Iterable[_Cap]:
    """Yield the caps of an activation, then the caps of the policy for its channel."""
    own: dict[CapOf, str] = {
        "channel": activation.channel,
        "journey": activation.slot,
        "intent": activation.intent,
        "activation": activation.id,
    }
    for cap in activation.frequency_caps:
        yield _Cap(cap.of, own[cap.of], cap.at_most, cap.within_ms)
    for each in catalogue.policy.caps:
        if each.channel == activation.channel:
            yield _Cap(OF_POLICY, each.channel, each.at_most, each.within_ms)


Counters = dict[tuple[CapOf, str], SendCounter]


def counters_of(catalogue: Catalogue) -> Counters:
    """Make the counters that a catalogue needs: for its approved activations and for all caps of its policy.

    A pilot's version before is an approved activation like any other.
    """
    asked = [_Cap(OF_POLICY, cap.channel, cap.at_most, cap.within_ms) for cap in catalogue.policy.caps]
    for activation in (*catalogue.activations.values(), *catalogue.activations_before.values()):
        if activation.status == "approved":
            asked += _caps_of(activation, catalogue)
    found: Counters = {}
    for of, value in {(cap.of, cap.value): None for cap in asked}:
        mine = [cap for cap in asked if (cap.of, cap.value) == (of, value)]
        reach_ms = max(cap.within_ms for cap in mine)
        found[of, value] = SendCounter(of, value, reach_ms, min(cap.at_most for cap in mine))
    return found


def caps_of(activation: Activation, catalogue: Catalogue, counters: Counters) -> tuple[SendCap, ...]:
    """Bind the caps of an approved activation to their counters."""
    return tuple(
        SendCap(counters[cap.of, cap.value], cap.at_most, cap.within_ms) for cap in _caps_of(activation, catalogue)
    )


def reached(caps: Iterable[SendCap], view: View) -> tuple[tuple[str, ...] | None, int]:
    """Return what the reached caps count, in code-point order (None: no cap is reached), and until when they refuse."""
    refusing: set[str] = set()
    until_ms = 0
    for cap in caps:
        holds, end_ms = cap.reached(view)
        if holds:
            refusing.add(cap.counter.of)
            until_ms = max(until_ms, end_ms)
    # they refuse as long as any one does: to look again earlier would find nothing
    return (tuple(sorted(refusing)), until_ms) if refusing else (None, FOREVER)
