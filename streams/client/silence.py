"""Tell a consumer that has gone silent from a topic in which nothing comes.

Kafka's client can go silent after a broker's restart: polls bring nothing, for ever, and no error. What it says is held
against the ends of the partitions as another client sees them, asked beside the reading, and only of those that have
not moved for half a minute. Between the question and the answer something may have come: so a partition counts as
silent only if it has still not reached those ends several polls later.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

SILENT_S: Final = 30.0
"""So long a partition may stand before anybody asks."""
SURE_S: Final = 5.0
"""So much longer it has to stand below an end that is known."""
SURE_POLLS: Final = 3
"""And so many more polls: a platform that was busy has not looked meanwhile."""
ASK_S: Final = 20.0
"""How long the ends may take."""

Ends = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


class Silence:
    """Listens along with one consumer."""

    def __init__(self, ends: Ends) -> None:
        """`ends`: another client's, of the isolation of the one that reads. May raise KafkaError."""
        self._ends: Final = ends
        self._stood: dict[TopicPartition, tuple[int, float]] = {}
        """Where each partition stands, and since when."""
        self._asking: asyncio.Task[Mapping[TopicPartition, int]] | None = None
        self._missed: dict[TopicPartition, int] = {}
        """Ends that were not reached when they were heard of."""
        self._missed_s = 0.0
        self._polls = 0

    def over(self) -> None:
        """Forget everything: there is another consumer, or it has other partitions."""
        self._stood, self._missed = {}, {}
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def close(self) -> None:
        """Ask no more."""
        asking = self._asking
        self.over()
        if asking is not None:
            await asyncio.wait({asking})

    def lasts(self, stands: Mapping[TopicPartition, int]) -> bool:
        """Take note of where reading stands after a poll; True: the consumer has gone silent. Never waits."""
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
            # of a platform's own, such as whoever gives the tokens: this is only a question beside the reading
            log.warning("the ends could not be asked: %s", type(error).__name__)
            return {}
