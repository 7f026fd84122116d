"""For any line, the engine and the naive evaluator agree: both accept it, or both refuse it with the same code."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.properties.drawing import Condition, chance
from tests.properties.test_same import PATIENCE_S, Scene, checks, same
from tests.transcripts.implementations import engine, naive
from tests.transcripts.transcript import Files

pytestmark = pytest.mark.timeout(PATIENCE_S)
FAR = 2**53
DICTIONARY: Condition = {
    "traits": {
        "age": {"type": "integer"},
        "size": {"type": "number"},
        "name": {"type": "string"},
        "list": {"type": "list"},
        "when": {"type": "datetime"},
        "flag": {"type": "boolean"},
    },
    "events": {
        "v": {
            "data": {
                "n": {"type": "integer"},
                "x": {"type": "number"},
                "t": {"type": "string"},
                "deep.flag": {"type": "boolean"},
                "deep.when": {"type": "datetime"},
                "deep.more.list": {"type": "list"},
            },
            "sets": {
                "age": "deep.age",
                "size": "x",
                "name": "q",
                "list": "deep.more.list",
                "when": "at",
                "flag": "deep.flag",
            },
        },
        "consent.granted": {"data": {"extra.x": {"type": "integer"}}},
    },
}
RULES: Condition = {
    **{f"set-{name}": {"trait": name, "exists": True} for name in DICTIONARY["traits"]},
    "one": {"trait": "age", "equals": 1},
    "far": {"event": "v", "where": {"n": {"at_least": FAR}}},
    "flag": {"event": "v", "where": {"deep.flag": {"equals": True}}},
    "granted": {"consent": {"channel": "sms", "purpose": "p"}},
    "withdrawn": {"consent": {"channel": "sms", "purpose": "p"}, "is": "withdrawn"},
}
FILES: Files = {"dictionary.yaml": DICTIONARY} | {
    f"segments/{name}.yaml": {"segment": name, "version": 1, "status": "approved", "enter": rule}
    for name, rule in RULES.items()
}
TIMES = [
    *("2026-03-01", "2026-03-01T00:00:00Z", "2026-02-30", "2026-03-01T23:59:60Z", "2026-03-01T10:00:00"),
    *("2026-03-01T10:00:00.1234567+05:30", "2026-03-01T10:00:00+24:00", "2026-03-01t10:00:00z", "2026-03-01T10:00Z"),
    *("0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00Z", "0000-01-01", " 2026-03-01", "２０２６-03-01", "2026-3-1"),
]
VALUES = [
    *(None, "", 0, 1, 1.0, -1, 1.5, True, False, "a", "1", FAR, FAR + 1, -FAR - 1, 1e300, [], ["a"], [None], [1]),
    *([["a"]], {}, {"a": 1}, "STOP", " stop ", "\u2003Quit\n", "é", "\x7f", "\U0001f600", *TIMES),
]
SUBJECTS = [
    *("hcp:1", "hcp:2", "a:b:c", "hcp:", "hcp", ":1", "", None, 5, "h|p:1", "hcp:\u0085", "hcp:\x7f", "hcp: x"),
    *("é:é", "hcp:\u2028", " :1", "hcp:\u200b", "hcp:\x00"),
]
TYPES = [None, "", 5, "zz", "segue.tick", "segue.", "segue", "consent.granted", "consent.withdrawn", "message.replied"]
FIELDS: dict[str, list[Any]] = {
    "specversion": ["1", 1.0, None, "0.3"],
    "id": [None, "", 5, "\n"],
    "source": [None, "", []],
    "type": TYPES,
    "subject": SUBJECTS,
    "time": [*TIMES, None, "", 5],
    "recordedtime": [*TIMES, None, "", 5],
}
RAW = [b"[", b"nul", b"null", b'"a"', b"[]", b"\xff", b" ", b"\x0c", b"1e999", b'["\\u0000"]', b'{"a":NaN}']


@st.composite
def data(draw: DrawFn) -> Any:
    """Data, or a value in its place that is not an object."""
    if chance(draw, 5):
        return draw(st.sampled_from(VALUES))
    found: Condition = {}
    for name in ("n", "x", "t", "q", "at", "text"):
        if chance(draw, 20):
            found[name] = draw(st.sampled_from(VALUES))
    for name, values in (("channel", ["sms", "all", ""]), ("purpose", ["p", "all", None])):
        if chance(draw, 60):
            found[name] = draw(st.sampled_from(values))
    if chance(draw, 40):
        deep: Any = draw(st.sampled_from([None, 5, [], "", *[{}] * 6]))
        found["deep"] = dict(deep) if isinstance(deep, dict) else deep
        if isinstance(deep, dict):
            inner = {name: draw(st.sampled_from(VALUES)) for name in ("flag", "when", "age") if chance(draw, 25)}
            more: Any = draw(st.sampled_from([None, 5, {}, {"list": ["a"]}, {"list": "a"}, [{"list": []}]]))
            found["deep"] = inner | ({"more": more} if chance(draw, 40) else {})
    if chance(draw, 20):
        found["extra"] = draw(st.sampled_from([None, {"x": 1}, {"x": "1"}, 5]))
    return found


@st.composite
def lines(draw: DrawFn) -> bytes:
    """One line, mostly well formed."""
    if chance(draw, 5):
        return draw(st.sampled_from(RAW))
    event: Condition = {
        "specversion": "1.0",
        "id": f"i{draw(st.integers(0, 10**9))}",
        "source": "/s",
        "type": draw(st.sampled_from(["v", "v", "consent.granted", "consent.withdrawn", "message.replied"])),
        "subject": "hcp:1",
        "time": "2026-03-01T00:00:00Z",
        "data": draw(data()),
    }
    if chance(draw, 30):
        name = draw(st.sampled_from(sorted(FIELDS)))
        event[name] = draw(st.sampled_from(FIELDS[name]))
    if chance(draw, 5):
        del event[draw(st.sampled_from(sorted(event)))]
    raw = json.dumps(event, ensure_ascii=draw(st.booleans())).encode()
    return spoiled(draw, raw)


def spoiled(draw: DrawFn, raw: bytes) -> bytes:
    """Spoil the bytes of a line, sometimes."""
    fate = draw(st.integers(0, 99))
    if fate < 3:
        at = draw(st.integers(0, len(raw) - 1))
        return raw[:at] + bytes([draw(st.integers(0, 255))]) + raw[at + 1 :]
    if fate < 5:
        return raw[: draw(st.integers(0, len(raw) - 1))]
    if fate < 6:
        return b"\xef\xbb\xbf" + raw
    if fate < 8:
        return raw.replace(b"hcp:1", b"hcp:\\ud800", 1)
    if fate < 10:
        depth = draw(st.sampled_from([30, 31, 32, 33, 600, 5000]))
        return raw.replace(b"{", b'{"o":' + b"[" * depth + b"]" * depth + b",", 1)
    if fate < 12:
        spare = 262_144 - len(raw) - len('"o":"",') + draw(st.integers(-1, 1))
        return raw.replace(b"{", b'{"o":"' + b"x" * spare + b'",', 1)
    return raw.replace(b'": 1,', b'": 1e999,', 1) if fate < 14 else raw


@checks
@given(st.lists(lines(), min_size=1, max_size=8))
def test_engine_takes_and_refuses_what_the_naive_evaluator_does(arrived: list[bytes]) -> None:
    same(Scene(FILES, [each.replace(b"\n", b"") for each in arrived]))


EVENT = b'{"specversion":"1.0","id":"a","source":"/s","type":"v","subject":"hcp:1","time":"2026-03-01T00:00:00Z"}'
LATER = (
    b'{"specversion":"1.0","id":"b","source":"/s","type":"v","subject":"hcp:1","time":"2026-03-09T00:00:00Z","o":%s}'
)
REFUSED: dict[str, tuple[bytes, str, bool]] = {
    "too large": (LATER % (b'"' + b"x" * 300_000 + b'"'), "too_large", True),
    "too deep": (LATER % (b"[" * 40 + b"]" * 40), "too_deep", True),
    "deeper than parsers go": (LATER % (b"[" * 100_000 + b"]" * 100_000), "too_deep", True),
    "deep and no JSON": (LATER % (b"[" * 5_000 + b"]" * 4_999), "not_json", False),
    "no subject": (b'{"recordedtime":"2026-03-09T00:00:00Z"}', "not_cloudevent", True),
    "a list": (b'[{"time":"2026-03-09T00:00:00Z"}]', "not_cloudevent", False),
    "no recordedtime that can be read": (
        EVENT[:-1] + b',"recordedtime":"2026-03-09"}'[:-2] + b'x"}',
        "bad_time",
        False,
    ),
}


@pytest.mark.parametrize(("refused", "code", "moves"), REFUSED.values(), ids=REFUSED)
def test_a_refused_line_moves_the_clock_where_its_time_can_be_read(refused: bytes, code: str, moves: bool) -> None:
    segment = {"segment": "s", "version": 1, "status": "approved", "enter": {"event": "v", "within": "1d"}}
    files = {"dictionary.yaml": DICTIONARY, "segments/s.yaml": segment}
    for replayed in (naive, engine):
        changes, refusals = replayed(files, [EVENT, refused], (), None, False)
        assert refusals == [(2, code)]
        assert len(changes) == (2 if moves else 1)
