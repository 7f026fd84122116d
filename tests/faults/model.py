"""What the input of one partition must give: a second reading of docs/language.md, for the rules of the fault runs.

Shares nothing with `rules` and `streams`. Records go in (offset, timestamp, key, value, headers); changes and dead
letters come out, to the byte and in the canonical order. It knows five kinds of segments, each with one leaf: everyone;
a count of logins, in a window or ever; no login for a time; a trait; and having left, for a limited stay. `contact`
decides the activations. A record that must be refused names its reason in a header: `traffic` knew it. A history that
is filled in brings what the model knows anyway: it waits for the end of the fill.
"""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Protocol

from tests.faults.catalogues import BASE, LAST, OFTEN, SECOND, THIRD, VISITS, Rules, Segment
from tests.faults.contact import Move, arm_of, content_of, decide, leave, reason_of
from tests.faults.hops import Early, Hops, Now, Post
from tests.faults.instants import instant, milliseconds
from tests.faults.persons import EFFECTS, NO_FACTS, NOTHING, Effect, Person, Taken
from tests.faults.profile import Profile

__all__ = [
    "BASE",
    "EXPECTED_HEADER",
    "LAST",
    "OFTEN",
    "SECOND",
    "THIRD",
    "VISITS",
    "Change",
    "Early",
    "Partition",
    "Post",
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
    """One input partition, record after record; `changes`, `refused` and `effects` grow."""

    def __init__(
        self,
        catalogues: Sequence[Rules],
        generation: str = "g1",
        post: Post | None = None,
        *,
        at_hand: bool = False,
    ) -> None:
        """`catalogues`: in the order of their application; every cut record takes the next one.

        `post`: what all partitions of a deployment send each other. `at_hand`: all facts are, as in a replay.
        """
        self.at_hand = at_hand
        self.generation = generation
        self.post = Post() if post is None else post
        self.hops = Hops(self)
        self.effects: list[tuple[int, str]] = []
        """The effects that stand here, by offset and id."""
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
        self._steps: list[tuple[int, int, list[str]]] = []
        """Of each record: the offset after it, how many changes there are then, and the ids of its effects."""
        self.refused: list[tuple[int, str]] = []
        self.events = 0

    def apply(self, record: Fetched) -> None:
        """Apply the next record. Raises Early, having changed nothing: it is an effect whose cause is not applied."""
        sent = self._apply(record)
        self._steps.append((record.offset + 1, len(self.changes), sent))

    def digests(self) -> dict[int, str]:
        """Return the digest of all changes and effects before an offset, by offset."""
        found, digest, at = {0: DIGEST_START}, DIGEST_START, 0
        for upto, count, sent in self._steps:
            for change in self.changes[at:count]:
                digest = rolled(digest, change.value)
            for id_ in sent:
                digest = rolled(digest, self.post.values.get(id_, b""))
            found[upto], at = digest, count
        return found

    def sent(self) -> Iterator[str]:
        """Walk the ids of the effects that its records have on other profiles, in order."""
        for _, _, sent in self._steps:
            yield from sent

    def of(self, channel: str = "") -> list[bytes]:
        """Return the changes of one channel, or of the memberships, in order."""
        return [change.value for change in self.changes if change.channel == channel]

    def _apply(self, record: Fetched) -> list[str]:
        """Return the ids of the effects that the record has."""
        headers = dict(record.headers)
        code = headers.get(EXPECTED_HEADER, b"").decode()
        event = {} if code else json.loads(record.value or b"")
        effect = self._effect(event) if event.get("type") in EFFECTS else None
        self._upto = record.offset + 1
        self.clock_ms = r_ms = max(self.clock_ms, record.timestamp)
        published = 0
        while published < WAKES_MAX:
            due = self._first_due()
            if due is None or due[0] >= r_ms:
                break
            published += self._wake(self.profiles[due[1]], due[0])
        if code:
            self.refused.append((record.offset, code))
            return []
        cause = f"{self.generation}/{event.get('subject', '')}/{record.offset}"
        now = Now(r_ms, [f"{event.get('source')} {event.get('id')}"], cause)
        if effect is not None:
            self.effects.append((record.offset, effect.id))
            self.post.values[effect.id] = record.value or b""
            now.events = [effect.event]
            self.hops.effect(effect, now)
        elif event["type"] == "segue.catalogue":
            self._cut(r_ms)
        elif event["type"] == "segue.history":
            now.events = [f"/segue/{self.generation} segue.history"]
            self._history(event, now)
        elif event["type"] == "segue.filled":
            self._filled(event["data"]["cut"], r_ms)
        elif not event["type"].startswith("segue."):
            self._event(event, now)
        return now.sent

    def _effect(self, event: Mapping[str, Any]) -> Effect:
        found = self.post.sent.get(event["id"])
        if found is None:
            raise Early(event["id"])
        return found

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

    def _event(self, event: Mapping[str, Any], now: Now) -> None:
        subject, rules = str(event["subject"]), self.rules
        if rules is None:
            return
        self.events += 1
        identity = (milliseconds(str(event["time"])), str(event["source"]), str(event["id"]))
        profile = self.profiles.get(subject)
        if event["type"] in NO_FACTS or (profile is not None and profile.person is not None):
            self.hops.event(event, identity, now)
            return
        if profile is None:
            profile = self.profiles[subject] = Profile(subject, rules)
        if identity in profile.told:
            return
        self.bring_up(profile, now.r_ms)
        profile.take(event, identity)
        self._evaluate(profile, now.r_ms, now.events)
        self._sleep(profile, now.r_ms)

    # -- what links and erasures need

    @property
    def anew(self) -> bool:
        """Whether what comes later than an erasure begins a new profile."""
        return self.rules is not None and self.rules.anew

    def person_of(self, subject: str) -> Profile:
        """Return a profile that remembers links."""
        profile = self.profiles.get(subject)
        if profile is None:
            assert self.rules is not None
            profile = self.profiles[subject] = Profile(subject, self.rules)
        if profile.person is None:
            profile.person = Person(subject, profile.told)
        return profile

    def bring_up(self, profile: Profile, r_ms: int) -> None:
        """Fire a profile's own wakes before an instant, and a visit that it waits for."""
        while (due := self._own_due(profile)) is not None and (due < r_ms or profile.visit_ms is not None):
            self._wake(profile, due)

    def judge_person(self, profile: Profile, now: Now, taken: Taken = NOTHING) -> None:
        """Evaluate a profile that links may have moved. `taken`: what it takes over."""
        profile.take_exits(taken)
        if not profile.alive:
            self.leave_all(profile, now, "merged")
            return
        assert self.rules is not None
        profile.rules = self.rules
        for one in profile.rules.by_id:
            if not (one.id in taken.since and self._take_over(profile, one, taken.since[one.id], now)):
                self._judge(profile, one, now.r_ms, now.events, changed=False)
        self._decide(profile, now.r_ms, now.events)
        self._sleep(profile, now.r_ms)

    def leave_all(self, profile: Profile, now: Now, kind: str) -> None:
        """Let a profile be in nothing."""
        known = {one.id: one for one in profile.rules.segments}
        for name in sorted(profile.since):
            self._change(profile, known[name], now.r_ms, kind, [], now.events)
        profile.waiting = {}
        moves = leave(profile.contact, profile.rules, kind)
        self.changes += [self._moved(profile, move, now.r_ms, now.events) for move in moves]
        self._sleep(profile, now.r_ms)

    def _take_over(self, profile: Profile, one: Segment, since_ms: int, now: Now) -> bool:
        """Judge a stay of another as the profile's own; return whether it has that stay now."""
        if one.id in profile.since or one.id in profile.waiting:
            return False
        profile.met.add(one.id)
        if not profile.holds(one, now.r_ms):
            return False
        if one.kind == "left" and now.r_ms >= since_ms + one.length_ms:
            profile.exited.add(one.id)
            profile.mark_left(now.r_ms)
            return False
        self._change(profile, one, now.r_ms, "merged", [], now.events, entered=True)
        profile.since[one.id] = since_ms
        return True

    # -- cuts and history

    def _history(self, event: Mapping[str, Any], now: Now) -> None:
        """Bring the past of a profile. The model knows it anyway, and waits for the end of the fill.

        It evaluates nothing: a wake that is due at R is still to come.
        """
        profile = self.profiles.get(str(event["subject"]))
        if profile is not None and event["data"]["cut"] in self.cuts:
            self.bring_up(profile, now.r_ms)
            self.hops.recalled(profile, now)

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
            if not profile.alive:
                profile.waiting = {}
                continue
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
            profile.mark_left(t_ms)

    def _change(
        self,
        profile: Profile,
        one: Segment,
        t_ms: int,
        kind: str,
        conditions: list[str],
        events: list[str],
        backfill: bool = False,
        entered: bool = False,
    ) -> None:
        if kind == "entry_rule" or entered:
            entered = True
            profile.since[one.id] = t_ms
            profile.met.add(one.id)
        else:
            del profile.since[one.id]
            profile.exited |= {one.id} - ({one.id} if kind in ("merged", "erased") else set())
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
