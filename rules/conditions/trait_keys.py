"""What an author writes: the keys of `rules.conditions.trait`."""

from rules.language.operator_keys import OperatorKeys


class TraitDefinition(OperatorKeys):
    """`trait: N, OPERATOR: operand, …`."""

    trait: str
