"""What an author writes: the keys of `rules.conditions.last`."""

from typing import Any

from rules.conditions.matching_keys import AttributeTests
from rules.conditions.window_keys import WindowKeys
from rules.language.validation import Maybe


class LastDefinition(WindowKeys):
    """`last: T, where: {…}, is: {ATTR: {OP: v}}`, window."""

    last: Any
    where: Maybe[AttributeTests] = None
    is_: AttributeTests
