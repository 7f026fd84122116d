"""Which partition a key belongs to: murmur2 as Java's Kafka client computes it (docs/protocol.md).

librdkafka's default partitioner (CRC32) puts most keys elsewhere; a producer on it must be set to `murmur2_random`.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

KEYS_REMEMBERED_MAX: Final = 1 << 16

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_32_BITS: Final = 0xFFFFFFFF
_31_BITS: Final = 0x7FFFFFFF


@lru_cache(maxsize=KEYS_REMEMBERED_MAX)
def murmur2(key: bytes) -> int:
    """Hash a key as `org.apache.kafka.common.utils.Utils.murmur2` does; unsigned 32 bits. Remembers recent keys."""
    length = len(key)
    h = _SEED ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(key[start : start + 4], "little") * _M & _32_BITS
        k = (k ^ k >> 24) * _M & _32_BITS
        h = (h * _M & _32_BITS) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _32_BITS
    h = (h ^ h >> 13) * _M & _32_BITS
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Find the partition of a key: `toPositive(murmur2(key)) % partitions`."""
    return (murmur2(key) & _31_BITS) % partitions


def by_partition(subjects: Iterable[str], partitions: int) -> dict[int, list[str]]:
    """Part subjects by the partition of their records, in the order given."""
    parted: defaultdict[int, list[str]] = defaultdict(list)
    for subject in subjects:
        parted[partition_of(subject.encode(), partitions)].append(subject)
    return dict(parted)
