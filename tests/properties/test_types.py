"""Facts keep the types of their arrival: how rules treat a fact whose type was declared anew since."""

import json
from itertools import permutations
from typing import Any

import pytest

from tests.naive.times import written
from tests.properties.drawing import Condition
from tests.properties.test_same import HOURS
from tests.transcripts.implementations import engine, naive
from tests.transcripts.transcript import Files

VALUES: dict[str, list[Any]] = {
    "string": ["5", "x", "2026-03-01"],
    "number": [5, 0.5, 0, 1],
    "integer": [5, 0, 1],
    "boolean": [True, False],
    "datetime": ["2026-03-01", "1970-01-01"],
    "list": [["5"], [], ["a", "b"]],
}
NUMBERS: list[Condition] = [
    *({"equals": 5}, {"not_equals": 5}, {"in": [5, 1]}, {"not_in": [5, 1]}, {"above": 0}, {"at_least": 1}),
    *({"below": 6}, {"at_most": 1}, {"between": [0, 9]}, {"exists": False}),
]
TESTS: dict[str, list[Condition]] = {
    "string": [
        *({"equals": "5"}, {"not_equals": "5"}, {"in": ["5"]}, {"not_in": ["x"]}, {"exists": True}),
        *({"contains": "5"}, {"starts_with": "5"}, {"ends_with": "5"}, {"matches": "5"}),
    ],
    "number": NUMBERS,
    "integer": NUMBERS,
    "boolean": [{"equals": True}, {"not_equals": True}, {"in": [True]}, {"exists": True}],
    "datetime": [
        *({"equals": "1970-01-01"}, {"not_equals": "1970-01-01"}, {"above": "1970-01-01"}, {"at_most": "2026-03-05"}),
        *(
            {"older_than": "1d"},
            {"newer_than": "1d"},
            {"between": ["1970-01-01", "2030-01-01"]},
            {"in": ["1970-01-01"]},
        ),
    ],
    "list": [{"contains": "5"}, {"contains_any": ["5", "a"]}, {"exists": True}],
}
FIGURES = {"number": ["sum", "min", "max", "mean"], "integer": ["sum", "min", "max", "mean"]}


def rules(kind: str) -> list[Condition]:
    """List conditions of many kinds on a value of one type."""
    found: list[Condition] = []
    for test in TESTS[kind]:
        found += [{"trait": "z", **test}, {"trait": "z", **test, "for": "1m"}]
        found += [{"event": "v", "where": {"q": test}}, {"last": "v", "is": {"q": test}}]
        found += [{"aggregate": how, "of": "q", "event": "v", **test} for how in FIGURES.get(kind, [])]
    if kind != "boolean":
        found.append({"aggregate": "distinct", "of": "q", "event": "v", "equals": 1})
    return [*found, {"changed": "z", "within": "3d"}]


def files(kind: str, conditions: list[Condition]) -> Files:
    """Give a catalogue that declares the trait and the attribute with one type."""
    events = {"v": {"data": {"q": {"type": kind}}, "sets": {"z": "q"}}}
    segments = [
        {"segment": f"s{number:03}", "version": 1, "status": "approved", "enter": condition}
        for number, condition in enumerate(conditions)
    ]
    catalogue: Files = {"dictionary.yaml": {"traits": {"z": {"type": kind}}, "events": events}}
    return catalogue | {f"segments/{each['segment']}.yaml": each for each in segments}


def event(name: str, at: int, value: Any) -> bytes:
    """Give the line of an event."""
    envelope = {"specversion": "1.0", "id": name, "source": "/s", "type": "v", "subject": "hcp:1"}
    return json.dumps({**envelope, "time": written(at), "data": {"q": value}}).encode()


@pytest.mark.parametrize(("before", "after"), list(permutations(VALUES, 2)))
def test_a_fact_of_an_older_type_means_the_same_to_both(before: str, after: str) -> None:
    first = files(before, [{"during": {"from": "2030-01-01"}}])
    second = files(after, rules(after))
    for value in VALUES[before]:
        lines = [event("a", HOURS.at(0), value), event("b", HOURS.at(0) + 1, VALUES[before][0])]
        cuts, until = [(HOURS.at(1), second)], HOURS.at(80)
        assert engine(first, lines, cuts, until, False) == naive(first, lines, cuts, until, False)
