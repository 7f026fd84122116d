"""`segue verify` of effects: whatever differs between what the log makes and what stands in the input is told."""

from dataclasses import dataclass

import pytest

from rules.engine.persons.effects import FACT_TYPE, Effect, seal
from rules.engine.record import Record
from rules.ground.partitioning import partition_of
from streams.operations.verify_effects import Exchange

PARTITIONS = 4
CAUSE, TARGET = "hcp:1", "hcp:3"
SOURCE, THERE = (partition_of(subject.encode(), PARTITIONS) for subject in (CAUSE, TARGET))


def effects(offset: int, *texts: str, cause: str = CAUSE) -> list[Effect]:
    return seal([Effect(TARGET, FACT_TYPE, {"x": text}) for text in texts], "g1", cause, offset, 5_000)


@dataclass
class Told:
    """One source that sent three effects, and what stands at the target."""

    exchange: Exchange

    def difference(self, *values: bytes, published: int = 100) -> str:
        for offset, value in enumerate(values):
            self.exchange.take(THERE, Record(offset, 1, TARGET.encode(), value))
        return self.exchange.difference(SOURCE, published, {THERE})


SENT = [each.value for each in (*effects(7, "a", "b"), *effects(9, "c"))]


@pytest.fixture
def told() -> Told:
    exchange = Exchange(PARTITIONS, "g1")
    for effect in (*effects(7, "a", "b"), *effects(9, "c")):
        exchange.send(SOURCE, effect)
    return Told(exchange)


def test_the_partitions_of_cause_and_target_differ() -> None:
    assert SOURCE != THERE


def test_what_stands_in_order_among_other_records_is_right(told: Told) -> None:
    other = next(f"hcp:{n}" for n in range(9) if partition_of(f"hcp:{n}".encode(), PARTITIONS) not in (SOURCE,))
    among = effects(7, "z", cause=other)[0].value
    assert told.difference(SENT[0], b"{", among, SENT[1], b'{"type":"segue.fact"}', SENT[2]) == ""


def test_what_was_published_after_the_look_is_left_out(told: Told) -> None:
    later = effects(100, "d")[0].value
    assert told.difference(*SENT, later) == ""
    assert "no effect of the log" in told.difference(*(), published=101)


@pytest.mark.parametrize("gone", range(3))
def test_a_lost_effect_is_told(told: Told, gone: int) -> None:
    found = told.difference(*SENT[:gone], *SENT[gone + 1 :])
    assert f"partition {THERE} of the input" in found
    assert ("the effect 1 of input offset 9 was never written" in found) == (gone == 2)


def test_one_that_is_there_twice_is_told(told: Told) -> None:
    assert "not at its place" in told.difference(SENT[0], SENT[0], *SENT[1:])


def test_one_that_nothing_has_caused_is_told(told: Told) -> None:
    found = told.difference(*SENT, effects(8, "never")[0].value)
    assert found == f"partition {THERE} of the input, offset 3: no effect of the log"


def test_other_bytes_are_told_without_what_they_are(told: Told) -> None:
    found = told.difference(SENT[0], SENT[1].replace(b'"b"', b'"B"'), SENT[2])
    assert found == f"the effect 2 of input offset 7: partition {THERE} of the input, offset 1 has other bytes"


def test_another_order_is_told(told: Told) -> None:
    assert "not at its place" in told.difference(SENT[1], SENT[0], SENT[2])


def test_a_cause_with_a_long_name_is_known_by_what_was_sent() -> None:
    cause = "hcp:" + "1" * 300
    source = partition_of(cause.encode(), PARTITIONS)
    exchange = Exchange(PARTITIONS, "g1")
    [effect] = effects(7, "a", cause=cause)
    exchange.send(source, effect)
    assert "never written" in exchange.difference(source, 100, {THERE})
    exchange.take(THERE, Record(0, 1, TARGET.encode(), effect.value))
    assert exchange.difference(source, 100, {THERE}) == ""
