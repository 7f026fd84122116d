"""What an organisation's event tells: an event of another type, with the organisation added."""

from typing import Any

from rules.engine.event_data import NULLS, DataPlan
from rules.ground.event import Event, Value, told_id
from rules.ground.instants import format_instant
from rules.ground.values import BadNumber, WrongType
from rules.language.dictionary import Dictionary, EventDeclaration
from rules.language.reaches import ORGANISATION


def told_event(event: Event, subject: str, organisation: str, dictionary: Dictionary) -> Event | None:
    """Make what an event of an organisation tells to a subject. None: the dictionary in force refuses it.

    The type of the event says `reaches` in this dictionary.
    """
    declaration = dictionary.events[event.type]
    assert declaration.reaches is not None
    told_as = declaration.reaches.told_as
    plan: DataPlan | None = dictionary.plans.get(told_as)
    if plan is None:
        plan = dictionary.plans[told_as] = DataPlan(told_as, dictionary.events[told_as], dictionary)
    data = _data_of(event, declaration)
    for path in _nulls(event):
        _put(data, path, None)
    data[ORGANISATION] = organisation
    try:
        values, sets = plan.take(data)
    except (WrongType, BadNumber):
        return None
    return Event(event.source, told_id(event.id, told_as), told_as, subject, event.time_ms, values, sets)


def told_as_sent(told: Event, dictionary: Dictionary) -> dict[str, Any]:
    """Write a fact that was told as a CloudEvent: `decode_again` reads the same fact from it.

    The type of the fact is declared in this dictionary.
    """
    declaration = dictionary.events[told.type]
    data = _data_of(told, declaration)
    for trait, value in told.sets:
        path = declaration.sets.get(trait)
        if value is None and path is not None and path not in told.data:
            _put(data, path, None)
    return {
        "specversion": "1.0",
        "source": told.source,
        "id": told.id,
        "type": told.type,
        "subject": told.subject,
        "time": format_instant(told.time_ms),
        "data": data,
    }


def _data_of(event: Event, declaration: EventDeclaration) -> dict[str, Any]:
    """Write the values of an event that a declaration has."""
    data: dict[str, Any] = {}
    for path, value in event.data.items():
        if path in declaration.data:
            _put(data, path, _as_json(value, declaration.data[path].type))
    return data


def _nulls(event: Event) -> tuple[str, ...]:
    nulls = event.data.get(NULLS, ())
    return tuple(nulls) if isinstance(nulls, tuple) else ()


def _put(data: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a dotted path of nested objects."""
    *way, last = path.split(".")
    for key in way:
        data = data.setdefault(key, {})
    data[last] = value


def _as_json(value: Value, kind: str) -> Any:
    """Write a value as an event writes it."""
    if kind == "datetime" and value.__class__ is int:
        return format_instant(value)
    return list(value) if isinstance(value, tuple) else value
