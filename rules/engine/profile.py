"""A profile: the folded state of one subject, and how it is packed.

Packed layout (orjson, one JSON array a profile; instants in UTC epoch ms; optional parts as null or empty):

    [ LAYOUT, cut, known_since, born_cut, latest, arrivals, sequence, evaluated,
      {trait: [time, source, id, value]},
      [[channel, purpose, granted, withdrawn], …],
      {state key (`rules.conditions.memory`): state},
      {segment: [member, since, last_exit, disarmed, entry_mark, exit_mark]},
      {segment, or `@` and an activation: wake},
      {day of the record: [identity, …]},
      {activation: [active, kind of its last deactivated]},
      {channel: sequence} ]

Layout 2 had one more instant, after known_since, that nothing read; it is skipped. `pack` always writes the newest
layout, so a profile changes over when it is touched.
"""

from typing import Any, Final

import orjson

from rules.conditions.view import Mark, Register, State
from rules.ground.event import Value
from rules.ground.instants import FOREVER, MS_PER_DAY

LAYOUT: Final = 3
"""Version of the packed layout that is written. Layout 2 is read too; any other is refused, never guessed at."""
LAYOUT_WITH_FIRST_SEEN: Final = 2
SEEN_MAX: Final = 512
"""Event identities that a profile recognises: as many as a condition remembers (docs/language.md, Memory)."""
SEEN_DAYS: Final = 7
"""Days for which a redelivery is recognised as such, if no more than SEEN_MAX other events came between."""


class Stay:
    """One profile in one segment: the present stay, or what the last ones left behind."""

    __slots__ = ("disarmed", "entry_mark", "exit_mark", "last_exit_ms", "member", "since_ms")

    def __init__(self) -> None:
        self.member = False
        self.since_ms = 0
        """The present stay's entry (its `effective_at`); meaningless while out."""
        self.last_exit_ms: int | None = None
        """The last exit of any kind."""
        self.disarmed = False
        self.entry_mark: Mark | None = None
        """Of the present stay's entry."""
        self.exit_mark: Mark | None = None
        """Of the latest exit by exit_rule or max_stay."""


class Standing:
    """One activation for one profile: whether it is active, and why it last ceased to be."""

    __slots__ = ("active", "was")

    def __init__(self, active: bool = False, was: str | None = None) -> None:
        self.active = active
        self.was = was
        """The kind of its last `deactivated`; None: it never was."""


class Profile:
    """The folded state of one subject. Mutable: the engine owns it; see `pack` for what outlives it."""

    __slots__ = (
        "activations",
        "arrivals",
        "asleep_mask",
        "blocked_mask",
        "born_cut",
        "consents",
        "cut",
        "evaluated_ms",
        "kind",
        "known_since_ms",
        "latest_ms",
        "mask_cut",
        "members_mask",
        "rearming_mask",
        "seen",
        "sequence",
        "sequences",
        "states",
        "stays",
        "subject",
        "traits",
        "wake_ms",
        "wakes",
    )

    def __init__(self, subject: str, cut: int, event_ms: int, r_ms: int) -> None:
        self.subject = subject
        self.kind = subject.partition(":")[0]
        self.cut = cut
        """Ordinal of the catalogue that the profile was last brought over to."""
        self.born_cut = cut
        self.known_since_ms = event_ms
        self.latest_ms = event_ms
        self.evaluated_ms = r_ms
        self.arrivals = 0
        self.sequence = 0
        self.traits: dict[str, Register] = {}
        self.consents: dict[tuple[str, str], tuple[int | None, int | None]] = {}
        self.states: dict[str, State] = {}
        self.stays: dict[str, Stay] = {}
        self.wakes: dict[str, int] = {}
        """By segment, or activation (its `wake`): the next instant at which it can change with no event."""
        self.wake_ms = FOREVER
        """The smallest of `wakes`."""
        self.mask_cut = -1
        """Ordinal of the plan by whose positions the masks below are; they are not packed."""
        self.members_mask = 0
        """Segments it is in."""
        self.blocked_mask = 0
        """Segments that its exit rule may keep it out of. Perhaps too many, never too few."""
        self.rearming_mask = 0
        """Segments it is in, disarmed since an earlier stay: their entry rule is asked too. Never too few."""
        self.asleep_mask = 0
        """Segments it was never in, whose entry rule stays false while a state is inert. Perhaps too few."""
        self.seen: dict[int, int] = {}
        """Identity → day of its record, in order of arrival."""
        self.activations: dict[str, Standing] = {}
        """By id, the activations that were ever active."""
        self.sequences: dict[str, int] = {}
        """By channel: how many changes of its activations there were."""

    def member_since(self, segment: str) -> int | None:
        """The present stay's entry; None while out."""
        stay = self.stays.get(segment)
        return stay.since_ms if stay is not None and stay.member else None

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

    def knows(self, identity: int, r_ms: int) -> bool:
        """Tell whether an event was seen before: not more than SEEN_DAYS before the day of its record.

        What `pack` may have dropped is not known in memory either: a restart changes nothing.
        """
        day = self.seen.get(identity)
        return day is not None and day >= r_ms // MS_PER_DAY - SEEN_DAYS

    def remember(self, identity: int, r_ms: int) -> None:
        """Remember an event that it does not know (`knows`), at the cost of the one that came longest ago."""
        seen = self.seen
        seen.pop(identity, None)
        day = r_ms // MS_PER_DAY
        if seen and len(seen) >= SEEN_MAX:
            del seen[next(iter(seen))]
        seen[identity] = day

    def pack(self) -> bytes:
        """Write the profile as one blob. Drops identities older than SEEN_DAYS before its last evaluation."""
        oldest = self.evaluated_ms // MS_PER_DAY - SEEN_DAYS
        days: dict[str, list[int]] = {}
        for identity, day in self.seen.items():
            if day >= oldest:
                days.setdefault(str(day), []).append(identity)
        return orjson.dumps(
            [
                LAYOUT,
                self.cut,
                self.known_since_ms,
                self.born_cut,
                self.latest_ms,
                self.arrivals,
                self.sequence,
                self.evaluated_ms,
                {name: [*register] for name, register in self.traits.items()},
                [[*key, *times] for key, times in self.consents.items()],
                {key: state for key, state in self.states.items() if state is not None},
                {segment: _pack_stay(stay) for segment, stay in self.stays.items()},
                self.wakes,
                days,
                {name: [int(each.active), each.was] for name, each in self.activations.items()},
                self.sequences,
            ]
        )


def unpack(subject: str, blob: bytes | list[Any]) -> Profile:
    """Read a packed profile (or the array it decodes to). Raises ValueError for another layout."""
    fields = orjson.loads(blob) if isinstance(blob, bytes) else blob
    _check(fields[0])
    if fields[0] == LAYOUT_WITH_FIRST_SEEN:
        fields = fields[:3] + fields[4:]
    _, cut, known_since_ms, born_cut, latest_ms, arrivals, sequence, evaluated_ms, *folded = fields
    profile = Profile(subject, cut, known_since_ms, evaluated_ms)
    profile.born_cut, profile.latest_ms, profile.arrivals, profile.sequence = born_cut, latest_ms, arrivals, sequence
    traits, consents, states, stays, wakes, seen, activations, sequences = folded
    profile.traits = {name: Register(r[0], r[1], r[2], _value(r[3])) for name, r in traits.items()}
    profile.consents = {(c[0], c[1]): (c[2], c[3]) for c in consents}
    profile.states = states
    profile.stays = {segment: _unpack_stay(stay) for segment, stay in stays.items()}
    profile.wakes = wakes
    profile.wake_ms = min(wakes.values(), default=FOREVER)
    profile.seen = {identity: int(day) for day, found in seen.items() for identity in found}
    profile.activations = {name: Standing(bool(active), was) for name, (active, was) in activations.items()}
    profile.sequences = sequences
    return profile


def _check(layout: int) -> None:
    if layout not in (LAYOUT, LAYOUT_WITH_FIRST_SEEN):
        raise ValueError(
            f"a profile packed in layout {layout}; this version reads {LAYOUT_WITH_FIRST_SEEN} and {LAYOUT}"
        )


def _value(raw: Any) -> Value | None:
    return tuple(raw) if isinstance(raw, list) else raw


def _pack_stay(stay: Stay) -> list[Any]:
    return [
        int(stay.member),
        stay.since_ms,
        stay.last_exit_ms,
        int(stay.disarmed),
        None if stay.entry_mark is None else [*stay.entry_mark],
        None if stay.exit_mark is None else [*stay.exit_mark],
    ]


def _unpack_stay(fields: list[Any]) -> Stay:
    stay = Stay()
    stay.member, stay.disarmed = bool(fields[0]), bool(fields[3])
    stay.since_ms, stay.last_exit_ms = fields[1], fields[2]
    stay.entry_mark = None if fields[4] is None else Mark(*fields[4])
    stay.exit_mark = None if fields[5] is None else Mark(*fields[5])
    return stay
