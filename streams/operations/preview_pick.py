"""Which records of a partition a fill would bring, for a preview: those that `segue fill` would write as history."""

from rules.engine.decode import check_envelope, decode
from rules.engine.record import Record
from rules.ground.event import Event
from rules.language.dictionary import Dictionary
from rules.preview.past import Pick, Wish
from streams.operations.filling.selection import structured


def picker(wish: Wish, dictionary: Dictionary, partition: int, partitions: int) -> Pick:
    """Return a function that picks the events of one partition. `dictionary`: the new catalogue's."""
    events = {type_: each for type_, each in dictionary.events.items() if type_ in wish.types}
    wanted = Dictionary(dictionary.traits, events)

    def pick(record: Record, r_ms: int) -> bytes | None:
        found = decode(record.value, record.headers, wanted, r_ms)
        if not isinstance(found, Event) or not wish.takes(found):
            return None
        if check_envelope(found, record.key, partition, partitions) is not None:
            return None
        return structured(record.value, record.headers)

    return pick if events else lambda _record, _r_ms: None
