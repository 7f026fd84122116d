"""A channel's change as a typed value. Every `repr` names no profile."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class ActiveKey(NamedTuple):
    """One activation for one profile."""

    subject: str
    activation: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: `allowed`, `definition_changed`, or the refusal (deploy/asyncapi.yaml lists the kinds)."""

    kind: str
    by: tuple[str, ...]
    """Who refuses: segments, classes, what a cap counts by, or the journey that has the slot."""
    events: tuple[str, ...] = field(repr=False)
    """The event behind it as `source id`; none where time alone decided."""
    was: str | None
    """Of an `activated` change: the kind of the deactivation before it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the channel may contact the profile with. None: the definition does not give it."""

    intent: str
    asset: str | None
    depth: str | None
    topic: str | None
    evidence: str | None
    call_to_action: str | None
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One profile may be contacted for one activation from now on, or no longer. Its `repr` names no profile."""

    id: str = field(repr=False)
    """`<generation>/<subject>/<channel>/<sequence>`: the same whenever it comes again. An idempotency key."""
    generation: str
    subject: str = field(repr=False)
    """The profile, `kind:name`."""
    activation: str
    activation_version: int
    channel: str
    activated: bool
    sequence: int
    """1, 2, 3 … per profile and channel."""
    effective_at: datetime
    """The instant of the evaluation, in UTC, to the millisecond."""
    reason: Reason
    journey: str | None
    content: Content
    arm: str | None
    """The arm of an experiment."""
    topic: str
    partition: int
    offset: int
    """Where its record stands."""
    value: bytes = field(repr=False)
    """As published: compact JSON in UTF-8."""

    @property
    def key(self) -> ActiveKey:
        """The activation and the profile that the change is about."""
        return ActiveKey(self.subject, self.activation)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a record of the snapshot's topic says of one key."""

    key: ActiveKey = field(repr=False)
    sequence: int
    """The sequence of the change that set it."""
    active: Change | None
    """That change; None: the key is not active."""
