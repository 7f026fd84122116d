"""What a run must have met is counted out of the log alone; and what a rebuild may leave out is no difference."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.effects import partition_of
from tests.faults.families.audit import differing
from tests.faults.families.brokers import WRONG, _Judge
from tests.faults.proxy import END_TXN, PRODUCE
from tests.faults.scenes import Forgotten, scenes_of
from tests.faults.test_checker import Sent

ONE, OTHER = "hcp:1", "crm:4"
SIDES = [partition_of(ONE, 2), partition_of(OTHER, 2)]
assert SIDES[0] != SIDES[1]


@dataclass
class Inputs:
    """The inputs of two partitions, record after record."""

    def __post_init__(self) -> None:
        self.partitions: list[list[Sent]] = [[], []]

    def put(self, partition: int, type_: str, subject: str = "", at_ms: int = 0, **more: Any) -> int:
        """Append a record; return its offset."""
        records = self.partitions[partition]
        value = {"type": type_, "subject": subject, "id": "e", "data": {}, **more}
        records.append(Sent(len(records), at_ms, json.dumps(value).encode()))
        return len(records) - 1

    def link(self, subject: str, at_ms: int = 0) -> int:
        """Link a subject; return the offset of the event."""
        return self.put(partition_of(subject, 2), "identity.linked", subject, at_ms)

    def arrive(self, subject: str, target: str, cause: int, at_ms: int = 0) -> int:
        """Let what a link brings arrive; return its offset."""
        id_, data = f"g1/{subject}/{cause}/1", {"way": [subject]}
        return self.put(partition_of(target, 2), "segue.facts", target, at_ms, id=id_, data=data)


def test_two_links_cross_if_neither_knew_of_the_other() -> None:
    inputs = Inputs()
    mine, theirs = inputs.link(ONE), inputs.link(OTHER)
    inputs.arrive(ONE, OTHER, mine)
    inputs.arrive(OTHER, ONE, theirs)
    assert scenes_of(inputs.partitions)["links crossing"] == 1


def test_a_link_back_that_comes_later_crosses_nothing() -> None:
    inputs = Inputs()
    mine = inputs.link(ONE)
    inputs.arrive(ONE, OTHER, mine)
    inputs.arrive(OTHER, ONE, inputs.link(OTHER))
    assert scenes_of(inputs.partitions)["links crossing"] == 0


@pytest.mark.parametrize("erased_ms", [1, 3])
def test_an_erasure_crosses_a_link_if_it_came_while_the_link_was_on_its_way(erased_ms: int) -> None:
    inputs = Inputs()
    mine = inputs.link(ONE, 2)
    inputs.put(SIDES[1], "privacy.erased", OTHER, erased_ms)
    inputs.arrive(ONE, OTHER, mine, 4)
    assert scenes_of(inputs.partitions)["links crossing erasures"] == (erased_ms > 1)


@pytest.mark.parametrize("cut_first", [True, False])
def test_a_link_is_over_a_cut_if_its_effect_stands_under_another_catalogue(cut_first: bool) -> None:
    inputs = Inputs()
    if cut_first:
        inputs.put(SIDES[0], "segue.catalogue")
    mine = inputs.link(ONE)
    inputs.put(SIDES[1], "segue.catalogue")
    inputs.arrive(ONE, OTHER, mine)
    assert scenes_of(inputs.partitions)["links over a cut"] == (not cut_first)


def test_links_and_their_effects_count_between_history_and_its_end() -> None:
    inputs = Inputs()
    before = inputs.link(ONE)
    for side in SIDES:
        inputs.put(side, "segue.history", data={"cut": 7})
    inputs.link(ONE)
    inputs.arrive(ONE, OTHER, before)
    for side in SIDES:
        inputs.put(side, "segue.filled", data={"cut": 7})
    inputs.link(ONE)
    assert scenes_of(inputs.partitions)["links in a fill"] == 2


def test_links_count_that_a_next_owner_published_first() -> None:
    inputs = Inputs()
    for _ in range(4):
        inputs.link(ONE)
    progress: list[list[Sent]] = [[], []]
    for epoch, offset in ((1, 0), (1, 1), (2, 3), (2, 4)):
        value = json.dumps({"epoch": epoch, "offset": offset}).encode()
        progress[SIDES[0]].append(Sent(offset, 0, value))
    assert scenes_of(inputs.partitions, progress)["links in a rebalance"] == 2


def test_what_is_forgotten_is_made_and_taken_again() -> None:
    inputs = Inputs()
    first, second = inputs.link(ONE), inputs.link(ONE)
    inputs.arrive(ONE, OTHER, first)
    inputs.arrive(ONE, OTHER, second)
    found = scenes_of(inputs.partitions, forgotten=[Forgotten(SIDES[0], 1, 2), Forgotten(SIDES[1], 0, 2)])
    assert (found["made again"], found["taken again"]) == (1, 2)
    assert scenes_of(inputs.partitions, forgotten=[Forgotten(SIDES[0], 2, 9)])["made again"] == 0


def meta(**more: str) -> dict[bytes, bytes]:
    """Return the fields of a meta."""
    return {b"offset": b"3"} | {name.encode(): value.encode() for name, value in more.items()}


def test_a_rebuild_need_not_name_keys_that_hide_nobody_any_more() -> None:
    live, rebuilt = {"f:{0.1}:meta": meta(erased="e1-a")}, {"f:{0.1}:meta": meta()}
    assert differing(live, rebuilt) == []
    hidden = {"f:{0.1}:e:00": [1]}
    assert differing(live | hidden, rebuilt | hidden) == ["f:{0.1}:meta"]
    assert differing(live | hidden, rebuilt) == ["f:{0.1}:e:00"]


def request(api: int, transactional_id: bytes, body: bytes = b"") -> bytes:
    """Return the bytes of a request of Kafka."""
    head = api.to_bytes(2, "big") + b"\0\2" + b"\0\0\0\1" + b"\0\3one"
    frame = head + len(transactional_id).to_bytes(2, "big") + transactional_id + body
    return len(frame).to_bytes(4, "big") + frame


def test_trouble_waits_for_a_transaction_that_holds_an_effect() -> None:
    judge = _Judge(b"segue.facts")
    judge.armed = WRONG["EndTxn late"]
    assert judge("request", request(PRODUCE, b"a", b"changes"))[0] == "pass"
    assert judge("request", request(END_TXN, b"a"))[0] == "pass"
    assert judge("request", request(PRODUCE, b"b", b"segue.facts"))[0] == "pass"
    assert judge("request", request(END_TXN, b"a"))[0] == "pass"
    assert judge("request", request(END_TXN, b"b"))[0] == "hold"
    judge.armed = WRONG["EndTxn late"]
    assert judge("request", request(END_TXN, b"b"))[0] == "pass"
