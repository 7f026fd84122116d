"""What most teams would write: aiokafka, redis-py and Lua scripts.

    idiomatic   for each event, one call of a rule's script for each rule that wants the event, all of a batch in one
                pipeline; a key for each rule and subject
    best        one call an event of a Redis function that knows all segments (`lua_profile`); one key a profile; the
                changes wait in a list in Redis until Kafka has them

Wakes stand in a sorted set a partition, and are asked for before each batch. Offsets are committed after a batch.

What a crash does: events since the last commit are applied again, which changes nothing (the rules recognise them).
Idiomatic: changes that a script made and Kafka did not get are lost. Best: they are in the list and are published
again, so that a change may come twice.
"""

import asyncio
import signal
import time
from typing import Final

import redis.asyncio
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from tests.benchmarks.peers.python.clock import Clock
from tests.benchmarks.peers.python.lua_design import Design
from tests.benchmarks.peers.python.lua_profile import FunctionAnEvent
from tests.benchmarks.peers.python.lua_rules import ScriptARule
from tests.benchmarks.peers.python.segments import segments_of
from tests.benchmarks.peers.python.told import Told, ready, told
from tests.benchmarks.peers.python.wire import read_event, write_change

BATCH: Final = 1_000
QUIET_S: Final = 0.1
"""A partition without records is asked for its wakes so often."""


class Worker:
    """Reads, evaluates, publishes, commits."""

    def __init__(self, given: Told, design: Design) -> None:
        """Make the clients."""
        self._output = given.changes
        self._design = design
        self._clock = Clock()
        self._asked: dict[int, float] = {}
        """When each partition was last asked for its wakes."""
        self._consumer = AIOKafkaConsumer(
            given.events,
            bootstrap_servers=given.bootstrap,
            group_id=given.name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        self._producer = AIOKafkaProducer(bootstrap_servers=given.bootstrap, enable_idempotence=True, linger_ms=2)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop."""
        await self._design.open()
        await self._consumer.start()
        await self._producer.start()
        ready()
        try:
            while not stopping.is_set():
                fetched = await self._consumer.getmany(timeout_ms=50, max_records=BATCH)
                for tp in self._consumer.assignment():
                    if tp in fetched or time.monotonic() - self._asked.get(tp.partition, 0.0) > QUIET_S:
                        self._asked[tp.partition] = time.monotonic()
                        await self._work(tp, fetched.get(tp, []))
                if fetched:
                    await self._consumer.commit()
        finally:
            await self._consumer.stop()
            await self._producer.stop()

    async def _work(self, tp: TopicPartition, records: "list[ConsumerRecord[bytes, bytes]]") -> None:
        wakes_ms = self._clock.now_ms(tp.partition)
        arrived = [
            (read_event(record.value), self._clock.saw(tp.partition, record.timestamp))
            for record in records
            if record.value is not None
        ]
        changes = await self._design.apply(tp.partition, arrived, wakes_ms)
        sent = [
            await self._producer.send(self._output, write_change(one), key=one.subject.encode(), partition=tp.partition)
            for one in changes
        ]
        if sent:
            await asyncio.gather(*sent)
            await self._design.published(tp.partition, len(changes))


async def run(given: Told) -> None:
    """Run until TERM."""
    plan = given.plan()
    segments = segments_of(plan)
    client = redis.asyncio.Redis.from_url(given.redis_url)
    design: Design
    if given.best:
        design = FunctionAnEvent(client, given.name, plan, segments)
    else:
        design = ScriptARule(client, given.name, segments)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    try:
        await Worker(given, design).run(stopping)
    finally:
        await client.aclose()


if __name__ == "__main__":
    uvloop.run(run(told()))
