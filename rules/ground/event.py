"""An event: an immutable fact about one profile, decoded and typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Scalar = str | int | float | bool
Value = Scalar | tuple[str, ...]
"""A typed value: string → str; number → int or float; integer → int; boolean → bool;
datetime → int (UTC epoch ms); list → tuple of str. `None` everywhere stands for *no value*."""
TOLD_MARK: Final = "\0as "
"""Stands in the id of a fact that an organisation tells, before the type that it is told as.

So this fact is another than the organisation's for a person that knows both. It follows that one directly in order."""


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded CloudEvent about one profile.

    `data` holds the declared attributes that have a value, by their dotted path (attributes without a
    value are absent). `sets` holds the trait settings that this event makes, under the dictionary of its
    arrival: (trait, value, or None for a setting to no value). Identity: (time_ms, source, id). Of a fact that an
    organisation tells, `id` also names the type (`told_id`).
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

    @property
    def name(self) -> str:
        """Return what changes name as their event: `source id`."""
        return f"{self.source} {sent_id(self.id)}"


def told_id(id_: str, type_: str) -> str:
    """Return the id of a fact that an organisation tells as a type. `id_`: of the fact that the organisation knows."""
    return f"{sent_id(id_)}{TOLD_MARK}{type_}"


def sent_id(id_: str) -> str:
    """Return the id that a producer sent: what stands before the mark of a fact that was told."""
    return id_.partition(TOLD_MARK)[0]
