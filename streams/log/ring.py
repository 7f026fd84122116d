"""A ring of transactional Kafka producers."""

import asyncio
from collections.abc import Sequence

from streams.errors import Doubt, RecordTooLarge, StampedEarly
from streams.log.connection import KafkaConnection
from streams.log.producer import FAILING, Producer, Tuning
from streams.log.refusals import right_refused
from streams.log.terms import Ring
from streams.records import OutRecord


class KafkaRing(Ring):
    """A ring on Kafka; `KafkaLog.open_ring` makes it."""

    def __init__(self, connection: KafkaConnection, name: str, size: int, tuning: Tuning) -> None:
        self._connection = connection
        self._name = name
        self._producers = {f"{name}-{n}": Producer(connection, tuning, f"{name}-{n}") for n in range(size)}
        self._turn = 0
        self._over = False
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._producers)

    @property
    def over(self) -> bool:
        return self._over

    async def open(self) -> None:
        """Initialise all producers at the same time. Raises NotReachable; all are closed then."""
        failed: BaseException | None = None
        try:
            opened = await asyncio.gather(*(each.open() for each in self._producers.values()), return_exceptions=True)
            failed = next((result for result in opened if result is not None), None)
        except asyncio.CancelledError as error:
            failed = error
        if failed is not None:
            await self.close()
            raise failed

    async def transaction(self, records: Sequence[OutRecord]) -> list[int]:
        async with self._lock:
            if self._over:
                raise Doubt("the ring is over")
            if not records:
                return []
            producer = list(self._producers.values())[self._turn % len(self._producers)]
            self._turn += 1
            try:
                return await producer.publish(records)
            except RecordTooLarge:
                raise  # nothing was sent
            except StampedEarly as error:
                self._over = True
                raise Doubt(str(error)) from error
            except FAILING as error:
                self._over = True
                refused = right_refused(error, self._connection, f"Write {_topics(records)}")
                raise Doubt(type(error).__name__ if refused is None else refused.sentence) from error
            except BaseException:
                self._over = True
                raise

    async def close(self) -> None:
        self._over = True
        await asyncio.gather(*(producer.end() for producer in self._producers.values()))


def _topics(records: Sequence[OutRecord]) -> str:
    """Name the topics of records."""
    return "topic " + ", ".join(sorted({record.topic for record in records}))
