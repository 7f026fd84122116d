"""docs/language.md: its examples load, its stories come out as they say, and it names everything that the code has."""

import re
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from rules.catalogue.loading import load_catalogue
from rules.conditions.kinds import KINDS
from rules.engine.refusal import CODES
from rules.ground.reasons import PRECEDENCE, ExitReason
from rules.language.operators import OPERATORS
from rules.language.problems import Source
from tests.docs.markdown import DOCS, anchors, blocks, first_column, headings, section, text_of
from tests.docs.stories import Story, read_stories, run, run_naively, value_of

TEXT = text_of(DOCS / "language.md")
STORIES = read_stories(TEXT)


def one_yaml(title: str, number: int = 0) -> Any:
    """Read a YAML block of a section."""
    return value_of(blocks(section(TEXT, title), "yaml")[number].text)


def world() -> Mapping[str, Any]:
    """Return the files that all examples of the page stand in."""
    return {
        "dictionary.yaml": one_yaml("Dictionary and events"),
        "policy.yaml": one_yaml("Policy"),
        "segments/kol.yaml": one_yaml("Segments", 1),
    }


def load(**files: Any) -> None:
    """Load these files beside those that all examples stand in."""
    load_catalogue([Source(name, part) for name, part in {**world(), **files}.items()])


def simple(name: str) -> Mapping[str, Any]:
    """Return a segment that an example names."""
    return {"segment": name, "version": 1, "status": "approved", "enter": {"everyone": True}}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.definitions[0].partition("\n")[0][:60])
def test_a_story_comes_out_as_its_rows_say(story: Story) -> None:
    told, expected = run(story, world())
    assert told == expected


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.definitions[0].partition("\n")[0][:60])
def test_the_naive_evaluator_tells_every_story_in_the_same_way(story: Story) -> None:
    told, expected = run_naively(story, world())
    assert told == expected


def test_every_story_block_is_run() -> None:
    assert len(STORIES) == len(blocks(TEXT, "story")) > 30


def test_every_kind_of_condition_has_a_section_with_a_story() -> None:
    for kind in KINDS:
        found = read_stories(section(TEXT, kind.name))
        assert any(f"{kind.keyword}: " in story.definitions[0] for story in found), kind.name


def test_every_window_has_a_row_and_an_example() -> None:
    keys = set(re.findall(r"`(\w+): ", " ".join(first_column(section(TEXT, "Windows")))))
    shown = "".join(text for story in STORIES for text in story.definitions)
    assert keys == {"within", "older_than", "since", "until"}
    for example in (
        "within: ",
        "older_than: ",
        "since: 2026",
        "until: 2026",
        "since: entry",
        "since: ever",
        "bucket: ",
    ):
        assert example in shown


def test_the_example_of_a_template_loads_and_makes_its_definitions() -> None:
    files = {**world(), "segments/t.yaml": one_yaml("Templates")}
    catalogue = load_catalogue([Source(name, part) for name, part in files.items()])
    made = ["coverage-readers-us", "coverage-readers-de", "dosing-readers-us", "dosing-readers-de"]
    assert [each for each in catalogue.segments if "-readers-" in each] == made
    assert catalogue.segments["dosing-readers-de"].title == "Readers of dosing in DE"


def test_the_dictionary_and_the_policy_load() -> None:
    load()


def test_the_example_of_a_segment_loads() -> None:
    load(**{"segments/s.yaml": one_yaml("Segments")})


def test_the_example_of_an_activation_loads() -> None:
    others = {f"segments/{name}.yaml": simple(name) for name in ("safety-case", "treatment-initiation")}
    load(**{"activations/a.yaml": one_yaml("Activations"), **others})


def test_every_operator_is_named() -> None:
    assert [name for name in OPERATORS if f"`{name}: " not in section(TEXT, "Operators")] == []


def codes_of(title: str) -> list[str]:
    """Return the codes in the first column of a section's table, in order."""
    return [found for cell in first_column(section(TEXT, title)) for found in re.findall(r"^`([a-z_]+)`$", cell)]


def test_every_code_of_bad_input_is_told_in_order_of_precedence() -> None:
    assert codes_of("Bad input") == list(CODES)


def test_every_refusal_is_told_in_order_of_precedence() -> None:
    assert codes_of("Refusals") == list(PRECEDENCE)


def test_every_reason_to_leave_is_told_in_order_of_precedence() -> None:
    assert codes_of("In and out") == list(get_args(ExitReason))


def test_the_contents_list_every_section_in_order() -> None:
    listed = re.findall(r"\]\(#([\w-]+)\)", section(TEXT, "Contents").partition("###")[0])
    there = [title for level, title in headings(TEXT) if level > 1 and title not in ("Contents", "How to read a story")]
    assert listed == [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in there]
    assert set(listed) <= anchors(TEXT)
