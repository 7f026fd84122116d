"""An event as the log has it, and how much of it a reader sees."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.engine.event_time import event_time
from rules.engine.persons.contribution import read_fact
from rules.engine.persons.effects import FACT_TYPE, REACHED_TYPE
from rules.engine.record import Record
from streams.operations.dump import structured
from streams.operations.sight import Sight

Identity: TypeAlias = tuple[int, str, str]
"""Of an event within its profile: time in epoch milliseconds, source, id."""
HIDDEN: Final = "restricted data: give --restricted to read it"


@dataclass(frozen=True, slots=True)
class EventThen:
    """An event as the log has it."""

    time_ms: int
    source: str
    id: str
    """As the engine knows it: `rules.ground.event.sent_id` returns what a producer sent."""
    type: str
    data: Any
    """As it came, undeclared parts too; HIDDEN where the reader does not see it."""
    recorded_ms: int
    """The instant of its record."""
    offset: int

    @property
    def identity(self) -> Identity:
        """What tells it from the other events of its profile."""
        return self.time_ms, self.source, self.id


def read_event(record: Record) -> EventThen | None:
    """Read the event of a record; None where the record is none."""
    try:
        value = structured(record)
        if value["type"] == FACT_TYPE:
            return _passed_on(value, value["data"]["origin"], record)
        if value["type"] == REACHED_TYPE:
            return _passed_on(value, value["subject"], record)
        time_ms = event_time(value["time"])
        source, id_, type_ = (str(value[name]) for name in ("source", "id", "type"))
    except (ValueError, KeyError, TypeError):
        return None
    if time_ms is None:
        return None
    return EventThen(time_ms, source, id_, type_, value.get("data"), record.timestamp_ms or 0, record.offset)


def _passed_on(value: Mapping[str, Any], subject: str, record: Record) -> EventThen:
    """Read the event that an alias passed on, or an organisation told: its declared data, by dotted path."""
    event = read_fact(value["data"]["fact"], subject)
    recorded_ms = record.timestamp_ms or 0
    return EventThen(event.time_ms, event.source, event.id, event.type, dict(event.data), recorded_ms, record.offset)


def seen(event: EventThen, sight: Sight) -> EventThen:
    """Return an event as a reader sees it: with its data, unless a catalogue restricts any of them."""
    if sight.restricted or not any(_restricted(event.type, each) for each in sight.catalogues):
        return event
    return replace(event, data=HIDDEN)


def _restricted(type_: str, catalogue: Catalogue) -> bool:
    declared = catalogue.dictionary.events.get(type_)
    if declared is None:
        return False
    return declared.restricted is not None or any(each.restricted is not None for each in declared.data.values())
