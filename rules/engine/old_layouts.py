"""Profiles that an earlier version packed, in layouts 2 and 3: one JSON array each. (Layout 4 was MessagePack.)

    [ layout, cut, known_since, born_cut, latest, arrivals, sequence, evaluated,
      {trait: [time, source, id, value]},
      [[channel, purpose, granted, withdrawn], …],
      {state key: state},
      {segment: [0 or 1 for member, since, last_exit, 0 or 1 for disarmed, entry mark, exit mark]},
      {segment, or `@` and an activation: wake},
      {day of the record: [identity, …]},
      {activation: [0 or 1 for active, kind of its last deactivated]},
      {channel: sequence} ]

Layout 2 had one more instant, after known_since, that nothing read. Every length of an absence had a state of its own
then; now all absences of the same events share one (`take_former`).
"""

from collections.abc import Mapping, MutableMapping
from typing import Final

import orjson

from rules.conditions.memory import Memory
from rules.conditions.view import Register, State
from rules.engine.layout import LAYOUT, encode, pack_traits, unknown

FIRST_BYTE: Final = b"["
"""With it a profile in layout 2 or 3 begins; MessagePack's arrays begin otherwise."""
_FIRST_BYTES_4: Final = b"\xdc\x00\x10\x04"
"""With them a profile in layout 4 begins: an array of 16 fields, and the layout."""
_FIRST_SEEN: Final = 3
"""The place of the instant that only layout 2 had."""


def is_former(blob: bytes) -> bool:
    """Tell whether a blob is in an old layout, so that states may stand under former keys (`take_former`)."""
    return blob[:1] == FIRST_BYTE or blob[:4] == _FIRST_BYTES_4


def rewritten(blob: bytes) -> bytes:
    """Return a profile of an old layout in the newest one. Raises ValueError for a layout that is neither 2 nor 3."""
    fields = orjson.loads(blob)
    if fields[0] == 2:
        del fields[_FIRST_SEEN]
    elif fields[0] != 3:
        raise unknown(fields[0])
    *head, traits, consents, states, stays, wakes, days, activations, sequences = fields[1:]
    packed = [
        LAYOUT,
        *head,
        pack_traits({name: Register(*register) for name, register in traits.items()}),
        consents,
        states,
        {
            segment: [bool(member), since_ms, last_exit_ms, bool(disarmed), *marks]
            for segment, (member, since_ms, last_exit_ms, disarmed, *marks) in stays.items()
        },
        wakes,
        {identity: int(day) for day, identities in days.items() for identity in identities},
        {activation: [bool(active), was] for activation, (active, was) in activations.items()},
        sequences,
    ]
    return encode(packed)


def take_former(states: MutableMapping[str, State], memories: Mapping[str, Memory]) -> None:
    """Put states that stand under a former key under the key of today, in place. `memories`: of the profile's plan."""
    taken, left = {}, set()
    for key, memory in memories.items():
        former = [each for each in memory.former_keys if each in states]
        if former:
            found = [states[each] for each in former]
            taken[key] = found[0] if len(found) == 1 else memory.united(found)
            left.update(former)
    for each in left - memories.keys():
        del states[each]
    states.update(taken)
