"""A platform that changes are delivered to: real HTTP on loopback, strict about documented limits, seeded failures.

It shares no code with `streams.delivery`: signatures, limits and answers are written here a second time, from the same
documentation. It keeps the changes that it took, in order; `judge` compares them with the published ones.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

from aiohttp import web

SECRET: Final = "whsec_" + base64.b64encode(b"synthetic secret of the tests!!!").decode()
OLD_SECRET: Final = "whsec_" + base64.b64encode(b"synthetic secret, one before it!").decode()
API_KEY: Final = "synthetic-api-key"
SITE_ID: Final = "synthetic-site"
TOLERANCE_S: Final = 300
HANG_S: Final = 30.0

Action = Literal[
    "take",
    "429",
    "429 seconds",
    "429 date",
    "429 reset",
    "500",
    "503",
    "hang",
    "reset",
    "take, then 500",
    "take, then hang",
    "take, then reset",
    "take, then half an answer",
]
FAILURES: Final[tuple[Action, ...]] = (
    "429",
    "429 seconds",
    "429 date",
    "429 reset",
    "500",
    "503",
    "hang",
    "reset",
    "take, then 500",
    "take, then hang",
    "take, then reset",
    "take, then half an answer",
)


@dataclass(frozen=True)
class Told:
    """One change as a platform understood it."""

    id: str
    profile: str
    activation: str
    activated: bool
    sequence: int
    payload: str = field(repr=False)


@dataclass(frozen=True)
class Answered:
    """The platform's answer to a request, and the changes that it takes."""

    status: int
    taken: Sequence[Told] = ()
    body: Any = None
    deleted: Sequence[str] = ()
    """The persons that the request deletes. One who is not known counts as deleted, too."""


class Unacceptable(Exception):
    """The request breaks a documented rule."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass
class Platform:
    """One platform: its shape, its planned failures, and the requests that it got."""

    shape: str
    plan: Callable[[int], Action] = lambda _: "take"
    refuses: Callable[[Told], bool] = lambda _: False
    changes_max: int = 100
    body_bytes_max: int = 1_000_000
    delay_s: float = 0.0
    """Failures before the platform takes anything."""
    says: int | None = None
    """Answer every request with this status, whatever it is."""
    secrets: tuple[str, ...] = (SECRET,)
    taken: list[Told] = field(default_factory=list)
    """The changes that it took: in order, with duplicates."""
    people: set[str] = field(default_factory=set)
    """Whom it knows: a change creates its person, a deletion removes them."""
    deletions: list[list[str]] = field(default_factory=list)
    """The persons of each request to delete some."""
    refuses_to_delete: Callable[[str], bool] = lambda _: False
    requests: list[tuple[Action, list[Told]]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """`webhook-id` of each request."""
    broken: list[str] = field(default_factory=list)
    """Rules that requests broke."""
    arrived_s: list[float] = field(default_factory=list)
    at_once: int = 0
    at_once_most: int = 0
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        number = len(self.arrived_s)
        self.arrived_s.append(time.monotonic())
        action = self.plan(number)
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            return await self._handle(request, action)
        finally:
            self.at_once -= 1

    async def _handle(self, request: web.Request, action: Action) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        if action == "reset":
            await request.content.read(64)
            transport.abort()
            return web.Response(status=500)
        body = await request.read()
        await asyncio.sleep(self.delay_s)
        if self.says is not None:
            return web.json_response({"message": "no"}, status=self.says)
        if not action.startswith("take"):
            self.requests.append((action, []))
            if action == "hang":
                await asyncio.sleep(HANG_S)
            return _failing(action)
        try:
            answered = READERS[self.shape](self, request, body)
        except Unacceptable as wrong:
            self.broken.append(f"{wrong.status} {wrong.why}")
            return web.json_response({"message": wrong.why}, status=wrong.status)
        self.requests.append((action, list(answered.taken)))
        self.taken += answered.taken
        self.people |= {each.profile for each in answered.taken}
        if answered.deleted:
            self.people -= set(answered.deleted)
            self.deletions.append(list(answered.deleted))
        if action == "take, then hang":
            await asyncio.sleep(HANG_S)
        if action == "take, then 500":
            return web.json_response({"message": "oops"}, status=500)
        if action == "take, then reset":
            transport.abort()
        if action == "take, then half an answer":
            response = web.StreamResponse(status=answered.status, headers={"content-length": "100"})
            await response.prepare(request)
            await response.write(b'{"message":')
            transport.abort()
            return response
        named = {"X-Request-Id": f"req-{len(self.requests)}"}
        return web.json_response(answered.body or {"message": "success"}, status=answered.status, headers=named)


def _failing(action: Action) -> web.Response:
    if action == "429 seconds":
        return web.Response(status=429, headers={"Retry-After": "1"})
    if action == "429 date":
        return web.Response(status=429, headers={"Retry-After": format_datetime(datetime.now(UTC), usegmt=True)})
    if action == "429 reset":
        return web.Response(status=429, headers={"X-RateLimit-Reset": str(int(time.time()) + 1)})
    return web.Response(status=int(action[:3]) if action[:3].isdecimal() else 500, text="<html>not JSON</html>")


# -- what each platform looks at


def _standard(platform: Platform, request: web.Request, body: bytes) -> Answered:
    id_, at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", id_) or not at.isdecimal():
        raise Unacceptable(400, "headers of Standard Webhooks are missing")
    if abs(int(at) - time.time()) > TOLERANCE_S:
        raise Unacceptable(400, "the timestamp is too old or too new")
    expected = {
        "v1,"
        + base64.b64encode(
            hmac.new(
                base64.b64decode(secret.removeprefix("whsec_")), f"{id_}.{at}.".encode() + body, hashlib.sha256
            ).digest()
        ).decode()
        for secret in platform.secrets
    }
    if not expected & set(request.headers.get("webhook-signature", "").split(" ")):
        raise Unacceptable(401, "no signature is right")
    if len(body) > platform.body_bytes_max:
        raise Unacceptable(413, "the body is too large")
    value = json.loads(body)
    if value["type"] != "activation.changes" or not value["timestamp"].endswith("Z"):
        raise Unacceptable(400, "no payload of Standard Webhooks")
    changes = value["data"]["changes"]
    if not 1 <= len(changes) <= platform.changes_max:
        raise Unacceptable(413, "too many changes")
    platform.ids.append(id_)
    told = [
        Told(
            each["id"],
            each["profile"],
            each["activation"],
            each["change"] == "activated",
            each["sequence"],
            json.dumps(each),
        )
        for each in changes
    ]
    if any(map(platform.refuses, told)):
        return Answered(422)
    return Answered(200, told)


def _braze(platform: Platform, request: web.Request, body: bytes) -> Answered:
    if request.path not in ("/users/track", "/users/delete"):
        raise Unacceptable(404, "no such path")
    if request.headers.get("Authorization") != f"Bearer {API_KEY}":
        raise Unacceptable(401, "Invalid API Key")
    if len(body) > platform.body_bytes_max:
        raise Unacceptable(413, "the body is too large")
    value = json.loads(body)
    if request.path == "/users/delete":
        return _braze_deletes(platform, value)
    attributes, events = value.get("attributes", []), value.get("events", [])
    if set(value) - {"attributes", "events"} or len(attributes) + len(events) > platform.changes_max:
        raise Unacceptable(400, "Max Input Length Exceeded")
    if len(attributes) != len(events):
        raise Unacceptable(400, "an attribute for each event was expected")
    told = []
    for attribute, event in zip(attributes, events, strict=True):
        properties = event["properties"]
        if None in properties.values() or any(name.startswith("$") for name in properties):
            raise Unacceptable(400, "properties are wrong")
        if any(isinstance(each, str) and len(each) > 255 for each in properties.values()):
            raise Unacceptable(400, "a property is too long")
        if datetime.fromisoformat(event["time"]).tzinfo is None or event["external_id"] != attribute["external_id"]:
            raise Unacceptable(400, "an event is wrong")
        [(name, activated)] = [(name, each) for name, each in attribute.items() if name != "external_id"]
        if name != f"segue_{properties['channel']}_{properties['activation']}":
            raise Unacceptable(400, "an attribute is wrong")
        if event["name"] != ("segue.activated" if activated else "segue.deactivated"):
            raise Unacceptable(400, "attribute and event contradict each other")
        told.append(
            Told(
                properties["id"],
                event["external_id"],
                properties["activation"],
                activated,
                properties["sequence"],
                json.dumps(event),
            )
        )
    bad = [place for place, each in enumerate(told) if platform.refuses(each)]
    errors = [{"type": "'time' is not valid", "input_array": "events", "index": place} for place in bad]
    if bad and len(bad) == len(told):
        return Answered(400, (), {"message": "Valid data must be provided", "errors": errors})
    taken = [each for place, each in enumerate(told) if place not in bad]
    return Answered(201, taken, {"message": "success", **({"errors": errors} if errors else {})})


def _braze_deletes(platform: Platform, value: Any) -> Answered:
    ids = value["external_ids"]
    if set(value) != {"external_ids"} or not 1 <= len(ids) <= 50 or len(set(ids)) != len(ids):
        raise Unacceptable(400, "only 1 to 50 external_ids can be deleted")
    bad = [place for place, each in enumerate(ids) if platform.refuses_to_delete(each)]
    errors = [{"type": "invalid", "input_array": "external_ids", "index": place} for place in bad]
    if bad and len(bad) == len(ids):
        return Answered(400, (), {"message": "Valid data must be provided", "errors": errors})
    gone = [each for place, each in enumerate(ids) if place not in bad]
    told = {"deleted": len(platform.people & set(gone)), "message": "success"}
    return Answered(201, (), {**told, **({"errors": errors} if errors else {})}, gone)


def _customerio(platform: Platform, request: web.Request, body: bytes) -> Answered:
    if request.path != "/api/v2/batch":
        raise Unacceptable(404, "no such path")
    credentials = base64.b64encode(f"{SITE_ID}:{API_KEY}".encode()).decode()
    if request.headers.get("Authorization") != f"Basic {credentials}":
        raise Unacceptable(401, "Unauthorized request")
    if len(body) >= platform.body_bytes_max:
        raise Unacceptable(413, "request too large")
    items = json.loads(body)["batch"]
    if any(len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode()) > 32_000 for item in items):
        raise Unacceptable(400, "an item is too large")
    if items and items[0]["action"] == "delete":
        return _customerio_deletes(platform, items)
    told = []
    for identify, event in zip(items[::2], items[1::2], strict=True):
        if (identify["type"], identify["action"], event["action"]) != ("person", "identify", "event"):
            raise Unacceptable(400, "an item is wrong")
        if identify["identifiers"] != event["identifiers"] or not re.fullmatch(
            "[0-7][0-9A-HJKMNP-TV-Z]{25}", event["id"]
        ):
            raise Unacceptable(400, "an item's identifier is wrong")
        attributes = event["attributes"]
        [(name, activated)] = identify["attributes"].items()
        if name != f"segue_{attributes['channel']}_{attributes['activation']}":
            raise Unacceptable(400, "an attribute is wrong")
        told.append(
            Told(
                attributes["id"],
                event["identifiers"]["id"],
                attributes["activation"],
                activated and event["name"] == "segue.activated",
                attributes["sequence"],
                json.dumps(event),
            )
        )
    bad = [place for place, each in enumerate(told) if platform.refuses(each)]
    errors = [
        {"batch_index": 2 * place + 1, "reason": "invalid", "field": "name", "message": "event name is invalid"}
        for place in bad
    ]
    taken = [each for place, each in enumerate(told) if place not in bad]
    return Answered(207 if errors else 200, taken, {"errors": errors} if errors else {})


def _customerio_deletes(platform: Platform, items: Sequence[Any]) -> Answered:
    ids = [item["identifiers"]["id"] for item in items]
    if any(
        item != {"type": "person", "identifiers": {"id": id_}, "action": "delete"}
        for item, id_ in zip(items, ids, strict=True)
    ):
        raise Unacceptable(400, "a deletion stands with something else")
    bad = [place for place, each in enumerate(ids) if platform.refuses_to_delete(each)]
    errors = [{"batch_index": place, "reason": "invalid", "field": "identifiers", "message": "no"} for place in bad]
    gone = [each for place, each in enumerate(ids) if place not in bad]
    return Answered(207 if errors else 200, (), {"errors": errors} if errors else {}, gone)


READERS: Final[Mapping[str, Callable[[Platform, web.Request, bytes], Answered]]] = {
    "standard": _standard,
    "braze": _braze,
    "customerio": _customerio,
}
LIMITS: Final[Mapping[str, Mapping[str, int]]] = {
    "standard": {"changes_max": 100, "body_bytes_max": 1_000_000},
    # the smallest documented limit: that of plans by monthly active users
    "braze": {"changes_max": 50, "body_bytes_max": 4_000_000},
    "customerio": {"changes_max": 1_000_000, "body_bytes_max": 500_000},
}


def failing(seed: int, share: float, actions: Sequence[Action] = FAILURES) -> Callable[[int], Action]:
    """Plan a share of the requests to fail in different ways. One seed gives one plan."""
    chance = Random(seed)
    made: list[Action] = []

    def plan(number: int) -> Action:
        while len(made) <= number:
            made.append(chance.choice(actions) if chance.random() < share else "take")
        return made[number]

    return plan


@asynccontextmanager
async def running(shape: str, certificate: Path | None = None, **settings: Any) -> AsyncIterator[Platform]:
    """Run a platform on a free port."""
    platform = Platform(shape, **{**LIMITS[shape], **settings})
    app = web.Application(client_max_size=1 << 28)
    app.router.add_route("*", "/{path:.*}", platform.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        platform.url = f"http{'s' if context else ''}://127.0.0.1:{runner.addresses[0][1]}"
        if shape == "standard":
            platform.url += "/hooks"
        yield platform
    finally:
        await runner.cleanup()


def environment(platform: Platform) -> dict[str, str]:
    """Return the settings by which changes are delivered to the platform."""
    return {
        "SEGUE_DELIVER_URL": platform.url,
        "SEGUE_DELIVER_SHAPE": platform.shape,
        "SEGUE_DELIVER_SECRETS": SECRET,
        "SEGUE_DELIVER_API_KEY": API_KEY,
        "SEGUE_DELIVER_SITE_ID": SITE_ID,
        "SEGUE_DELIVER_RETRY_FIRST_MS": "20",
        "SEGUE_DELIVER_RETRY_MOST_MS": "200",
        "SEGUE_DELIVER_TIMEOUT_MS": "700",
        "SEGUE_DELIVER_CONNECT_TIMEOUT_MS": "700",
    }


def judge(platform: Platform, published: Sequence[Told], dead: frozenset[str] = frozenset(), lives: int = 1) -> None:
    """Check that all changes came, in order, within the rules. `lives`: how many deliverers ran, one after another.

    Nothing is lost or made up; of each profile the first comings are in order, and within one life nothing earlier
    comes after something later at all; a duplicate has the same bytes; no request contradicts itself.
    """
    assert platform.broken == []
    by_id = {each.id: each for each in published}
    taken = {each.id for each in platform.taken}
    assert taken <= by_id.keys(), "made up"
    assert by_id.keys() - dead - taken == set(), "lost"
    payloads: dict[str, str] = {}
    newest: dict[str, int] = {}
    for each in platform.taken:
        known = by_id[each.id]
        assert (each.profile, each.activation, each.activated) == (known.profile, known.activation, known.activated)
        first = each.id not in payloads
        assert payloads.setdefault(each.id, each.payload) == each.payload, "a duplicate that differs"
        late = each.sequence < newest.get(each.profile, 0)
        assert not (first and late), "a change came first after a later one of its profile"
        newest[each.profile] = max(each.sequence, newest.get(each.profile, 0))
    begun: dict[str, int] = {}
    for _, told in platform.requests if lives == 1 else ():
        for profile in {each.profile for each in told}:
            earliest = min(each.sequence for each in told if each.profile == profile)
            assert earliest >= begun.get(profile, 0), "a settled change came again after a later one"
            begun[profile] = earliest
    for _, told in platform.requests:
        kinds: dict[str, bool] = {}
        seen: set[tuple[str, str]] = set()
        for each in told:
            assert kinds.setdefault(each.profile, each.activated) == each.activated, "an activation and a deactivation"
            assert (each.profile, each.activation) not in seen, "one activation twice"
            seen.add((each.profile, each.activation))
