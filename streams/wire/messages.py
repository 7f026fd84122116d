"""Every kind of record on the topics, and what each topic carries: the table that the AsyncAPI document is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaValue

from streams.wire import headers, payloads
from streams.wire.erasures import DeletionReceipt, ErasureAsked, ErasureTold
from streams.wire.fills import Fill
from streams.wire.progress import PROGRESS_KEY, Claim, Progress
from streams.wire.topics import CHANNEL_ROLES, DELIVERY_ROLES, ROLES, Role

_SUBJECT: Final[JsonSchemaValue] = {"type": "string", "description": "The subject, in UTF-8: `hcp:1234567893`."}
_CURRENT_KEY: Final[JsonSchemaValue] = {
    "type": "string",
    "description": "`subject|segment`, in UTF-8; a subject has no `|`.",
}
_ACTIVE_KEY: Final[JsonSchemaValue] = {
    "type": "string",
    "description": "`subject|activation`, in UTF-8; a subject has no `|`.",
}
_ERASURE_KEY: Final[JsonSchemaValue] = {
    "type": "string",
    "description": "The erasure, as `reason.events` of its changes has it: `source id`.",
}
_ANYTHING: Final[JsonSchemaValue] = {"description": "Any bytes, as they were sent."}
_NULL: Final[JsonSchemaValue] = {"type": "null", "description": "No value: a tombstone."}
JSON: Final = "application/json"
_CLOUDEVENT: Final = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of record. `payload` is a model or a schema, `headers` a model."""

    summary: str
    payload: type | JsonSchemaValue
    key: JsonSchemaValue | None = None
    headers: type[BaseModel] | None = None
    content_type: str = JSON


def _changed(what: str) -> Message:
    return Message(f"A profile {what} a segment.", payloads.MembershipChange, _SUBJECT, headers.ChangeHeaders)


MESSAGES: Final[Mapping[str, Message]] = {
    "engagementEvent": Message("An event in structured mode.", payloads.EngagementEvent, _SUBJECT, None, _CLOUDEVENT),
    "engagementEventBinary": Message(
        "An event in binary mode: the value is its data.",
        {"type": ["object", "null"], "description": "Its attributes, as the dictionary declares them."},
        _SUBJECT,
        headers.EventHeaders,
    ),
    "catalogueTakesEffect": Message(
        "Segue's own: another catalogue is in force in the partition from here on. Skip it.",
        payloads.CatalogueRecord,
        content_type=_CLOUDEVENT,
    ),
    "tick": Message("Segue's own: it only moves the clock. Skip it.", payloads.TickRecord, content_type=_CLOUDEVENT),
    "history": Message(
        "Segue's own: past events of a profile, for conditions that came in at a cut. Skip it.",
        payloads.HistoryRecord,
        _SUBJECT,
        content_type=_CLOUDEVENT,
    ),
    "filled": Message(
        "Segue's own: the history of a cut is filled in. Skip it.", payloads.FilledRecord, content_type=_CLOUDEVENT
    ),
    "resume": Message(
        "Segue's own: a person lets a held partition go on. Skip it.", payloads.ResumeRecord, content_type=_CLOUDEVENT
    ),
    "effect": Message(
        "Segue's own: what one profile of a person brings to another: facts, their withdrawal, an erasure. Skip it.",
        payloads.EffectRecord,
        _SUBJECT,
        content_type=_CLOUDEVENT,
    ),
    "deadLetter": Message(
        "A refused record, unchanged.", _ANYTHING, _ANYTHING, headers.DeadLetterHeaders, "application/octet-stream"
    ),
    "deadLetterPointer": Message(
        "A refused record that was too large: its place in the input.",
        payloads.DeadLetterPointer,
        _ANYTHING,
        headers.DeadLetterHeaders,
    ),
    "segmentEntered": _changed("entered"),
    "segmentExited": _changed("left"),
    "standingMembership": Message(
        "The profile is in the segment; the value is the value of its entry.",
        payloads.MembershipChange,
        _CURRENT_KEY,
        headers.ChangeHeaders,
    ),
    "membershipEnded": Message(
        "The profile is no longer in the segment.", _NULL, _CURRENT_KEY, headers.TombstoneHeaders
    ),
    "membershipMoved": Message(
        "The segment's changes go to other topics from now on. The profile may still be in the segment.",
        _NULL,
        _CURRENT_KEY,
        headers.NoHeaders,
    ),
    "activated": Message(
        "The channel may contact the profile.", payloads.ActivatedChange, _SUBJECT, headers.ActivationHeaders
    ),
    "deactivated": Message(
        "The channel may no longer contact the profile.",
        payloads.DeactivatedChange,
        _SUBJECT,
        headers.ActivationHeaders,
    ),
    "active": Message(
        "The channel may contact the profile now; the value is the value of its activation.",
        payloads.ActivatedChange,
        _ACTIVE_KEY,
        headers.ActivationHeaders,
    ),
    "activationEnded": Message(
        "The channel may no longer contact the profile.", _NULL, _ACTIVE_KEY, headers.ActivationTombstoneHeaders
    ),
    "undelivered": Message(
        "A change that the channel's platform refused for good, as published.",
        _ANYTHING,
        _ANYTHING,
        headers.UndeliveredHeaders,
        "application/octet-stream",
    ),
    "undeliveredPointer": Message(
        "A refused change that was too large: its place in the channel's topic.",
        payloads.DeadLetterPointer,
        _ANYTHING,
        headers.UndeliveredHeaders,
    ),
    "progress": Message(
        "The input offset up to which the changes of the partition are published.",
        Progress,
        {"const": PROGRESS_KEY.decode()},
    ),
    "claim": Message(
        "A worker claims the partition.", Claim, {"type": "string", "description": "The name of its ring."}
    ),
    "claimEnded": Message("A claim is over.", _NULL, {"type": "string", "description": "The name of its ring."}),
    "fill": Message(
        "How far the history of a cut is filled in, in the partition.",
        Fill,
        {"type": "string", "description": "The id of the cut's own record."},
    ),
    "erasureAsked": Message("`segue erase` sends the event of an erasure.", ErasureAsked, _ERASURE_KEY),
    "erasureTold": Message(
        "An erasure is carried out, and its changes tell these channels.", ErasureTold, _ERASURE_KEY
    ),
    "deletionReceipt": Message("What a channel's platform answered to an erasure.", DeletionReceipt, _ERASURE_KEY),
    "catalogue": Message("A catalogue.", payloads.StoredCatalogue, {"type": "string", "description": "Its hash."}),
    "catalogueApplied": Message(
        "One apply. Compaction keeps every one.",
        payloads.CatalogueApplied,
        {"type": "string", "description": "`applied/<instant>/<hash>`."},
    ),
}

_CHANGES: Final = ("segmentEntered", "segmentExited")
_STANDING: Final = ("standingMembership", "membershipEnded", "membershipMoved")
CARRIES: Final[Mapping[Role, Sequence[str]]] = {
    "events": (
        "engagementEvent",
        "engagementEventBinary",
        "catalogueTakesEffect",
        "tick",
        "history",
        "filled",
        "effect",
        "resume",
    ),
    "dead_letters": ("deadLetter", "deadLetterPointer"),
    "membership": _CHANGES,
    "current": _STANDING,
    "restricted": _CHANGES,
    "restricted_current": _STANDING,
    "progress": ("progress",),
    "owners": ("claim", "claimEnded"),
    "catalogues": ("catalogue", "catalogueApplied"),
    "fills": ("fill",),
    "erasures": ("erasureAsked", "erasureTold", "deletionReceipt"),
    "activation": ("activated", "deactivated"),
    "activation_current": ("active", "activationEnded"),
    "activation_dead_letters": ("undelivered", "undeliveredPointer"),
}
"""What each topic carries."""
READ: Final[frozenset[Role]] = frozenset({"events"})
"""The topics that others write and Segue reads. Segue writes all others."""

_CARRIED: Final = {name for names in CARRIES.values() for name in names}
if set(CARRIES) != {*ROLES, *CHANNEL_ROLES, *DELIVERY_ROLES} or set(MESSAGES) != _CARRIED:
    raise AssertionError("every topic carries a message, and every message is carried")
