"""The events of the subjects of one range of hashes, within a limit of memory.

A partition may have more events than fit into memory. So its subjects are taken by ranges of their hash, one pass over
the log a range. A range begins as wide as the one before. Where its events turn out to be too many, it is narrowed to
its lower half, again and again, and the events of the other subjects are let go: a later range takes them.
"""

from zlib import crc32

HASHES = 1 << 32
"""Hashes of subjects are below this."""
TEXT_BYTES = 64
"""What an event takes in memory besides its text, about."""
SUBJECT_BYTES = 256
"""What a subject takes in memory besides its key, about."""


def hash_of(key: bytes) -> int:
    """Return the hash of a subject: evenly spread, the same on every machine."""
    return crc32(key)


class Gathered:
    """Events as JSON texts by subject, in the order in which they were added."""

    def __init__(self, low: int, high: int, bytes_max: int) -> None:
        """Take the subjects whose hash is from `low` on and below `high`; `high` may come down."""
        self.low = low
        self.high = high
        self.texts: dict[bytes, list[bytes]] = {}
        """By subject in UTF-8."""
        self.events = 0
        self.bytes = 0
        self.bytes_peak = 0
        self._bytes_max = bytes_max

    def takes(self, key: bytes) -> bool:
        """Tell whether a subject's hash lies in the range."""
        return self.low <= crc32(key) < self.high

    def add(self, key: bytes, text: bytes) -> bool:
        """Keep an event of a subject that the range takes; False: one hash alone has more than the limit."""
        texts = self.texts.get(key)
        if texts is None:
            texts = self.texts[key] = []
            self.bytes += len(key) + SUBJECT_BYTES
        texts.append(text)
        self.events += 1
        self.bytes += len(text) + TEXT_BYTES
        self.bytes_peak = max(self.bytes_peak, self.bytes)
        while self.bytes > self._bytes_max:
            if self.high - self.low == 1:
                return False
            self._narrow()
        return True

    def clear(self) -> None:
        """Let go of all events; the range stays."""
        self.texts.clear()
        self.events = self.bytes = 0

    def _narrow(self) -> None:
        self.high = self.low + (self.high - self.low) // 2
        for key in [key for key in self.texts if crc32(key) >= self.high]:
            texts = self.texts.pop(key)
            self.events -= len(texts)
            self.bytes -= len(key) + SUBJECT_BYTES + sum(len(text) + TEXT_BYTES for text in texts)
