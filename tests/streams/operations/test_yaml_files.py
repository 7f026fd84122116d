"""YAML 1.2, core schema, with places; a folder's files."""

import math
from pathlib import Path
from typing import Any

import pytest

from rules.language.problems import CatalogueErrors
from streams.operations.yaml_files import DEPTH_MAX, FILE_BYTES_MAX, read_folder, read_yaml


def value(text: str) -> Any:
    source = read_yaml(text.encode(), "a.yaml")
    assert not source.syntax
    return source.value


def wrong(data: str | bytes) -> list[str]:
    return [str(problem) for problem in read_yaml(data if isinstance(data, bytes) else data.encode(), "a.yaml").syntax]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        *((text, None) for text in ("null", "Null", "NULL", "~", "")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        *((text, text) for text in ("NO", "yes", "on", "Off", "y", "nULL", "tRUE", "2027-01-31", "12:30", "0b1")),
        *((text, text) for text in ("1_000", "2027-01-31T12:00Z", "30d", "0o8", "-0x1", "1e", ".", "+", "nan", "inf")),
        ("0", 0), ("-1", -1), ("+12", 12), ("017", 17), ("0o17", 15), ("0x1F", 31), ("9007199254740992", 2**53),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-1.5E-3", -0.0015), ("+.5e1", 5.0),
        (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf),
        ("'5'", "5"), ('"null"', "null"), ("!!str 5", "5"), ("! 5", "5"), ("!!int '5'", 5), ("!!float 5", 5.0),
        ("!!null ''", None), ("!!bool 'true'", True), ("!!str", ""), ("|\n  5\n", "5\n"), (">\n  5\n  6\n", "5 6\n"),
        ("!!seq [a]", ["a"]), ("!!map {a: b}", {"a": "b"}), ("{a, b: }", {"a": None, "b": None}),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, meant: Any) -> None:
    found = value(f"k: {text}")["k"]
    assert found == meant
    assert type(found) is type(meant)


def test_not_a_number_is_read() -> None:
    assert all(math.isnan(item) for item in value("[.nan, .NaN, .NAN]"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "3:1: key 'a' again; it stands in line 1 already"),
        ("a: {b: 1, b: 2}", "1:11: key 'b' again; it stands in line 1 already"),
        ("1: a", "1:1: key 1 must be a text; put it in quotes"),
        ("x:\n  true: a", "2:3: key true must be a text; put it in quotes"),
        ("~: a", "1:1: key ~ must be a text; put it in quotes"),
        ("? [a]\n: b", "1:3: a key must be a text"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "3:3: YAML 1.2 has no merge keys (<<)"),
        ("a: &x [*x]", "1:8: anchor &x contains itself"),
        ("a: &x {b: {c: [*x]}}", "1:16: anchor &x contains itself"),
        ("a: *x", "1:4: alias *x has no anchor"),
        ("a: !foo 3", "1:4: tag !foo is not known; YAML's core schema is all there is"),
        ("a: !!timestamp 2027-01-31", "1:4: tag !!timestamp is not known; YAML's core schema is all there is"),
        ("a: !!binary aGk=", "1:4: tag !!binary is not known; YAML's core schema is all there is"),
        ("a: !!python/object:x 3", "1:4: tag !!python/object:x is not known; YAML's core schema is all there is"),
        ("a: !!int x", "1:4: tag !!int does not fit 'x'"),
        ("a: !!set {b}", "1:4: tag !!set does not fit a mapping"),
        ("a: !!omap [b]", "1:4: tag !!omap does not fit a list"),
        ("a: 1\n---\nb: 1", "2:1: a second document; a file holds one"),
        ("%YAML 1.1\n---\na: 1", "2:1: only YAML 1.2 is read"),
        ("a: 9007199254740993", "1:4: an integer must lie between -2^53 and 2^53"),
        ("a: -" + "9" * 5000, "1:4: an integer must lie between -2^53 and 2^53"),
        ("a: 1e999", "1:4: the number is too large"),
        ('a: "\\ud800"', "1:4: a text must not hold half of a surrogate pair"),
        ("a:\n\t- b", "2:1: not YAML: a tab stands where only spaces may while scanning for the next token"),
        ("é: b: c", "1:5: not YAML: mapping values are not allowed here"),
        ("a: [1,", "1:7: not YAML: expected the node content, but found the end of the file while parsing a flow node"),
        ('a: b\nc: "\\U00110000"', "2:1: not YAML: the parser fails on what follows here"),
        ("a: b\nc: d\n  \x01", "3:3: not YAML: a control character"),
        ("a: " + "[" * DEPTH_MAX, f"1:{3 + DEPTH_MAX}: nested deeper than {DEPTH_MAX} levels"),
    ],
)
def test_what_is_no_definition_text_is_said_at_its_place(text: str, said: str) -> None:
    assert wrong(text) == [f"a.yaml:{said}"]


def test_aliases_stand_for_what_they_name() -> None:
    assert value("a: &x {b: [1]}\nc: *x\nd: [*x]") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": [{"b": [1]}]}


def test_aliases_of_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [" + ",".join("x" * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]
    (said,) = wrong("\n".join(lines))
    assert "more than 100,000 values" in said


def test_deep_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [[[[*a{n - 1}]]]]" for n in range(1, 40))]
    (said,) = wrong("\n".join(lines))
    assert "nested too deep" in said


def test_places_are_of_keys_and_of_items() -> None:
    source = read_yaml(b"# c\na:\n  - b: {c: 1}\n  - [x, y]\n", "a.yaml")
    assert source.places == {
        (): (1, 1), ("a",): (2, 1), ("a", 0): (3, 5), ("a", 0, "b"): (3, 5), ("a", 0, "b", "c"): (3, 9),
        ("a", 1): (4, 5), ("a", 1, 0): (4, 6), ("a", 1, 1): (4, 9),
    }  # fmt: skip


def test_the_rest_of_a_file_is_read_beside_a_problem() -> None:
    source = read_yaml(b"a: 1\na: 2\nb: !foo 3\nc: 4", "a.yaml")
    assert source.readable
    assert len(source.syntax) == 2
    assert source.value == {"a": 1, "b": "3", "c": 4}
    assert not read_yaml(b"a: [", "a.yaml").readable


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "---\n...\n"])
def test_an_empty_text_is_null(text: str) -> None:
    assert value(text) is None


def test_encodings() -> None:
    assert value("\ufeffa: é") == {"a": "é"}
    assert wrong(b"a: 1\nb: x\xff") == ["a.yaml:2:5: must be UTF-8"]
    assert wrong("a: 1".encode("utf-16")) == ["a.yaml:1:1: must be UTF-8"]
    assert wrong(b"#" * (FILE_BYTES_MAX + 1)) == ["a.yaml:1:1: larger than 1,048,576 bytes"]


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: 1\n")


def test_a_folder_gives_the_catalogues_files_in_order(tmp_path: Path) -> None:
    write(tmp_path, "segments/b.yaml", "segments/a/z.yaml", "segments/a.yaml", "activations/x.yaml", "policy.yaml")
    write(tmp_path, "dictionary.yaml")
    names = [source.file for source in read_folder(tmp_path)]
    assert names == [
        "activations/x.yaml", "dictionary.yaml", "policy.yaml",
        "segments/a.yaml", "segments/a/z.yaml", "segments/b.yaml",
    ]  # fmt: skip


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "README.md", "events.ndjson", "expected.yaml", "events.yaml", "tests/a.yaml", "segments/notes.txt")
    write(tmp_path, ".git/config.yaml", ".github/segments.yaml", "segments/.draft.yaml", "docker-compose.yml")
    assert read_folder(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dictionary.yml", "a catalogue's files end in .yaml; rename it to 'dictionary.yaml'"),
        ("segments/a.yml", "a catalogue's files end in .yaml; rename it to 'segments/a.yaml'"),
        ("segments/a.YAML", "a catalogue's files end in .yaml; rename it to 'segments/a.yaml'"),
        ("segment/a.yaml", "is no part of a catalogue; did you mean 'segments/'?"),
        ("Segments/a.yaml", "is no part of a catalogue; did you mean 'segments/'?"),
        ("segments.yaml", "is no part of a catalogue; did you mean 'segments/'?"),
        ("activation/x/y.yml", "is no part of a catalogue; did you mean 'activations/'?"),
        ("dictionnary.yaml", "is no part of a catalogue; did you mean 'dictionary.yaml'?"),
        ("Policy.yaml", "is no part of a catalogue; did you mean 'policy.yaml'?"),
    ],
)
def test_a_file_meant_for_the_catalogue_is_not_passed_over(tmp_path: Path, name: str, said: str) -> None:
    write(tmp_path, name)
    (source,) = read_folder(tmp_path)
    assert [str(problem) for problem in source.syntax] == [f"{name}:1:1: {said}"]


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogueErrors, match="is no folder"):
        read_folder(tmp_path / "none")
