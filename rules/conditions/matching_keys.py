"""What an author writes: the keys of `rules.conditions.matching`."""

from typing import Annotated, Any, Final

from rules.language.validation import KeyShape

TESTS_SHAPE: Final = "{ATTRIBUTE: {OPERATOR: …}}"


AttributeTests = Annotated[dict[str, Any], KeyShape(TESTS_SHAPE)]
"""The field of a definition for `where` and `is`: operators by attribute."""
