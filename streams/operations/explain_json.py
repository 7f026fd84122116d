"""An explanation as one JSON value, for programs. Keys and their order are a contract; instants are RFC 3339, UTC."""

from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.persons.packed import Identity
from rules.engine.profile import NEVER
from rules.explain.activations import ActivationExplanation
from rules.explain.affiliations import Affiliation
from rules.explain.consent import ConsentSaid
from rules.explain.persons import PersonExplanation
from rules.explain.segments import Explanation, Leaf
from rules.ground.event import sent_id
from rules.ground.instants import FOREVER, format_instant
from streams.operations.explain import ProfileExplanation
from streams.operations.linked_subjects import LinkedSubjects
from streams.operations.person_subjects import subjects_of


def explanation_json(explanation: ProfileExplanation) -> dict[str, Any]:
    """Return the JSON value of an explanation."""
    return {
        "profile": explanation.subject,
        "at": format_instant(explanation.at_ms),
        "applied_to": {"clock": format_instant(explanation.applied_ms), "offset": explanation.offset},
        "catalogue": explanation.catalogue.hash,
        "known_since": None if explanation.known_since_ms >= FOREVER else format_instant(explanation.known_since_ms),
        "evaluated_at": None if explanation.evaluated_ms == NEVER else format_instant(explanation.evaluated_ms),
        "traits": explanation.traits,
        "on_its_way": [_expected_json(each) for each in explanation.expected],
        "segments": [_segment_json(each) for each in explanation.segments],
        "activations": [activation_json(each) for each in explanation.activations],
        "person": None if explanation.person is None else _person_json(explanation.person, explanation.linked),
        "affiliations": [_affiliation_json(each) for each in explanation.affiliations],
        "tied_to_it": explanation.tied_to_it,
        "history": None if explanation.history is None else asdict(explanation.history),
        "not_shown": explanation.not_shown,
    }


def _expected_json(change: AnyChange) -> dict[str, Any]:
    """Return a change in the shape of `next`."""
    told = {"at": format_instant(change.effective_ms), "kind": change.kind}
    if isinstance(change, ActivationChange):
        done = "activated" if change.activated else "deactivated"
        return {"activation": change.activation, "channel": change.channel, "change": done, **told}
    return {"segment": change.segment, "change": "entered" if change.entered else "exited", **told}


def activation_json(each: ActivationExplanation) -> dict[str, Any]:
    """Return the JSON value of one activation."""
    following = each.next
    return {
        "activation": each.activation,
        "channel": each.channel,
        "journey": each.journey,
        "exclusive_group": each.group,
        "arm": each.arm,
        "active": each.active,
        "was": each.was,
        "because": each.because,
        "refusals": [
            {
                "code": refusal.code,
                "by": refusal.by,
                "text": refusal.text,
                "until": _instant(refusal.until_ms),
                "changes_it": refusal.changes_it,
            }
            for refusal in each.refusals
        ],
        "ends": [{"text": end.text, "at": _instant(end.at_ms)} for end in each.ends],
        "next": None
        if following is None
        else {
            "at": format_instant(following.at_ms),
            "change": "activated" if following.activated else "deactivated",
            "kind": following.kind,
            "by": following.by,
        },
        "consent": None if each.consent is None else _consent_json(each.consent),
    }


def _consent_json(said: ConsentSaid) -> dict[str, Any]:
    """Return the JSON value of the consent event that decides."""
    return {
        "said": "granted" if said.granted else "withdrawn",
        "time": format_instant(said.time_ms),
        "source": said.source,
        "id": said.id,
        "until": _instant(said.until_ms),
        "subject": said.subject,
    }


def _instant(instant_ms: int | None) -> str | None:
    return None if instant_ms is None else format_instant(instant_ms)


def _person_json(person: PersonExplanation, linked: LinkedSubjects | None) -> dict[str, Any]:
    """Return the JSON value of what links and erasures made of a profile."""
    return {
        "stands_for": person.stands_for,
        "link": _identity_json(person.link),
        "end": None if linked is None else linked.end,
        "erased": _identity_json(person.erased),
        "subjects": [
            {
                "subject": each.subject,
                "through": each.via or None,
                "known_since": _instant(each.known_since_ms),
                "latest": _instant(each.latest_ms),
                "stands_for": each.canonical,
                "link": _identity_json(each.link),
            }
            for each in subjects_of(person, linked)
        ],
    }


def _identity_json(event: Identity | None) -> dict[str, Any] | None:
    if event is None:
        return None
    return {"time": format_instant(event.time_ms), "source": event.source, "id": event.id}


def _affiliation_json(each: Affiliation) -> dict[str, Any]:
    """Return the JSON value of what the latest affiliation with an organisation in a role says."""
    return {
        "subject": each.subject,
        "organisation": each.organisation,
        "role": each.role,
        "tied": each.tied,
        "event": _identity_json(each.event),
    }


def _segment_json(each: Explanation) -> dict[str, Any]:
    following = each.next
    return {
        "segment": each.segment,
        "member": each.member,
        "since": _instant(each.since_ms),
        "because": each.because,
        "enter": [leaf_json(leaf) for leaf in each.enter],
        "exit": [leaf_json(leaf) for leaf in each.exit],
        "next": None
        if following is None
        else {
            "at": format_instant(following.at_ms),
            "change": "entered" if following.entered else "exited",
            "kind": following.kind,
        },
    }


def leaf_json(leaf: Leaf) -> dict[str, Any]:
    """Return the JSON value of one condition."""
    return {
        "path": leaf.path,
        "text": leaf.text,
        "holds": leaf.holds,
        "until": _instant(leaf.until_ms),
        "evidence": [
            {
                "time": format_instant(t),
                "source": s,
                "id": sent_id(i),
                "subject": under,
                "organisation": None if told is None else told.organisation,
            }
            for (t, s, i), under, told in zip_longest(leaf.evidence, leaf.told_under, leaf.told_by)
        ],
        "capped": leaf.capped,
        "pending": leaf.pending,
    }
