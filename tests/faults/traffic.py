"""Seeded events for a run: who, what and when; bad, repeated and late ones. Only the log knows what was sent."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.faults.model import EXPECTED_HEADER, instant

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True)
class Mix:
    """The mix of a run's events. Shares are of all events."""

    people: int = 150
    per_second: int = 250
    bad: float = 0.0
    repeated: float = 0.0
    reordered: float = 0.0
    """Share of events up to an hour late."""
    late: float = 0.0
    """Share of events up to seven days late."""
    hot: float = 0.0
    """Share of events on one profile."""
    skew_ms: int = 0
    """How far a producer's clock may be off, in both directions; more than five minutes ahead is bad input."""
    links: float = 0.0
    """Share of events that link a subject, or take its link back."""
    erasures: float = 0.0
    """Share of events that erase a subject."""
    crossing: float = 0.0
    """Share of links that cross: the other subject is linked back at the same moment."""
    person: int = 5
    """Subjects among which links lead, so that chains, rings and crossing links come about."""


def _poison(rng: random.Random, subject: str, number: int) -> tuple[str, bytes | None, bytes]:
    """Make a bad record; return (its reason code, key, value)."""
    key = subject.encode()

    def event(**more: Any) -> dict[str, Any]:
        base = {"specversion": "1.0", "id": f"bad-{number}", "source": "/bad", "type": "portal.login"}
        return {**base, "subject": subject, "time": instant(_now_ms()), "data": {}, **more}

    def text(**more: Any) -> bytes:
        return json.dumps(event(**more)).encode()

    nan = text(type="note.added", data={"share": 0.5}).replace(b"0.5", b"NaN")
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    kinds: list[tuple[str, bytes | None, bytes]] = [
        ("not_json", key, b'{"specversion": "1.0", "id": '),
        ("not_json", key, b"\xff\xfe" + text()),
        ("not_json", key, nan),
        ("too_deep", key, text(data={"more": deep})),
        ("too_large", key, text(data={"filler": "x" * 270_000})),
        ("not_cloudevent", key, text(specversion="2.0")),
        ("not_cloudevent", key, json.dumps([event()]).encode()),
        ("bad_subject", key, text(subject="nobody")),
        ("undeclared_type", key, text(type="portal.unknown")),
        ("bad_time", key, text(time="yesterday")),
        ("ahead", key, text(time=instant(_now_ms() + HOUR_MS))),
        ("wrong_type", key, text(type="note.added", data={"size": "large"})),
        ("bad_number", key, text(type="note.added", data={"size": 2**60})),
        ("wrong_key", b"hcp:another", text()),
    ]
    return rng.choice(kinds)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _granted(rng: random.Random) -> dict[str, Any]:
    return {"channel": rng.choice(["email", "sms", "all"]), "purpose": rng.choice(["promotional", "service", "all"])}


def granted_until(rng: random.Random, now_ms: int) -> dict[str, Any]:
    """Make a grant; some end by themselves, soon, late, or have ended already."""
    data = _granted(rng)
    if rng.random() < 0.4:
        data["until"] = instant(now_ms + rng.choice([-1_000, 1, 800, 3_000, 9_000, 3_600_000]))
    return data


def _withdrawn(rng: random.Random) -> dict[str, Any]:
    return rng.choice([{}, {"channel": "email"}, {"channel": "sms", "purpose": "service"}, {"purpose": "promotional"}])


def _sent(rng: random.Random) -> dict[str, Any]:
    return {"channel": rng.choice(["email", "email", "sms"]), "journey": rng.choice(["access", "learning"])}


def _replied(rng: random.Random) -> dict[str, Any]:
    return {"channel": rng.choice(["email", "sms"]), "text": rng.choice([" Stop ", "thank you", "optout"])}


CONTACTS: Final[Mapping[str, Callable[[random.Random], dict[str, Any]]]] = {
    "consent.granted": _granted,
    "consent.withdrawn": _withdrawn,
    "message.sent": _sent,
    "message.replied": _replied,
}
"""Built-in event types that only activations depend on, with their data."""
TYPES: Final = {
    "portal.login": 16,
    "portal.left": 2,
    "note.added": 2,
    "consent.granted": 3,
    "consent.withdrawn": 0.5,
    "message.sent": 2,
    "message.replied": 0.5,
}
"""The shares of the types."""


@dataclass
class Traffic:
    """Sends events to one topic, a number of them or until it is stopped."""

    bootstrap: str
    topic: str
    rng: random.Random
    mix: Mix = field(default_factory=Mix)
    sent: int = 0
    on_sent: Callable[[int], None] = lambda _: None
    _last: list[tuple[bytes, bytes]] = field(default_factory=list)
    _linked: dict[str, str] = field(default_factory=dict)
    _next: list[tuple[str, str]] = field(default_factory=list)
    """Links that come next: (subject, canonical)."""
    _stopping: bool = False

    async def run(self, count: int | None = None) -> None:
        """Send `count` events, or until `stop`. Return when all are acknowledged."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=262_144
        )
        await producer.start()
        self._stopping = False
        until = None if count is None else self.sent + count
        started_s, first = time.monotonic(), self.sent
        try:
            while not self._stopping and (until is None or self.sent < until):
                some = [self._record() for _ in range(10 if until is None else min(10, until - self.sent))]
                await self._send(producer, some)
                self.sent += len(some)
                self.on_sent(self.sent)
                await asyncio.sleep(max(0.0, started_s + (self.sent - first) / self.mix.per_second - time.monotonic()))
        finally:
            await producer.stop()

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping = True

    async def _send(
        self, producer: AIOKafkaProducer, records: list[tuple[bytes | None, bytes, Mapping[str, bytes]]]
    ) -> None:
        """Send until every event is acknowledged. An event that may be in the log is sent again: a redelivery."""
        waiting = records
        while waiting:
            deliveries = [
                await producer.send(self.topic, value, key=key, headers=list(headers.items()))
                for key, value, headers in waiting
            ]
            answers = await asyncio.gather(*deliveries, return_exceptions=True)
            failed = [isinstance(answer, BaseException) for answer in answers]
            for answer in answers:
                if isinstance(answer, BaseException) and not isinstance(answer, KafkaError):
                    raise answer
            waiting = [record for record, again in zip(waiting, failed, strict=True) if again]

    def _record(self) -> tuple[bytes | None, bytes, Mapping[str, bytes]]:
        rng, mix, number = self.rng, self.mix, self.sent + self.rng.randrange(1 << 40)
        if self._next:
            subject, canonical = self._next.pop()
            return self._event(subject, number, "identity.linked", {"canonical": canonical}, _now_ms(), {})
        hot = rng.random() < mix.hot
        number_of = rng.randrange(mix.people)
        if mix.links and number_of % mix.person == 0 and rng.random() < 0.7:
            # the first of each person is told of little, so it takes over what it is not in itself
            number_of += 1
        subject = "hcp:hot" if hot else name_of(number_of) if mix.links else f"hcp:{number_of}"
        if rng.random() < mix.bad:
            code, key, value = _poison(rng, subject, number)
            return key, value, {EXPECTED_HEADER: code.encode()}
        if self._last and rng.random() < mix.repeated:
            key, value = rng.choice(self._last)
            return key, value, {}
        now_ms = _now_ms()
        time_ms = now_ms
        if rng.random() < mix.reordered:
            time_ms -= rng.randrange(HOUR_MS)
        elif rng.random() < mix.late:
            time_ms -= rng.randrange(7 * DAY_MS)
        headers: dict[str, bytes] = {}
        if mix.skew_ms and rng.random() < 0.3:
            time_ms += rng.choice([-1, 1]) * mix.skew_ms
            # no event is near the limit of five minutes
            headers = {EXPECTED_HEADER: b"ahead" if time_ms > now_ms + 300_000 else b""}
        type_, data = self._told(subject, now_ms)
        return self._event(subject, number, type_, data, time_ms, headers)

    def _event(
        self, subject: str, number: int, type_: str, data: dict[str, Any], time_ms: int, headers: Mapping[str, bytes]
    ) -> tuple[bytes, bytes, Mapping[str, bytes]]:
        event = {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": "/test",
            "type": type_,
            "subject": subject,
            "time": instant(time_ms),
            "data": data,
        }
        key, value = subject.encode(), json.dumps(event).encode()
        if not headers:
            self._last.append((key, value))
            del self._last[:-500]
        return key, value, headers

    def _told(self, subject: str, now_ms: int) -> tuple[str, dict[str, Any]]:
        """Choose (type, data) of an event."""
        rng, mix = self.rng, self.mix
        if mix.links and (chance := rng.random()) < mix.links + mix.erasures:
            return self._link(subject) if chance < mix.links else ("privacy.erased", {})
        type_ = rng.choices(list(TYPES), list(TYPES.values()))[0]
        data: dict[str, Any] = {"size": rng.randrange(9)} if type_ == "note.added" else {}
        if type_ == "consent.granted":
            data = granted_until(rng, now_ms)
        elif type_ in CONTACTS:
            data = CONTACTS[type_](rng)
        if type_ == "portal.login" and rng.random() < 0.4:
            data = {"tier": rng.choice(["gold", "silver", ""])}
        return type_, data

    def _link(self, subject: str) -> tuple[str, dict[str, Any]]:
        """Link a subject to another of its person, or take its link back."""
        if subject in self._linked and self.rng.random() < 0.6:
            del self._linked[subject]
            return "identity.unlinked", {}
        number, size = int(subject.partition(":")[2]), self.mix.person
        first = number - number % size
        near = [name_of(one) for one in range(first, first + size) if one != number]
        other = near[0] if self.rng.random() < 0.4 else self.rng.choice(near)
        self._linked[subject] = other
        if self.mix.crossing and self.rng.random() < self.mix.crossing:
            self._linked[other] = subject
            self._next.append((other, subject))
        return "identity.linked", {"canonical": other}


def name_of(number: int) -> str:
    """Name a subject. One in five is no HCP, so no activation admits it."""
    return f"{'crm' if number % 5 == 4 else 'hcp'}:{number}"
