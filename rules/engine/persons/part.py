"""A part of a profile: the facts of one subject that came to it one way, folded.

Parts lie side by side, so that taking a link back is exact: what came through it is dropped, and nothing else. What is
evaluated is their join (`rules.engine.persons.joining`).
"""

from typing import Final, NamedTuple

from rules.conditions.consent import fold_consent
from rules.conditions.view import Consents, Register, State
from rules.engine import layout
from rules.engine.identities import Identities
from rules.engine.persons.packed import PackedPart
from rules.engine.seen import Seen
from rules.ground.event import Event
from rules.ground.instants import FOREVER

OWN: Final = ""
"""Stands for the alias that brought a part, where the facts are the profile's own."""


class Way(NamedTuple):
    """How facts came to a profile: one part each."""

    via: str
    """The direct alias that brought them; OWN: they were told of the profile itself."""
    origin: str
    """The subject of which they were told."""
    anew: bool = False
    """Whether the policy said `begin_anew` when they came: an erased profile takes them then, if they are later."""


class Part:
    """The facts of one subject that came one way, folded. Mutable: its profile owns it. States are never mutated."""

    __slots__ = (
        "awaited",
        "between",
        "consents",
        "held_back",
        "known_since_ms",
        "lacking",
        "latest_ms",
        "log",
        "seen",
        "states",
        "traits",
    )

    def __init__(self) -> None:
        """Begin without a fact: `known_since_ms` is FOREVER then."""
        self.known_since_ms = FOREVER
        self.latest_ms = -FOREVER
        self.traits: dict[str, Register] = {}
        self.consents: Consents = {}
        self.states: dict[str, State] = {}
        self.seen = Identities()
        """The events that it took in."""
        self.held_back: dict[int, dict[str, Register]] | None = None
        """As a profile's."""
        self.lacking: dict[str, int] = {}
        """By state key: the instant from which on the state knows all of it (`rules.engine.persons.lacking`)."""
        self.awaited: tuple[str, ...] = ()
        """Keys in `lacking`, sorted: a fill under way brings them facts; its end says from when on they know all."""
        self.between: tuple[str, ...] = ()
        """The subjects between the origin and the alias that brought it, sorted: through these it came, too."""
        self.log: list[Seen] | None = None
        """All the facts, where everything is at hand (a replay): for conditions that come in later."""

    def copy(self) -> "Part":
        """Return a part that can be changed apart from this one."""
        found = Part()
        found.known_since_ms, found.latest_ms = self.known_since_ms, self.latest_ms
        found.traits, found.consents, found.states = dict(self.traits), dict(self.consents), dict(self.states)
        found.seen = self.seen.copy()
        found.held_back = None if self.held_back is None else {cut: dict(one) for cut, one in self.held_back.items()}
        found.lacking = dict(self.lacking)
        found.awaited, found.between = self.awaited, self.between
        found.log = None if self.log is None else list(self.log)
        return found

    def reach(self, time_ms: int) -> None:
        """Know a fact of that time."""
        self.known_since_ms = min(self.known_since_ms, time_ms)
        self.latest_ms = max(self.latest_ms, time_ms)

    def set_later(self, name: str, setting: Register) -> bool:
        """Set a trait, unless a later setting is known; return whether the setting was taken."""
        known = self.traits.get(name)
        if known is not None and known[:3] >= setting[:3]:
            return False
        self.traits[name] = setting
        return True

    def fold_consent(self, event: Event) -> bool:
        """Fold an event of CONSENT_EVENTS; return whether anything moved."""
        return fold_consent(self.consents, event)

    def pack(self, way: Way, t_ms: int) -> PackedPart:
        """Write it as it is packed. Forgets identities that are not recognised any more at an instant."""
        return PackedPart(
            *way,
            self.known_since_ms,
            self.latest_ms,
            layout.pack_traits(self.traits),
            layout.pack_consents(self.consents),
            self.states,
            self.seen.pack(t_ms),
            self.held_back,
            self.lacking or None,
            self.between,
            self.awaited,
        )


def unpack_part(packed: PackedPart) -> tuple[Way, Part]:
    """Read what `Part.pack` wrote."""
    part = Part()
    part.known_since_ms, part.latest_ms = packed.known_since_ms, packed.latest_ms
    part.traits, part.consents = layout.read_traits(packed.traits), layout.read_consents(packed.consents)
    part.states, part.seen = packed.states, Identities(packed.seen)
    if packed.held_back:
        part.held_back = layout.as_registers(packed.held_back)
    part.lacking = packed.lacking or {}
    part.between, part.awaited = packed.between, packed.awaited
    return Way(packed.via, packed.origin, packed.anew), part
