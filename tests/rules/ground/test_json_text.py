"""The slow reader agrees with the fast one on every text that the fast one can read."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.ground.json_text import NotJson, depth_of, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_what_the_fast_parser_reads_is_read_the_same(value: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:
        with pytest.raises(NotJson):
            parse(text)
        return
    assert parse(text) == (expected, depth_of(expected))


@given(st.text('{}[],:"\\ \n0123456789.eE+-truefalsn\x00ü', max_size=14).map(str.encode))
def test_what_the_fast_parser_refuses_is_refused(text: bytes) -> None:
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "infinity" in str(error):
            return
        with pytest.raises(NotJson):
            parse(text)
        return
    assert parse(text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [b"", b" ", b"[", b"]", b"[}", b"{]", b"[1,]", b"[,1]", b'{"a"}', b'{"a":}', b'{"a":1,}', b"{1:2}", b"1 2", b"01",
     b"NaN", b"[Infinity]", b"-", b"1.", b".5", b"+1", b"'a'", b'"\\x"', b'"\\ud800"', b'"\\u12"', b'"\x1f"', b'"\xff"',
     b"tru", b"nulll", b"[1 2]", b'{"a" 1}', b"\xef\xbb\xbf1", b"\x0c1", b'"a', b"1e", b"{:1}", b"[]]"],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(NotJson):
        parse(text)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text)


def test_depth_never_becomes_recursion() -> None:
    assert parse(b"[" * 100_000 + b"]" * 100_000)[1] == 100_000
    value, depth = parse(b'{"a":' * 30_000 + b"1" + b"}" * 30_000)
    assert (depth, depth_of(value)) == (30_000, 64)


def test_a_number_beyond_the_doubles_is_infinite() -> None:
    assert parse(b'{"a":[1e400,-1e400]}') == ({"a": [float("inf"), float("-inf")]}, 2)


def test_the_last_of_equal_keys_wins() -> None:
    assert parse(b'{"a":1,"a":2}') == ({"a": 2}, 1)


@pytest.mark.parametrize(("value", "depth"), [(1, 0), ({}, 1), ([], 1), ([{}, []], 2), ({"a": [{"b": 1}]}, 3)])
def test_depth_counts_containers(value: Any, depth: int) -> None:
    assert depth_of(value) == depth
