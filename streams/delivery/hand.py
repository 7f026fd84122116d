"""The changes in hand: from the assignment of partitions until they are given up."""

import asyncio
from collections.abc import Sequence
from typing import Final

from streams.delivery.status import DeliveryStatus
from streams.delivery.window import Limits, Parcel, SendWindow


class Hand:
    """A window of changes, and the events by which its reader and its senders wait for each other."""

    def __init__(self, limits: Limits, changes_max: int, status: DeliveryStatus) -> None:
        self._limits: Final = limits
        self._room_from: Final = changes_max // 2
        self._status: Final = status
        self.window = SendWindow(limits)
        self.epoch = 0
        """Goes up whenever partitions come or go: records that were read in an earlier epoch are dropped."""
        self.closing: Final = asyncio.Event()
        """Set: no partitions, or they are being given up. Nothing is begun."""
        self.closing.set()
        self.stir: Final = asyncio.Event()
        """Set when there may be something to send."""
        self.room: Final = asyncio.Event()
        """Set when the window is half empty."""

    def begin(self) -> None:
        """Begin with partitions that were assigned."""
        self.epoch += 1
        self.closing.clear()
        self.stir.set()

    def add(self, parcel: Parcel, window: SendWindow) -> None:
        """Take a change in hand. `window`: that of the change's epoch."""
        self._status.superseded += window.add(parcel)
        self._status.in_hand = window.changes

    def settle(self, parcels: Sequence[Parcel], window: SendWindow) -> None:
        """Note changes that are accepted or among the dead letters. `window`: the one that they were taken from."""
        window.settle(parcels)
        self._status.in_hand = window.changes
        self.stir.set()
        if window.changes <= self._room_from:
            self.room.set()

    def forget(self) -> None:
        """Forget all changes: the partitions are given up."""
        self.epoch += 1
        self.window = SendWindow(self._limits)
        self._status.in_hand = 0
