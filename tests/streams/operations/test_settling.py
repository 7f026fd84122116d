"""A filler waits for workers and for what follows from its histories, and for nobody for ever."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from streams.operations.filling.pace import STANDS_STILL_MS
from streams.operations.filling.past import First, Past, Stretch
from streams.operations.filling.settling import ROUNDS_MAX, Settling
from tests.streams.world import ManualClock

HISTORY: Mapping[str, Any] = {"type": "segue.facts", "data": {"event": "/segue/g1 segue.history"}}
LINK: Mapping[str, Any] = {"type": "segue.facts", "data": {"event": "/crm e1"}}
PIECE: Mapping[str, Any] = {
    "type": "segue.facts",
    "data": {"piece": {"of": "g1/crm:1/1/1", "n": 1, "count": 2, "text": "{"}},
}
FACT: Mapping[str, Any] = {"type": "segue.fact", "data": {"event": "/crm segue.history"}}


class Clock(ManualClock):
    """A clock that only sleeping moves."""

    async def sleep(self, length_ms: float) -> None:
        self.ms += length_ms


@dataclass
class Logs(Past):
    """The logs of two partitions, and their workers: each applies a record a look."""

    clock: Clock = field(default_factory=Clock)
    records: dict[int, list[Mapping[str, Any]]] = field(default_factory=lambda: {0: [], 1: []})
    published: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    brought: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    """What partition 0 writes as it applies records, in order: the partition and the record."""
    stuck: frozenset[int] = frozenset()

    async def end(self, partition: int) -> int:
        return len(self.records[partition])

    async def applied(self, partition: int) -> int:
        if partition not in self.stuck and self.published[partition] < len(self.records[partition]):
            self.published[partition] += 1
            if partition == 0 and self.brought:
                to, record = self.brought.pop(0)
                self.records[to].append(record)
        return self.published[partition]

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Stretch]:
        values = [json.dumps(record).encode() for record in self.records[partition][start:end]]
        yield Stretch([ConsumerRecord("in", partition, 0, 0, 1, b"k", each, 0, 1, 1, ()) for each in values], end)

    async def first(self, partition: int, t_ms: int) -> First | None:
        return None


async def settled(logs: Logs, claimed: Sequence[bool] = (True, True)) -> Settling:
    async def is_claimed(partition: int) -> bool:
        return claimed[partition]

    settling = Settling(2, logs.end, logs.applied, is_claimed, logs, logs.clock)
    await settling.settle()
    return settling


async def test_it_waits_until_every_partition_has_come_to_the_end() -> None:
    logs = Logs(records={0: [LINK] * 5, 1: [LINK] * 9})
    assert (await settled(logs)).left_out == set()
    assert logs.published == {0: 5, 1: 9}


@pytest.mark.parametrize("record", [HISTORY, PIECE], ids=["effect", "piece"])
async def test_it_waits_for_what_follows_from_a_history_as_far_as_the_links_lead(record: Mapping[str, Any]) -> None:
    logs = Logs(records={0: [LINK], 1: [LINK]}, brought=[(0, record), (0, record), (1, record)])
    await settled(logs)
    assert logs.brought == []
    assert logs.published == {0: 3, 1: 2}


async def test_it_does_not_wait_for_live_traffic() -> None:
    logs = Logs(records={0: [LINK], 1: []}, brought=[(1, LINK)] * 3 + [(1, FACT)] * 3)
    assert (await settled(logs)).left_out == set()
    assert len(logs.brought) == 5


async def test_a_partition_that_stands_still_is_left_out_after_a_while() -> None:
    logs = Logs(records={0: [LINK], 1: [LINK]}, stuck=frozenset({1}))
    settling = await settled(logs)
    assert settling.left_out == {1}
    assert STANDS_STILL_MS <= settling.waited_ms < 2 * STANDS_STILL_MS


async def test_a_partition_that_nobody_has_claimed_is_not_waited_for() -> None:
    logs = Logs(records={0: [LINK], 1: [LINK]}, stuck=frozenset({1}))
    settling = await settled(logs, claimed=(True, False))
    assert settling.left_out == {1}
    assert settling.waited_ms == 0


async def test_facts_that_go_round_for_ever_hold_no_fill_up() -> None:
    logs = Logs(records={0: [LINK], 1: []}, brought=[(0, HISTORY)] * (3 * ROUNDS_MAX))
    assert (await settled(logs)).left_out == {0, 1}
