"""Values on the wire as models: what consumers may rely on, and what the AsyncAPI document says.

The hot paths write bytes themselves (`rules.engine.change`, `streams.wire.maker`, `streams.wire.progress`); tests hold
the models against those bytes. Docstrings become the descriptions of the schemas.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from rules.ground import reasons
from streams.wire.schema import Closed, Instant, Offset, Open, Optional, no_default


class EngagementEvent(Open):
    """An immutable fact about one profile, as a CloudEvent 1.0 in structured mode; the record's key is the subject.

    Attributes that the catalogue's dictionary does not declare are ignored. At most 262,144 bytes, 32 levels deep.
    """

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1)]
    """Id, source and time are the event's identity: a redelivery repeats all three and changes nothing."""
    source: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1, json_schema_extra={"not": {"pattern": r"^segue\."}})]
    """Declared in the dictionary. `segue.*` is reserved for Segue itself; other readers of the topic skip it."""
    subject: Annotated[str, Field(pattern=r"^[^:|\u0000-\u001f\u007f-\u009f]+:[^|\u0000-\u001f\u007f-\u009f]+$")]
    """`kind:name`, for example `hcp:1234567893`."""
    time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """RFC 3339, at most 5 min ahead of the record's own timestamp; a bare date is 00:00Z."""
    data: dict[str, Any] | None = None
    """Its attributes, as the dictionary declares them."""


class CatalogueInForce(Closed):
    """The catalogue that is in force in the partition from this record on."""

    catalogue: str
    """Its hash: its key in the topic of catalogues."""


class Resumed(Closed):
    """Who lets a held partition go on, and why."""

    by: str
    note: str
    """"": nothing was said."""


class Nothing(Closed):
    """No data."""


class _Own(Closed):
    specversion: Literal["1.0"]
    id: str
    source: str
    """`/segue/<generation>`."""
    datacontenttype: Literal["application/json"]


class CatalogueRecord(_Own):
    """Segue's own: a catalogue takes effect."""

    type: Literal["segue.catalogue"]
    data: CatalogueInForce


class TickRecord(_Own):
    """Segue's own: it only moves the clock of its partition."""

    type: Literal["segue.tick"]
    data: Nothing


class ResumeRecord(_Own):
    """Segue's own: a partition that is held may go on; refused records before this one are pardoned."""

    type: Literal["segue.resume"]
    data: Resumed


class PastEvents(Closed):
    """Events of the subject whose records came before a cut."""

    cut: int
    """The instant of the cut, in epoch milliseconds."""
    traits: Annotated[list[str], Field(default_factory=list, json_schema_extra=no_default)]
    """Traits that the catalogue of the cut declares anew: the events set these, too."""
    events: list[EngagementEvent]
    """In the order of their records."""


class HistoryRecord(_Own):
    """Segue's own: the past that conditions need which came in at a cut. The record's key is the subject."""

    type: Literal["segue.history"]
    subject: str
    data: PastEvents


class CutFilled(Closed):
    """The history of a cut is filled in."""

    cut: int
    """The instant of the cut, in epoch milliseconds."""
    since: int | None
    """The instant from which on the log was whole, in epoch milliseconds; null: it was whole from its first record."""


class FilledRecord(_Own):
    """Segue's own: all that the log still has of the past before a cut is in the partition."""

    type: Literal["segue.filled"]
    data: CutFilled


class EffectRecord(_Own):
    """Segue's own: what a record of one profile brings to another profile of the same person.

    The record's key is the subject.
    """

    id: str
    """`<generation>/<cause>/<offset>/<n>`: the subject and offset of the record that is the cause, and the place of the
    effect among those of that record, from 1. An effect that is published again has the same id and bytes."""
    type: Literal[
        "segue.facts",
        "segue.fact",
        "segue.withdrawn",
        "segue.erased",
        "segue.tied",
        "segue.asked",
        "segue.reaching",
        "segue.reached",
    ]
    subject: str
    """The profile that it moves."""
    time: Instant
    """The instant of the cause's record."""
    data: dict[str, Any]
    """Internal: do not rely on its form."""


class ChangeReason(Closed):
    """Why a membership changed."""

    kind: reasons.MembershipReason
    """`entry_rule`, or the reason of an exit; the reasons are in order of precedence."""
    conditions: list[str]
    """Paths of the leaves of the deciding rule that hold, in document order: `enter.all[0]`."""
    events: list[str]
    """The event that was evaluated, as `source id`; none for a wake."""


class Layers(Closed):
    """Who, what, why: the layers that the segment names."""

    audience: Optional
    use_case: Optional
    stage: Optional


class MembershipChange(Closed):
    """One profile entered or left one segment. The standing membership repeats the value of the entry."""

    id: str
    """`<generation>/<subject>/<sequence>`. A change that is published again has the same id: drop ids that you know."""
    profile: str
    """The subject."""
    segment: str
    segment_version: Annotated[int, Field(ge=0)]
    change: Literal["entered", "exited"]
    sequence: Annotated[int, Field(ge=1)]
    """1, 2, 3 … per profile."""
    effective_at: Instant
    """The instant that was evaluated."""
    reason: ChangeReason
    layers: Layers
    backfill: bool
    """Whether a changed definition let it enter, not an event or the time."""


class ActivatedReason(Closed):
    """Why a channel may contact the profile."""

    kind: reasons.ActivatedReason
    """`definition_changed`: it was active already, and the content has changed."""
    was: reasons.DeactivatedReason | None
    """The kind of the last `deactivated` of this activation and profile."""
    by: list[str]
    """Empty."""
    events: list[str]
    """The event that was evaluated, as `source id`; none for a wake."""


class DeactivatedReason(Closed):
    """Why a channel may no longer contact the profile."""

    kind: reasons.DeactivatedReason
    """The first reason that applies, in order of precedence; `retired` goes before all."""
    by: list[str]
    """What refuses, in code-point order: classes, segments, what a cap counts, or the journey that has the slot."""
    events: list[str]
    """The event that was evaluated, as `source id`; none for a wake."""


class ActivationContent(Closed):
    """What may be said: the keys that the definition gives."""

    asset: Optional
    intent: str
    depth: Optional
    topic: Optional
    evidence: Optional
    call_to_action: Optional
    claims: Annotated[list[str], Field(default_factory=list, json_schema_extra=no_default)]


class _ActivationChange(Closed):
    id: str
    """`<generation>/<subject>/<channel>/<sequence>`. A change that is published again has the same id."""
    profile: str
    """The subject."""
    activation: str
    activation_version: Annotated[int, Field(ge=0)]
    channel: str
    change: Literal["activated", "deactivated"]
    sequence: Annotated[int, Field(ge=1)]
    """1, 2, 3 … per profile and channel."""
    effective_at: Instant
    """The instant that was evaluated."""
    reason: ActivatedReason | DeactivatedReason
    journey: str | None
    content: ActivationContent
    arm: str | None
    """The arm of the activation's experiment."""


class ActivatedChange(_ActivationChange):
    """From now on the channel may contact the profile, with this content. The snapshot repeats this value."""

    change: Literal["activated"]
    reason: ActivatedReason


class DeactivatedChange(_ActivationChange):
    """From now on the channel may no longer contact the profile for this activation."""

    change: Literal["deactivated"]
    reason: DeactivatedReason


class DeadLetterPointer(Closed):
    """Stands in for a value that is too large for the dead-letter topic."""

    topic: str
    partition: Offset
    offset: Offset
    value_bytes: Offset
    """Size of the value."""


class GitState(Closed):
    """The revision of git that the folder of a catalogue stood at."""

    revision: str
    clean: bool
    """Whether every file of the catalogue was as that revision has it."""


class Applied(Open):
    """How a catalogue was applied. Later versions add keys."""

    by: str
    """Who applied it."""
    at: Instant
    """When, by the clock of the machine that applied it."""
    note: str | None
    """Why."""
    git: GitState | None
    preview: str | None
    """The hash of the preview that the apply was bound to."""
    break_glass: str | None
    """Why it was applied without the approvals that the policy asks for."""
    back: bool
    """Whether it returned to the catalogue before."""


class StoredCatalogue(Closed):
    """A catalogue as it was applied: the definition files as plain values."""

    hash: str
    rules: int
    """The engine's version of the rules, part of the hash."""
    files: dict[str, Any]
    applied: Annotated[Applied | None, Field(default=None, json_schema_extra=no_default)]
    """How it was applied; absent in records of older versions."""
    versions: Annotated[dict[str, list[int | str]], Field(default_factory=dict, json_schema_extra=no_default)]
    """By `segment/ID` or `activation/ID`: the highest version that was ever in force, and the digest of its text."""
    texts: Optional
    """The files as they were written: base64 of a zlib stream of JSON, text by file name."""


class CatalogueApplied(Closed):
    """One apply: from `applied.at` on the catalogue was in force."""

    catalogue: str
    """Its hash."""
    before: str | None
    """The hash of the catalogue in force before."""
    applied: Applied
