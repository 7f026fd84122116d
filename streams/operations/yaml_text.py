"""A definition's value as YAML text that reads back as the same value."""

import io
from typing import Any

from ruamel.yaml import YAML


def yaml_text(value: Any) -> str:
    """Write a value as YAML 1.2: keys in their order, texts quoted where they would read as something else."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.width = 120
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue()
