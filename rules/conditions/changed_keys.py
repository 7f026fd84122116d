"""What an author writes: the keys of `rules.conditions.changed`."""

from typing import Any

from rules.conditions.window_keys import Definition
from rules.language.validation import Duration


class ChangedDefinition(Definition):
    """`changed: N, from: v, to: v, within: D`."""

    changed: str
    from_: Any = None
    to: Any = None
    within: Duration
