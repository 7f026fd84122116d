"""Facts as an effect carries them: plain JSON values, the same for the same facts.

A worker may keep for a while what no window can reach any more, and in another order than one that read its profiles
from the store. So parts are pruned to R and put into order before they are written.
"""

from typing import Any, Final

import msgspec

from rules.engine import layout
from rules.engine.persons.joining import Memories
from rules.engine.persons.packed import PackedPart
from rules.engine.persons.part import OWN, Part, Way, unpack_part
from rules.engine.persons.steps import Brought
from rules.engine.profile import pruned
from rules.ground.event import Event

_SEEN: Final = 8
_HELD_BACK: Final = 9
_packed: Final = msgspec.msgpack.Decoder(PackedPart).decode
_plain: Final = msgspec.msgpack.Decoder().decode


def write_brought(brought: Brought, memories: Memories, r_ms: int) -> list[Any]:
    """Write facts: a list for each subject of which they were told, as `rules.engine.layout` has a part."""
    return [_write(origin, part, memories, r_ms) for origin, part in brought]


def _write(origin: str, part: Part, memories: Memories, r_ms: int) -> Any:
    part.states = pruned({key: state for key, state in part.states.items() if key in memories}, memories, r_ms)
    part.lacking = {key: since_ms for key, since_ms in sorted(part.lacking.items()) if key in memories}
    part.traits = dict(sorted(part.traits.items()))
    part.consents = dict(sorted(part.consents.items()))
    fields = _plain(layout.encode(part.pack(Way(OWN, origin), r_ms)))
    # keys of JSON are texts, and the order in which events were seen counts
    fields[_SEEN] = [[identity, day] for identity, day in fields[_SEEN].items()]
    fields[_HELD_BACK] = None
    return fields


def read_brought(value: Any) -> Brought:
    """Read facts. Raises ValueError: they do not say what they must."""
    brought: Brought = []
    try:
        for given in value:
            fields = [*given]
            fields[_SEEN] = dict(fields[_SEEN])
            way, part = unpack_part(_packed(layout.encode(fields)))
            brought.append((way.origin, part))
    except (TypeError, IndexError, msgspec.MsgspecError) as error:
        raise ValueError("no facts") from error
    return brought


def write_fact(event: Event) -> dict[str, Any]:
    """Write a fact as it was read at its arrival: the types and settings of that dictionary stay."""
    return {
        "source": event.source,
        "id": event.id,
        "type": event.type,
        "time": event.time_ms,
        "data": dict(event.data),
        "sets": [[trait, value] for trait, value in event.sets],
    }


def read_fact(value: Any, subject: str) -> Event:
    """Read a fact. Raises ValueError: it does not say what it must."""
    try:
        data = {path: _value(each) for path, each in value["data"].items()}
        sets = tuple((str(trait), _value(each)) for trait, each in value["sets"])
        texts = value["source"], value["id"], value["type"]
        if not all(each.__class__ is str for each in texts) or value["time"].__class__ is not int:
            raise ValueError("no fact")
        return Event(*texts, subject, value["time"], data, sets)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no fact") from error


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
