"""A partition's profiles in shares, so that few enough are in memory: each share is a pass over the log.

Nobody knows how many profiles a log has before it is read. So a pass begins with all of them. One that meets too many
is given up, and its share is halved.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final, TypeVar
from zlib import crc32

from streams.operations.concerning import is_own

PROFILES_AT_ONCE: Final = 400_000
"""Profiles in memory at the same time: about 1 GB in the example catalogue."""
T = TypeVar("T")


class TooMany(Exception):
    """A pass has met more profiles than may be in memory."""


class Share:
    """The `number`-th of `of` equal shares of the subjects, by a hash."""

    __slots__ = ("number", "of")

    def __init__(self, number: int = 0, of: int = 1) -> None:
        self.number: Final = number
        self.of: Final = of

    def __call__(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
        """Tell whether to keep a record: one of the share's subjects, or one of Segue's own without a key."""
        if key is not None and crc32(key) % self.of == self.number:
            return True
        return key is None and is_own(value, headers)

    def halves(self) -> tuple["Share", "Share"]:
        """Return the two halves of the share."""
        return Share(self.number, 2 * self.of), Share(self.number + self.of, 2 * self.of)


async def in_shares(work: Callable[[Share], Awaitable[T]]) -> AsyncGenerator[T, None]:
    """Do something with every share, and yield what it gives. `work` raises TooMany to be asked for less."""
    shares = [Share()]
    while shares:
        share = shares.pop()
        try:
            yield await work(share)
        except TooMany:
            shares += reversed(share.halves())
