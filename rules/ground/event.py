"""An event: an immutable fact about one profile, decoded and typed."""

from typing import Final, final

Scalar = str | int | float | bool
Value = Scalar | tuple[str, ...]
"""A typed value: string → str; number → int or float; integer → int; boolean → bool;
datetime → int (UTC epoch ms); list → tuple of str. `None` everywhere stands for *no value*."""
TOLD_MARK: Final = "\0as "
"""Stands in the id of a fact that an organisation tells, before the type that it is told as.

So this fact is another than the organisation's for a person that knows both. It follows that one directly in order."""


@final
class Event:
    """A decoded CloudEvent about one profile.

    `data` holds the declared attributes that have a value, by their dotted path (attributes without a
    value are absent). `sets` holds the trait settings that this event makes, under the dictionary of its
    arrival: (trait, value, or None for a setting to no value). Identity: (time_ms, source, id). Of a fact that an
    organisation tells, `id` also names the type (`told_id`).
    """

    __slots__ = ("data", "id", "sets", "source", "subject", "time_ms", "type")

    def __init__(
        self,
        source: str,
        id: str,  # noqa: A002 - as in CloudEvents
        type: str,  # noqa: A002
        subject: str,
        time_ms: int,
        data: dict[str, Value],
        sets: tuple[tuple[str, Value | None], ...] = (),
    ) -> None:
        self.source: Final = source
        self.id: Final = id
        self.type: Final = type
        self.subject: Final = subject
        self.time_ms: Final = time_ms
        self.data: Final = data
        self.sets: Final = sets

    def _fields(self) -> tuple[object, ...]:
        return self.source, self.id, self.type, self.subject, self.time_ms, self.data, self.sets

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self._fields() == other._fields()

    def __repr__(self) -> str:
        return f"Event{self._fields()!r}"

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
