"""A shape: how a platform wants changes written, what its answers mean, and its limits."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from streams.client import Change
from streams.delivery.answers import AnswerFormat
from streams.delivery.window import ChangeKind, Limits, Parcel

ACTIVATED = "segue.activated"
DEACTIVATED = "segue.deactivated"


class Shape(AnswerFormat, Protocol):
    """One platform's shape. Bytes are a pure function of the changes: a repeated request has the same bytes."""

    @property
    def path(self) -> str:
        """The path, for an address that is a host only."""
        ...

    @property
    def deletion_path(self) -> str:
        """The path at which a platform deletes persons; "": there is no other path for it."""
        ...

    @property
    def limits(self) -> Limits:
        """What one request may hold."""
        ...

    @property
    def requests_per_s_max(self) -> float:
        """The platform's documented rate. A process sends no faster."""
        ...

    def parts(self, change: Change) -> tuple[bytes, ...]:
        """Write one change: an object for each list of the body."""
        ...

    def deletion(self, subject: str) -> tuple[bytes, ...]:
        """Write the deletion of a person. For a platform whose limits allow deletions."""
        ...

    def body(self, parcels: Sequence[Parcel]) -> bytes:
        """Write a request's body. Where the platform deletes persons, all of its changes do, or none."""
        ...

    def headers(self, parcels: Sequence[Parcel], body: bytes, wall_ms: int) -> Mapping[str, str]:
        """Make a request's headers with the credentials. Called for every attempt."""
        ...


def kind_of(change: Change) -> ChangeKind:
    """Say what a change is: an activation, a deactivation, or the end that an erasure brings."""
    if change.activated:
        return "activated"
    return "erased" if change.reason.kind == "erased" else "deactivated"


def event_name(change: Change) -> str:
    """Name the event of a change, for platforms with people and events."""
    return ACTIVATED if change.activated else DEACTIVATED


def attribute_name(change: Change) -> str:
    """Name the person's attribute that says whether it is active: `segue_<channel>_<activation>`."""
    return f"segue_{change.channel}_{change.activation}"


def event_properties(change: Change) -> dict[str, Any]:
    """List an event's properties: flat, and without nulls, which such platforms drop or refuse.

    The events behind a reason are left out: a channel need not know what happened to a person.
    """
    content = change.content
    told = {
        "id": change.id,
        "activation": change.activation,
        "activation_version": change.activation_version,
        "channel": change.channel,
        "sequence": change.sequence,
        "reason": change.reason.kind,
        "by": list(change.reason.by) or None,
        "journey": change.journey,
        "arm": change.arm,
        "content_asset": content.asset,
        "content_intent": content.intent,
        "content_depth": content.depth,
        "content_topic": content.topic,
        "content_evidence": content.evidence,
        "content_call_to_action": content.call_to_action,
        "content_claims": list(content.claims) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def at_most(asked: int | None, most: int, usual: int) -> int:
    """Return the changes that a request may hold: as asked for, at most what the platform takes."""
    return usual if asked is None else min(asked, most)


def no_headers_ms(headers: Mapping[str, str], wall_ms: int) -> int | None:
    """Read no waiting time: a platform without headers of its own."""
    return None
