"""Definitions of templates as YAML: what is written reads back as the same value."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.catalogue.loading import load_catalogue
from streams.operations.expanded import Expanded, as_yaml, expanded
from streams.operations.yaml_files import read_yaml
from tests.rules.catalogues import DICTIONARY

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    [
        "NO",
        "12:30",
        "2027-01-31",
        "1_000",
        "0x1F",
        "0o17",
        "1e3",
        ".5",
        "null",
        "~",
        "",
        "<<",
        "= a",
        "# b",
        "a: b",
        "$(p)",
    ]
)
VALUES: Any = st.recursive(
    TEXTS | st.integers(-(2**53), 2**53) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, database=None)
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3))
def test_what_is_written_reads_back_as_the_same_value(value: dict[str, Any]) -> None:
    text = as_yaml([Expanded("segments/t.yaml", "p: a", value)])
    source = read_yaml(text.encode(), "x.yaml")
    assert not source.syntax, text
    assert source.value == value


def test_definitions_stand_in_written_order_and_say_where_they_come_from() -> None:
    text = "for_each: {p: [b, a]}\nsegment: s-$(p)\nversion: 1\nstatus: draft\nenter: {everyone: true}\n"
    files = {"dictionary.yaml": DICTIONARY, "segments/t.yaml": text}
    found = expanded(load_catalogue([read_yaml(each.encode(), name) for name, each in files.items()]))
    assert [(each.id, each.file, each.parameters) for each in found] == [
        ("s-b", "segments/t.yaml", "p: b"),
        ("s-a", "segments/t.yaml", "p: a"),
    ]
    assert as_yaml(found).startswith("# segments/t.yaml (p: b)\nsegment: s-b\nversion: 1\n")
    assert "---\n# segments/t.yaml (p: a)\n" in as_yaml(found)
