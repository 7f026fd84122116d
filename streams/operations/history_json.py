"""A history and the evidence of a change as JSON values, for programs. Keys and their order are a contract."""

from typing import Any

from rules.ground.event import sent_id
from rules.ground.instants import format_instant
from streams.operations.event_then import EventThen
from streams.operations.evidence import Evidence
from streams.operations.explain_json import activation_json, leaf_json
from streams.operations.happened import Happened, InForceThen
from streams.operations.history import History
from streams.operations.person_moves import PersonMove


def history_json(found: History) -> dict[str, Any]:
    """Return the JSON value of a history."""
    return {
        "profile": found.subject,
        "partition": found.partition,
        "applied_to": {"offset": found.offset},
        "kept_only": found.kept_only or None,
        "changes": [happened_json(each) for each in found.changes],
        "links": [_move_json(each) for each in found.moves],
        "not_shown": found.not_shown,
    }


def happened_json(each: Happened) -> dict[str, Any]:
    """Return the JSON value of a change: as published, and what was in force."""
    return {"change": each.change, "conditions": each.conditions, "in_force": _in_force_json(each.in_force)}


def _move_json(each: PersonMove) -> dict[str, Any]:
    event = each.event
    named = None
    if event is not None:
        named = {"time": format_instant(event.time_ms), "source": event.source, "id": event.id}
    return {"at": format_instant(each.at_ms), "kind": each.kind, "subject": each.other, "event": named}


def evidence_json(found: Evidence) -> dict[str, Any]:
    """Return the JSON value of the evidence of a change."""
    rules, trigger = found.rules, found.trigger
    return {
        **happened_json(found.happened),
        "trigger": None if trigger is None else _event_json(trigger),
        "rules": None
        if rules is None
        else {"enter": [leaf_json(leaf) for leaf in rules.enter], "exit": [leaf_json(leaf) for leaf in rules.exit]},
        "activation": None if found.activation is None else activation_json(found.activation),
        "events": [_event_json(found.events[each]) for each in sorted(found.events)],
    }


def _in_force_json(found: InForceThen | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "catalogue": found.catalogue,
        "since": format_instant(found.since_ms),
        "applied": None if found.applied is None else found.applied.as_json(),
    }


def _event_json(event: EventThen) -> dict[str, Any]:
    return {
        "time": format_instant(event.time_ms),
        "source": event.source,
        "id": sent_id(event.id),
        "type": event.type,
        "data": event.data,
        "recordedtime": format_instant(event.recorded_ms),
        "offset": event.offset,
    }
