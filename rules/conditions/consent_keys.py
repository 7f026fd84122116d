"""What an author writes: the keys of `rules.conditions.consent`."""

from typing import Literal, TypeAlias

from rules.conditions.window_keys import Definition
from rules.language.validation import Name

ConsentState: TypeAlias = Literal["granted", "withdrawn", "unknown"]


class ConsentSubject(Definition):
    """The channel and the purpose."""

    channel: Name
    purpose: Name


class ConsentDefinition(Definition):
    """`consent: {channel: C, purpose: P}, is: granted`."""

    consent: ConsentSubject
    is_: ConsentState = "granted"
