"""Which records of the past are events that a cut wants, and their JSON texts.

What a worker refused when it came is refused here, too: a wrong key, a wrong partition, a bad time. The dictionary is
the one in force now, because it is the one by which a worker reads the history.

A worker keeps what an organisation told a subject as an effect in the subject's partition, `segue.reached`. It is an
event of that subject like any other, with the id that the engine knows it by.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import orjson

from rules.engine.affiliations.telling import told_as_sent
from rules.engine.decode import Own, check_envelope, decode, decode_again, is_binary
from rules.engine.persons.contribution import read_fact
from rules.engine.persons.effects import REACHED_TYPE
from rules.engine.persons.received import Unreadable, read_effect, reading
from rules.engine.refusal import Refusal
from rules.engine.wanted import Wanted
from rules.ground.event import Event
from rules.language.dictionary import NO_FACTS, Dictionary
from streams.operations.filling.past import Place
from streams.records import Fetched

Takes: TypeAlias = Callable[[str, int, Place], bool]
"""Is asked (subject, time of an event, place of its record)."""


class Selection:
    """Picks the events that a cut wants out of the records of one partition."""

    def __init__(
        self,
        wanted: Wanted,
        dictionary: Dictionary,
        partition: int,
        partitions: int,
        takes: Takes = lambda *_: True,
    ) -> None:
        """`takes`: whether an event is wanted of a subject that may have been erased."""
        events = {type_: each for type_, each in dictionary.events.items() if type_ in wanted.types}
        self._dictionary = Dictionary(dictionary.traits, events)
        self._wanted = wanted
        self._partition = partition
        self._partitions = partitions
        self._takes = takes

    def text_of(self, record: Fetched, r_ms: int) -> bytes | None:
        """Return an event that is wanted as structured JSON; None: the record is none. `r_ms`: its instant R."""
        found: Event | Own | Refusal | None = decode(record.value, record.headers, self._dictionary, r_ms)
        told = self._told(found) if isinstance(found, Own) else None
        if told is not None:
            found = decode_again(told, self._dictionary, r_ms)
        if not isinstance(found, Event) or not self._wanted.takes(found):
            return None
        if found.type in NO_FACTS:
            return None
        if not self._takes(found.subject, found.time_ms, Place(r_ms, self._partition, record.offset)):
            return None
        if check_envelope(found, record.key, self._partition, self._partitions) is not None:
            return None
        return structured(record.value, record.headers) if told is None else orjson.dumps(told)

    def _told(self, own: Own) -> dict[str, Any] | None:
        """Return what an organisation told as a CloudEvent; None: the record tells nothing of a wanted type."""
        effect = read_effect(own) if own.type == REACHED_TYPE else None
        if effect is None:
            return None
        try:
            with reading():
                fact = read_fact(effect.data["fact"], effect.subject)
                return told_as_sent(fact, self._dictionary) if fact.type in self._dictionary.events else None
        except Unreadable:
            return None


def structured(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Return the JSON text, in structured mode and on one line, of a record that was decoded as an event."""
    if not is_binary(headers):
        # JSON has line breaks between its tokens only
        return (value or b"").strip(b" \t\r\n").replace(b"\n", b" ").replace(b"\r", b" ")
    # of equal names the last counts, also where it is no text; the data is the value, and nothing else
    given = {name[3:]: _text(raw) for name, raw in headers if name.startswith("ce_") and name != "ce_data"}
    attributes = orjson.dumps({name: text for name, text in given.items() if text is not None})
    if not value:
        return attributes
    return b'%b,"data":%b}' % (attributes.removesuffix(b"}"), value.replace(b"\n", b" ").replace(b"\r", b" "))


def _text(raw: bytes | None) -> str | None:
    try:
        return (raw or b"").decode()
    except UnicodeDecodeError:
        return None  # as good as not given
