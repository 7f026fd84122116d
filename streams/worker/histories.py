"""Looks now and then how much history is read that the cuts of a worker's partitions wait for; only for its status."""

import logging
from typing import Final

from streams.actions import told
from streams.clock import Clock
from streams.errors import NotReachable
from streams.log.terms import Log
from streams.operations.filling.state import history_state
from streams.settings import Deployment
from streams.wire.fills import read_fills
from streams.wire.progress import MalformedRecord
from streams.worker.status import WorkerStatus

log = logging.getLogger(__name__)

LOOK_EVERY_MS: Final = 5_000


class Histories:
    """Writes `history_share` of the partitions that a worker holds."""

    def __init__(self, source: Log, deployment: Deployment, clock: Clock, status: WorkerStatus) -> None:
        self._source = source
        self._deployment = deployment
        self._clock = clock
        self._status = status
        self._ends: dict[int, int] = {}
        """By partition: the end of the topic at the last look."""

    async def run(self) -> None:
        """Look for ever."""
        while True:
            for partition in list(self._status.partitions):
                try:
                    await self.look(partition)
                except NotReachable:
                    break  # the parts that need the log say so
                except MalformedRecord as error:
                    topic = self._deployment.fills_topic
                    extra = told("fill_unreadable", partition=partition, topic=topic)
                    log.warning("partition %d: %s in %s", partition, error, topic, extra=extra)
            await self._clock.sleep(LOOK_EVERY_MS)

    async def look(self, partition: int) -> None:
        """Look at one partition. Raises NotReachable, MalformedRecord."""
        topic = self._deployment.fills_topic
        _, end = await self._source.offsets(topic, partition)
        status = self._status.partitions.get(partition)
        if status is None or (end == self._ends.get(partition) and status.history_share < 0):
            return
        self._ends[partition] = end
        state = history_state(read_fills(await self._source.read_to_end(topic, partition)))
        status.history_share = -1 if state is None else state.share
