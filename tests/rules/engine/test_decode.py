"""Decoding: both CloudEvents modes, every reason for refusal, and which of several is given."""

import json
from itertools import combinations
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.engine.decode import DEPTH_MAX, SIZE_MAX, Own, check_envelope, decode
from rules.engine.event_time import record_time
from rules.engine.refusal import CODES, Refusal
from rules.ground.event import Event
from rules.ground.instants import parse_instant
from rules.ground.partitioning import partition_of
from rules.language.dictionary import Dictionary, read_dictionary
from rules.language.problems import DefinitionReader, Problems, Source
from tests.naive import Catalogue
from tests.naive import decode as naive

R = parse_instant("2026-03-01T14:05:00Z")
WHOLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/portal",
    "type": "thing.seen",
    "subject": "hcp:1234567893",
    "time": "2026-03-01T14:05:00Z",
    "data": {"topic": "coverage"},
}


def _dictionary() -> Dictionary:
    value = {
        "traits": {
            "topic": {"type": "string"},
            "due": {"type": "datetime"},
            "whole": {"type": "integer"},
            "labels": {"type": "list"},
        },
        "events": {
            "thing.seen": {
                "data": {
                    "topic": {"type": "string"},
                    "n": {"type": "number"},
                    "i": {"type": "integer"},
                    "ok": {"type": "boolean"},
                    "at": {"type": "datetime"},
                    "tags": {"type": "list"},
                    "webinar.id": {"type": "string"},
                    "deep.er.n": {"type": "number"},
                },
                "sets": {"topic": "topic", "due": "plan.due", "whole": "n", "labels": "tags"},
            },
            "portal.login": None,
        },
    }
    problems = Problems()
    dictionary = read_dictionary(DefinitionReader.of(Source("dictionary.yaml", value), problems))
    assert dictionary is not None, problems
    return dictionary


DICTIONARY = _dictionary()


def structured(**changes: Any) -> bytes:
    return json.dumps({key: value for key, value in {**WHOLE, **changes}.items() if value is not ...}).encode()


def binary(**changes: Any) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    event = {key: value for key, value in {**WHOLE, **changes}.items() if value is not ...}
    data = event.pop("data", None)
    headers = [(f"ce_{key}", str(value).encode()) for key, value in event.items()]
    return None if data is None else json.dumps(data).encode(), [*headers, ("content-type", b"application/json")]


def found(value: bytes | None, *headers: tuple[str, bytes]) -> Event | Own | Refusal:
    return decode(value, headers, DICTIONARY, R)


def event(value: bytes | None, *headers: tuple[str, bytes]) -> Event:
    result = found(value, *headers)
    assert isinstance(result, Event), result
    return result


def code(value: bytes | None, *headers: tuple[str, bytes]) -> str:
    result = found(value, *headers)
    assert isinstance(result, Refusal), result
    return result.code


def test_both_modes_give_the_same_event() -> None:
    value, headers = binary()
    expected = Event(
        "/portal",
        "evt-1",
        "thing.seen",
        "hcp:1234567893",
        R,
        {"topic": "coverage"},
        (("topic", "coverage"),),
    )
    assert event(structured()) == event(value, *headers) == expected


@pytest.mark.parametrize(
    "content_type",
    [b"application/cloudevents+json", b"application/cloudevents+json; charset=UTF-8", b"APPLICATION/CloudEvents+json"],
)
def test_structured_mode_is_what_the_content_type_says_whatever_the_headers(content_type: bytes) -> None:
    headers = [("ce_id", b"other"), ("content-type", content_type)]
    assert event(structured(), *headers).id == "evt-1"


@pytest.mark.parametrize("headers", [[], [("content-type", b"application/json")], [("traceparent", b"00")]])
def test_without_ce_headers_the_value_is_the_whole_event(headers: list[tuple[str, bytes]]) -> None:
    assert event(structured(), *headers).id == "evt-1"


@pytest.mark.parametrize("value", [None, b"", b"null", b"{}"])
def test_in_binary_mode_there_need_be_no_data(value: bytes | None) -> None:
    _, headers = binary()
    assert event(value, *headers).data == {}


@pytest.mark.parametrize("content_type", [b"application/json; charset=utf-8", b"text/json", b"application/x.y+json"])
def test_binary_data_is_json(content_type: bytes) -> None:
    value, headers = binary()
    assert event(value, *headers[:-1], ("Content-Type", content_type)).data == {"topic": "coverage"}
    assert event(value, *headers[:-1]).data == {"topic": "coverage"}
    assert code(value, *headers[:-1], ("content-type", b"application/avro")) == "not_json"


def test_every_type_is_taken_from_its_path_and_the_rest_is_not_looked_at() -> None:
    data = {
        "topic": "t",
        "n": 1.5,
        "i": 2.0,
        "ok": False,
        "at": "2026-03-01",
        "tags": ["a"],
        "webinar": {"id": "w", "other": [1]},
        "deep": {"er": {"n": 3}},
        "more": {"": None},
    }
    values = event(structured(data={**data, "n": 3})).data
    assert values == {
        "topic": "t",
        "n": 3,
        "i": 2,
        "ok": False,
        "at": parse_instant("2026-03-01"),
        "tags": ("a",),
        "webinar.id": "w",
        "deep.er.n": 3,
    }
    assert values["i"].__class__ is int


@pytest.mark.parametrize("data", [..., None, {}, {"topic": None, "n": "", "i": "", "tags": None, "webinar": None}])
def test_what_has_no_value_is_absent(data: Any) -> None:
    assert event(structured(data=data)).data == {}


def test_an_empty_list_is_a_value() -> None:
    assert event(structured(data={"tags": []})).data == {"tags": ()}


@pytest.mark.parametrize(
    ("data", "sets"),
    [
        ({}, ()),
        ({"topic": None}, (("topic", None),)),
        ({"topic": ""}, (("topic", None),)),
        ({"topic": "x"}, (("topic", "x"),)),
        ({"plan": None}, ()),
        ({"plan": {}}, ()),
        ({"plan": {"due": None}}, (("due", None),)),
        ({"plan": {"due": "1970-01-01"}}, (("due", 0),)),
        ({"n": 2.0}, (("whole", 2),)),
        ({"n": ""}, (("whole", None),)),
        ({"tags": []}, (("labels", ()),)),
        ({"tags": ["a"], "topic": "x"}, (("topic", "x"), ("labels", ("a",)))),
    ],
)
def test_an_absent_field_leaves_a_trait_and_null_or_empty_text_takes_its_value(data: Any, sets: Any) -> None:
    assert event(structured(data=data)).sets == sets


DEEP = b"[" * 5000 + b"]" * 5000
FULL = structured(data={"pad": "x" * (SIZE_MAX - len(structured(data={"pad": ""})))})


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


REFUSED: dict[str, tuple[str, bytes | None]] = {
    "nothing": ("not_json", None),
    "empty": ("not_json", b""),
    "text": ("not_json", b"hello"),
    "bad UTF-8": ("not_json", structured(id="\u00fc").replace(b"\\u00fc", b"\xff")),
    "half a surrogate pair": ("not_json", structured(id="\ud800")),
    "NaN": ("not_json", structured(data={"other": float("nan")})),
    "Infinity": ("not_json", structured(data={"n": float("-inf")})),
    "byte order mark": ("not_json", b"\xef\xbb\xbf" + structured()),
    "trailing text": ("not_json", structured() + b"x"),
    "too large": ("too_large", structured(data={"pad": "x" * SIZE_MAX})),
    "too large and no JSON": ("too_large", b"x" * (SIZE_MAX + 1)),
    "too deep": ("too_deep", structured(data={"pad": nested(DEPTH_MAX - 1)})),
    "too deep for the fast parser": ("too_deep", structured(data={"pad": "x"}).replace(b'"x"', DEEP)),
    "a deep list": ("too_deep", json.dumps(nested(33)).encode()),
    "as deep as can be": ("too_deep", b"[" * (SIZE_MAX // 2) + b"]" * (SIZE_MAX // 2)),
    "deep and broken": ("not_json", b"[" * SIZE_MAX),
    "list": ("not_cloudevent", b"[]"),
    "scalar": ("not_cloudevent", b"1"),
    "null": ("not_cloudevent", b"null"),
    "no id": ("not_cloudevent", structured(id=...)),
    "empty id": ("not_cloudevent", structured(id="")),
    "number as id": ("not_cloudevent", structured(id=1)),
    "no source": ("not_cloudevent", structured(source=...)),
    "no type": ("not_cloudevent", structured(type=...)),
    "null type": ("not_cloudevent", structured(type=None)),
    "list as type": ("not_cloudevent", structured(type=["x"])),
    "no version": ("not_cloudevent", structured(specversion=...)),
    "version 0.3": ("not_cloudevent", structured(specversion="0.3")),
    "version as number": ("not_cloudevent", structured(specversion=1.0)),
    "no subject": ("bad_subject", structured(subject=...)),
    "subject without kind": ("bad_subject", structured(subject="1234567893")),
    "subject with empty kind": ("bad_subject", structured(subject=":1")),
    "subject with empty name": ("bad_subject", structured(subject="hcp:")),
    "subject with bar": ("bad_subject", structured(subject="hcp:1|2")),
    "subject with bar in its kind": ("bad_subject", structured(subject="h|cp:1")),
    "subject with control character": ("bad_subject", structured(subject="hcp:1\n")),
    "subject with C1 control character": ("bad_subject", structured(subject="hcp:\u0085")),
    "number as subject": ("bad_subject", structured(subject=5)),
    "undeclared": ("undeclared_type", structured(type="thing.sean")),
    "no time": ("bad_time", structured(time=...)),
    "number as time": ("bad_time", structured(time=R)),
    "empty time": ("bad_time", structured(time="")),
    "local time": ("bad_time", structured(time="2026-03-01T14:05:00")),
    "leap second": ("bad_time", structured(time="2026-03-01T14:05:60Z")),
    "hour 24": ("bad_time", structured(time="2026-03-01T24:00:00Z")),
    "space for T": ("bad_time", structured(time="2026-03-01 14:05:00Z")),
    "30 February": ("bad_time", structured(time="2026-02-30T14:05:00Z")),
    "year 0": ("bad_time", structured(time="0000-12-31T00:00:00Z")),
    "before year 1 in UTC": ("bad_time", structured(time="0001-01-01T00:00:00+00:01")),
    "after year 9999 in UTC": ("bad_time", structured(time="9999-12-31T23:59:59-00:01")),
    "ahead": ("ahead", structured(time="2026-03-01T14:10:00.001Z")),
    "text as number": ("wrong_type", structured(data={"n": "1"})),
    "number as text": ("wrong_type", structured(data={"topic": 1})),
    "false as text": ("wrong_type", structured(data={"topic": False})),
    "zero as text": ("wrong_type", structured(data={"topic": 0})),
    "empty list as text": ("wrong_type", structured(data={"topic": []})),
    "boolean as number": ("wrong_type", structured(data={"n": True})),
    "fraction as integer": ("wrong_type", structured(data={"i": 1.5})),
    "zero as boolean": ("wrong_type", structured(data={"ok": 0})),
    "unreadable datetime": ("wrong_type", structured(data={"at": "soon"})),
    "null in a list": ("wrong_type", structured(data={"tags": ["a", None]})),
    "text on the way": ("wrong_type", structured(data={"webinar": "x"})),
    "empty text on the way": ("wrong_type", structured(data={"webinar": ""})),
    "list on the way": ("wrong_type", structured(data={"deep": {"er": []}})),
    "text on the way to a setting": ("wrong_type", structured(data={"plan": "x"})),
    "setting of another type than the trait": ("wrong_type", structured(data={"n": 1.5})),
    "data as text": ("wrong_type", structured(data="x")),
    "data as empty text": ("wrong_type", structured(data="")),
    "data as list": ("wrong_type", structured(data=[])),
    "data in base64": ("wrong_type", structured(data=..., data_base64="e30=")),
    "integer beyond 2^53": ("bad_number", structured(data={"i": 2**53 + 1})),
    "float beyond 2^53 as integer": ("bad_number", structured(data={"i": 1e300})),
    "number beyond the doubles": ("bad_number", structured(data={"n": 7}).replace(b"7}", b"1e400}")),
    "number of 400 digits": ("bad_number", structured(data={"n": 10**400})),
    "number beyond the doubles as integer": ("bad_number", structured(data={"i": 7}).replace(b"7}", b"-1e400}")),
    "bad number and wrong type": ("wrong_type", structured(data={"i": 2**53 + 1, "tags": [1]})),
    "bad setting and wrong type": ("wrong_type", structured(data={"n": 2**60, "plan": {"due": "x"}})),
    "bad setting": ("bad_number", structured(data={"n": 2**60})),
    "grant without purpose": ("wrong_type", structured(type="consent.granted", data={"channel": "email"})),
    "grant without channel": ("wrong_type", structured(type="consent.granted", data={"purpose": "all"})),
    "grant for nothing": ("wrong_type", structured(type="consent.granted", data={"channel": "x", "purpose": ""})),
    "grant without data": ("wrong_type", structured(type="consent.granted", data=...)),
    "link to nobody": ("bad_link", structured(type="identity.linked", data={"canonical": ""})),
    "link to no subject": ("bad_link", structured(type="identity.linked", data={"canonical": "hcp"})),
    "link to itself": ("bad_link", structured(type="identity.linked", data={"canonical": "hcp:1234567893"})),
    "link to a number": ("wrong_type", structured(type="identity.linked", data={"canonical": 7})),
    "reply with a number": ("wrong_type", structured(type="message.replied", data={"text": 1})),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_its_code(case: str) -> None:
    expected, value = REFUSED[case]
    assert code(value) == expected


def test_a_link_or_an_erasure_sets_nothing_but_what_it_would_set_is_checked() -> None:
    value = {"traits": {"n": {"type": "integer"}}, "events": {"privacy.erased": {"sets": {"n": "score"}}}}
    dictionary = read_dictionary(DefinitionReader.of(Source("dictionary.yaml", value), Problems()))
    assert dictionary is not None
    for score, expected in ((7, ()), ("7", "wrong_type"), (2**60, "bad_number")):
        decoded = decode(structured(type="privacy.erased", data={"score": score}), (), dictionary, R)
        assert expected == (decoded.code if isinstance(decoded, Refusal) else cast("Event", decoded).sets)


def test_every_code_of_the_value_is_shown_above() -> None:
    assert {expected for expected, _ in REFUSED.values()} == set(CODES) - {"erased", "wrong_key", "wrong_partition"}


@pytest.mark.parametrize(
    "value",
    [
        structured(subject="hcp:a:b c/ü"),
        structured(time="2026-03-01T14:10:00Z"),
        structured(time="2026-03-01"),
        structured(time="0001-01-01T00:00:00Z"),
        structured(time="2026-03-01t15:05:00.123456+01:00"),
        structured(data={"other": float(10**300)}),
        structured(data={"other": 7}).replace(b"7}", b"1e400}"),
        structured(data={"pad": nested(DEPTH_MAX - 2)}),
        structured(data={"pad": "[{" * 50}),
        FULL,
        structured(type="portal.login", data="anything"),
        structured(type="consent.withdrawn", data=...),
        structured(type="consent.granted", data={"channel": "all", "purpose": "all"}),
        structured(type="message.replied", data={}),
        structured().replace(b'"id"', b'"id":"first","id"'),
    ],
)  # fmt: skip
def test_what_is_at_the_edge_but_right_is_taken(value: bytes) -> None:
    assert event(value).id == "evt-1"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:59.999Z", 59_999),
        ("1970-01-01T00:01:00.000z", 60_000),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("1970-01-01t00:00:01Z", 1000),
        ("1970-01-01T02:00:00+02:00", 0),
    ],
)
def test_times_are_floored_to_the_millisecond(text: str, ms: int) -> None:
    assert event(structured(time=text)).time_ms == ms


@given(st.text("0123456789-T:.Zz+ ", max_size=26) | st.datetimes().map(lambda moment: moment.isoformat()[:23] + "Z"))
def test_the_fast_way_to_read_a_time_is_the_slow_way(text: str) -> None:
    try:
        expected = parse_instant(text)
    except ValueError:
        expected = None
    assert record_time(json.dumps({"time": text}).encode()) == expected


BROKEN: dict[str, dict[str, Any]] = {
    "not_cloudevent": {"id": ""},
    "bad_subject": {"subject": "x"},
    "undeclared_type": {"type": "nobody.knows"},
    "bad_time": {"time": "never"},
    "ahead": {"time": "2027-01-01"},
    "wrong_type": {"data": {"n": "x"}},
    "bad_number": {"data": {"i": 2**60}},
}


@pytest.mark.parametrize(("first", "second"), list(combinations(BROKEN, 2)))
def test_of_two_reasons_the_first_in_the_list_is_given(first: str, second: str) -> None:
    value = structured(**{**BROKEN[second], **BROKEN[first]})
    assert code(value) == first
    deep = structured(**{**BROKEN[second], "extension": nested(40)})
    assert code(deep) == "too_deep"


@pytest.mark.parametrize("name", BROKEN)
def test_binary_mode_refuses_for_the_same_reasons(name: str) -> None:
    value, headers = binary(**BROKEN[name])
    assert code(value, *headers) == name


def test_binary_data_stands_one_level_inside_the_event() -> None:
    value, headers = binary(data=nested(DEPTH_MAX - 1), type="portal.login")
    assert event(value, *headers).type == "portal.login"
    value, headers = binary(data=nested(DEPTH_MAX), type="portal.login")
    assert code(value, *headers) == "too_deep"


def test_the_size_of_a_binary_event_is_its_value_and_its_ce_headers() -> None:
    _, headers = binary()
    room = SIZE_MAX - sum(len(name) + len(value) for name, value in headers if name.startswith("ce_"))
    assert event(b" " * (room - 2) + b"{}", *headers, ("other", b"x" * 1000)).data == {}
    assert code(b" " * (room - 1) + b"{}", *headers) == "too_large"


@pytest.mark.parametrize(
    ("name", "expected"), [("id", "not_cloudevent"), ("subject", "bad_subject"), ("time", "bad_time")]
)
def test_a_header_that_is_no_utf_8_is_no_value(name: str, expected: str) -> None:
    value, headers = binary()
    bad = [(each, b"\xff" if each == f"ce_{name}" else raw) for each, raw in headers]
    assert code(value, *bad) == expected


def test_a_header_without_a_value_is_an_empty_one() -> None:
    nothing: Any = None
    assert event(structured(), ("content-type", nothing)).id == "evt-1"
    value, headers = binary()
    assert event(value, *headers[:-1], ("content-type", b"application/json"), ("ce_extra", nothing)).id == "evt-1"
    assert code(value, *headers, ("ce_id", nothing)) == "not_cloudevent"


def test_binary_data_that_is_no_json_comes_before_what_its_headers_lack() -> None:
    assert code(b"{", ("ce_id", b"x")) == "not_json"
    assert code(b"{}", ("ce_id", b"x")) == "not_cloudevent"


@pytest.mark.parametrize(
    "changes", [{}, {"subject": ...}, {"id": ""}, {"time": ..., "data": "x"}, {"time": "2099-01-01"}]
)
def test_a_reserved_type_is_a_record_without_an_event(changes: dict[str, Any]) -> None:
    result = found(structured(type="segue.tick", **changes))
    assert result == Own(
        "segue.tick", changes.get("data", WHOLE["data"]), None if "subject" in changes else WHOLE["subject"]
    )
    value, headers = binary(type="segue.tick", **changes)
    assert found(value, *headers) == result


def test_the_key_is_the_subject_and_the_partition_is_the_keys() -> None:
    seen = event(structured(subject="hcp:ü"))
    key = "hcp:ü".encode()
    right = partition_of(key, 8)
    assert check_envelope(seen, key, right, 8) is None
    assert check_envelope(seen, key, (right + 1) % 8, 8) == "wrong_partition"
    assert check_envelope(seen, None, right, 8) == "wrong_key"
    assert check_envelope(seen, b"", right, 8) == "wrong_key"
    assert check_envelope(seen, b"hcp:u", (right + 1) % 8, 8) == "wrong_key"


@pytest.mark.parametrize(
    ("line", "ms"),
    [
        ({"recordedtime": "1970-01-01T00:00:01Z", "time": "1970-01-01"}, 1000),
        ({"time": "1970-01-01T00:00:02Z"}, 2000),
        ({"recordedtime": None, "time": "1970-01-01T00:00:02Z"}, 2000),
        ({"recordedtime": "", "time": "1970-01-01T00:00:02Z"}, None),
        ({"recordedtime": "soon", "time": "1970-01-01T00:00:02Z"}, None),
        ({"recordedtime": 5, "time": "1970-01-01T00:00:02Z"}, None),
        ({"time": "soon"}, None),
        ({}, None),
        ([], None),
        ({"time": "1970-01-01T00:00:02Z", "pad": nested(900)}, 2000),
    ],
)
def test_a_line_of_a_file_has_its_recorded_time_bad_or_not(line: Any, ms: int | None) -> None:
    assert record_time(json.dumps(line).encode()) == ms


def test_a_line_too_deep_for_the_fast_parser_has_its_time() -> None:
    assert record_time(b'{"pad":' + DEEP + b',"time":"1970-01-01"}') == 0
    assert record_time(b'{"pad":' + b"[" * 5000 + b',"time":"1970-01-01"}') is None


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_time", "content-type", "other"])
def test_a_null_header_is_as_good_as_an_empty_one(name: str) -> None:
    null: Any = None
    headers = [("ce_specversion", b"1.0"), (name, null)]
    empty = [("ce_specversion", b"1.0"), (name, b"")]
    assert decode(b"{}", headers, DICTIONARY, 0) == decode(b"{}", empty, DICTIONARY, 0)


@given(st.binary(max_size=60) | st.text().map(str.encode))
def test_nothing_makes_decoding_fail(value: bytes) -> None:
    found(value)
    found(value, ("ce_id", value), ("ce_type", value), ("ce_time", value))
    record_time(value)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
KEYS = st.sampled_from(["topic", "n", "i", "ok", "at", "tags", "webinar", "id", "deep", "er", "plan", "due"])


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12))
def test_any_data_is_an_event_or_of_a_wrong_type_or_number(data: Any) -> None:
    try:
        value = structured(data=data)
    except UnicodeEncodeError:
        return
    result = found(value)
    assert isinstance(result, Event) or (isinstance(result, Refusal) and result.code in {"wrong_type", "bad_number"})


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "specversion": st.sampled_from(["1.0", "1", 1.0]),
        "id": st.sampled_from(["a", "", 1, None]),
        "source": st.sampled_from(["/s", "", []]),
        "type": st.sampled_from(["thing.seen", "portal.login", "consent.granted", "segue.tick", "nobody", "", 3]),
        "subject": st.sampled_from(["hcp:1", "hcp:1:2", "hcp", ":1", "a|b:c", "a:b\x7f", "a:\u2028", None]),
        "time": st.sampled_from(["2026-03-01", "2026-03-01T14:10:00Z", "2026-03-01T14:10:00.001Z", "soon", 5, None]),
        "data": st.none()
        | st.sampled_from([[], "x", 0])
        | st.dictionaries(KEYS, SCALARS | st.dictionaries(KEYS, SCALARS) | st.lists(SCALARS)),
    },
)


@given(FIELDS, st.integers(0, 40))
def test_decoding_agrees_with_the_naive_evaluators(fields: dict[str, Any], levels: int) -> None:
    try:
        value = structured(**fields, extension=nested(levels))
    except UnicodeEncodeError:
        return
    events = {
        name: {"data": {path: {"type": each.type} for path, each in event.data.items()}, "sets": event.sets}
        for name, event in DICTIONARY.events.items()
    }
    traits = {name: {"type": each.type} for name, each in DICTIONARY.traits.items()}
    expected: Event | Own | str
    try:
        seen = naive.event_of(value, naive.parse(value), Catalogue(traits, events, {}, {}, {}), R)
        expected = Event(
            seen.source, seen.id, seen.type, seen.subject, seen.time, dict(seen.data), tuple(seen.sets.items())
        )
    except naive.Refused as refused:
        expected = str(refused)
    except naive.Own:
        expected = Own(fields["type"], fields.get("data", WHOLE["data"]), fields.get("subject", WHOLE["subject"]))
    result = found(value)
    assert (result.code if isinstance(result, Refusal) else result) == expected
