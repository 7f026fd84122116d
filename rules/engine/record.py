"""A record of the input as the engine takes it, and what a decoder makes of it."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from rules.engine.decode import Own
from rules.engine.refusal import Refusal
from rules.ground.event import Event
from rules.language.dictionary import Dictionary

CATALOGUE_TYPE: Final = "segue.catalogue"
"""The type of the record that puts a catalogue into force: a cut."""
EMPTY_DICTIONARY: Final = Dictionary(traits={}, events={})
"""Before the first catalogue nothing is declared: every event is refused."""


class Record(NamedTuple):
    """A record of the input as the engine takes it. `timestamp_ms` None: it has none that can be read (files only).

    A named tuple, because one is made for each record: a frozen dataclass takes three times as long to make.
    """

    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


Decoded: TypeAlias = Event | Own | Refusal

Decode: TypeAlias = Callable[[Record, Dictionary, int], Decoded]
"""Record, dictionary in force, R → what it is. Kafka's checks of key and partition belong to it."""
