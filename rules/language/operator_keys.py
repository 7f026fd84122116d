"""The keys of all operators, as an author writes them."""

from typing import Any

from pydantic import ConfigDict

from rules.language.operators import OPERATORS
from rules.language.validation import Strict


class OperatorKeys(Strict):
    """The keys of all operators, for the models of definitions that take them beside their own."""

    equals: Any = None
    not_equals: Any = None
    in_: Any = None
    not_in: Any = None
    exists: Any = None
    contains: Any = None
    contains_any: Any = None
    starts_with: Any = None
    ends_with: Any = None
    matches: Any = None
    above: Any = None
    at_least: Any = None
    below: Any = None
    at_most: Any = None
    between: Any = None
    older_than: Any = None
    newer_than: Any = None

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))


if {name.rstrip("_") for name in OperatorKeys.model_fields} != set(OPERATORS):
    raise AssertionError("every operator needs its key")
