"""What an author writes: the keys of `rules.conditions.everyone`."""

from typing import Literal

from rules.conditions.window_keys import Definition


class EveryoneDefinition(Definition):
    """`everyone: true`."""

    everyone: Literal[True]
