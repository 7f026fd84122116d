"""What an author writes: the keys of `rules.conditions.aggregate`."""

from typing import Any

from rules.conditions.figures import Function
from rules.conditions.matching_keys import AttributeTests
from rules.conditions.window_keys import WindowKeys
from rules.language.operator_keys import OperatorKeys
from rules.language.validation import Duration, Maybe


class AggregateDefinition(OperatorKeys, WindowKeys):
    """`aggregate: F, of: ATTR, event: T, where: {…}, OP: v`, window, bucket; `older_than` is the window."""

    aggregate: Function
    of: str
    event: Any
    where: Maybe[AttributeTests] = None
    bucket: Maybe[Duration] = None
    older_than: Maybe[Duration] = None
