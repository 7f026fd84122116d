"""Which profiles a channel may contact now, and with what: docs/language.md, decided anew at every evaluation."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.naive.conditions import ENTRIES_MAX, Known, trait_value, truth
from tests.naive.decode import Event
from tests.naive.membership import sight
from tests.naive.pending import Era
from tests.naive.profile import Profile, Told
from tests.naive.reading import Cap, journey_of, place
from tests.naive.times import date, written

Definition = Mapping[str, Any]
CONTENT = ("asset", "intent", "depth", "topic", "evidence", "call_to_action", "claims")


class Asked(NamedTuple):
    """The facts that a refusal looks at: a profile after its membership changes, one activation, and the instant t."""

    profile: Profile
    era: Era
    definition: Definition
    t: int


class Refusal(NamedTuple):
    """The code of a refusal, and the names of the things that refuse."""

    code: str
    by: list[str]


# ---------------------------------------------------------------- refusals: None, or the names of what refuses


def restricted(asked: Asked) -> list[str] | None:
    """Restricted: the `refuse` of one of its restriction classes holds."""
    classes = asked.era.activation_restrictions[asked.definition["activation"]]
    refusing = {name: refuse for name, refuse in classes.items() if refuse is not None}
    seen = sight(asked.profile, asked.era, asked.definition["activation"], "refuse", asked.t) if refusing else None
    return sorted(name for name, refuse in refusing.items() if seen and truth(refuse, seen)) or None


def audience(asked: Asked) -> list[str] | None:
    """Audience: the subject is of a kind other than the audience's."""
    return None if asked.profile.subject.partition(":")[0] == asked.definition["audience"] else []


def market(asked: Asked) -> list[str] | None:
    """Market: the value of the market trait is not listed."""
    markets, name = asked.definition.get("markets"), asked.era.catalogue.policy.get("market_trait")
    if markets is None or name is None:
        return None
    seen = sight(asked.profile, asked.era, asked.definition["activation"], "refuse", asked.t)
    return None if trait_value(name, seen) in markets else []


def not_member(asked: Asked) -> list[str] | None:
    """Not a member: `segments` does not hold for the profile."""
    wanted, stays = asked.definition["segments"], asked.profile.stays
    holds = (
        all(segment in stays for segment in wanted.get("all", []))
        and ("any" not in wanted or any(segment in stays for segment in wanted["any"]))
        and not any(segment in stays for segment in wanted.get("none", []))
    )
    return None if holds else []


def content_not_approved(asked: Asked) -> list[str] | None:
    """Not approved: the content is pending or withdrawn."""
    return None if asked.definition["content"]["review"]["status"] == "approved" else []


def content_expired(asked: Asked) -> list[str] | None:
    """Expired: t is at or after the content's expiry."""
    expires = asked.definition["content"]["review"].get("expires")
    return [] if expires is not None and asked.t >= date(expires) else None


def consent(asked: Asked) -> list[str] | None:
    """Consent: the channel requires it, and the profile has not granted it."""
    required = asked.definition.get("requires_consent")
    if required is None:
        return None
    condition = {"consent": {"channel": asked.definition["channel"], "purpose": required["purpose"]}}
    seen = sight(asked.profile, asked.era, asked.definition["activation"], "refuse", asked.t)
    return None if truth(condition, seen) else []


def suppressed_by(asked: Asked) -> list[str] | None:
    """Suppressed: the profile is a member of one of these segments."""
    return sorted(set(asked.definition.get("suppress_while", [])) & set(asked.profile.stays)) or None


def holdout(asked: Asked) -> list[str] | None:
    """Holdout: the subject's place is below the percentage."""
    held = asked.definition.get("holdout")
    if held is None:
        return None
    key = asked.era.catalogue.policy["assignment_key"]
    return [] if place(key, f"{held['salt']}|{asked.profile.subject}") < held["percent"] / 100 else None


def frequency_cap(asked: Asked) -> list[str] | None:
    """Frequency cap: a cap of the activation, or of the policy for its channel, is used up."""
    caps = asked.era.catalogue.caps(asked.definition["activation"])
    return sorted({cap.of for cap in caps if len(sent(asked, cap)) >= cap.at_most}) or None


def sent(asked: Asked, cap: Cap) -> list[Known]:
    """List the messages that a cap counts."""
    found = [
        one
        for one in asked.profile.known
        if one.event.type == "message.sent"
        and one.event.data.get(cap.of) == cap.value
        and asked.era.remembers(one, cap)
    ]
    return [one for one in found[-ENTRIES_MAX:] if one.event.time > asked.t - cap.within]


REFUSALS: list[tuple[str, Callable[[Asked], list[str] | None]]] = [
    ("restricted", restricted),
    ("audience", audience),
    ("market", market),
    ("not_member", not_member),
    ("content_not_approved", content_not_approved),
    ("content_expired", content_expired),
    ("consent", consent),
    ("suppressed_by", suppressed_by),
    ("holdout", holdout),
    ("frequency_cap", frequency_cap),
]
"""In order of precedence; `exclusive_group` comes last, after all of them."""


def first_refusal(asked: Asked) -> Refusal | None:
    """Return the first refusal that applies, groups not considered; None if none applies."""
    for code, refuses in REFUSALS:
        by = refuses(asked)
        if by is not None:
            return Refusal(code, by)
    return None


def decide(profile: Profile, era: Era, t: int) -> dict[str, Refusal | None]:
    """Return the decision on every approved activation: its refusal, or None when it is allowed."""
    definitions = {name: era.catalogue.activations[name] for name in era.approved_activations}
    ungoverned = era.catalogue.ungoverned
    found = {
        name: Refusal("market", [])
        if f"activation {name}" in ungoverned
        else first_refusal(Asked(profile, era, each, t))
        for name, each in definitions.items()
    }
    for group in {each["exclusive_group"] for each in definitions.values() if "exclusive_group" in each}:
        free = [
            definitions[name]
            for name, refusal in found.items()
            if refusal is None and definitions[name].get("exclusive_group") == group
        ]
        if free:
            holder = slot(profile, era, group, free)
            for each in free:
                if journey_of(each) != holder:
                    found[each["activation"]] = Refusal("exclusive_group", [holder])
    return found


def all_refused(era: Era, code: str) -> dict[str, Refusal | None]:
    """Refuse every approved activation with one code that goes before all others: erased or merged."""
    return {name: Refusal(code, []) for name in era.approved_activations}


def slot(profile: Profile, era: Era, group: str, free: list[Definition]) -> str:
    """Name the journey that takes the slot of a group. `free`: the group's activations without any other refusal."""
    stated = (era.catalogue.policy.get("exclusive_groups") or {}).get(group) or {}
    if stated.get("preempt", True) is False:
        holding = {told.journey or name for name, told in profile.active.items() if told.group == group}
        free = [each for each in free if journey_of(each) in holding] or free
    return journey_of(min(free, key=lambda each: (-each.get("priority", 0), each["activation"])))


# ---------------------------------------------------------------- assignment


def arm_of(definition: Definition, era: Era, subject: str) -> str | None:
    """Name the arm of a subject: the first arm whose cumulated weight exceeds the subject's place."""
    arms = definition.get("arms")
    if arms is None:
        return None
    at = 100 * place(era.catalogue.policy["assignment_key"], f"{arms['salt']}|arm|{subject}")
    cumulated = 0
    for name, weight in arms["weights"].items():
        cumulated += weight
        if cumulated > at:
            return str(name)
    raise AssertionError("weights sum to 100")


# ---------------------------------------------------------------- changes


def told(definition: Definition, era: Era, subject: str) -> Told:
    """Return the values that a change of an activation publishes."""
    return Told(
        channel=definition["channel"],
        version=definition["version"],
        journey=definition.get("journey"),
        content={name: definition["content"][name] for name in CONTENT if name in definition["content"]},
        arm=arm_of(definition, era, subject),
        group=definition.get("exclusive_group"),
    )


def activate(
    profile: Profile,
    era: Era,
    t: int,
    event: Event | None = None,
    at_cut: bool = False,
    leaving: str | None = None,
) -> list[bytes]:
    """Decide the activations of a profile after its membership changes. Returns the changes as JSON.

    `leaving`: every activation is refused with this code.
    """
    refused = decide(profile, era, t) if leaving is None else all_refused(era, leaving)
    stopping: dict[str, tuple[Told, Refusal]] = {}
    starting: dict[str, tuple[Told, str]] = {}
    for name, before in profile.active.items():
        definition = era.catalogue.activations.get(name)
        if definition is None or definition["channel"] != before.channel:
            stopping[name] = before, Refusal("retired", [])
        elif name not in refused or (at_cut and f"activation {name}" in era.catalogue.ungoverned):
            stopping[name] = told(definition, era, profile.subject), Refusal("retired", [])
        elif (refusal := refused[name]) is not None:
            stopping[name] = told(definition, era, profile.subject), refusal
    for name, refusal in refused.items():
        if refusal is None:
            now = told(era.catalogue.activations[name], era, profile.subject)
            if name not in profile.active or name in stopping:
                starting[name] = now, "allowed"
            elif now.published != profile.active[name].published:
                starting[name] = now, "definition_changed"
            else:
                profile.active[name] = now
    changes = []
    for name, (now, refusal) in sorted(stopping.items()):
        del profile.active[name]
        profile.last_refusal[name] = refusal.code
        reason: dict[str, Any] = {"kind": refusal.code, "by": refusal.by}
        changes.append(publish(profile, name, now, "deactivated", reason, t, event))
    for name, (now, kind) in sorted(starting.items()):
        profile.active[name] = now
        reason = {"kind": kind, "was": profile.last_refusal.get(name), "by": []}
        changes.append(publish(profile, name, now, "activated", reason, t, event))
    return changes


def publish(
    profile: Profile, name: str, now: Told, change: str, reason: Mapping[str, Any], t: int, event: Event | None
) -> bytes:
    """Write a change, numbered per profile and channel."""
    sequence = profile.channel_sequence.get(now.channel, 0) + 1
    profile.channel_sequence[now.channel] = sequence
    value = {
        "id": f"g1/{profile.subject}/{now.channel}/{sequence}",
        "profile": profile.subject,
        "activation": name,
        "activation_version": now.version,
        "channel": now.channel,
        "change": change,
        "sequence": sequence,
        "effective_at": written(t),
        "reason": {**reason, "events": [f"{event.source} {event.id}"] if event else []},
        "journey": now.journey,
        "content": now.content,
        "arm": now.arm,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
