"""Publish the changes of a worker's partitions, in one transaction at a time, several partitions in each (design section 5)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from streams.claim import Claimed
from streams.log.base import OutRecord, Ring
from streams.progress import Progress


@dataclass(frozen=True, slots=True)
class PublishSlice:
    """The output of one partition's records up to a record boundary, in order. Without records: only progress."""

    upto_offset: int
    """Next input record: with this slice, the changes of every record before it are out."""
    records: Sequence[OutRecord]
    """Changes, current memberships and dead letters of the slice."""
    clock_ms: int
    catalogue: str
    digest: str
    changes: int = 0
    """How many membership changes are in it; counts towards `Pace.changes_max`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How transactions are paced. Lengths in ms."""

    changes_max: int = 1_000
    """Changes a transaction. A slice is never split, so one slice alone may exceed it (one input record can carry more)."""
    quiet_ms: int = 60_000
    """Progress without changes is written after this long at the latest …"""
    quiet_records_max: int = 10_000
    """… or after so many input records …"""
    ride_ms: int = 1_000
    """… and rides along in a transaction of other partitions when it is older than this."""
    linger_max_ms: int = 20
    """A transaction that is not full waits as long as the last one took, but no longer than this."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, given in: never decides anything, only paces."""

    now_ms: Callable[[], float] = field(default=lambda: time.monotonic() * 1000)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)
    """Seconds."""


class Publisher:
    """One a worker and ring. Give it partitions (`begin`), slices (`submit`), and run it (`run`).

    `on_published(partition, progress)` is called after the commit was answered, in order for each partition. On a Doubt
    `on_doubt(error)` is called once, `run` returns, and nothing is published any more: the owner makes a new ring, a new
    publisher, and claims every partition anew; what was in hand is not published as far as anybody knows.
    A RecordTooLarge ends `run` with that error (our bug: stop the worker).
    """

    def __init__(
        self,
        ring: Ring,
        generation: str,
        progress_topic: str,
        on_published: Callable[[int, Progress], None],
        on_doubt: Callable[[BaseException], None],
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        raise NotImplementedError

    def begin(self, claimed: Claimed) -> None:
        """Take a partition that was claimed with this publisher's ring. Call before its first `submit`."""
        raise NotImplementedError

    def submit(self, partition: int, slice_: PublishSlice) -> None:
        """Queue a slice. Its `upto_offset` is beyond the one before it. Ignored once there is a Doubt."""
        raise NotImplementedError

    def unpublished(self, partition: int) -> int:
        """How many input records are submitted and not published: for back-pressure."""
        raise NotImplementedError

    async def flush(self, partition: int) -> bool:
        """Publish everything submitted for the partition, quiet progress too, without waiting for the pace.

        True: all of it is out and answered. False: there is a Doubt, or the partition was dropped.
        """
        raise NotImplementedError

    async def drop(self, partition: int) -> bool:
        """Forget a partition and what is queued for it; waits for the transaction in hand if that touches it.

        True: every transaction that touched it was answered, so that `hand_over` may follow. False: a Doubt.
        """
        raise NotImplementedError

    async def run(self) -> None:
        """Publish until `close`, or a Doubt."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop after the transaction in hand. What is queued is not published. The ring is closed by its owner."""
        raise NotImplementedError
