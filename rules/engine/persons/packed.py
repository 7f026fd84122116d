"""What a profile remembers of links and erasures, as it is packed: the last field of `rules.engine.layout`."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from msgspec import Raw, Struct

from rules.conditions.view import State

HeldBack: TypeAlias = Mapping[int, Mapping[str, tuple[int, str, str, Any]]]
"""{ordinal of a cut: {trait: (time, source, id, value)}}."""


class Identity(NamedTuple):
    """The (time, source, id) of an event: the order among events, too."""

    time_ms: int
    source: str
    id: str


class Link(NamedTuple):
    """The latest link event of a subject."""

    time_ms: int
    source: str
    id: str
    canonical: str | None
    """For whom it stands from then on; None: for itself."""

    @property
    def identity(self) -> Identity:
        """The (time, source, id) of the event."""
        return Identity(self.time_ms, self.source, self.id)


class Held(NamedTuple):
    """Facts that stay although their way ended: they are on another way here (`rules.engine.persons.remote`)."""

    via: str
    """The alias that brought them."""
    to: str
    """The alias that brings them from now on."""
    origins: tuple[str, ...] | None
    """The subjects of which they were told; None: all that came through the first alias."""


class PackedPart(Struct, array_like=True, gc=False):
    """The facts of one subject that came one way (`rules.engine.persons.part`)."""

    via: str
    origin: str
    anew: bool
    known_since_ms: int
    latest_ms: int
    traits: Raw
    consents: Raw
    states: dict[str, State]
    seen: Raw
    held_back: HeldBack | None = None
    lacking: dict[str, int] | None = None
    between: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()


class PackedPerson(Struct, array_like=True, gc=False):
    """What a profile remembers of links and erasures (`rules.engine.persons.person`)."""

    link: Link | None
    erased: Identity | None
    aliases: list[str]
    parts: list[PackedPart]
    pieces: dict[str, tuple[str, ...]] = {}
    """Pieces of effects that are not whole yet (`rules.engine.persons.pieces`)."""
    page: list[list[Any]] | None = None
    """Ties to an organisation, where this is a page of them (`rules.engine.affiliations.pages`) and no person."""
    moved: list[list[Any]] | None = None
    """Journeys that links moved: fields of `rules.engine.persons.journeys.Moved`. An earlier version wrote none."""
    held: list[Held] = []
    """Facts that stay until they come another way."""
