"""Records of the past of a subject: its events in order, in several records where one would be too large."""

from collections.abc import Iterator, Sequence

from streams.records import OutRecord
from streams.wire.maker import RecordMaker

RECORD_BYTES_MAX = 900_000
"""Key, value and headers of one record: below the limits of producers and brokers, which are 1 MiB by default."""
FRAME_BYTES = 1_024
"""What a record takes besides its events and its subject, which stands in it twice; and what a batch adds to it."""


def histories(
    wire: RecordMaker,
    partition: int,
    cut_ms: int,
    key: bytes,
    texts: Sequence[bytes],
    traits: Sequence[str],
    bytes_max: int,
) -> Iterator[OutRecord]:
    """Make the records of one subject's events, each at most `bytes_max` large, with one event at least."""
    subject = key.decode()
    room = bytes_max - FRAME_BYTES - 3 * len(key) - sum(6 * len(trait) for trait in traits)
    first = size = 0
    for place, text in enumerate(texts):
        if size + len(text) + 1 > room and place > first:
            yield wire.history(partition, subject, cut_ms, texts[first:place], traits)
            first, size = place, 0
        size += len(text) + 1
    if first < len(texts):
        yield wire.history(partition, subject, cut_ms, texts[first:], traits)
