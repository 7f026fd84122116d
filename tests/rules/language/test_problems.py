"""Problems stand at their places and are said in plain words."""

from typing import Any, Literal

import pytest

from rules.language.problems import (
    CatalogueErrors,
    DefinitionReader,
    Problem,
    Problems,
    Source,
    canonical_json,
    same_json,
)
from rules.language.validation import Duration, Id, Instant, Items, Maybe, Name, Number, Strict, closest, nearest
from streams.operations.yaml_files import read_yaml


class Inner(Strict):
    within: int
    to: Maybe[str] = None


class Outer(Strict):
    version: int
    status: Literal["draft", "approved"] = "draft"
    names: Maybe[Items[Name]] = None
    inner: Maybe[Inner] = None
    by_name: Maybe[dict[str, Inner]] = None
    listed: Maybe[Items[Inner]] = None
    length: Maybe[Duration] = None
    start: Maybe[Instant] = None
    size: Maybe[Number] = None
    either: Maybe[int | Items[str]] = None
    id: Maybe[Id] = None
    on: bool = False


OTHERS = ", ".join(sorted(set(Outer.model_fields) - {"version"}))


def reader(text: str) -> DefinitionReader:
    return DefinitionReader.of(read_yaml(text.encode(), "a.yaml"), Problems())


def problems(text: str) -> list[str]:
    here = reader(text)
    assert here.model(Outer) is None
    return [str(problem) for problem in sorted(here.problems)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: x", ["a.yaml:1:1: 'version' must be an integer"]),
        ("version: 1.0", ["a.yaml:1:1: 'version' must be an integer"]),
        ("version: true", ["a.yaml:1:1: 'version' must be an integer"]),
        ("on: yes", ["a.yaml:1:1: 'on' must be true or false", "a.yaml:1:1: missing key 'version'"]),
        ("version: 1\nvresion: 2", ["a.yaml:2:1: unknown key 'vresion'; known: " + OTHERS]),
        ("vresion: 2", ["a.yaml:1:1: unknown key 'vresion'; did you mean 'version'?"]),
        (
            "version: 1\nzzz: 2\n",
            ["a.yaml:2:1: unknown key 'zzz'; known: " + OTHERS],
        ),
        (
            "version: 1\nstatus: aproved",
            ["a.yaml:2:1: 'status' must be 'draft' or 'approved', not 'aproved'; did you mean 'approved'?"],
        ),
        ("version: 1\nstatus: 3", ["a.yaml:2:1: 'status' must be 'draft' or 'approved'"]),
        (
            "version: 1\nnames: [a, '', 3]",
            [
                "a.yaml:2:12: item 2 of 'names' must be a non-empty text without control characters",
                "a.yaml:2:16: item 3 of 'names' must be a text",
            ],
        ),
        ("version: 1\nnames: a", ["a.yaml:2:1: 'names' must be a list"]),
        ("version: 1\nnames:", ["a.yaml:2:1: 'names' must not be empty; leave the key out instead"]),
        ("version: 1\nby_name: [1]", ["a.yaml:2:1: 'by_name' must be a mapping like {NAME: {within: …}}"]),
        ("version: 1\nby_name: {a: 1}", ["a.yaml:2:11: 'a' must be a mapping like {within: …}"]),
        ("version: 1\ninner: [1]", ["a.yaml:2:1: 'inner' must be a mapping like {within: …}"]),
        ("version: 1\ninner: {}", ["a.yaml:2:1: missing key 'within'"]),
        ("version: 1\ninner:\n  withing: 1", ["a.yaml:3:3: unknown key 'withing'; did you mean 'within'?"]),
        ("version: 1\ninner: {within: 1,\n  too: x}", ["a.yaml:3:3: unknown key 'too'; did you mean 'to'?"]),
        ("version: 1\nby_name:\n  a: {withing: 1}", ["a.yaml:3:7: unknown key 'withing'; did you mean 'within'?"]),
        (
            "version: 1\nlisted:\n- {within: 1}\n- {within: 1, tto: 2}",
            ["a.yaml:4:15: unknown key 'tto'; did you mean 'to'?"],
        ),
        ("version: 1\nlisted:\n- within: 1\n- {}", ["a.yaml:4:3: missing key 'within'"]),
        (
            "version: 1\nlength: 30",
            ["a.yaml:2:1: 'length' must be a duration: a positive integer and one of ms s m h d w, like 30d"],
        ),
        (
            "version: 1\nlength: 30 d",
            ["a.yaml:2:1: 'length': not a duration: a positive integer and one of ms s m h d w, like 30d"],
        ),
        (
            "version: 1\nlength: 0d",
            ["a.yaml:2:1: 'length': a duration must be longer than zero and shorter than 285,000 years"],
        ),
        ("version: 1\nstart: 2027-02-30", ["a.yaml:2:1: 'start': there is no such day"]),
        (
            "version: 1\nstart: 2027",
            ["a.yaml:2:1: 'start' must be a date like 2027-01-31 or an RFC 3339 instant like 2027-01-31T12:00:00Z"],
        ),
        ("version: 1\nsize: .nan", ["a.yaml:2:1: 'size' must be a finite number"]),
        ("version: 1\nsize: true", ["a.yaml:2:1: 'size' must be a finite number"]),
        ("version: 1\neither: {}", ["a.yaml:2:1: 'either' must be an integer or a list"]),
        ("version: 1\nid: -a", ["a.yaml:2:1: 'id' must be an id: up to 64 of a-z, 0-9 and -, the first no -"]),
        ("- a", ["a.yaml:1:1: the file must be a mapping like {version: …}"]),
        ("", ["a.yaml:1:1: the file must be a mapping like {version: …}"]),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, said: list[str]) -> None:
    assert problems(text) == said


def test_everything_wrong_is_said_at_once() -> None:
    assert len(problems("version: x\nstatus: y\nnames: z\ninner: {a: 1}\n")) == 5


def test_a_model_takes_what_fits() -> None:
    found = reader("version: 3\nnames: [NO]\nlength: 30d\nstart: 2027-01-31\nsize: 3\neither: [a]\nid: a-1").model(
        Outer
    )
    assert found is not None
    assert (found.names, found.length, found.start) == (("NO",), 2_592_000_000, 1_801_353_600_000)
    assert (found.size, found.either, found.id) == (3, ("a",), "a-1")
    assert isinstance(found.size, int)


def test_problems_are_told_in_order_and_once() -> None:
    found = [Problem("b", 1, 1, "x"), Problem("a", 2, 1, "x"), Problem("a", 1, 9, "x"), Problem("a", 1, 9, "x")]
    errors = CatalogueErrors(found)
    assert str(errors) == "a:1:9: x\na:2:1: x\nb:1:1: x"


def test_without_a_place_the_nearest_above_counts() -> None:
    source = Source("f", {"a": [{"b": 1}]}, {(): (1, 1), ("a",): (3, 2)})
    assert source.place(("a", 0, "b")) == (3, 2)
    assert source.place(("x",)) == (1, 1)
    assert Source("f", {}).place(("a",)) == (0, 0)
    assert str(Problem("f", 0, 0, "gone")) == "f: gone"


def test_readers_go_down_and_keep_their_place() -> None:
    here = reader("a:\n  - b: 1\n    c: 2\n  - x\n")
    assert [name for name, _ in here.entries()] == ["a"]
    assert [each.path for each in here.down("a").items()] == [("a", 0), ("a", 1)]
    here.down("a", 0, "c").problem("no c", name="portal.logn", known=["portal.login", "x"])
    assert list(map(str, here.problems)) == ["a.yaml:3:5: no c; did you mean 'portal.login'?"]
    with pytest.raises(KeyError):
        here.down("b")


@pytest.mark.parametrize(
    ("text", "ok", "said"),
    [
        ("a: 1\nb: 2", True, []),
        ("a: 1\nbb: 2", False, ["a.yaml:2:1: unknown key 'bb'; did you mean 'b'?"]),
        ("b: 1", False, ["a.yaml:1:1: missing key 'a'"]),
        ("aa: 1", False, ["a.yaml:1:1: unknown key 'aa'; did you mean 'a'?"]),
    ],
)
def test_keys_are_checked(text: str, ok: bool, said: list[str]) -> None:
    here = reader(text)
    assert here.keys(["b"], required=["a"]) is ok
    assert list(map(str, here.problems)) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: 1", None), ("{}", "the file must not be empty"), ("[]", "the file must be a mapping like {a: 1}")],
)
def test_a_mapping_must_be_one_with_keys(text: str, said: str | None) -> None:
    here = reader(text)
    assert here.mapping("a mapping like {a: 1}") is (said is None)
    assert [problem.message for problem in here.problems] == ([said] if said else [])


def test_the_nearest_name_is_the_most_alike_case_apart() -> None:
    assert closest("Portal.Login", ["portal.login", "portal.logout"]) == "portal.login"
    assert closest("us", ["US", "CA"]) == "US"
    assert closest("zebra", ["within"]) is None
    assert nearest("zebra", ["b", "a"]) == "; known: a, b"
    assert nearest("zebra", [f"{n:04}" for n in range(100)]) == ""
    assert nearest("zebra", []) == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": None}, {}, False),
        ({"a": 0.1}, {"a": 0.1}, True),
        ({"a": "é"}, {"a": "e\u0301"}, False),
        ([1, [2]], (1.0, (2,)), True),
        ([1], [1, 1], False),
        ({"a": True}, {"b": True}, False),
        (0.0, -0.0, True),
        (float("nan"), float("nan"), True),
    ],
)
def test_equal_values_have_equal_canonical_texts(one: Any, other: Any, same: bool) -> None:
    assert (canonical_json(one) == canonical_json(other)) is same
    assert same_json(one, other) is same
