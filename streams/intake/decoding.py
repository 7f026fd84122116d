"""Read records of the input: the event in a record, whether its partition is the right one, and its subject."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from rules.engine.decode import SIZE_MAX, Own, check_envelope, decode, is_binary, is_subject
from rules.engine.past import HISTORY_TYPE
from rules.engine.persons.effects import EFFECT_TYPES
from rules.engine.record import Decode, Decoded, Record
from rules.engine.refusal import Refusal
from rules.ground.event import Event
from rules.ground.partitioning import partition_of
from rules.language.dictionary import Dictionary
from streams.records import Fetched

OF_A_PROFILE: Final = EFFECT_TYPES | {HISTORY_TYPE}
"""The types of Segue's own records that move one profile, their subject."""

KEYS_KNOWN_MAX: Final = 8_192
"""Keys of one partition that are not checked again; some 200 bytes each."""


def decoder_of(partition: int, partitions: int) -> Decode:
    """Return the decoder of one partition's records. It refuses an event whose key belongs to another partition.

    A profile lives in one partition: a history or an effect of a profile of another partition says nothing here.
    """
    keys: dict[str, bytes] = {}  # of subjects that live here: their check costs more than one look

    def read(record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
        found = decode(record.value, record.headers, dictionary, r_ms)
        if isinstance(found, Event):
            key = record.key
            if key is None or keys.get(found.subject) != key:
                code = check_envelope(found, key, partition, partitions)
                if code is not None:
                    return Refusal(code)
                if key is not None:
                    if len(keys) >= KEYS_KNOWN_MAX:
                        keys.clear()
                    keys[found.subject] = key
        elif (
            isinstance(found, Own)
            and found.type in OF_A_PROFILE
            and not _lives_here(found.subject, partition, partitions)
        ):
            return Own(found.type, None)
        return found

    return read


def _lives_here(subject: Any, partition: int, partitions: int) -> bool:
    if not is_subject(subject):
        return False
    try:
        return partition_of(subject.encode(), partitions) == partition
    except UnicodeEncodeError:
        return False


SOURCE_MAX: Final = 100
"""Characters of a source that are kept where refused records are counted."""


def source_of(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Return the `source` of a record that may be no event, cut to SOURCE_MAX; "": it has none that can be read."""
    source: Any = None
    if is_binary(headers):
        raw = next((given for name, given in reversed(headers) if name == "ce_source"), None)
        source = (raw or b"").decode(errors="replace")
    elif value is not None and len(value) <= SIZE_MAX:
        try:
            event = orjson.loads(value)
        except orjson.JSONDecodeError:
            return ""
        source = event.get("source") if isinstance(event, dict) else None
    if not isinstance(source, str):
        return ""
    return "".join(each if each.isprintable() else "?" for each in source[:SOURCE_MAX])


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
