"""An event: an immutable fact about one profile, decoded and typed."""

from collections.abc import Mapping
from dataclasses import dataclass

Scalar = str | int | float | bool
Value = Scalar | tuple[str, ...]
"""A typed value: string → str; number → int or float; integer → int; boolean → bool;
datetime → int (UTC epoch ms); list → tuple of str. `None` everywhere stands for *no value*."""


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded CloudEvent about one profile.

    `data` holds the declared attributes that have a value, by their dotted path (attributes without a
    value are absent). `sets` holds the trait settings that this event makes, under the dictionary of its
    arrival: (trait, value, or None for a setting to no value). Identity: (time_ms, source, id).
    """

    source: str
    id: str
    type: str
    subject: str
    time_ms: int
    data: Mapping[str, Value]
    sets: tuple[tuple[str, Value | None], ...] = ()

    @property
    def kind(self) -> str:
        """The kind of the subject: what stands before its first colon."""
        return self.subject.partition(":")[0]
