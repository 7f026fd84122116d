"""The join of a person's parts: what is evaluated (docs/language.md, One person, several subjects; Memory)."""

from collections.abc import Iterable, Mapping, Sequence

from rules.conditions.consent import consents_later, join_consents
from rules.conditions.memory import Memory
from rules.conditions.view import Register, State
from rules.engine.persons.lacking import joined_awaited, joined_lacking
from rules.engine.persons.part import Part
from rules.engine.persons.person import identity_of, logged
from rules.engine.profile import Profile
from rules.ground.instants import FOREVER

Memories = Mapping[str, Memory]
"""By state key: the memory that keeps it, under the plan that the profile stands under."""


def rejoin(profile: Profile, memories: Memories, t_ms: int) -> None:
    """Let a linked profile know the join of its parts. What no window can reach at t_ms may be dropped."""
    assert profile.person is not None
    parts = [*profile.person.ordered()]
    profile.known_since_ms = min((part.known_since_ms for part in parts), default=FOREVER)
    profile.latest_ms = max((part.latest_ms for part in parts), default=-FOREVER)
    profile.lacking = joined_lacking(parts)
    profile.know(
        joined_traits(parts),
        join_consents([part.consents for part in parts]),
        joined_states(parts, memories, t_ms),
    )


def joined_traits(parts: Iterable[Part]) -> dict[str, Register]:
    """Join settings: the latest by (time, source, id) stands."""
    found: dict[str, Register] = {}
    for part in parts:
        for name, setting in part.traits.items():
            known = found.get(name)
            if known is None or known[:3] < setting[:3]:
                found[name] = setting
    return found


def joined_states(parts: Sequence[Part], memories: Memories, t_ms: int) -> dict[str, State]:
    """Join the states of each memory."""
    keys = dict.fromkeys(key for part in parts for key in part.states if key in memories)
    return {key: joined_state(parts, key, memories[key], t_ms) for key in keys}


def joined_state(parts: Iterable[Part], key: str, memory: Memory, t_ms: int) -> State:
    """Join the states of one memory."""
    return memory.join([part.states.get(key) for part in parts], t_ms)


def joined_part(parts: Sequence[Part], memories: Memories, t_ms: int) -> Part:
    """Join parts of one origin: they came different ways, or under different policies. One alone is returned itself."""
    if len(parts) == 1:
        return parts[0]
    found = Part()
    found.known_since_ms = min(part.known_since_ms for part in parts)
    found.latest_ms = max(part.latest_ms for part in parts)
    found.traits = joined_traits(parts)
    found.consents = join_consents([part.consents for part in parts])
    found.states = joined_states(parts, memories, t_ms)
    found.lacking = joined_lacking(parts) or {}
    found.awaited = joined_awaited(parts, found.lacking.keys())
    found.between = tuple(sorted({subject for part in parts for subject in part.between}))
    for part in parts:
        found.seen.join(part.seen)
    if any(part.log is not None for part in parts):
        found.log = []
        for part in parts:
            there = logged([found])
            found.log += [seen for seen in part.log or () if identity_of(seen.event) not in there]
    return found


def arrived(part: Part, known: Sequence[Part], memories: Memories, arrival: int) -> Part:
    """Return a part as its facts arrive now; those that are known keep their arrival."""
    found = part.copy()
    found.states = {
        key: memories[key].arrived(state, arrival, [one.states.get(key) for one in known])
        for key, state in part.states.items()
        if key in memories and state is not None
    }
    return found


def later(part: Part, memories: Memories, after_ms: int) -> Part | None:
    """Return a part with its facts later than an instant only; None: there is none.

    Where the facts are not at hand, the smallest time of what is left is not known to the millisecond: it is that of
    what is remembered, or the greatest. So it may be later than a fact that is left, and all is looked through again
    where the part comes to the next subject that was erased.
    """
    if part.latest_ms <= after_ms:
        return None
    found = part.copy()
    found.traits = {name: setting for name, setting in part.traits.items() if setting.time_ms > after_ms}
    found.consents = consents_later(part.consents, after_ms)
    states = {key: memories[key].later(state, after_ms) for key, state in part.states.items() if key in memories}
    found.states = {key: state for key, state in states.items() if state is not None}
    if part.known_since_ms <= after_ms:
        found.known_since_ms = min((setting.time_ms for setting in found.traits.values()), default=part.latest_ms)
    if found.log is not None:
        found.log = [seen for seen in found.log if seen.event.time_ms > after_ms]
        found.known_since_ms = min(seen.event.time_ms for seen in found.log)
    return found
