"""A profile: the folded state of one subject.

The layout of a packed profile stands at the head of `rules.engine.layout`.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from rules.conditions.consent import fold_consent
from rules.conditions.memory import Memory
from rules.conditions.view import Consents, Facts, Register, State
from rules.engine import layout
from rules.engine.identities import Identities
from rules.engine.old_layouts import FIRST_BYTE, rewritten
from rules.engine.persons.part import OWN, Part, Way
from rules.engine.persons.person import Person, unpack_person
from rules.engine.states import States
from rules.engine.stay import Standing, Stay
from rules.ground.event import Event, Value
from rules.ground.instants import FOREVER, MS_PER_DAY

NEVER: Final = -FOREVER
"""The last evaluation of a profile that a record of history began, until it is evaluated for the first time."""


class Profile(Facts):
    """The folded state of one subject. Mutable: the engine owns it; see `pack` for what outlives it.

    Traits, consents and states are unpacked when somebody reads them for the first time: an event reads few. As long as
    nothing changes, what is packed of them is written again as it is.
    """

    __slots__ = (
        "_consents",
        "_packed_consents",
        "_packed_traits",
        "_traits",
        "activations",
        "arrivals",
        "blocked_mask",
        "born_cut",
        "born_ms",
        "cut",
        "evaluated_ms",
        "first_mask",
        "held_back",
        "kind",
        "known_since_ms",
        "lacking",
        "latest_ms",
        "mask_cut",
        "members_mask",
        "person",
        "pruned_day",
        "rearming_mask",
        "second_mask",
        "seen",
        "sequence",
        "sequences",
        "states",
        "stays",
        "subject",
        "wake_ms",
        "wakes",
    )

    def __init__(self, subject: str, cut: int, event_ms: int, r_ms: int) -> None:
        self.subject = subject
        self.kind = subject.partition(":")[0]
        self.cut = cut
        """Ordinal of the catalogue that the profile was last brought over to."""
        self.born_cut = cut
        self.born_ms = r_ms
        self.known_since_ms = event_ms
        self.latest_ms = event_ms
        self.evaluated_ms = r_ms
        self.arrivals = 0
        self.sequence = 0
        self._traits: dict[str, Register] | None = {}
        """None: as they are packed, nobody read them yet."""
        self._consents: Consents | None = {}
        self._packed_traits: Raw | None = None
        """The traits as they are packed; None: they changed since."""
        self._packed_consents: Raw | None = None
        self.states: States = States()
        self.stays: dict[str, Stay] = {}
        self.wakes: dict[str, int] = {}
        """By segment, or activation (its `wake`): the next instant at which it can change with no event."""
        self.wake_ms = FOREVER
        """The smallest of `wakes`; within an evaluation it may not be known (`rules.engine.first_wake`)."""
        self.pruned_day = r_ms // MS_PER_DAY
        """Day up to which its states were pruned, at least; not packed."""
        self.mask_cut = -1
        """Ordinal of the plan by whose positions the masks below are; they are not packed. Another: not found yet."""
        self.members_mask = 0
        """Segments it is in."""
        self.blocked_mask = 0
        """Segments that its exit rule may keep it out of. Perhaps too many, never too few."""
        self.rearming_mask = 0
        """Segments it is in, disarmed since an earlier stay: their entry rule is asked too. Never too few."""
        self.first_mask = 0
        """Segments that it was in, has a wake for, or has the state for that their entry rule needs and names first
        (`Plan.first_masks`). Perhaps too many, never too few."""
        self.second_mask = 0
        """The same with the state that it names second (`Plan.second_masks`)."""
        self.seen = Identities()
        """The events that it took in."""
        self.activations: dict[str, Standing] = {}
        """By id, the activations that were ever active."""
        self.sequences: dict[str, int] = {}
        """By channel: how many changes of its activations there were."""

        self.lacking: dict[str, int] | None = None
        """By state key: the instant from which on a state of its parts knows all (`rules.engine.persons.lacking`)."""
        self.held_back: dict[int, dict[str, Register]] | None = None
        """By ordinal of a cut: settings that history brought, of traits that the cut declared anew, until it is filled.
        """
        self.person: Person | None = None
        """What it remembers of links and erasures; None: it never met one. Else its facts stand in the parts of it, and
        the fields here are their join: derived, and not packed."""

    @property
    def is_known(self) -> bool:
        """Whether it has facts and is no alias: else it is in nothing, and has no wakes and no visits."""
        person = self.person
        return person is None or (person.canonical is None and bool(person.parts))

    @property
    def is_to_be_judged(self) -> bool:
        """Whether nothing was evaluated since it became known: all of it is judged at its next evaluation."""
        return self.evaluated_ms < self.born_ms

    @property
    def is_forgotten(self) -> bool:
        """Whether it was erased and knows nothing else: only the erasure, sequences and `was` are left of it.

        A store may keep it under another name then, and lists it among no wakes: nothing is due, and at a cut there is
        nothing to visit it for. So it is packed without a cut, and stands under the one in force when it is read.
        """
        person = self.person
        return person is not None and person.is_forgotten and not self.stays and not self.wakes

    @property
    def traits(self) -> dict[str, Register]:
        """By name. `set_trait` sets one."""
        found = self._traits
        if found is None:
            assert self._packed_traits is not None
            found = self._traits = layout.read_traits(self._packed_traits)
        return found

    @property
    def consents(self) -> Consents:
        """By (channel, purpose): the latest grant and the latest withdrawal. `fold_consent` folds."""
        found = self._consents
        if found is None:
            assert self._packed_consents is not None
            found = self._consents = layout.read_consents(self._packed_consents)
        return found

    def state(self, key: str) -> State:
        """Return a state; None: there is none."""
        return self.states.get(key)

    def member_since(self, segment: str) -> int | None:
        """The present stay's entry; None while out."""
        stay = self.stays.get(segment)
        return stay.since_ms if stay is not None and stay.member else None

    def exit_marked_ms(self, segment: str) -> int:
        """The instant of the latest exit that left a mark; -FOREVER: there was none."""
        stay = self.stays.get(segment)
        if stay is None or stay.exit_mark is None:
            return -FOREVER
        marked_ms = stay.last_exit_ms if stay.marked_ms is None else stay.marked_ms
        return -FOREVER if marked_ms is None else marked_ms

    def standing(self, activation: str) -> Standing:
        """The standing of an activation, begun where there is none."""
        found = self.activations.get(activation)
        if found is None:
            found = self.activations[activation] = Standing()
        return found

    def trait(self, name: str) -> Value | None:
        """The value of a trait; None: no value."""
        register = self.traits.get(name)
        return None if register is None else register.value

    def set_trait(self, name: str, setting: Register) -> None:
        """Set a trait."""
        self.traits[name] = setting
        self._packed_traits = None

    def set_later(self, name: str, setting: Register) -> bool:
        """Set a trait, unless a later setting is known; return whether the setting was taken."""
        known = self.traits.get(name)
        if known is not None and known[:3] >= setting[:3]:
            return False
        self.set_trait(name, setting)
        return True

    def fold_consent(self, event: Event) -> bool:
        """Fold an event of CONSENT_EVENTS; return whether anything moved."""
        moved = fold_consent(self.consents, event)
        if moved:
            self._packed_consents = None
        return moved

    def linked(self) -> Person:
        """Return what it remembers of links and erasures; what it never met one, its facts become its first part."""
        person = self.person
        if person is None:
            person = self.person = Person(self.subject)
            own = Part()
            own.known_since_ms, own.latest_ms = self.known_since_ms, self.latest_ms
            own.traits, own.consents, own.states = dict(self.traits), dict(self.consents), dict(self.states)
            own.seen, own.held_back = self.seen, self.held_back
            person.parts[Way(OWN, self.subject)] = own
            self.seen, self.held_back = Identities(), None
            self._packed_traits = self._packed_consents = None
        return person

    def know(self, traits: dict[str, Register], consents: Consents, states: Mapping[str, State]) -> None:
        """Know what its parts bring together."""
        self._traits, self._consents = traits, consents
        if states is not self.states:
            self.states.replace(states)
        self._packed_traits = self._packed_consents = None

    def take(self, packed: layout.Packed) -> None:
        """Take over what was packed."""
        self.born_cut, self.latest_ms = packed.born_cut, packed.latest_ms
        self.born_ms = -FOREVER if packed.born_after is None else packed.known_since_ms + packed.born_after
        self.arrivals, self.sequence = packed.arrivals, packed.sequence
        self._traits = self._consents = None
        self._packed_traits, self._packed_consents = packed.traits, packed.consents
        self.states, self.stays, self.wakes = States(layout.read_states(packed.states)), packed.stays, packed.wakes
        if packed.wakes:
            self.wake_ms = min(packed.wakes.values())
        if packed.held_back:
            self.held_back = layout.as_registers(packed.held_back)
        self.seen, self.activations, self.sequences = Identities(packed.seen), packed.activations, packed.sequences
        if packed.person is not None:
            self.person = unpack_person(self.subject, packed.person)

    def prune(self, memories: Mapping[str, Memory], t_ms: int) -> None:
        """Drop what no window can reach at t_ms or later, on the first call of a day.

        Folding prunes the state that it folds. So this finds only what has grown old with no event, and once a day is
        often enough: what is kept too long moves no verdict.
        """
        day = t_ms // MS_PER_DAY
        if day == self.pruned_day:
            return
        self.pruned_day = day
        self.states.replace(pruned(self.states, memories, t_ms))
        if self.person is not None:
            for part in self.person.parts.values():
                part.states = pruned(part.states, memories, t_ms)

    def pack(self) -> bytes:
        """Write the profile as one blob. Forgets identities that are recognised no more at its last evaluation."""
        person = self.person
        if self._packed_traits is None:
            self._packed_traits = layout.pack_traits(self.traits if person is None else {})
        if self._packed_consents is None:
            self._packed_consents = layout.pack_consents(self.consents if person is None else {})
        return layout.encode(
            layout.Packed(
                layout.LAYOUT,
                0 if person is not None and self.is_forgotten else self.cut,
                self.known_since_ms,
                self.born_cut,
                self.latest_ms,
                self.arrivals,
                self.sequence,
                self.evaluated_ms,
                self._packed_traits,
                self._packed_consents,
                self.states.pack() if person is None else layout.NO_ENTRIES,
                self.stays,
                self.wakes,
                self.seen.pack(self.evaluated_ms),
                self.activations,
                self.sequences,
                None if self.born_ms <= -FOREVER else self.born_ms - self.known_since_ms,
                self.held_back,
                None if person is None else person.pack(self.evaluated_ms),
            )
        )


def pruned(states: Mapping[str, State], memories: Mapping[str, Memory], t_ms: int) -> dict[str, State]:
    """Return states without what no window can reach at an instant or later."""
    kept = {}
    for key, state in states.items():
        left = None if state is None else memories[key].prune(state, t_ms)
        if left is not None:
            kept[key] = left
    return kept


def unpack(subject: str, blob: bytes) -> Profile:
    """Read a packed profile. Raises ValueError for another layout.

    Where it met a link, `rules.engine.persons.joining.rejoin` must join its parts before it is asked anything.
    """
    packed = layout.decode(rewritten(blob) if blob[:1] == FIRST_BYTE else blob)
    profile = Profile(subject, packed.cut, packed.known_since_ms, packed.evaluated_ms)
    profile.take(packed)
    return profile
