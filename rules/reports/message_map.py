"""The message map: activations by audience, stage and channel, and what is missing or said twice.

The map is read off the definitions; nothing is evaluated. An activation stands at the stages of the segments that it
names in `segments.all` and `segments.any`. A message *speaks* if its activation is approved and its content may be
sent at the instant asked about. Retired definitions are left out.

- A **gap** is an audience that nothing speaks to, or a stage of its segments, or a channel that other audiences use.
  A segment without a message, at a stage with messages, is a gap too, unless other definitions use it (as a parent or
  in a condition). A member of a segment hears the messages for its parents. A segment that activations name only in
  `segments.none` or `suppress_while` keeps members out of messages: it needs none, and is never part of a gap. A
  channel that restrictions keep from every segment of the audience is closed, not a gap. A segment for every kind of
  subject stands under the audience of the messages that speak to it, if there are any.
- Two activations **cover twice** if they share audience, stage, channel, and topic or intent, and both may be active
  for one profile. They never are where they are two journeys of one exclusive group, where they share no market, or
  where one keeps out the members that the other needs. Whether the rules of two segments exclude each other is not
  looked into.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, Literal, TypeAlias

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment, references

State: TypeAlias = Literal["speaks", "expired", "pending", "withdrawn", "draft", "in_review"]
ANY: Final = "any"
"""The audience of a segment that admits every kind of subject; the stage of a segment that names none."""
EXPIRES_SOON_MS: Final = 60 * 86_400_000
"""A review takes weeks: content that expires within this time is worth a word."""
COMPARED: Final = ("topic", "intent")


@dataclass(frozen=True, slots=True)
class MappedActivation:
    """One activation on the map."""

    activation: Activation
    stages: tuple[str, ...]
    state: State
    expires_soon: bool

    @property
    def speaks(self) -> bool:
        """Whether members are contacted with it now."""
        return self.state == "speaks"

    def says(self, key: str) -> str | None:
        """Return a text of its content by key; None: it is not given."""
        value = self.activation.content.get(key)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class MapGap:
    """A place without a message: an audience at a stage, on a channel, or a segment; all None: the whole audience."""

    audience: str
    stage: str | None = None
    channel: str | None = None
    segment: str | None = None
    segments: tuple[str, ...] = ()
    """Segments whose members hear nothing."""
    silent: tuple[str, ...] = ()
    """Activations that would fill it, but do not speak."""


@dataclass(frozen=True, slots=True)
class Double:
    """Two activations that may both be active for one profile and say the same."""

    first: str
    second: str
    audience: str
    stages: tuple[str, ...]
    channel: str
    same: tuple[str, ...]
    """The keys, of `topic` and `intent`, that have the same value in both."""


@dataclass(frozen=True, slots=True)
class MessageMap:
    """The map of a catalogue at one instant."""

    at_ms: int
    stages: tuple[tuple[str, tuple[str, ...]], ...]
    """The audiences, and the stages of each."""
    channels: tuple[str, ...]
    messages: tuple[MappedActivation, ...]
    gaps: tuple[MapGap, ...]
    doubles: tuple[Double, ...]
    closed: frozenset[tuple[str, str, str]]
    """(audience, stage, channel) that restrictions keep from every segment there."""
    building: frozenset[str]
    """Segments that other definitions use."""
    keeping_out: frozenset[str]
    """Segments that activations name only to keep members out: in `segments.none` or `suppress_while`."""
    excluding: frozenset[tuple[str, str]]
    """(audience, stage) where every segment only keeps members out."""

    def is_gap(self, audience: str, stage: str) -> bool:
        """Return whether nothing speaks to an audience at a stage, or at all."""
        return any(
            each.audience == audience and each.stage in (stage, None) and each.channel is None and each.segment is None
            for each in self.gaps
        )

    def shows(self, audience: str, stage: str) -> bool:
        """Return whether a stage is worth a row; the stage `any` is only where it has a message or a gap."""
        return stage != ANY or self.is_gap(audience, stage) or bool(self.cell(audience, stage))

    def cell(self, audience: str, stage: str, channel: str | None = None) -> list[MappedActivation]:
        """Return the messages at one place of the map, on one channel or (None) on all."""
        return [
            each
            for each in self.messages
            if each.activation.audience == audience
            and stage in each.stages
            and channel in (None, each.activation.channel)
        ]


def message_map(catalogue: Catalogue, at_ms: int) -> MessageMap:
    """Return the map of a catalogue at an instant, epoch milliseconds."""
    activations = [each for each in catalogue.activations.values() if each.status != "retired"]
    activations.sort(key=lambda each: (each.channel, each.id))
    messages = tuple(_message(catalogue, each, at_ms) for each in activations)
    places: dict[str, dict[str, list[Segment]]] = {}
    spoken = {name for each in messages if each.speaks for name in _for(each.activation)}
    for segment in catalogue.approved.values():
        if segment.layers.audience is None and segment.id in spoken:
            continue  # it stands where its messages do
        stages = places.setdefault(segment.layers.audience or ANY, {})
        stages.setdefault(segment.layers.stage or ANY, []).append(segment)
    for message in messages:
        for stage in message.stages:
            places.setdefault(message.activation.audience, {}).setdefault(stage, [])
    channels = tuple(sorted({each.channel for each in activations}))
    closed = frozenset(
        (audience, stage, channel)
        for audience, stages in places.items()
        for stage, found in stages.items()
        for channel in channels
        if found and not any(_open(catalogue, each, channel) for each in found)
    )
    keeping_out = frozenset(_kept_out_by(messages) - _addressed(messages))
    drawn = MessageMap(
        at_ms,
        tuple((audience, tuple(sorted(stages))) for audience, stages in sorted(places.items())),
        channels,
        messages,
        (),
        tuple(_doubles(catalogue, messages)),
        closed,
        frozenset(_building(catalogue, messages)),
        keeping_out,
        frozenset(
            (audience, stage)
            for audience, stages in places.items()
            for stage, found in stages.items()
            if found and all(each.id in keeping_out for each in found)
        ),
    )
    gaps = (gap for audience, stages in sorted(places.items()) for gap in _gaps(catalogue, drawn, audience, stages))
    return replace(drawn, gaps=tuple(gaps))


def _message(catalogue: Catalogue, activation: Activation, at_ms: int) -> MappedActivation:
    stages = {catalogue.segments[name].layers.stage for name in _for(activation)}
    named = tuple(sorted(stage for stage in stages if stage is not None))
    expires_ms = activation.review_expires_ms
    soon = expires_ms is not None and at_ms < expires_ms <= at_ms + EXPIRES_SOON_MS
    return MappedActivation(activation, named or (ANY,), _state(activation, at_ms), soon)


def _for(activation: Activation) -> tuple[str, ...]:
    """Return the segments whose members an activation is for."""
    return (*(activation.segments.all or ()), *(activation.segments.any or ()))


def _state(activation: Activation, at_ms: int) -> State:
    if activation.status in ("draft", "in_review"):
        return activation.status
    if activation.review != "approved":
        return activation.review
    expired = activation.review_expires_ms is not None and at_ms >= activation.review_expires_ms
    return "expired" if expired else "speaks"


def _open(catalogue: Catalogue, segment: Segment, channel: str) -> bool:
    """Return whether restrictions let a channel contact a segment's members."""
    known = catalogue.policy.restrictions
    return all(name in known and channel in known[name].channels for name in catalogue.restricted[segment.id])


def _building(catalogue: Catalogue, messages: Iterable[MappedActivation]) -> Iterator[str]:
    for segment in catalogue.approved.values():
        yield from (each.name for each in references(segment.raw) if each.kind == "segment")
    yield from _kept_out_by(messages)


def _kept_out_by(messages: Iterable[MappedActivation]) -> set[str]:
    """Return the segments whose members some activation does not contact."""
    activations = [each.activation for each in messages]
    return {name for each in activations for name in (*(each.segments.none or ()), *each.suppress_while)}


def _addressed(messages: Iterable[MappedActivation]) -> set[str]:
    """Return the segments whose members some activation is for."""
    return {name for each in messages for name in _for(each.activation)}


def _gaps(catalogue: Catalogue, drawn: MessageMap, audience: str, stages: dict[str, list[Segment]]) -> Iterator[MapGap]:
    # a message for any audience also speaks to the segments that admit every audience
    meant = [each for each in drawn.messages if audience in (ANY, each.activation.audience)]
    spoken = {name for each in meant if each.speaks for name in _for(each.activation)}
    heard = {each.id for found in stages.values() for each in found if _above(catalogue, each.id) & spoken}
    if not heard and not any(each.speaks for each in meant if audience != ANY):
        everybody = _listening(drawn, (each for found in stages.values() for each in found))
        if everybody or not any(stages.values()):
            yield MapGap(audience, segments=everybody, silent=_silent(meant, everybody))
        return
    for stage, found in sorted(stages.items()):
        names = _listening(drawn, found)
        if found and not names:
            continue
        if stage != ANY and not heard & {*names} and not any(each.speaks and stage in each.stages for each in meant):
            yield MapGap(audience, stage, segments=names, silent=_silent(meant, names))
            continue
        for name in names:
            if name not in heard and name not in drawn.building:
                yield MapGap(audience, stage, segment=name, segments=(name,), silent=_silent(meant, (name,)))
    for channel in drawn.channels if audience != ANY else ():
        on = [each for each in meant if each.activation.channel == channel]
        shut = all((audience, stage, channel) in drawn.closed for stage in stages)
        if not shut and not any(each.speaks for each in on):
            yield MapGap(audience, channel=channel, silent=tuple(each.activation.id for each in on))


def _listening(drawn: MessageMap, segments: Iterable[Segment]) -> tuple[str, ...]:
    """Return the segments that a message could be for, sorted."""
    return tuple(sorted(each.id for each in segments if each.id not in drawn.keeping_out))


def _silent(messages: Iterable[MappedActivation], segments: Collection[str]) -> tuple[str, ...]:
    """Return the activations that are for these segments and do not speak."""
    return tuple(each.activation.id for each in messages if not each.speaks and {*_for(each.activation)} & {*segments})


def _doubles(catalogue: Catalogue, messages: Iterable[MappedActivation]) -> Iterator[Double]:
    may = [each for each in messages if each.state in ("speaks", "pending")]
    for one, other in combinations(may, 2):
        a, b = one.activation, other.activation
        shared = tuple(sorted({*one.stages} & {*other.stages}))
        if (a.audience, a.channel) != (b.audience, b.channel) or not shared:
            continue
        same = tuple(key for key in COMPARED if one.says(key) is not None and one.says(key) == other.says(key))
        if same and not _apart(catalogue, a, b):
            yield Double(a.id, b.id, a.audience, shared, a.channel, same)


def _apart(catalogue: Catalogue, a: Activation, b: Activation) -> bool:
    """Return whether the definitions of two activations rule out that both are active for one profile."""
    if a.exclusive_group is not None and a.exclusive_group == b.exclusive_group and a.slot != b.slot:
        return True
    split = catalogue.policy.market_trait is not None and a.markets and b.markets
    if split and not {*a.markets} & {*b.markets}:
        return True
    return _keeps_out(catalogue, a, b) or _keeps_out(catalogue, b, a)


def _keeps_out(catalogue: Catalogue, one: Activation, other: Activation) -> bool:
    """Return whether one activation refuses every member that the other is for."""
    refused = {*(one.segments.none or ()), *one.suppress_while}
    if any(_above(catalogue, name) & refused for name in other.segments.all or ()):
        return True
    some: Collection[str] = other.segments.any or ()
    return bool(some) and all(_above(catalogue, name) & refused for name in some)


def _above(catalogue: Catalogue, name: str | None) -> set[str]:
    """Return a segment and its parents: a member of the segment is a member of each."""
    found: set[str] = set()
    while name is not None and name not in found:
        found.add(name)
        name = catalogue.segments[name].parent
    return found
