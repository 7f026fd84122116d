"""Who may be contacted: a second reading of docs/language.md (activations), for the activations of the fault runs.

Shares nothing with `rules`. Every evaluation decides every activation, from everything that is known of a profile.
"""

import hmac
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from tests.faults.catalogues import ASSIGNMENT_KEY, INTENT, Activation, Cap, Rules
from tests.faults.instants import milliseconds

NEVER: Final = -(1 << 62)
FOREVER: Final = 1 << 62
SENDS_KEPT: Final = 8
"""How many of the latest sends of a channel or journey are kept; more than any cap needs."""
STOP: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})


class Move(NamedTuple):
    """An activation begins, ends, or is published with new content."""

    activation: Activation
    active: bool
    kind: str
    by: tuple[str, ...] = ()


@dataclass
class Said:
    """The latest grant and the latest withdrawal of one consent."""

    granted_ms: int = NEVER
    until_ms: int = FOREVER
    """From here on the grant is a withdrawal. Of two grants of one instant the one that ends first counts."""
    withdrawn_ms: int = NEVER


@dataclass
class Contact:
    """What decides whether a profile may be contacted, besides its memberships."""

    consents: dict[tuple[str, str], "Said"] = field(default_factory=dict)
    """The latest grant and the latest withdrawal, by (channel, purpose)."""
    sends: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """Times of sends, ascending, by (channel or journey, its name)."""
    active: dict[str, Activation] = field(default_factory=dict)
    """The active ones by id, as last published."""
    was: dict[str, str] = field(default_factory=dict)
    """The kind of the last deactivation."""
    sequences: dict[str, int] = field(default_factory=dict)

    def fold(self, type_: str, data: Mapping[str, Any], time_ms: int) -> None:
        """Take an event in."""
        if type_ == "message.sent":
            for of in ("channel", "journey"):
                times = self.sends.setdefault((of, data.get(of, "")), [])
                insort(times, time_ms)
                del times[:-SENDS_KEPT]
        elif type_ == "consent.granted":
            said = self.consents.setdefault((data["channel"], data["purpose"]), Said())
            until_ms = milliseconds(data["until"]) if data.get("until") else FOREVER
            latest = max((time_ms, -until_ms), (said.granted_ms, -said.until_ms))
            said.granted_ms, said.until_ms = latest[0], -latest[1]
        elif type_ == "consent.withdrawn":
            self._withdraw(data.get("channel", "all"), data.get("purpose", "all"), time_ms)
        elif type_ == "message.replied" and data.get("text", "").strip().upper() in STOP:
            self._withdraw(data.get("channel", "all"), "all", time_ms)

    def _withdraw(self, channel: str, purpose: str, time_ms: int) -> None:
        said = self.consents.setdefault((channel, purpose), Said())
        said.withdrawn_ms = max(said.withdrawn_ms, time_ms)

    def granted_until(self, channel: str, purpose: str) -> int:
        """Return until when the latest word is a grant; NEVER: it is none. At equal times a withdrawal wins."""
        said = [
            self.consents[key] for c in (channel, "all") for p in (purpose, "all") if (key := (c, p)) in self.consents
        ]
        granted_ms, ends_ms = max(((one.granted_ms, -one.until_ms) for one in said), default=(NEVER, NEVER))
        return -ends_ms if granted_ms > max((one.withdrawn_ms for one in said), default=NEVER) else NEVER


def consent_ends(contact: Contact) -> Iterable[int]:
    """Return the instants at which a consent ends by itself that somebody is contacted by."""
    ends = (contact.granted_until(one.channel, one.purpose) for one in contact.active.values() if one.purpose)
    return (until_ms for until_ms in ends if until_ms < FOREVER)


def _reached_until(cap: Cap, name: str, contact: Contact) -> int:
    """Return the instant at which enough sends have left the cap's window."""
    times = contact.sends.get((cap.of, name), ())
    return times[-cap.at_most] + cap.within_ms if len(times) >= cap.at_most else -(1 << 62)


def cap_ends(contact: Contact, rules: Rules) -> Iterable[int]:
    """Return the instants at which a cap may end."""
    if contact.sends:
        for one in rules.activations:
            for cap, name in rules.caps_of[one.id]:
                yield _reached_until(cap, name, contact)


@lru_cache(maxsize=100_000)
def place(text: str) -> float:
    """Return a text's place in [0, 1)."""
    digest = hmac.new(ASSIGNMENT_KEY.encode(), text.encode(), sha256).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def arm_of(one: Activation, subject: str) -> str | None:
    """Return the arm of a profile."""
    if not one.arms:
        return None
    at, cumulated = 100 * place(f"{one.slot}|arm|{subject}"), 0
    for arm, weight in one.arms:
        cumulated += weight
        if cumulated > at:
            return arm
    raise AssertionError("weights sum to 100")


def _refusal(
    one: Activation, rules: Rules, contact: Contact, members: Mapping[str, int], subject: str, t_ms: int
) -> tuple[str, tuple[str, ...]] | None:
    """Return the first refusal but the group's, and what refuses."""
    inside = members.__contains__
    if not subject.startswith("hcp:"):
        return "audience", ()
    if not (
        all(map(inside, one.every)) and (not one.some or any(map(inside, one.some))) and not any(map(inside, one.none))
    ):
        return "not_member", ()
    if one.review != "approved":
        return "content_not_approved", ()
    if one.purpose and contact.granted_until(one.channel, one.purpose) <= t_ms:
        return "consent", ()
    if suppressing := tuple(sorted(filter(inside, one.suppress))):
        return "suppressed_by", suppressing
    if one.holdout_percent and place(f"kept-out|{subject}") < one.holdout_percent / 100:
        return "holdout", ()
    reached = {cap.of for cap, name in rules.caps_of[one.id] if _reached_until(cap, name, contact) > t_ms}
    return ("frequency_cap", tuple(sorted(reached))) if reached else None


def _slot(free: Sequence[Activation], holders: set[str], preempt: bool) -> str:
    keeping = [one for one in free if one.slot in holders] if not preempt else []
    return min(keeping or free, key=lambda one: (-one.priority, one.id)).slot


def decide(
    rules: Rules, contact: Contact, members: Mapping[str, int], subject: str, t_ms: int, *, visit: bool = False
) -> list[Move]:
    """Decide every activation at an instant; make the moves and return them in the order of publication.

    `visit`: the evaluation of a cut; `contact.active` then still has the definitions of before.
    """
    here = {one.id: one for one in rules.activations}
    refused = {one.id: _refusal(one, rules, contact, members, subject, t_ms) for one in rules.activations}
    free = [one for one in rules.activations if one.grouped and refused[one.id] is None]
    if free:
        holders = {one.slot for one in contact.active.values() if one.grouped}
        slot = _slot(free, holders, rules.preempt)
        refused.update({one.id: ("exclusive_group", (slot,)) for one in free if one.slot != slot})
    moves: list[Move] = []
    for name, before in list(contact.active.items()) if visit else ():
        if name not in here or here[name].channel != before.channel:
            files = {one.id: one for one in rules.retired_activations}
            told = files.get(name, before)
            moves.append(Move(told if told.channel == before.channel else before, False, "retired"))
            del contact.active[name]
            contact.was[name] = "retired"
    for name, one in here.items():
        refusal, standing = refused[name], contact.active.get(name)
        if refusal is not None:
            if standing is not None:
                moves.append(Move(one, False, *refusal))
                del contact.active[name]
                contact.was[name] = refusal[0]
        elif standing is None:
            moves.append(Move(one, True, "allowed"))
            contact.active[name] = one
        elif visit:
            if _told(one, subject) != _told(standing, subject):
                moves.append(Move(one, True, "definition_changed"))
            contact.active[name] = one
    return sorted(moves, key=lambda move: (move.active, move.activation.id))


def leave(contact: Contact, rules: Rules, kind: str) -> list[Move]:
    """End every activation of a subject that is in nothing from now on."""
    here = {one.id: one for one in rules.activations}
    moves = [Move(here[name], False, kind) for name in sorted(contact.active)]
    contact.was.update(dict.fromkeys(contact.active, kind))
    contact.active.clear()
    return moves


def _told(one: Activation, subject: str) -> tuple[object, ...]:
    return one.version, one.journey, one.depth, arm_of(one, subject)


def reason_of(move: Move, was: str | None, events: Sequence[str]) -> dict[str, Any]:
    """Return the reason as it is published."""
    before = {"was": was} if move.active else {}
    return {"kind": move.kind, **before, "by": list(move.by), "events": list(events)}


def content_of(one: Activation) -> dict[str, str]:
    """Return the content as it is published."""
    return {"intent": INTENT, "depth": one.depth}
