"""Laws of sealed effects."""

import orjson

from rules.engine.persons.effects import ERASED_TYPE, FACT_TYPE, Effect, seal


def test_the_bytes_are_a_function_of_the_cause_whatever_the_order_of_keys() -> None:
    effects = [Effect("hcp:2", FACT_TYPE, {"a": 1, "b": {"c": 2, "d": 3}}), Effect("hcp:3", ERASED_TYPE, {})]
    again = [Effect("hcp:2", FACT_TYPE, {"b": {"d": 3, "c": 2}, "a": 1}), Effect("hcp:3", ERASED_TYPE, {})]
    sealed = [effect.value for effect in seal(effects, "g1", "hcp:1", 17, 5_000)]
    assert sealed == [effect.value for effect in seal(again, "g1", "hcp:1", 17, 5_000)]
    assert sealed != [effect.value for effect in seal(effects, "g1", "hcp:1", 18, 5_000)]


def test_an_effect_is_an_event_of_its_target_named_by_its_cause() -> None:
    second = seal([Effect("hcp:2", FACT_TYPE, {}), Effect("hcp:3", ERASED_TYPE, {"x": 1})], "g1", "hcp:1", 17, 5_000)[1]
    assert orjson.loads(second.value) == {
        "specversion": "1.0",
        "id": "g1/hcp:1/17/2",
        "source": "/segue/g1",
        "type": "segue.erased",
        "subject": "hcp:3",
        "time": "1970-01-01T00:00:05.000Z",
        "datacontenttype": "application/json",
        "data": {"x": 1},
    }
