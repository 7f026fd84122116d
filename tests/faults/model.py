"""What the input of one partition must give: a second reading of docs/language.md, for the rules of the fault runs.

Shares nothing with `rules` and `streams`. Records go in (offset, timestamp, key, value, headers); changes and dead
letters come out, to the byte and in the canonical order. It knows five kinds of segments, each with one leaf: everyone;
a count of logins, in a window or ever; no login for a time; a trait; and having left, for a limited stay. `contact`
decides the activations. A record that must be refused names its reason in a header: `traffic` knew it. A history that
is filled in brings what the model knows anyway: it waits for the end of the fill.
"""

import heapq
import json
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, Protocol

from tests.faults.catalogues import BASE, LAST, OFTEN, SECOND, THIRD, VISITS, Rules, Segment
from tests.faults.contact import Contact, Move, arm_of, cap_ends, content_of, decide, reason_of

__all__ = [
    "BASE",
    "EXPECTED_HEADER",
    "LAST",
    "OFTEN",
    "SECOND",
    "THIRD",
    "VISITS",
    "Change",
    "Partition",
    "Rules",
    "instant",
    "milliseconds",
]

EXPECTED_HEADER: Final = "x-expected"
"""The header with the reason code of a record that must be refused; an empty value: it must be taken."""
WAKES_MAX: Final = 1_000
HISTORIC: Final = frozenset({"logins", "quiet", "left"})
"""The kinds that look at history."""
DIGEST_START: Final = "0" * 32
Identity = tuple[int, str, str]


class Fetched(Protocol):
    """A record from a consumer."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def milliseconds(text: str) -> int:
    """Return an RFC 3339 instant in ms, floored."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1_000 + delta.microseconds // 1_000


def instant(ms: int) -> str:
    """Return an instant as text with three decimals."""
    return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1_000:03d}Z"


@dataclass
class Profile:
    """What is known of one subject."""

    subject: str
    rules: Rules
    seen: set[Identity] = field(default_factory=set)
    logins: list[int] = field(default_factory=list)
    """The latest times, ascending; as many as any rule needs."""
    login_count: int = 0
    first_ms: int = 1 << 62
    greatest_ms: int = -(1 << 62)
    tier: tuple[Identity, str | None] | None = None
    left: bool = False
    """Whether a portal.left counts: it is later than the last exit."""
    left_mark_ms: int | None = None
    since: dict[str, int] = field(default_factory=dict)
    sequence: int = 0
    due_ms: int | None = None
    visit_ms: int | None = None
    """The instant of a cut, or of the end of a fill, that has not visited the profile yet."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Segments whose rule came in at a cut (its instant), and whose history is not filled in: they have no verdict."""
    contact: Contact = field(default_factory=Contact)

    def fold(self, event: Mapping[str, Any], identity: Identity) -> None:
        """Take an event in."""
        self.seen.add(identity)
        self.contact.fold(event["type"], event.get("data") or {}, identity[0])
        time_ms = identity[0]
        self.first_ms, self.greatest_ms = min(self.first_ms, time_ms), max(self.greatest_ms, time_ms)
        if event["type"] == "portal.login":
            self.login_count += 1
            insort(self.logins, time_ms)
            del self.logins[:-8]
            data = event.get("data")
            if isinstance(data, dict) and "tier" in data and (self.tier is None or identity > self.tier[0]):
                self.tier = (identity, data["tier"] or None)
        if event["type"] == "portal.left" and (self.left_mark_ms is None or time_ms >= self.left_mark_ms):
            self.left = True

    def holds(self, one: Segment, t_ms: int) -> bool:
        """Return whether a segment's entry rule holds."""
        match one.kind:
            case "everyone":
                return True
            case "logins" if not one.length_ms:
                return self.login_count >= one.count
            case "logins":
                return len(self.logins) >= one.count and self.logins[-one.count] > t_ms - one.length_ms
            case "quiet":
                last_ms = self.logins[-1] if self.logins else -(1 << 62)
                return max(self.first_ms, last_ms) <= t_ms - one.length_ms
            case "tier":
                return self.tier is not None and self.tier[1] == one.value
            case "left":
                return self.left
        raise AssertionError(one.kind)

    def next_due(self, t_ms: int) -> int | None:
        """Return the first instant after t at which a verdict may change without an event."""
        found = list(cap_ends(self.contact, self.rules))
        for one in self.rules.segments:
            if one.kind == "logins" and one.length_ms and len(self.logins) >= one.count:
                found.append(self.logins[-one.count] + one.length_ms)
            elif one.kind == "quiet":
                found.append(max([self.first_ms, *self.logins[-1:]]) + one.length_ms)
            elif one.kind == "left" and one.id in self.since:
                found.append(self.since[one.id] + one.length_ms)
        return min((due for due in found if due > t_ms), default=None)


@dataclass(frozen=True)
class Change:
    """An expected change."""

    channel: str
    """The channel of an activation; "": a membership change."""
    subject: str
    name: str
    """The name of the segment or the activation."""
    stands: bool
    """Entered, or activated."""
    value: bytes
    upto: int
    """The offset after the record that caused it or passed its wake."""


def rolled(digest: str, value: bytes) -> str:
    """Return the digest after one more change."""
    return blake2b(bytes.fromhex(digest) + value, digest_size=16).hexdigest()


class Partition:
    """One input partition, record after record; `changes` and `refused` grow."""

    def __init__(self, catalogues: Sequence[Rules], generation: str = "g1") -> None:
        """`catalogues`: in the order of their application; every cut record takes the next one."""
        self.generation = generation
        self.catalogues = catalogues
        self.cuts: list[int] = []
        self.rules: Rules | None = None
        self.before: Rules | None = None
        self.introduced: dict[int, set[str]] = {}
        """By the instant of a cut: the segments whose rules came in there without their history."""
        self.filled: set[int] = set()
        """The instants of the cuts whose history is filled in."""
        self.filling: int | None = None
        """The instant of the cut whose fill the visits under way end; None: they are for a catalogue."""
        self.clock_ms = -1
        self.profiles: dict[str, Profile] = {}
        self.queue: list[tuple[int, str]] = []
        self.changes: list[Change] = []
        self._upto = 0
        self.digest = DIGEST_START
        self.digests: dict[int, str] = {}
        """The digest of all changes before an offset, by offset."""
        self.refused: list[tuple[int, str]] = []
        self.events = 0

    def apply(self, record: Fetched) -> None:
        """Apply the next record."""
        before, self._upto = len(self.changes), record.offset + 1
        self._apply(record)
        for change in self.changes[before:]:
            self.digest = rolled(self.digest, change.value)
        self.digests[self._upto] = self.digest

    def of(self, channel: str = "") -> list[bytes]:
        """Return the changes of one channel, or of the memberships, in order."""
        return [change.value for change in self.changes if change.channel == channel]

    def _apply(self, record: Fetched) -> None:
        self.clock_ms = r_ms = max(self.clock_ms, record.timestamp)
        published = 0
        while published < WAKES_MAX:
            due = self._first_due()
            if due is None or due[0] >= r_ms:
                break
            published += self._wake(self.profiles[due[1]], due[0])
        headers = dict(record.headers)
        if EXPECTED_HEADER in headers:
            code = headers[EXPECTED_HEADER].decode()
            if code:
                self.refused.append((record.offset, code))
                return
        event = json.loads(record.value or b"")
        if event["type"] == "segue.catalogue":
            self._cut(r_ms)
        elif event["type"] == "segue.history":
            self._history(event, r_ms)
        elif event["type"] == "segue.filled":
            self._filled(event["data"]["cut"], r_ms)
        elif not event["type"].startswith("segue."):
            self._event(event, r_ms)

    def next_due(self) -> int | None:
        """Return the instant of the next wake."""
        found = self._first_due()
        return None if found is None else found[0]

    def members(self) -> dict[str, set[str]]:
        """Return the standing memberships."""
        found: dict[str, set[str]] = {}
        for profile in self.profiles.values():
            for segment in profile.since:
                found.setdefault(segment, set()).add(profile.subject)
        return found

    # -- inside

    def _event(self, event: Mapping[str, object], r_ms: int) -> None:
        subject, rules = str(event["subject"]), self.rules
        if rules is None:
            return
        self.events += 1
        identity = (milliseconds(str(event["time"])), str(event["source"]), str(event["id"]))
        profile = self.profiles.get(subject)
        if profile is None:
            profile = self.profiles[subject] = Profile(subject, rules)
        self._bring_up(profile, r_ms)
        if identity in profile.seen:
            return
        profile.fold(event, identity)
        self._evaluate(profile, r_ms, [f"{event['source']} {event['id']}"])
        self._sleep(profile, r_ms)

    def _bring_up(self, profile: Profile, r_ms: int) -> None:
        while (due := self._own_due(profile)) is not None and (due < r_ms or profile.visit_ms is not None):
            self._wake(profile, due)

    def _history(self, event: Mapping[str, Any], r_ms: int) -> None:
        """Bring the past of a profile. The model knows it anyway, and waits for the end of the fill.

        It evaluates nothing: a wake that is due at R is still to come.
        """
        profile = self.profiles.get(str(event["subject"]))
        if profile is not None and event["data"]["cut"] in self.cuts:
            self._bring_up(profile, r_ms)

    def _filled(self, cut_ms: int, t_ms: int) -> None:
        """End a fill of a whole log; a second end of one cut does nothing."""
        if cut_ms in self.introduced and cut_ms not in self.filled:
            self.filled.add(cut_ms)
            self._visit_all(t_ms)
            self.filling = cut_ms

    def _cut(self, t_ms: int) -> None:
        self._visit_all(t_ms)
        self.before, self.rules = self.rules, self.catalogues[len(self.cuts)]
        self.cuts.append(t_ms)
        if self.before is None:
            return
        known = {one.rule for one in self.before.segments}
        historic = {one.id for one in self.rules.segments if one.kind in HISTORIC and one.rule not in known}
        self.introduced[t_ms] = historic

    def _visit_all(self, t_ms: int) -> None:
        """Put a visit of every profile into the queue."""
        for profile in self.profiles.values():
            # this comes before the visits of the last cut or fill: those are first
            while profile.visit_ms is not None:
                self._wake(profile, profile.visit_ms)
        self.filling = None
        for profile in self.profiles.values():
            profile.visit_ms = t_ms
            heapq.heappush(self.queue, (t_ms, profile.subject))

    @staticmethod
    def _own_due(profile: Profile) -> int | None:
        return min((at for at in (profile.visit_ms, profile.due_ms) if at is not None), default=None)

    def _first_due(self) -> tuple[int, str] | None:
        while self.queue:
            due, subject = self.queue[0]
            if self._own_due(self.profiles[subject]) == due:
                return due, subject
            heapq.heappop(self.queue)
        return None

    def _wake(self, profile: Profile, t_ms: int) -> bool:
        before = len(self.changes)
        if profile.visit_ms == t_ms:
            self._visit(profile, t_ms)
            self._sleep(profile, t_ms)
            return True
        self._evaluate(profile, t_ms, [])
        self._sleep(profile, t_ms)
        return len(self.changes) > before

    def _sleep(self, profile: Profile, t_ms: int) -> None:
        profile.due_ms = profile.next_due(t_ms)
        own = self._own_due(profile)
        if own is not None:
            heapq.heappush(self.queue, (own, profile.subject))

    def _visit(self, profile: Profile, t_ms: int) -> None:
        profile.visit_ms = None
        if self.filling is not None:
            profile.waiting = {name: cut_ms for name, cut_ms in profile.waiting.items() if cut_ms != self.filling}
            for one in profile.rules.by_id:
                self._judge(profile, one, t_ms, [], changed=False, backfill=True)
            self._decide(profile, t_ms, [])
            return
        old = {one.id: one for one in profile.rules.segments}
        assert self.rules is not None
        profile.rules = self.rules
        new = {one.id: one for one in self.rules.segments}
        profile.waiting = {
            name: cut_ms for name, cut_ms in profile.waiting.items() if name in new and new[name].rule == old[name].rule
        } | dict.fromkeys(self.introduced.get(self.cuts[-1], ()), self.cuts[-1])
        retired = {one.id: one for one in self.rules.retired}
        for name in sorted(old | new):
            if name not in new:
                if name in profile.since:
                    self._change(profile, retired.get(name, old[name]), t_ms, "retired", [], [])
                continue
            changed = name not in old or old[name].rule != new[name].rule
            self._judge(profile, new[name], t_ms, [], changed)
        self._decide(profile, t_ms, [], visit=True)

    def _evaluate(self, profile: Profile, t_ms: int, events: list[str]) -> None:
        for one in profile.rules.by_id:
            self._judge(profile, one, t_ms, events, changed=False)
        self._decide(profile, t_ms, events)

    def _decide(self, profile: Profile, t_ms: int, events: list[str], *, visit: bool = False) -> None:
        moves = decide(profile.rules, profile.contact, profile.since, profile.subject, t_ms, visit=visit)
        self.changes += [self._moved(profile, move, t_ms, events) for move in moves]

    def _judge(
        self, profile: Profile, one: Segment, t_ms: int, events: list[str], changed: bool, backfill: bool = False
    ) -> None:
        if one.id in profile.waiting:
            return
        since = profile.since.get(one.id)
        holds = profile.holds(one, t_ms)
        if since is None:
            if holds:
                self._change(profile, one, t_ms, "entry_rule", ["enter"], events, backfill=changed or backfill)
        elif not holds:
            self._change(profile, one, t_ms, "definition_changed" if changed else "entry_lost", ["enter"], events)
        elif one.kind == "left" and t_ms >= since + one.length_ms:
            self._change(profile, one, t_ms, "max_stay", [], events)
            profile.left, profile.left_mark_ms = False, profile.greatest_ms

    def _change(
        self,
        profile: Profile,
        one: Segment,
        t_ms: int,
        kind: str,
        conditions: list[str],
        events: list[str],
        backfill: bool = False,
    ) -> None:
        entered = kind == "entry_rule"
        if entered:
            profile.since[one.id] = t_ms
        else:
            del profile.since[one.id]
        profile.sequence += 1
        id_ = f"{self.generation}/{profile.subject}/{profile.sequence}"
        value = {
            "id": id_,
            "profile": profile.subject,
            "segment": one.id,
            "segment_version": one.version,
            "change": "entered" if entered else "exited",
            "sequence": profile.sequence,
            "effective_at": instant(t_ms),
            "reason": {"kind": kind, "conditions": conditions, "events": events},
            "layers": {},
            "backfill": backfill,
        }
        self.changes.append(Change("", profile.subject, one.id, entered, _bytes(value), self._upto))

    def _moved(self, profile: Profile, move: Move, t_ms: int, events: list[str]) -> Change:
        one, contact = move.activation, profile.contact
        sequence = contact.sequences[one.channel] = contact.sequences.get(one.channel, 0) + 1
        value = {
            "id": f"{self.generation}/{profile.subject}/{one.channel}/{sequence}",
            "profile": profile.subject,
            "activation": one.id,
            "activation_version": one.version,
            "channel": one.channel,
            "change": "activated" if move.active else "deactivated",
            "sequence": sequence,
            "effective_at": instant(t_ms),
            "reason": reason_of(move, contact.was.get(one.id), events),
            "journey": one.journey or None,
            "content": content_of(one),
            "arm": arm_of(one, profile.subject),
        }
        return Change(one.channel, profile.subject, one.id, move.active, _bytes(value), self._upto)


def _bytes(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
