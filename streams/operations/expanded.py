"""The definitions that the templates of a catalogue make, written out as YAML."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from rules.catalogue.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Expanded:
    """One definition that a template makes."""

    file: str
    """The template, relative to the catalogue's folder."""
    parameters: str
    """The values of its parameters, for people: `product: a, market: US`."""
    definition: Mapping[str, Any]
    """As if it had been written by hand."""

    @property
    def id(self) -> str:
        """The id of the segment or the activation."""
        return str(self.definition.get("segment", self.definition.get("activation")))


def expanded(catalogue: Catalogue) -> list[Expanded]:
    """Return every definition that a template makes, by file and in the order of its values."""
    return [Expanded(each.file, each.expansion, each.value) for each in catalogue.sources if each.expansion]


def as_yaml(definitions: list[Expanded]) -> str:
    """Write definitions as YAML, a document each; a comment says where each comes from."""
    return "---\n".join(f"# {each.file} ({each.parameters})\n{_yaml(each.definition)}" for each in definitions)


def _yaml(value: Mapping[str, Any]) -> str:
    """Write a value as YAML 1.2 that `read_yaml` reads back as the same value."""
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda data: True
    yaml.width = 100
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = StringIO()
    yaml.dump(value, text)
    return text.getvalue()
