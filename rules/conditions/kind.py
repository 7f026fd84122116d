"""A kind of condition: all that the rest of the rules needs to know of it. One module defines it, as `KIND`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from rules.conditions.base import Condition, ReadRule
from rules.conditions.context import RuleContext
from rules.conditions.mention import Mentions
from rules.language.problems import DefinitionReader

ReadCondition: TypeAlias = Callable[[DefinitionReader, RuleContext, ReadRule], Condition | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of condition: the key that tells it, its class, how it is read and what it mentions.

    The class says the rest: its memory, its verdict, its sentence (`describe`), its facts for lint.
    """

    keyword: str
    condition: type[Condition]
    read: ReadCondition
    """Compiles a definition; None if anything is wrong, every problem recorded."""
    mentions: Mentions
    also: str | None = None
    """A second key that the definition has as well; a kind without it may have the same keyword."""
    refuses: bool = False
    """Whether a restriction's `refuse` may be one: it reads a present value, no history."""
    types_key: str | None = None
    """The key that takes one event type or a list of them."""

    @property
    def name(self) -> str:
        """The name of the kind."""
        return self.condition.kind
