"""Code on the pages: YAML loads, JSON parses and is what is published, Python compiles."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rules.catalogue.loading import load_catalogue
from rules.language.problems import Source
from streams.operations.yaml_files import read_folder, read_yaml
from streams.wire.payloads import ActivatedChange, DeactivatedChange, EngagementEvent, MembershipChange
from tests.docs.markdown import README, ROOT, blocks, named, pages, text_of

EXAMPLE = ROOT / "streams" / "example" / "catalogue"


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_json_block_is_a_payload_that_the_schemas_take(page: Path) -> None:
    for block in blocks(text_of(page), "json"):
        for line in block.text.splitlines():
            model_of(json.loads(line)).model_validate_json(line)


def model_of(value: Any) -> Any:
    """Return the model that a JSON value on a page must fit."""
    if "specversion" in value:
        return EngagementEvent
    if "segment" in value:
        return MembershipChange
    return {"activated": ActivatedChange, "deactivated": DeactivatedChange}[value["change"]]


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_yaml_block_can_be_read(page: Path) -> None:
    for block in blocks(text_of(page), "yaml"):
        assert not read_yaml(block.text.encode(), "x.yaml").syntax


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_python_block_compiles(page: Path) -> None:
    for number, block in enumerate(blocks(text_of(page), "python")):
        compile(block.text, f"{named(page)}, block {number}", "exec")


def test_the_first_catalogue_of_the_readme_loads_in_the_example_catalogue() -> None:
    [block] = blocks(text_of(README), "yaml")
    source = read_yaml(block.text.encode(), "segments/access-planners.yaml")
    load_catalogue([*read_folder(EXAMPLE), Source("segments/access-planners.yaml", source.value)])


def test_every_block_says_its_language() -> None:
    known = {"yaml", "story", "json", "sh", "python", "text", "mermaid", "toml", "csv", "ndjson"}
    unknown = {
        f"{named(page)}: {block.language or 'none'}"
        for page in pages()
        for block in blocks(text_of(page))
        if block.language not in known
    }
    assert unknown == set()
    assert all(text_of(page).count("```") % 2 == 0 for page in pages())
    assert all(not re.search(r"^~~~", text_of(page), re.MULTILINE) for page in pages())
