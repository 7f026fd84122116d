"""The order of one partition's changes: each profile's sequence goes up by one, and repeats are dropped.

A change that was read lately and comes again with the same id and bytes is a repeat: a reader that is not
`read_committed` sees the changes of an aborted transaction, and later the same changes committed. Any other change
whose sequence does not go up by one is disorder. The first change of a profile may have any sequence.
"""

from collections import OrderedDict
from typing import Final

from .change import Change
from .errors import Disorder

PROFILES_MAX: Final = 100_000
"""Profiles remembered in a partition, about 30 MB. Above, the profile whose last change is the oldest is forgotten."""
REPEATS_MAX: Final = 20_000
"""Changes remembered in a partition: they are known as repeats. An aborted transaction is repeated at once, and holds
1,000 changes, seldom a few thousand."""


class Order:
    """Remembers the changes of one partition. Pure."""

    __slots__ = ("_last", "_read")

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        """By profile: the sequence of its last change."""
        self._read: OrderedDict[str, int] = OrderedDict()
        """By id: a hash of the bytes."""

    def is_new(self, change: Change) -> bool:
        """Take the partition's next change. Returns False for a repeat. Raises Disorder, and remembers nothing then."""
        known = self._read.get(change.id)
        last = self._last.get(change.subject)
        if known is not None:
            if known != hash(change.value):
                raise _disorder("it came again and differs", change, change.sequence + 1 if last is None else last + 1)
            return False
        if last is not None and change.sequence != last + 1:
            raise _disorder("changes are missing" if change.sequence > last else "it goes back", change, last + 1)
        self.learn(change)
        return True

    def learn(self, change: Change) -> None:
        """Remember a change that was read before, without checking its order."""
        self._last[change.subject] = change.sequence
        self._last.move_to_end(change.subject)
        if len(self._last) > PROFILES_MAX:
            self._last.popitem(last=False)
        self._read[change.id] = hash(change.value)
        self._read.move_to_end(change.id)
        if len(self._read) > REPEATS_MAX:
            self._read.popitem(last=False)


def _disorder(what: str, change: Change, due: int) -> Disorder:
    return Disorder(change.topic, change.partition, change.offset, what, due, change.sequence)
