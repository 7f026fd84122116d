"""Facts as an effect carries them: plain JSON values, the same for the same facts.

A worker may keep for a while what no window can reach any more, and in another order than one that read its profiles
from the store. So parts are pruned to R and put into order before they are written.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from rules.conditions.shapes import is_value
from rules.engine import layout
from rules.engine.affiliations.ties import AFFILIATIONS
from rules.engine.decode import is_subject
from rules.engine.persons.journeys import read_active
from rules.engine.persons.lacking import name_for_others
from rules.engine.persons.packed import Identity, PackedPart
from rules.engine.persons.part import OWN, Part, Way, unpack_part
from rules.engine.persons.steps import Brought
from rules.engine.persons.taking_over import Taken, of_json
from rules.engine.plan import Plan
from rules.engine.profile import pruned
from rules.ground.event import Event
from rules.language.dictionary import GRANTED

_SEEN: Final = 8
_HELD_BACK: Final = 9
_INSTANT_MAX_MS: Final = 1 << 53
_packed: Final = msgspec.msgpack.Decoder(PackedPart).decode
_plain: Final = msgspec.msgpack.Decoder().decode


def write_brought(brought: Brought, plan: Plan, r_ms: int) -> list[Any]:
    """Write facts: a list for each subject of which they were told, as `rules.engine.layout` has a part."""
    return [_write(origin, part, plan, r_ms) for origin, part in brought]


def _write(origin: str, part: Part, plan: Plan, r_ms: int) -> Any:
    memories = plan.states
    part.states = pruned({key: state for key, state in part.states.items() if key in memories}, memories, r_ms)
    part.lacking = {key: since_ms for key, since_ms in sorted(part.lacking.items()) if key in memories}
    part.awaited = tuple(key for key in part.awaited if key in part.lacking)
    name_for_others(part, plan)
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
            if not is_subject(way.origin) or not _are_instants(part.known_since_ms, part.latest_ms, *_times_of(part)):
                raise ValueError("no facts")
            if not all(setting.value is None or is_value(setting.value) for setting in part.traits.values()):
                raise ValueError("no settings")
            brought.append((way.origin, part))
    except (TypeError, IndexError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueError("no facts") from error
    return brought


def _times_of(part: Part) -> Iterator[int]:
    """Walk the instants and days that a part names beside its states."""
    yield from (setting.time_ms for setting in part.traits.values())
    yield from (told.time_ms for pair in part.consents.values() for told in pair if told is not None)
    yield from part.seen.days.values()
    yield from part.lacking.values()


def check_states(brought: Brought, plan: Plan) -> None:
    """Look at the states that a plan keeps. Raises ValueError: one has not the shape that its memory gives it."""
    names = {foreign: key for key, foreign in plan.foreign.items()}
    for _, part in brought:
        for foreign, state in part.states.items():
            memory = plan.states.get(names.get(foreign, foreign))
            if memory is not None and state is not None and not memory.is_state(state):
                raise ValueError("no state")


def read_subjects(value: Any) -> set[str]:
    """Read a list of subjects. Raises ValueError: it does not say what it must."""
    if value.__class__ is not list or not all(is_subject(each) for each in value):
        raise ValueError("no subjects")
    return {*value}


def read_besides(data: Mapping[str, Any]) -> tuple[str | None, set[str]]:
    """Read what facts say sometimes: the subject that the alias stood for before, and whose facts come no longer.

    Raises ValueError: it does not say what it must.
    """
    instead = data.get("instead")
    if instead is not None and not is_subject(instead):
        raise ValueError("no subject")
    return instead, read_subjects(data.get("withdrawn", []))


def read_identity(value: Any) -> Identity:
    """Read the (time, source, id) of an event. Raises ValueError: it does not say what it must."""
    found = msgspec.convert(value, Identity)
    if not _are_instants(found.time_ms):
        raise ValueError("no identity")
    return found


def read_taken(value: Any, active: Any) -> Taken:
    """Read what is taken over, and what was active. Raises ValueError: they do not say what they must."""
    taken = of_json(value, read_active(active))
    for stay in taken.stays.values():
        marks = [mark.time_ms for mark in (stay.entry_mark, stay.exit_mark) if mark is not None]
        exits = [each for each in (stay.last_exit_ms, stay.marked_ms) if each is not None]
        if not _are_instants(stay.since_ms, *marks, *exits):
            raise ValueError("no stay")
    return taken


def _are_instants(*values: int) -> bool:
    return all(abs(value) <= _INSTANT_MAX_MS for value in values)


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
        data = {path: _value(each) for path, each in value["data"].items() if each is not None}
        sets = tuple((str(trait), _value(each)) for trait, each in value["sets"])
        texts = value["source"], value["id"], value["type"]
        if not all(each.__class__ is str for each in texts) or value["time"].__class__ is not int:
            raise ValueError("no fact")
        if not _are_instants(value["time"]) or not _is_read(value["type"], data):
            raise ValueError("no fact")
        return Event(*texts, subject, value["time"], data, sets)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no fact") from error


def _is_read(type_: str, data: Mapping[str, Any]) -> bool:
    """Tell whether what the engine itself reads of a fact has the types that every decoded one has."""
    if type_ in AFFILIATIONS:
        return data.get("organisation").__class__ is data.get("role").__class__ is str
    until = data.get("until", 0) if type_ == GRANTED else 0
    return until.__class__ is int and _are_instants(until)


def _value(value: Any) -> Any:
    """Read a value of a fact: a text, a number, a truth, none, or a list of these."""
    several = value if isinstance(value, list) else [value]
    if any(isinstance(each, list | dict) for each in several):
        raise ValueError("no value")
    return tuple(value) if isinstance(value, list) else value
