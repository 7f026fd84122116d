"""Templates: one file, several definitions; every error at its place in the template."""

from textwrap import dedent

import pytest

from rules.language.problems import CatalogueErrors, Problems, Source
from rules.language.templates import DEFINITIONS_MAX, expand
from streams.operations.yaml_files import read_yaml


def template(text: str) -> Source:
    source = read_yaml(dedent(text).encode(), "segments/t.yaml")
    assert not source.syntax
    return source


def expanded(text: str) -> list[Source]:
    problems = Problems()
    found = expand(template(text), problems)
    assert problems == []
    return found


def values(text: str) -> list[object]:
    return [source.value for source in expanded(text)]


def wrong(text: str) -> list[str]:
    problems = Problems()
    found = expand(template(text), problems)
    assert problems
    assert False in [source.readable for source in found]
    return [str(problem) for problem in CatalogueErrors(problems).problems]


def test_every_combination_is_a_definition_the_last_parameter_fastest() -> None:
    found = expanded("for_each: {p: [b, a], m: [x, y]}\nk: $(p)-$(m)\n")
    assert [source.value["k"] for source in found] == ["b-x", "b-y", "a-x", "a-y"]
    assert [source.expansion for source in found][:2] == ["p: b, m: x", "p: b, m: y"]
    assert all("for_each" not in source.value for source in found)


def test_a_file_without_for_each_keeps_its_texts() -> None:
    source = template("k: $(p) and $$(q)\n")
    assert expand(source, Problems()) == [source]


@pytest.mark.parametrize("value", ["7", "1.5", "true", "text", "[a, 1]"])
def test_a_placeholder_that_is_the_whole_value_keeps_the_type(value: str) -> None:
    (found,) = values(f"for_each: {{p: [{value}]}}\nk: [{{l: $(p)}}]\n")
    assert found == {"k": [{"l": template(f"v: {value}").value["v"]}]}


def test_an_integer_inside_a_text_is_written_as_a_text() -> None:
    assert values("for_each: {p: [7]}\nk: within-$(p)-days\n") == [{"k": "within-7-days"}]


def test_a_key_may_name_a_parameter() -> None:
    assert values("for_each: {p: [a, b]}\n$(p)_x: {$(p): 1}\n") == [{"a_x": {"a": 1}}, {"b_x": {"b": 1}}]


def test_values_may_be_mappings_with_fields() -> None:
    text = "for_each: {m: [{id: us, code: US}, {id: de, code: DE}]}\nk: s-$(m.id)\nmarkets: [$(m.code)]\n"
    assert values(text) == [{"k": "s-us", "markets": ["US"]}, {"k": "s-de", "markets": ["DE"]}]


def test_a_doubled_dollar_is_the_text_itself() -> None:
    assert values("for_each: {p: [a]}\nk: $$(p) $(p) $p ${p} $\n") == [{"k": "$(p) a $p ${p} $"}]


def test_values_are_not_placeholders_themselves() -> None:
    assert values("for_each: {p: [$(q)], q: [a]}\nk: $(p)\nl: $(q)\n") == [{"k": "$(q)", "l": "a"}]


def test_places_of_a_definition_stand_in_the_template() -> None:
    first, second = expanded("for_each: {p: [a, b]}\nk:\n  - {$(p): 1}\n")
    assert first.place(("k", 0, "a")) == second.place(("k", 0, "b")) == (3, 6)
    assert second.place(("k", 0, "b", "deeper")) == (3, 6)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("for_each: [a]\n", "1:1: 'for_each' must be a mapping of parameters to their values, like {product: [a, b]}"),
        ("for_each: {}\n", "1:1: 'for_each' must not be empty"),
        ("for_each: {p: []}\nk: $(p)\n", "1:12: 'p' must not be empty"),
        ("for_each: {p: a}\nk: $(p)\n", "1:12: 'p' must be a list of values"),
        ("for_each: {P: [a]}\n", "1:12: 'P' must be the name of a parameter: a-z, 0-9 and _, the first a letter"),
        ("for_each: {p: [a, null]}\nk: $(p)\n", "1:19: a value of 'p' must not be empty"),
        ("for_each: {p: [a]}\nk: 1\n", "1:12: parameter 'p' is used nowhere; write $(p)"),
        (
            "for_each: {product: [a]}\nk: $(product)\nl: $(prodct)\n",
            "3:1: unknown parameter 'prodct'; did you mean 'product'?",
        ),
        (
            "for_each: {p: [a]}\nk: $(p) $(p\n",
            "2:1: '$(' begins a placeholder like $(product); write $$( for the text itself",
        ),
        ("for_each: {p: [{a: 1}, {b: 1}]}\nk: $(p.a)\n", "1:25: unknown key 'b'; known: a"),
        (
            "for_each: {p: [{a: 1}, c]}\nk: $(p.a)\n",
            "1:24: the values of 'p' must all be mappings with the same keys, or none of them",
        ),
        ("for_each: {p: [{a: {b: 1}}]}\nk: $(p.a)\n", "1:17: 'a' must be a text, a number, true, false or a list"),
        ("for_each: {p: [{a: 1, b: 2}]}\nk: $(p.a)\n", "1:23: parameter 'p.b' is used nowhere; write $(p.b)"),
        ("for_each: {p: [[a]]}\nk: x-$(p)\n", "2:1: parameter 'p' inside a text must be a text or an integer (p: [a])"),
        ("for_each: {p: [a, b]}\nx: 1\n$(p): 1\na: 1\n", "4:1: key 'a' again (p: a)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(text: str, told: str) -> None:
    assert f"segments/t.yaml:{told}" in wrong(text)


def test_definitions_are_limited() -> None:
    many = ", ".join(map(str, range(DEFINITIONS_MAX)))
    assert len(values(f"for_each: {{p: [{many}]}}\nk: $(p)\n")) == DEFINITIONS_MAX
    told = wrong(f"for_each: {{p: [{many}], q: [a, b]}}\nk: $(p) $(q)\n")
    assert told == ["segments/t.yaml:1:1: makes 2,000 definitions of this template; the limit is 1,000"]


def test_values_of_all_definitions_together_are_limited() -> None:
    many, long = ", ".join(map(str, range(1_000))), ", ".join(["x"] * 300)
    told = wrong(f"for_each: {{p: [{many}]}}\nk: $(p)\nl: [{long}]\n")
    assert told == ["segments/t.yaml:1:1: its definitions have more than 200,000 values together"]


def test_a_problem_of_all_definitions_is_told_once() -> None:
    told = wrong("for_each: {p: [[a], [b], [c]]}\nk: x-$(p)\n")
    assert told == [
        "segments/t.yaml:2:1: parameter 'p' inside a text must be a text or an integer (p: [a]; and 2 more)"
    ]
