"""The rolling digest of a partition's changes: equal digests mean the same changes, in the same order, to the byte."""

from hashlib import blake2b
from typing import Final

_from_bytes: Final = int.from_bytes

DIGEST_START: Final = "0" * 32
"""The digest of no changes: 16 bytes in hex."""


def roll(digest: str, value: bytes) -> str:
    """Return the digest after one more change, given its JSON value."""
    return blake2b(bytes.fromhex(digest) + value, digest_size=16).hexdigest()


def identity(time_ms: int, source: str, event_id: str) -> int:
    """Name an event's identity within its profile in 64 bits, the same in every process and for ever."""
    text = f"{time_ms}\0{source}\0{event_id}".encode("utf-8", "surrogatepass")
    return _from_bytes(blake2b(text, digest_size=8).digest(), "big")
