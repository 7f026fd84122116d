"""What both designs with Lua scripts are to the worker that reads and publishes (`handwritten`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from tests.benchmarks.peers.python.wire import Change, Event

LUA: Final = Path(__file__).parent / "lua"
WAKES: Final = 500
"""Wakes asked for at a time."""

Arrived = tuple[Event, int]
"""An event and the instant R of its record."""


class Design(Protocol):
    """How events are evaluated in Redis. `partition` is the input's."""

    async def open(self) -> None:
        """Load the scripts."""

    async def apply(self, partition: int, arrived: Sequence[Arrived], wakes_ms: int) -> list[Change]:
        """Fire the wakes up to an instant, then apply the events; returns the changes to publish."""

    async def published(self, partition: int, changes: int) -> None:
        """Forget so many changes: Kafka has them."""
