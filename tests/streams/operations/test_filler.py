"""How a filler paces what it writes."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

from aiokafka.structs import ConsumerRecord

from rules.engine.wanted import Wanted
from rules.ground.instants import FOREVER
from streams.clock import SystemClock
from streams.log.terms import Log
from streams.operations.filling.filler import COUNTED_BYTES, Filler
from streams.operations.filling.pace import Pace, Reached
from streams.operations.filling.past import First, Past, Stretch
from streams.records import OutRecord
from streams.settings import Deployment
from streams.wire.fills import Fill, StoredFill
from streams.wire.maker import RecordMaker
from tests.streams.world import catalogue

DEPLOYMENT = Deployment(partitions=1)
DICTIONARY = catalogue("all|enter: {event: portal.login, within: 30d}").dictionary
EVENTS = 60
EVENT_BYTES = 5_000


class LargeEvents(Past):
    """A log of large events, each of another subject."""

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Stretch]:
        event = {"specversion": "1.0", "source": "/s", "type": "portal.login", "time": "2026-03-01"}
        records = []
        for offset in range(EVENTS):
            subject = f"hcp:{offset}"
            value = json.dumps({**event, "id": f"e{offset}", "subject": subject, "note": "x" * EVENT_BYTES}).encode()
            records.append(
                ConsumerRecord("in", partition, offset, 2_000_000_000_000, 1, subject.encode(), value, 0, 0, 0, ())
            )
        yield Stretch(records, end)

    async def first(self, partition: int, t_ms: int) -> First | None:
        raise AssertionError


class Written:
    """The log as far as a filler asks for it: it keeps the histories."""

    def __init__(self) -> None:
        self.histories: list[OutRecord] = []

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        return 0, EVENTS + 1

    async def append(self, record: OutRecord) -> None:
        if record.topic == DEPLOYMENT.events_topic:
            self.histories.append(record)


class Turns(Pace):
    """Notes how much is written at a time."""

    def __init__(self) -> None:
        async def reached(_partition: int) -> Reached:
            return Reached(0, 0)

        super().__init__(1_000, 2_000, reached, SystemClock())
        self.counted: list[int] = []

    async def turn(self, partition: int, records: int) -> None:
        self.counted.append(records)


async def test_a_group_of_large_histories_counts_no_more_than_one_of_small_ones() -> None:
    written, turns = Written(), Turns()
    filler = Filler(
        cast("Log", cast("Any", written)),
        LargeEvents(),
        RecordMaker(DEPLOYMENT),
        DEPLOYMENT,
        turns,
        SystemClock(),
        64 << 20,
    )
    wanted = Wanted((), frozenset({"portal.login"}), (), -FOREVER, True, ())
    await filler.fill(0, StoredFill("c", Fill("x", None), 0), First(EVENTS, 0), wanted, DICTIONARY)
    assert len(written.histories) == EVENTS
    each = 1 + len(written.histories[0].value or b"") // COUNTED_BYTES
    assert sum(turns.counted) >= EVENTS * (each - 1)
    assert max(turns.counted) < turns.group + each + 1
