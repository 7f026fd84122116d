"""The plain data of `plan` as Segue's files and catalogue."""

import json
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from streams.operations.yaml_files import read_yaml
from tests.benchmarks.load.plan import (
    DAY_MS,
    KINDS,
    MARKER,
    TRAITS,
    UPDATED,
    WAKING,
    Activation,
    Filter,
    Plan,
    Segment,
    make_plan,
)

POLICY: dict[str, Any] = {
    "exclusive_groups": {"journeys": {"preempt": False}},
    "caps": [{"channel": "sms", "at_most": 5, "within": "7d"}],
}


def files_of(plan: Plan) -> dict[str, dict[str, Any]]:
    """Write the files of a catalogue, as values by file name."""
    behaviour = {"data": {"topic": {"type": "string"}, "score": {"type": "number"}, "page": {"type": "string"}}}
    update = {
        "data": {trait: {"type": "string"} for trait in TRAITS},
        "sets": {trait: trait for trait in TRAITS},
    }
    dictionary = {
        "traits": {trait: {"type": "string"} for trait in TRAITS},
        "events": {**dict.fromkeys((*KINDS, MARKER, WAKING), behaviour), UPDATED: update},
    }
    return {
        "dictionary.yaml": dictionary,
        "policy.yaml": POLICY,
        **{f"segments/{one.id}.yaml": _segment(one) for one in plan.segments},
        **{f"activations/{one.id}.yaml": _activation(one) for one in plan.activations},
    }


def texts_of(plan: Plan) -> dict[str, str]:
    """Write the files as texts: JSON, which is YAML too."""
    return {name: json.dumps(value) for name, value in files_of(plan).items()}


def catalogue_of(plan: Plan) -> Catalogue:
    """Load the catalogue."""
    return load_catalogue([read_yaml(text.encode(), name) for name, text in texts_of(plan).items()])


def make_catalogue(segments: int) -> Catalogue:
    """Make the benchmark's catalogue of so many segments."""
    return catalogue_of(make_plan(segments))


def _where(match: Filter) -> dict[str, Any]:
    return {"topic": {"in": list(match.topics)}, "score": {"at_least": match.score_at_least}}


def _days(ms: int) -> str:
    return f"{ms // DAY_MS}d"


def _segment(one: Segment) -> dict[str, Any]:
    return {"segment": one.id, "version": 1, "status": "approved", "enter": _condition(one)}


def _condition(one: Segment) -> dict[str, Any]:
    if one.match is None:
        return {"trait": one.trait, "in": list(one.values)}
    within = _days(one.within_ms)
    event: dict[str, Any] = {"event": one.match.type, "where": _where(one.match)}
    if one.then is not None:
        return {"sequence": [event, {"event": one.then.type, "where": _where(one.then)}], "within": within}
    if one.absent:
        return {"all": [{**event, "within": within}, {"absent": one.absent, "within": _days(one.absent_ms)}]}
    if one.at_least > 1:
        event["count"] = {"at_least": one.at_least}
    return {**event, "within": within}


def _activation(one: Activation) -> dict[str, Any]:
    optional = {
        "requires_consent": {"purpose": "promotional"} if one.consent else None,
        "frequency_cap": [{"of": "channel", "at_most": 3, "within": "7d"}] if one.cap else None,
        "exclusive_group": one.exclusive_group or None,
        "suppress_while": list(one.suppress_while) or None,
    }
    return {
        "activation": one.id,
        "version": 1,
        "status": "approved",
        "channel": one.channel,
        "audience": "hcp",
        "segments": {"any": list(one.any_of)},
        "priority": one.priority,
        **{key: value for key, value in optional.items() if value is not None},
        "content": {"asset": f"AC-{one.id}", "intent": "inform", "review": {"status": "approved"}},
    }
