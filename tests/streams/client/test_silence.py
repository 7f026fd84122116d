"""A consumer is silent when a partition stays below an end that another client knows, and only then."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from streams.client import silence
from streams.client.silence import SURE_POLLS, Silence

P0, P1 = TopicPartition("activation.email", 0), TopicPartition("activation.email", 1)


class Topic:
    """Knows its ends; keeps the questions."""

    def __init__(self, ends: Mapping[TopicPartition, int], away: Exception | None = None) -> None:
        self.known = dict(ends)
        self.away = away
        self.asked: list[Sequence[TopicPartition]] = []

    async def ends(self, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        self.asked.append(tps)
        if self.away is not None:
            raise self.away
        return {tp: self.known[tp] for tp in tps}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the half minutes."""
    monkeypatch.setattr(silence, "SILENT_S", 0.05)
    monkeypatch.setattr(silence, "SURE_S", 0.05)


async def polls(heard: Silence, stands: Mapping[TopicPartition, int], times: int) -> bool:
    """Poll at most `times` times; return whether silence was noticed."""
    for _ in range(times):
        if heard.lasts(stands):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_topic_in_which_nothing_comes_is_not_silent_and_is_asked_seldom() -> None:
    topic = Topic({P0: 5, P1: 0})
    assert not await polls(Silence(topic.ends), {P0: 5, P1: 0}, 30)
    assert 1 <= len(topic.asked) <= 30 * 0.02 / 0.05 + 1


async def test_a_partition_that_stays_below_its_end_is_silent_though_others_go_on() -> None:
    topic = Topic({P0: 50, P1: 7})
    heard = Silence(topic.ends)
    said = [await polls(heard, {P0: offset, P1: 6}, 1) for offset in range(1, 41)]
    assert said.index(True) >= SURE_POLLS
    assert topic.asked == [[P1]]


async def test_what_comes_between_the_question_and_the_answer_is_no_silence() -> None:
    topic = Topic({P0: 5})
    heard = Silence(topic.ends)
    while not topic.asked:
        assert not await polls(heard, {P0: 4}, 1)
    assert not await polls(heard, {P0: 4}, 2)
    # the record was under way
    assert not await polls(heard, {P0: 5}, 10)


@pytest.mark.parametrize("away", [KafkaConnectionError(), RuntimeError("no token")])
async def test_a_question_without_an_answer_is_no_silence(away: Exception) -> None:
    topic = Topic({P0: 5}, away)
    heard = Silence(topic.ends)
    assert not await polls(heard, {P0: 4}, 20)
    assert len(topic.asked) > 1
    topic.away = None
    assert await polls(heard, {P0: 4}, 40)


async def test_another_consumer_begins_with_nothing_held_against_it() -> None:
    topic = Topic({P0: 5})
    heard = Silence(topic.ends)
    assert await polls(heard, {P0: 4}, 40)
    heard.over()
    assert not await polls(heard, {P0: 4}, 2)
    await heard.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
