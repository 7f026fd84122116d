"""How large the state of one profile can become under a catalogue, and which conditions take most of it.

The figures are bounds of the packed profile (see `rules.engine.profile`), with 64 bytes for each event's source and id
and for each value; conditions that are the same share one state and are counted once. Few profiles come near them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment
from rules.conditions.base import Condition
from rules.conditions.memory import Memory
from rules.engine.activations.sends import caps_of, counters_of
from rules.engine.identities import SEEN_MAX

FIXED_BYTES: Final = 160
"""Layout, ordinals, the profile's instants and counters, and punctuation."""
REGISTER_BYTES: Final = 14 + 64 + 64 + 12
"""Time, source and id, value, punctuation; the trait's name besides."""
STAY_BYTES: Final = 2 * 14 + 2 * (14 + 8 + 4) + 24 + 14 + 8
"""Two instants, two marks, flags and punctuation, and the segment's wake; its id twice besides."""
CONSENT_BYTES: Final = 3 * 14 + 2 * 64 + 24
"""Three instants, two sources with ids, punctuation; the names of channel and purpose besides."""
IDENTITY_BYTES: Final = 21
"""A recognised event."""
STANDING_BYTES: Final = 24 + 14 + 16
"""Whether an activation is active, why it ended last, its wake, punctuation; its id twice besides."""
CHANNEL_BYTES: Final = 16
"""A channel's sequence and punctuation; its name besides."""
STATE_NAME_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Contributor:
    """One state that conditions share: its largest size, the sentence of a condition, the segments or activations."""

    bytes_max: int
    description: str
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SizeReport:
    """The largest possible size of a profile's state in bytes, and its parts."""

    total_bytes_max: int
    conditions_bytes_max: int
    traits_bytes_max: int
    """One register for each declared trait."""
    memberships_bytes_max: int
    activations_bytes_max: int
    """Standings, and the sequences of channels; what caps count is among the conditions."""
    consents_bytes_max: int
    """For the channels and purposes that the catalogue names."""
    identities_bytes_max: int
    """Recognised redeliveries."""
    contributors: tuple[Contributor, ...]
    """The states of conditions, the largest first."""


def state_size(catalogue: Catalogue) -> SizeReport:
    """Bound the size of a profile's state under the approved segments of a catalogue."""
    approved = [catalogue.segments[name] for name in catalogue.order]
    versions = [version for name in catalogue.order for version in catalogue.versions(name)]
    activations = [each for each in catalogue.activations.values() if each.status == "approved"]
    contributors = _contributors(versions, catalogue)
    conditions = sum(each.bytes_max + STATE_NAME_BYTES for each in contributors)
    traits = sum(REGISTER_BYTES + len(name.encode()) for name in catalogue.dictionary.traits)
    memberships = sum(STAY_BYTES + 2 * len(segment.id) for segment in approved)
    channels = {each.channel for each in activations}
    standings = sum(STANDING_BYTES + 2 * len(each.id) for each in activations)
    standings += sum(CHANNEL_BYTES + len(channel) for channel in channels)
    consents = _consents(versions, [*activations, *catalogue.activations_before.values()])
    identities = SEEN_MAX * IDENTITY_BYTES
    return SizeReport(
        total_bytes_max=FIXED_BYTES + conditions + traits + memberships + standings + consents + identities,
        conditions_bytes_max=conditions,
        traits_bytes_max=traits,
        memberships_bytes_max=memberships,
        activations_bytes_max=standings,
        consents_bytes_max=consents,
        identities_bytes_max=identities,
        contributors=contributors,
    )


def _leaves(segment: Segment) -> Iterator[Condition]:
    """Walk all conditions of a segment, and the conditions inside them."""
    for rule in (segment.enter, segment.exit):
        for leaf in () if rule is None else rule.conditions():
            yield leaf
            yield from leaf.parts


def _contributors(segments: list[Segment], catalogue: Catalogue) -> tuple[Contributor, ...]:
    states: dict[str, tuple[Memory, str]] = {}
    users: dict[str, dict[str, None]] = {}
    for segment in segments:
        for leaf in _leaves(segment):
            if leaf.memory is not None:
                key = leaf.memory.state_key
                states.setdefault(key, (leaf.memory, leaf.describe()))
                users.setdefault(key, {})[segment.id] = None
    counters = counters_of(catalogue)
    for counter in counters.values():
        states[counter.state_key] = counter, counter.describe()
        users[counter.state_key] = {}
    for activation in (*catalogue.activations.values(), *catalogue.activations_before.values()):
        if activation.status == "approved":
            for cap in caps_of(activation, catalogue, counters):
                users[cap.counter.state_key][activation.id] = None
    found = [Contributor(memory.bytes_max(), text, tuple(users[key])) for key, (memory, text) in states.items()]
    return tuple(sorted(found, key=lambda each: (-each.bytes_max, each.description)))


def _consents(segments: list[Segment], activations: list[Activation]) -> int:
    """Return the bytes of all grants and withdrawals: of each channel and purpose, and of `all`."""
    words = {(each.what, each.word) for segment in segments for leaf in _leaves(segment) for each in leaf.words()}
    required = [each for each in activations if each.consent_purpose is not None]
    channels = {"all", *(word for what, word in words if what == "channel"), *(each.channel for each in required)}
    purposes = {"all", *(word for what, word in words if what == "purpose")}
    purposes |= {str(each.consent_purpose) for each in required}
    return sum(CONSENT_BYTES + len(f"{channel}{purpose}".encode()) for channel in channels for purpose in purposes)
