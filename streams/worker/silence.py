"""Detect that a worker hears nothing of its input: the log is away, or the consumer has gone silent.

aiokafka's consumer can go silent after a broker's restart. So the detector compares how far the consumer has read with
the end of the log as another client sees it. It notices a silence after 15 to 25 s and tells it in /status; the worker
is not ready until the consumer reads again. While the silence lasts, the detector opens the input again and again, and
in the end the worker ends.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from streams.actions import told
from streams.clock import Clock
from streams.errors import NotReachable
from streams.intake.input import Input
from streams.log.terms import Log
from streams.partition.runner import PartitionRunner
from streams.worker.status import WorkerStatus

log = logging.getLogger(__name__)

EVERY_MS: Final = 5_000
SILENT_MS: Final = 15_000
"""A consumer that is behind the end of the log and reads nothing for so long has gone silent."""
SILENT_MAX: Final = 4
"""The input is opened again so many times in a row. Then the worker ends: only a new consumer will help."""


@dataclass(frozen=True, slots=True)
class _Heard:
    position: int = -1
    since_ms: float = 0.0
    """Since when it stands there although there is more to read."""
    silences: int = 0
    """How often the input was opened again."""


class SilenceDetector:
    """Watches the partitions that a worker holds."""

    def __init__(
        self, source: Log, topic: str, reads: Input, clock: Clock, status: WorkerStatus, give_up: Callable[[str], None]
    ) -> None:
        self._source = source
        self._topic = topic
        self._reads = reads
        self._clock = clock
        self.status = status
        self._give_up = give_up
        self._heard: dict[int, _Heard] = {}

    async def run(self, held: Callable[[], Mapping[int, PartitionRunner]]) -> None:
        """Look every few seconds, without end."""
        while True:
            await self._clock.sleep(EVERY_MS)
            await self.look(held())

    async def look(self, held: Mapping[int, PartitionRunner]) -> None:
        """Look once at every partition held."""
        try:
            await self._source.offsets(self._topic, 0)
        except NotReachable:
            return
        self._heard = {
            partition: await self._look_at(partition, runner, self._heard.get(partition, _Heard()))
            for partition, runner in held.items()
        }
        silent = sorted(partition for partition, heard in self._heard.items() if heard.silences)
        self.status.silent = (
            f"partitions {silent}: nothing was read for {SILENT_MS // 1000} s or more, though the log goes on"
            if silent
            else ""
        )
        if any(heard.silences > SILENT_MAX for heard in self._heard.values()):
            self._give_up("the consumer reads nothing although there is more to read")

    async def _look_at(self, partition: int, runner: PartitionRunner, before: _Heard) -> _Heard:
        now_ms = self._clock.now_ms()
        position = self._reads.offsets(partition).next
        reading = runner.status.state in ("running", "replaying") and runner.status.oldest_unapplied_ms < 0
        if position is None or not reading or position != before.position:
            return _Heard(-1 if position is None else position, now_ms)
        try:
            _, end = await self._source.offsets(self._topic, partition)
        except NotReachable:
            return before
        if end <= position:
            return _Heard(position, now_ms)
        if now_ms - before.since_ms < SILENT_MS:
            return before
        silent_s = SILENT_MS // 1000
        extra = told("input_silent", partition=partition, seconds=silent_s)
        log.warning("partition %d: nothing was read for %d s, though the log goes on", partition, silent_s, extra=extra)
        runner.reopen()
        known = self._reads.offsets(partition).end
        # a consumer that hears of the end is alive: a producer's open transaction holds the input up
        alive = known is not None and known >= end
        return _Heard(position, now_ms, 0 if alive else before.silences + 1)
