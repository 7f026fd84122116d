"""Read records of the input: the event in a record, whether its partition is the right one, and its subject."""

from collections.abc import Sequence

from rules.engine.decode import check_envelope, decode
from rules.engine.record import Decode, Decoded, Record
from rules.engine.refusal import Refusal
from rules.ground.event import Event
from rules.language.dictionary import Dictionary
from streams.records import Fetched


def decoder_of(partition: int, partitions: int) -> Decode:
    """Return the decoder of one partition's records. It refuses an event whose key belongs to another partition."""

    def read(record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
        found = decode(record.value, record.headers, dictionary, r_ms)
        if isinstance(found, Event):
            code = check_envelope(found, record.key, partition, partitions)
            if code is not None:
                return Refusal(code)
        return found

    return read


def subjects_of(chunk: Sequence[Fetched]) -> list[str]:
    """Return the subjects that the keys of a chunk name. A key that is no UTF-8 names none: its record is refused."""
    keys = {found.key for found in chunk}
    keys.discard(None)
    try:
        return [key.decode() for key in keys if key is not None]
    except UnicodeDecodeError:
        return [key.decode() for key in keys if key is not None and _is_text(key)]


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
