"""Values and headers on the wire as models: what consumers may rely on, and what the AsyncAPI document says.

The hot paths write bytes themselves (`rules.engine.change`, `streams.wire.maker`, `streams.wire.progress`); the
models are held against those bytes by tests. Docstrings become the descriptions of the schemas.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from rules.engine.decode import Code
from rules.ground import reasons


def _not_null(schema: dict[str, Any]) -> None:
    """Say that a field may be left out, not that it may be null."""
    schema.pop("default", None)
    schema.pop("anyOf", None)
    schema["type"] = "string"


Instant: TypeAlias = Annotated[str, Field(pattern=r"\.\d{3}Z$", json_schema_extra={"format": "date-time"})]
Offset: TypeAlias = Annotated[int, Field(ge=0)]
Optional: TypeAlias = Annotated[str | None, Field(default=None, json_schema_extra=_not_null)]


def _no_default(schema: dict[str, Any]) -> None:
    """Say that a field may be left out."""
    schema.pop("default", None)


class _Wire(BaseModel):
    """Strict, and closed: the schema says all that there is."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class _Open(BaseModel):
    """For what others write, and what later versions may add to."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, use_attribute_docstrings=True)


class EngagementEvent(_Open):
    """An immutable fact about one profile, as a CloudEvent 1.0 in structured mode; the record's key is the subject.

    What is not declared in the catalogue's dictionary is not looked at. At most 262,144 bytes, 32 levels deep.
    """

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1)]
    """With source and time the event's identity: a redelivery repeats all three and changes nothing."""
    source: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    """Declared in the dictionary. `segue.*` is reserved for Segue itself: whoever else reads the topic skips it."""
    subject: Annotated[str, Field(pattern=r"^[^:|\u0000-\u001f\u007f-\u009f]+:[^|\u0000-\u001f\u007f-\u009f]+$")]
    """`kind:name`, for example `hcp:1234567893`."""
    time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """RFC 3339, at most 5 min ahead of the record's own timestamp; a bare date is 00:00Z."""
    data: dict[str, Any] | None = None
    """Its attributes, as the dictionary declares them."""


class EventHeaders(_Open):
    """An engagement event in binary mode: its attributes as headers, the value is the data."""

    ce_specversion: Literal["1.0"]
    ce_id: Annotated[str, Field(min_length=1)]
    ce_source: Annotated[str, Field(min_length=1)]
    ce_type: Annotated[str, Field(min_length=1)]
    ce_subject: str
    ce_time: str


class CatalogueInForce(_Wire):
    """From this record on, the partition goes by that catalogue."""

    catalogue: str
    """Its hash: its key in the topic of catalogues."""


class Nothing(_Wire):
    """No data."""


class _Own(_Wire):
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
    """Segue's own: only moves the clock of its partition."""

    type: Literal["segue.tick"]
    data: Nothing


class ChangeReason(_Wire):
    """Why a membership changed."""

    kind: reasons.MembershipReason
    """`entry_rule`, or one of the reasons of an exit, in order of precedence."""
    conditions: list[str]
    """Paths of the leaves of the deciding rule that hold, in document order: `enter.all[0]`."""
    events: list[str]
    """The event evaluated as `source id`; none for a wake."""


class Layers(_Wire):
    """Who, what, why: those that the segment names."""

    audience: Optional
    use_case: Optional
    stage: Optional


class MembershipChange(_Wire):
    """One profile entered or left one segment. The value of an entry is also the standing membership."""

    id: str
    """`<generation>/<subject>/<sequence>`: the same whenever it is published again. Drop ids that you have seen."""
    profile: str
    """The subject."""
    segment: str
    segment_version: Annotated[int, Field(ge=0)]
    change: Literal["entered", "exited"]
    sequence: Annotated[int, Field(ge=1)]
    """1, 2, 3 … per profile."""
    effective_at: Instant
    """The instant of the evaluation."""
    reason: ChangeReason
    layers: Layers
    backfill: bool
    """Whether it entered because a definition changed, not because something happened."""


class ActivatedReason(_Wire):
    """Why a channel may contact the profile."""

    kind: reasons.ActivatedReason
    """`definition_changed`: it was active already, and what may be said has changed."""
    was: reasons.DeactivatedReason | None
    """The kind of the last `deactivated` of this activation and profile."""
    by: list[str]
    """Empty."""
    events: list[str]
    """The event evaluated as `source id`; none for a wake."""


class DeactivatedReason(_Wire):
    """Why a channel may no longer contact the profile."""

    kind: reasons.DeactivatedReason
    """In order of precedence: the first that applies; but for `retired`, which goes before all."""
    by: list[str]
    """What refuses, in code-point order: classes, segments, what a cap counts by, or the journey that has the slot."""
    events: list[str]
    """The event evaluated as `source id`; none for a wake."""


class ActivationContent(_Wire):
    """With what: the keys that the definition gives."""

    asset: Optional
    intent: str
    depth: Optional
    topic: Optional
    evidence: Optional
    call_to_action: Optional
    claims: Annotated[list[str], Field(default_factory=list, json_schema_extra=_no_default)]


class _ActivationChange(_Wire):
    id: str
    """`<generation>/<subject>/<channel>/<sequence>`: the same whenever it is published again."""
    profile: str
    """The subject."""
    activation: str
    activation_version: Annotated[int, Field(ge=0)]
    channel: str
    change: Literal["activated", "deactivated"]
    sequence: Annotated[int, Field(ge=1)]
    """1, 2, 3 … per profile and channel."""
    effective_at: Instant
    """The instant of the evaluation."""
    reason: ActivatedReason | DeactivatedReason
    journey: str | None
    content: ActivationContent
    arm: str | None
    """Of an experiment."""


class ActivatedChange(_ActivationChange):
    """From now on the channel may contact the profile, with this. Also the value of the snapshot."""

    change: Literal["activated"]
    reason: ActivatedReason


class DeactivatedChange(_ActivationChange):
    """From now on the channel may no longer contact the profile for this."""

    change: Literal["deactivated"]
    reason: DeactivatedReason


class TombstoneHeaders(_Wire):
    """Headers of a change, and of the tombstone that ends a standing membership."""

    ce_specversion: Literal["1.0"]
    ce_id: str
    """The change's id."""
    ce_type: Literal["segment.entered", "segment.exited"]
    ce_source: str
    """`/segue/<generation>`."""
    ce_subject: str
    ce_time: Instant


class NoHeaders(_Wire):
    """Headers of what no change brought: a tombstone where a segment's changes have moved to other topics."""


class ChangeHeaders(TombstoneHeaders):
    """Headers of a change: CloudEvents 1.0, binary mode."""

    content_type: Annotated[Literal["application/json"], Field(alias="content-type")]


class ActivationTombstoneHeaders(TombstoneHeaders):
    """Headers of a change of an activation, and of the tombstone that ends it in the snapshot."""

    ce_type: Literal["activation.activated", "activation.deactivated"]  # type: ignore[assignment]


class ActivationHeaders(ActivationTombstoneHeaders):
    """Headers of a change of an activation: CloudEvents 1.0, binary mode."""

    content_type: Annotated[Literal["application/json"], Field(alias="content-type")]


class DeadLetterHeaders(_Open):
    """Headers of a dead letter, after those of the record itself; of several of one name the last counts."""

    segue_reason: Code
    """Why it was refused."""
    segue_topic: str
    segue_partition: str
    """A decimal number, as `segue_offset`: headers are texts."""
    segue_offset: str
    segue_pointer: Optional
    """`true` where the record was too large: the value is a pointer then."""


class UndeliveredHeaders(_Open):
    """Headers of a change that its platform refused, after those of the change itself."""

    segue_reason: Annotated[str, Field(pattern=r"^(unreadable|too_large|item_refused|http_[45]\d\d)$")]
    """`unreadable`: no change of an activation; `too_large`: for one request; `item_refused`: the platform named it;
    `http_422` and the like: that was its answer to the change alone."""
    segue_topic: str
    segue_partition: str
    """A decimal number, as `segue_offset`: headers are texts."""
    segue_offset: str
    segue_pointer: Optional
    """`true` where the record was too large: the value is a pointer then."""


class DeadLetterPointer(_Wire):
    """Stands for a value that is too large for the dead-letter topic."""

    topic: str
    partition: Offset
    offset: Offset
    value_bytes: Offset
    """Size of the value that was left out."""


class StoredCatalogue(_Wire):
    """A catalogue as it was applied: the definition files as plain values."""

    hash: str
    rules: int
    """The engine's version of the rules, part of the hash."""
    files: dict[str, Any]
