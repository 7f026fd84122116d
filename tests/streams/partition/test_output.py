"""What applied records put out: their items, then their effects, then a dead letter where somebody should see one."""

from rules.engine.outcome import Applied
from rules.engine.persons.effects import FACT_TYPE, FACTS_TYPE, Effect, seal
from rules.engine.refusal import REFUSALS, Code
from rules.ground.event import Event
from streams.partition.output import Output
from tests.streams.wire.test_wire import WIRE, Read, change

SENT = seal([Effect("hcp:2", FACTS_TYPE, {}), Effect("hcp:3", FACT_TYPE, {})], "g7", "hcp:1", 41, 1_772_373_900_012)
EVENT = Event("/s", "e", "identity.linked", "hcp:1", 1_772_373_900_012, {}, ())


def put_out(applied: Applied) -> Output:
    output = Output()
    output.add(3, Read(), applied, WIRE)
    return output


def refused(code: Code) -> Applied:
    return Applied("refused", REFUSALS[code], [])


def test_effects_follow_the_changes_of_their_record() -> None:
    output = put_out(Applied("event", EVENT, [change()], SENT))
    topics = [record.topic for record in output.records]
    assert topics[:2] == ["segment.membership", "segment.membership.current"]
    assert [(record.topic, record.key) for record in output.records[2:]] == [
        ("engagement.events", b"hcp:2"),
        ("engagement.events", b"hcp:3"),
    ]
    assert output.notes.effects == [FACTS_TYPE, FACT_TYPE]
    assert (output.weight, output.effect_bytes) == (3, sum(len(each.value) for each in SENT))


def test_large_effects_weigh_as_much_as_many_changes() -> None:
    large = seal([Effect("hcp:2", FACTS_TYPE, {"x": "y" * 819_200})], "g7", "hcp:1", 41, 0)
    assert put_out(Applied("event", EVENT, [], large)).weight == 100


def test_what_an_erasure_refuses_gets_no_dead_letter_and_is_no_bad_input() -> None:
    kept, dropped = put_out(refused("not_json")), put_out(refused("erased"))
    assert (len(kept.records), len(kept.refused)) == (1, 1)
    assert (dropped.records, dropped.refused, dropped.applied) == ([], [], 1)
