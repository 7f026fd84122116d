"""Tell a consumer that has gone silent from a topic that has no new records.

Kafka's client can go silent after a broker's restart: its polls return nothing, for ever, without an error. So another
client is asked, beside the reading, for the ends of the partitions that have not moved for half a minute. Records may
come between the question and the answer: a partition counts as silent only if the consumer has still not reached these
ends several polls later.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

SILENT_S: Final = 30.0
"""How long a partition stands before its end is asked for."""
SURE_S: Final = 5.0
"""How much longer the partition must stand below that end."""
SURE_POLLS: Final = 3
"""And how many more polls: a busy platform may not have polled meanwhile."""
ASK_S: Final = 20.0
"""How long the answer may take."""

Ends = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


class Silence:
    """Watches one consumer by its positions."""

    def __init__(self, ends: Ends) -> None:
        """`ends` asks another client of the same isolation. May raise KafkaError."""
        self._ends: Final = ends
        self._stood: dict[TopicPartition, tuple[int, float]] = {}
        """By partition: its position, and since when it stands there."""
        self._asking: asyncio.Task[Mapping[TopicPartition, int]] | None = None
        self._missed: dict[TopicPartition, int] = {}
        """By partition: an end that the consumer had not reached when the answer came."""
        self._missed_s = 0.0
        self._polls = 0

    def over(self) -> None:
        """Forget everything: another consumer, or other partitions."""
        self._stood, self._missed = {}, {}
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def close(self) -> None:
        """End the question that is under way."""
        asking = self._asking
        self.over()
        if asking is not None:
            await asyncio.wait({asking})

    def lasts(self, stands: Mapping[TopicPartition, int]) -> bool:
        """Note the positions after a poll. Returns whether the consumer has gone silent. Never waits."""
        now_s = asyncio.get_running_loop().time()
        self._stood = {
            tp: self._stood[tp] if self._stood.get(tp, (-1,))[0] == offset else (offset, now_s)
            for tp, offset in stands.items()
        }
        self._missed = {tp: end for tp, end in self._missed.items() if tp in stands and stands[tp] < end}
        if self._missed:
            self._polls += 1
            return self._polls >= SURE_POLLS and now_s - self._missed_s >= SURE_S
        self._ask(now_s)
        return False

    def _ask(self, now_s: float) -> None:
        if self._asking is None:
            standing = [tp for tp, (_, since_s) in self._stood.items() if now_s - since_s >= SILENT_S]
            if standing:
                self._asking = asyncio.create_task(self._asked(standing))
        elif self._asking.done():
            asked, self._asking = self._asking, None
            ends = {} if asked.cancelled() else asked.result()
            for tp, (offset, _) in self._stood.items():
                if tp in ends and ends[tp] > offset:
                    self._missed[tp] = ends[tp]
                else:
                    # asked again in half a minute
                    self._stood[tp] = (offset, now_s)
            self._missed_s, self._polls = now_s, 0

    async def _asked(self, standing: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        try:
            async with asyncio.timeout(ASK_S):
                return await self._ends(standing)
        except (KafkaError, OSError, TimeoutError):
            return {}
        except Exception as error:
            # from the platform's own code, such as a token provider: this question must not end the reading
            extra = {"action": "fetch_failed", "why": type(error).__name__}
            log.warning("the ends could not be asked: %s", type(error).__name__, extra=extra)
            return {}
