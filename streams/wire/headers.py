"""Headers on the wire as models. Docstrings become the descriptions of the schemas in the AsyncAPI document.

`streams.wire.maker` writes the bytes itself; a test holds the models against them.
"""

from typing import Annotated, Literal

from pydantic import Field

from rules.engine.refusal import LetterCode
from streams.wire.schema import Closed, Instant, Open, Optional

JsonType = Annotated[Literal["application/json"], Field(alias="content-type")]


class EventHeaders(Open):
    """An engagement event in binary mode: the headers are its attributes, the value is its data."""

    ce_specversion: Literal["1.0"]
    ce_id: Annotated[str, Field(min_length=1)]
    ce_source: Annotated[str, Field(min_length=1)]
    ce_type: Annotated[str, Field(min_length=1)]
    ce_subject: str
    ce_time: str


class TombstoneHeaders(Closed):
    """Headers of a membership change, and of the tombstone that ends a standing membership."""

    ce_specversion: Literal["1.0"]
    ce_id: str
    """The change's id."""
    ce_type: Literal["segment.entered", "segment.exited"]
    ce_source: str
    """`/segue/<generation>`."""
    ce_subject: str
    ce_time: Instant


class NoHeaders(Closed):
    """No headers: the tombstone that is left where a segment's changes have moved to other topics."""


class ChangeHeaders(TombstoneHeaders):
    """Headers of a membership change: CloudEvents 1.0, binary mode."""

    content_type: JsonType


class ActivationTombstoneHeaders(TombstoneHeaders):
    """Headers of an activation's change, and of the tombstone that ends it in the snapshot."""

    ce_type: Literal["activation.activated", "activation.deactivated"]  # type: ignore[assignment]


class ActivationHeaders(ActivationTombstoneHeaders):
    """Headers of an activation's change: CloudEvents 1.0, binary mode."""

    content_type: JsonType


class DeadLetterHeaders(Open):
    """Headers of a dead letter; they follow the headers of the record. Of several with one name the last counts."""

    segue_reason: LetterCode
    """Why it was refused."""
    segue_topic: str
    segue_partition: str
    """A decimal number, like `segue_offset`: headers are texts."""
    segue_offset: str
    segue_place: Optional
    """Where in the event it is wrong: an attribute, or a path of declared names such as `data.topic`; never a value."""
    segue_pointer: Optional
    """`true` where the record was too large; then the value is a pointer."""


class UndeliveredHeaders(Open):
    """Headers of a change that its platform refused; they follow the headers of the change."""

    segue_reason: Annotated[str, Field(pattern=r"^(unreadable|too_large|item_refused|http_[45]\d\d)$")]
    """`unreadable`: the record is no change of an activation; `too_large`: it does not fit into a request;
    `item_refused`: the platform named it; `http_422` and the like: the platform's answer to the change alone."""
    segue_topic: str
    segue_partition: str
    """A decimal number, like `segue_offset`: headers are texts."""
    segue_offset: str
    segue_pointer: Optional
    """`true` where the record was too large; then the value is a pointer."""
