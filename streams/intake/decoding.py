"""How records of the input are read: what is in them, whether they are where they belong, whom they are about."""

from collections.abc import Sequence

from rules.engine.decode import Refusal, check_envelope, decode
from rules.engine.record import Decode, Decoded, Record
from rules.ground.event import Event
from rules.language.dictionary import Dictionary
from streams.records import Fetched


def decoder_of(partition: int, partitions: int) -> Decode:
    """Make the decoder of one partition's records: the event, and whether it is where it belongs."""

    def read(record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
        found = decode(record.value, record.headers, dictionary, r_ms)
        if isinstance(found, Event):
            code = check_envelope(found, record.key, partition, partitions)
            if code is not None:
                return Refusal(code)
        return found

    return read


def subjects_of(chunk: Sequence[Fetched]) -> list[str]:
    """The subjects that the keys of a chunk name; what is no text names none (its record will be refused)."""
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
