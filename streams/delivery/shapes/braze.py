"""The shape `braze`: POST /users/track and /users/delete of Braze's REST API.

This module relies on (Braze's public documentation, as read in November 2026):
- `Authorization: Bearer KEY`, with the permission `users.track`; people by `external_id`, which is the subject here.
  braze.com/docs/api/endpoints/user_data/post_user_track
- Objects in a request: 75 events and 75 attributes on older plans, 75 together since, 50 together on plans by monthly
  active users; usually 3,000 requests in three seconds. A change is two objects, so 25 changes fit every plan;
  `SEGUE_DELIVER_CHANGES_MAX` up to 75 for plans that allow it. braze.com/docs/api/api_limits
- Attributes are processed before events; in a request a person may stand several times. Same page.
- 429 comes with `X-RateLimit-Reset`, epoch seconds. Same page.
- 201 with `errors`, or 400 with them: `{"type", "input_array": "events" | "attributes", "index"}` names what is wrong;
  with 201 all the rest was processed, with 400 nothing. 5xx is to be tried again with back-off.
  braze.com/docs/api/errors
- "Duplicate" events are separate events to Braze: it knows no idempotency key. braze.com/docs/…/post_user_track, FAQ
- POST /users/delete takes up to 50 `external_ids` and nothing else; 20,000 requests a minute. The key wants the
  permission `users.delete`. Success means that the deletion is queued: usually done within a second, everywhere within
  five minutes. The page names no error for a person who is not known, so a repeated deletion counts as done.
  braze.com/docs/api/endpoints/user_data/post_user_delete

A person who was erased (reason `erased`) is deleted, in a request of its own. An attribute or an event would create the
person anew.

Any other change is an attribute and an event. The attribute `segue_<channel>_<activation>`, true or false, is what to
segment by and to check before a send: setting it twice is setting it. The event `segue.activated` or
`segue.deactivated` is what starts and ends a Canvas, and carries content, reason and the change's id (property `id`),
by which a receiver recognises a duplicate: the event comes at least once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from streams.client import Change
from streams.delivery.answers import indexes
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes.base import at_most, attribute_name, event_name, event_properties, kind_of
from streams.delivery.window import Limits, Parcel

CHANGES_USUAL: Final = 25
CHANGES_MOST: Final = 75
DELETIONS_MOST: Final = 50
BODY_BYTES_MAX: Final = 1_000_000
"""Not documented; 25 changes take about 25 kB."""
EVENT_BYTES_MAX: Final = 50_000
"""Braze allows 50 KB of properties; the whole object stays below that."""


class Braze:
    """See Shape."""

    path: Final = "/users/track"
    deletion_path: Final = "/users/delete"
    requests_per_s_max: Final = 1_000.0

    def __init__(self, settings: DeliverySettings) -> None:
        self._key: Final = settings.api_key.get_secret_value()
        if not self._key:
            raise ValueError(
                "SEGUE_DELIVER_API_KEY is not set: a REST API key of Braze with users.track and users.delete"
            )
        path = urlsplit(settings.url).path.rstrip("/")
        if path and not path.endswith(self.path):
            raise ValueError(
                "SEGUE_DELIVER_URL: for Braze it is a host alone, or ends with /users/track; persons who were erased"
                " are deleted at /users/delete beside it"
            )
        changes_max = at_most(settings.changes_max, CHANGES_MOST, CHANGES_USUAL)
        body_bytes_max = min(settings.body_bytes_max or BODY_BYTES_MAX, BODY_BYTES_MAX)
        self.limits: Final = Limits(changes_max, body_bytes_max, EVENT_BYTES_MAX, 64, DELETIONS_MOST)

    def parts(self, change: Change) -> tuple[bytes, ...]:
        """See Shape: the attribute and the event, or the id of whom to delete."""
        if kind_of(change) == "erased":
            return self.deletion(change.subject)
        attribute = {"external_id": change.subject, attribute_name(change): change.activated}
        event = {
            "external_id": change.subject,
            "name": event_name(change),
            "time": change.effective_at.isoformat(timespec="milliseconds"),
            "properties": event_properties(change),
        }
        return orjson.dumps(attribute), orjson.dumps(event)

    def deletion(self, subject: str) -> tuple[bytes, ...]:
        """See Shape."""
        return (orjson.dumps(subject),)

    def body(self, parcels: Sequence[Parcel]) -> bytes:
        """See Shape."""
        if parcels[0].erases:
            return b'{"external_ids":[' + b",".join(parcel.parts[0] for parcel in parcels) + b"]}"
        attributes, events = (b",".join(parts) for parts in zip(*(each.parts for each in parcels), strict=True))
        return b'{"attributes":[' + attributes + b'],"events":[' + events + b"]}"

    def headers(self, parcels: Sequence[Parcel], body: bytes, wall_ms: int) -> Mapping[str, str]:
        """See Shape."""
        return {"authorization": f"Bearer {self._key}"}

    def named(self, body: Any, *, deletes: bool = False) -> frozenset[int]:
        """See AnswerFormat: in each list an error's index is the index of the change."""
        lists = ("external_ids",) if deletes else ("attributes", "events")
        errors = body.get("errors") if isinstance(body, dict) else None
        return indexes(errors, lambda error: error.get("index") if error.get("input_array") in lists else None)

    def wait_ms(self, headers: Mapping[str, str], wall_ms: int) -> int | None:
        """See AnswerFormat."""
        reset = headers.get("x-ratelimit-reset", "").strip()
        if not (reset.isascii() and reset.isdecimal()):
            return None
        return max(0, int(reset[:12]) * 1000 - wall_ms)
