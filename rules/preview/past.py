"""The events of the past that a fill would bring, by subject, as their JSON texts."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

import orjson

from rules.catalogue.catalogue import Catalogue
from rules.engine.record import Record
from rules.engine.wanted import Wanted, wanted_history
from rules.ground.event import Event

TEXT_BYTES: Final = 90
"""What a text takes in memory besides its characters, about."""
Pick: TypeAlias = Callable[[Record, int], bytes | None]
"""(record, R) → the event of a record as structured JSON, where a fill would bring it; None: it would not."""


class Past:
    """Events by subject, in the order of their records."""

    def __init__(self) -> None:
        self._texts: dict[str, list[bytes]] = {}
        self.since_ms: int | None = None
        """The instant from which on the log is whole; None: it has its first record."""
        self.bytes = 0
        """What the texts take in memory, about."""

    def add(self, subject: str, text: bytes) -> None:
        """Keep an event."""
        self._texts.setdefault(subject, []).append(text)
        self.bytes += len(text) + TEXT_BYTES

    def forget(self, subject: str) -> None:
        """Let go of a subject's events."""
        self.bytes -= sum(len(text) + TEXT_BYTES for text in self._texts.pop(subject, ()))

    def events_of(self, subject: str) -> list[Any]:
        """Return a subject's events as JSON values."""
        return [orjson.loads(text) for text in self._texts.get(subject, ())]

    @property
    def subjects(self) -> Sequence[str]:
        """Whose events are kept."""
        return list(self._texts)


class Wish:
    """What a fill of any of several cuts would bring."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        self._wanted = list(wanted)
        self.types = frozenset[str]().union(*(each.types for each in self._wanted))

    def takes(self, event: Event) -> bool:
        """Tell whether an event, decoded by the new dictionary, would be brought."""
        return any(event.time_ms > each.from_ms and each.takes(event) for each in self._wanted)


def wish_for(to: Iterable[Catalogue], before: Iterable[Catalogue | None], instants_ms: Iterable[int]) -> Wish:
    """Return what cuts between any two of these catalogues, at any of these instants, would bring."""
    pairs = [(old, new) for old in before for new in to]
    return Wish(wanted_history(old, new, t_ms) for old, new in pairs for t_ms in instants_ms)
