"""The reference's examples load: what a user copies from it works."""

import re
from pathlib import Path
from typing import Any

import pytest

import rules
from rules.catalogue.catalogue import load_catalogue
from rules.conditions.kinds import KINDS
from rules.ground.reasons import PRECEDENCE
from rules.language.operators import OPERATORS
from rules.language.problems import Source
from streams.operations.yaml_files import read_yaml

TEXT = (Path(rules.__file__).parent / "REFERENCE.md").read_text(encoding="utf-8")
DICTIONARY = """
traits: {specialty: {type: string}, stage: {type: string}, country: {type: string}, opted_out: {type: boolean}}
events:
  viewed: {data: {topic: {type: string}, minutes: {type: number}}}
  portal.login: {}
  survey.answered: {data: {stage: {type: string}}}
  stopped: {}
  started: {}
  filled: {data: {days_supply: {type: number}}}
  attended: {}
"""


def section(number: int) -> str:
    """Cut one section out."""
    found = re.search(rf"(?ms)^## {number}\. .*?(?=^## |\Z)", TEXT)
    assert found is not None
    return found[0]


def value(text: str) -> Any:
    """Read YAML."""
    source = read_yaml(text.encode(), "x.yaml")
    assert not source.syntax, source.syntax
    return source.value


def load(**files: Any) -> None:
    """Load a catalogue of these files beside the segment that examples name."""
    kol = {"segment": "kol", "version": 1, "status": "approved", "enter": {"everyone": True}}
    parts = {"dictionary.yaml": value(DICTIONARY), "segments/kol.yaml": kol, **files}
    load_catalogue([Source(name, part) for name, part in parts.items()])


def rules_of_section_5() -> list[str]:
    """Every condition that a table row shows whole."""
    rows = [line for line in section(5).splitlines() if line.startswith("| ")]
    return [found for row in rows for found in re.findall(r"`(\{[a-z].*?\}|everyone: true)` \|", row)]


def test_every_kind_has_an_example() -> None:
    assert len(rules_of_section_5()) == len(KINDS)


@pytest.mark.parametrize("text", rules_of_section_5())
def test_an_example_of_a_condition_loads(text: str) -> None:
    rule = value(text if text.startswith("{") else f"{{{text}}}")
    load(**{"segments/s.yaml": {"segment": "s", "version": 1, "status": "approved", "enter": rule}})


def test_the_example_of_a_dictionary_loads() -> None:
    [text] = re.findall(r"(?s)```yaml\n(.*?)```", section(2))
    load_catalogue([Source("dictionary.yaml", value(text))])


def test_the_example_of_a_segment_loads() -> None:
    [text] = re.findall(r"(?s)```yaml\n(.*?)```", section(3))
    text = text.replace("CONDITION", "{everyone: true}").replace("oncology-hcp", "kol").replace("[...]", "[a]")
    load(**{"segments/s.yaml": value(text)})


def test_the_example_of_a_policy_loads() -> None:
    [text] = re.findall(r"(?s)```yaml\n(.*?)```", section(9))
    load(**{"policy.yaml": value(text)})


def test_every_operator_is_named() -> None:
    assert [name for name in OPERATORS if f"`{name}: " not in section(4)] == []


def test_the_example_of_an_activation_loads() -> None:
    [text] = re.findall(r"(?s)```yaml\n(.*?)```", section(10))
    [policy] = re.findall(r"(?s)```yaml\n(.*?)```", section(9))
    others = {
        f"segments/{name}.yaml": {"segment": name, "version": 1, "status": "approved", "enter": {"everyone": True}}
        for name in ("safety-case", "treatment-initiation")
    }
    load(**{"activations/a.yaml": value(text), "policy.yaml": value(policy), **others})


def test_every_refusal_is_told() -> None:
    told = set(re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"(?m)^\| (.*?) \|", section(10)))))
    assert told == set(PRECEDENCE) - {"erased"}
