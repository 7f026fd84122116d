"""What an author writes: the keys of `rules.conditions.held`."""

from rules.conditions.trait_keys import TraitDefinition
from rules.language.validation import Duration


class HeldDefinition(TraitDefinition):
    """`trait: N, OPERATOR: operand, …, for: D`."""

    for_: Duration
