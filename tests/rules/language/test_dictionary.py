"""The dictionary: declarations, built-in events, and the errors that mistakes get."""

from typing import Any

import pytest

from rules.language.dictionary import BUILT_IN, Dictionary, read_dictionary
from rules.language.problems import DefinitionReader, Problems, Source
from rules.language.reaches import Reaches


def read(value: Any) -> tuple[Dictionary | None, list[str]]:
    problems = Problems()
    dictionary = read_dictionary(DefinitionReader.of(Source("dictionary.yaml", value), problems))
    return dictionary, [problem.message for problem in problems]


def good(value: Any) -> Dictionary:
    dictionary, problems = read(value)
    assert problems == []
    assert dictionary is not None
    return dictionary


def test_the_example_of_the_reference_is_read_whole() -> None:
    dictionary = good(
        {
            "traits": {
                "specialty": {
                    "type": "string",
                    "definition": "Primary specialty",
                    "source": "crm",
                    "refresh": "7d",
                    "examples": ["medical-oncology"],
                },
                "last_topic": {"type": "string"},
            },
            "events": {
                "webinar.registered": {
                    "definition": "Registered for a webinar",
                    "data": {"topic": {"type": "string"}, "webinar.id": {"type": "string", "restricted": "genetic"}},
                    "sets": {"last_topic": "topic"},
                }
            },
        }
    )
    specialty = dictionary.traits["specialty"]
    assert (specialty.type, specialty.source, specialty.refresh_ms) == ("string", "crm", 7 * 86_400_000)
    event = dictionary.events["webinar.registered"]
    assert {path: attribute.type for path, attribute in event.data.items()} == {
        "topic": "string",
        "webinar.id": "string",
    }
    assert event.data["webinar.id"].restricted == "genetic"
    assert event.sets == {"last_topic": "topic"}
    assert not event.built_in


@pytest.mark.parametrize("value", [{}, {"traits": None, "events": None}, {"events": {}}])
def test_the_built_in_events_need_no_declaration(value: Any) -> None:
    dictionary = good(value)
    found = {name: {path: each.type for path, each in event.data.items()} for name, event in dictionary.events.items()}
    assert found == BUILT_IN
    assert all(event.built_in for event in dictionary.events.values())


def test_a_built_in_event_may_be_declared_again_with_more_data() -> None:
    dictionary = good(
        {
            "traits": {"asset": {"type": "string"}, "reached_by": {"type": "string"}},
            "events": {
                "message.sent": {
                    "definition": "A message went out",
                    "data": {"channel": {"type": "string", "definition": "How"}, "asset": {"type": "string"}},
                    "sets": {"asset": "asset", "reached_by": "channel"},
                }
            },
        }
    )
    event = dictionary.events["message.sent"]
    assert set(event.data) == {"channel", "journey", "intent", "activation", "asset"}
    assert event.data["channel"].definition == "How"
    assert not event.built_in


def test_an_event_without_data_and_one_with_nothing_at_all_are_declared() -> None:
    assert set(good({"events": {"a": None, "b": {}, "c": {"data": None}}}).events) == {*BUILT_IN, "a", "b", "c"}


def test_a_set_path_need_not_be_declared_as_data() -> None:
    value = {"traits": {"a": {"type": "list"}}, "events": {"e": {"sets": {"a": "x.y"}}}}
    assert good(value).events["e"].sets == {"a": "x.y"}


@pytest.mark.parametrize(("attribute", "trait"), [("integer", "number"), ("number", "integer"), ("string", "datetime")])
def test_a_set_may_join_types_that_share_values(attribute: str, trait: str) -> None:
    good({"traits": {"t": {"type": trait}}, "events": {"e": {"data": {"a": {"type": attribute}}, "sets": {"t": "a"}}}})


BAD: dict[str, tuple[Any, str]] = {
    "unknown top key": ({"trait": {}}, "unknown key 'trait'; did you mean 'traits'?"),
    "not a mapping": ([], "the file must be a mapping like {traits: …, events: …, author: …}"),
    "no type": ({"traits": {"a": {}}}, "missing key 'type'"),
    "null trait": ({"traits": {"a": None}}, "'a' must be a mapping like {type: …}"),
    "wrong type": ({"traits": {"a": {"type": "text"}}}, "'type' must be 'string', 'number'"),
    "unknown key": ({"traits": {"a": {"type": "list", "typ": "x"}}}, "unknown key 'typ'"),
    "control character": ({"traits": {"a\n": {"type": "list"}}}, "must be a non-empty text without control characters"),
    "empty name": ({"events": {"": {}}}, "must be a non-empty text without control characters"),
    "empty path": ({"events": {"e": {"data": {"": {"type": "list"}}}}}, "must be a non-empty text"),
    "refresh": ({"traits": {"a": {"type": "list", "refresh": "weekly"}}}, "a duration: a positive integer"),
    "short form": ({"traits": {"a": "string"}}, "'a' must be a mapping like {type: …}"),
    "numeric definition": ({"traits": {"a": {"type": "list", "definition": 3}}}, "'definition' must be a text"),
    "empty key": ({"traits": {"a": {"type": "list", "source": None}}}, "'source' must not be empty"),
    "reserved": ({"events": {"segue.tick": {}}}, "reserved"),
    "built-in type": ({"events": {"message.sent": {"data": {"intent": {"type": "list"}}}}}, "built in as a string"),
    "unknown trait": (
        {"traits": {"topic": {"type": "string"}}, "events": {"e": {"sets": {"topics": "x"}}}},
        "unknown trait 'topics'; did you mean 'topic'?",
    ),
    "types with no common value": (
        {"traits": {"t": {"type": "list"}}, "events": {"e": {"data": {"a": {"type": "string"}}, "sets": {"t": "a"}}}},
        "trait 't' is a list, but 'a' of e is a string",
    ),
    "types with no common value, built in": (
        {"traits": {"t": {"type": "list"}}, "events": {"message.replied": {"sets": {"t": "text"}}}},
        "trait 't' is a list, but 'text' of message.replied is a string",
    ),
    "path through a value": (
        {"events": {"e": {"data": {"a": {"type": "string"}, "a.b": {"type": "string"}}}}},
        "'a.b' lies inside 'a'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_said(case: str) -> None:
    value, message = BAD[case]
    dictionary, problems = read(value)
    assert dictionary is None
    assert len(problems) == 1
    assert message in problems[0]


def test_a_problem_has_the_place_of_its_key() -> None:
    problems = Problems()
    source = Source(
        "dictionary.yaml",
        {"events": {"e": {"sets": {"b": "x"}}}},
        {("events", "e"): (2, 3), ("events", "e", "sets", "b"): (4, 7)},
    )
    read_dictionary(DefinitionReader.of(source, problems))
    assert [str(problem) for problem in problems] == ["dictionary.yaml:4:7: unknown trait 'b'"]


REACHING: dict[str, Any] = {
    "data": {"status": {"type": "string"}, "n": {"type": "integer"}},
    "reaches": {"roles": ["buyer"], "as": "told"},
}
TOLD: dict[str, Any] = {"data": {"organisation": {"type": "string"}, "status": {"type": "string"}}}


def test_an_event_says_whom_it_reaches_and_as_what() -> None:
    dictionary = good({"events": {"changed": REACHING, "told": TOLD}})
    assert dictionary.events["changed"].reaches == Reaches(("buyer",), "told")
    assert dictionary.events["told"].reaches is None


NO_STRING = "told cannot take the data of changed: it must declare 'organisation' as a string"
REACHES_WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nobody knows the type": ({"changed": REACHING}, "unknown event 'told'; known: changed"),
    "no organisation": ({"changed": REACHING, "told": {}}, NO_STRING),
    "organisation is a list": ({"changed": REACHING, "told": {"data": {"organisation": {"type": "list"}}}}, NO_STRING),
    "a built-in type": (
        {"changed": {**REACHING, "reaches": {"roles": ["buyer"], "as": "message.sent"}}, "told": TOLD},
        "message.sent is built in: name an event that this dictionary declares",
    ),
    "at a built-in event": (
        {"message.sent": {"reaches": {"roles": ["buyer"], "as": "told"}}, "told": TOLD},
        "message.sent is built in: let an event of your own say reaches",
    ),
    "itself": (
        {"changed": {"reaches": {"roles": ["buyer"], "as": "changed"}}},
        "changed says reaches itself: what is told is told no further",
    ),
    "a chain": (
        {"changed": REACHING, "told": {**TOLD, "reaches": {"roles": ["x"], "as": "changed"}}},
        "told says reaches itself: what is told is told no further",
    ),
    "a role twice": (
        {"changed": {**REACHING, "reaches": {"roles": ["a", "a"], "as": "told"}}, "told": TOLD},
        "role 'a' is named twice",
    ),
    "no role": (
        {"changed": {**REACHING, "reaches": {"roles": [], "as": "told"}}, "told": TOLD},
        "'roles' must not be empty",
    ),
    "its own organisation": (
        {"changed": {**REACHING, "data": {"organisation": {"type": "string"}, **REACHING["data"]}}, "told": TOLD},
        "'organisation' is added to what changed tells; give this one another name",
    ),
    "another type of data": (
        {"changed": REACHING, "told": {"data": {"organisation": {"type": "string"}, "n": {"type": "string"}}}},
        "told cannot take the data of changed: 'n' is of type string there, and of type integer here",
    ),
    "data of its own": (
        {"changed": REACHING, "told": {"data": {**TOLD["data"], "more": {"type": "string"}}}},
        "told cannot take the data of changed: 'more' is no data of the first",
    ),
    "a trait from nothing": (
        {"changed": REACHING, "told": {**TOLD, "sets": {"level": "more"}}},
        "told cannot take the data of changed: 'more', which sets trait 'level', is no data of the first",
    ),
    "a trait of another type": (
        {"changed": {**REACHING, "data": {**REACHING["data"], "on": {"type": "boolean"}}}}
        | {"told": {**TOLD, "sets": {"level": "on"}}},
        "told cannot take the data of changed: 'on' is of type boolean, and sets trait 'level' of type number",
    ),
}


@pytest.mark.parametrize(("events", "message"), REACHES_WRONG.values(), ids=REACHES_WRONG)
def test_a_reaches_that_cannot_be_told_is_refused_with_what_to_do(events: dict[str, Any], message: str) -> None:
    dictionary, problems = read({"traits": {"level": {"type": "number"}}, "events": events})
    assert dictionary is None
    assert message in problems
