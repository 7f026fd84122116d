"""The records that bring history: `segue.history` and `segue.filled` (docs/language.md, Filling)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.naive.decode import Event, Refused, event_in, is_own
from tests.naive.pending import Era
from tests.naive.times import instant


@dataclass(frozen=True)
class History:
    """Facts of one subject from before a cut."""

    subject: str
    cut: int
    events: Sequence[Event]


@dataclass(frozen=True)
class Filled:
    """All the history of a cut is there. `since`: from which instant on the log was whole; None: always."""

    cut: int
    since: int | None


@dataclass
class Fillings:
    """What the `segue.filled` records said so far: cut → since."""

    said: dict[int, int | None] = field(default_factory=dict)

    def moves(self, filled: Filled) -> bool:
        """Note a record. Tells whether it is the first of its cut, or moves `since` further back."""
        if filled.cut in self.said:
            said = self.said[filled.cut]
            if said is None or (filled.since is not None and filled.since >= said):
                return False
        self.said[filled.cut] = filled.since
        return True


def read_own(value: Mapping[str, Any], era: Era, fillings: Fillings, clock: int | None) -> History | Filled | None:
    """Read a record of Segue itself that stands at the instant `clock`. None: it does nothing."""
    data = value.get("data")
    if not isinstance(data, dict):
        return None
    cut = instant_of(data.get("cut"))
    if cut is None or cut not in [one.since for one in (*era.before, era)]:
        return None
    if value["type"] == "segue.history" and isinstance(value.get("subject"), str):
        return History(value["subject"], cut, events_of(data.get("events"), value["subject"], era, clock or 0))
    if value["type"] == "segue.filled":
        given = data.get("since")
        since = instant_of(given)
        if given is None or since is not None:
            filled = Filled(cut, None if since is None else min(since, cut))
            return filled if fillings.moves(filled) else None
    return None


def instant_of(value: Any) -> int | None:
    """Read epoch ms, where 1.0 is 1, or RFC 3339. None: it is neither."""
    if isinstance(value, str):
        return instant(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 2**53 or value != int(value):
        return None
    return int(value)


def events_of(values: Any, subject: str, era: Era, clock: int) -> list[Event]:
    """Decode the events of a history by the dictionary in force. Bad ones and those of other subjects are skipped."""
    found = []
    for value in values if isinstance(values, list) else []:
        try:
            event = None if is_own(value) else event_in(value, era.catalogue, clock)
        except Refused:
            continue
        if event is not None and event.is_fact and event.subject == subject:
            found.append(event)
    return found
