"""A catalogue as plain values: the YAML of its files, put together, with the built-in events and the derived facts.

Nothing is validated here: the catalogues read here have passed the engine's checks, or were generated valid.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from tests.naive.templates import written_out
from tests.naive.times import length

BUILT_IN: dict[str, list[str]] = {
    "consent.granted": ["channel", "purpose", "until"],
    "consent.withdrawn": ["channel", "purpose"],
    "message.sent": ["channel", "journey", "intent", "activation"],
    "message.replied": ["channel", "text"],
    "identity.linked": ["canonical"],
    "identity.unlinked": [],
    "privacy.erased": ["request"],
    "affiliation.started": ["organisation", "role"],
    "affiliation.ended": ["organisation", "role"],
}
GROUPS = ("all", "any", "none", "at_least_of")


class Cap(NamedTuple):
    """A limit on the messages with one value that may be sent within a window."""

    of: str
    """channel, journey, intent or activation."""
    value: str
    at_most: int
    within: int
    """In ms."""


@dataclass(frozen=True)
class Catalogue:
    """One catalogue: every mapping as written in its file, by name."""

    traits: Mapping[str, Any]
    events: Mapping[str, Any]
    segments: Mapping[str, Any]
    policy: Mapping[str, Any]
    activations: Mapping[str, Any]
    segments_before: Mapping[str, Any] = field(default_factory=dict)
    """By segment that is a pilot: the other version of it."""
    activations_before: Mapping[str, Any] = field(default_factory=dict)
    ungoverned: frozenset[str] = frozenset()
    """Pilots without a version before that do not govern the profile at hand, as `segment ID` or `activation ID`."""

    @property
    def has_pilots(self) -> bool:
        """Whether any definition is a pilot."""
        return any("pilot" in one for one in (*self.segments.values(), *self.activations.values()))

    def seen_from(self, outside: frozenset[str]) -> "Catalogue":
        """Return the catalogue as it governs a profile that stands outside of these pilots."""
        parts: dict[str, Any] = {}
        ungoverned = set()
        for kind, name in (one.split(" ", 1) for one in outside):
            now, before = f"{kind}s", f"{kind}s_before"
            parts.setdefault(now, dict(getattr(self, now)))
            parts.setdefault(before, dict(getattr(self, before)))
            if name in parts[before]:
                parts[now][name], parts[before][name] = parts[before][name], parts[now][name]
            else:
                ungoverned.add(f"{kind} {name}")
        return replace(self, **parts, ungoverned=frozenset(ungoverned))

    @property
    def reaching(self) -> dict[str, tuple[list[str], str]]:
        """Map each event type that reaches who is tied to an organisation to (roles, the type that is told)."""
        return {
            name: (declared["reaches"]["roles"], declared["reaches"]["as"])
            for name, declared in sorted(self.events.items())
            if declared.get("reaches")
        }

    @property
    def begins_anew(self) -> bool:
        """Whether later events of an erased subject begin a new profile."""
        return bool((self.policy.get("erasure") or {}).get("afterwards") == "begin_anew")

    def versions(self, segment: str) -> list[Any]:
        """List the versions of a segment that are in force."""
        return [self.segments[segment], *([self.segments_before[segment]] if segment in self.segments_before else [])]

    def approved(self, segment: str) -> bool:
        """Tell whether the catalogue has the segment as approved."""
        return segment in self.segments and self.segments[segment]["status"] == "approved"

    def refers(self, segment: str) -> set[str]:
        """Name the segments that the segment refers to: its parent and each `segment:` in its rules, exits included."""
        found: set[str] = set()
        for definition in self.versions(segment):
            found |= {value["segment"] for value in mappings(rules_of(definition)) if "segment" in value}
            found |= {definition["parent"]} if definition.get("parent") else set()
        return found

    def rank(self, segment: str) -> int:
        """Compute the longest path over `parent` and `segment:` below the segment."""
        return max((1 + self.rank(other) for other in self.refers(segment) if other in self.segments), default=0)

    def forgets(self, segment: str) -> bool:
        """Tell whether re-entry into the segment needs new evidence."""
        return "exit" in self.segments[segment] or "max_stay" in self.segments[segment]

    def attribute_type(self, event_type: str, path: str) -> str:
        """Name the declared type of an attribute."""
        declared: str = self.events[event_type]["data"][path]["type"]
        return declared

    def restriction_classes(self, segment: str) -> set[str]:
        """Name the restriction classes of a segment: its rules' own, and those of the segments it refers to."""
        found: set[str] = set()
        for other in self.refers(segment):
            if other in self.segments:
                found |= self.restriction_classes(other)
        for value in (one for version in self.versions(segment) for one in mappings(rules_of(version))):
            found |= self.classes_used(value)
        return found

    def restrictions(self, segment: str) -> dict[str, Any]:
        """Map the restriction classes of a segment to their `refuse` condition; None where a class has none."""
        stated = self.policy.get("restrictions") or {}
        return {name: (stated.get(name) or {}).get("refuse") for name in sorted(self.restriction_classes(segment))}

    def activation_restrictions(self, activation: str) -> dict[str, Any]:
        """Map the restriction classes of an activation to their `refuse`. Every segment it names adds its classes."""
        named: set[str] = set()
        for definition in self.activation_versions(activation):
            named |= {segment for group in definition["segments"].values() for segment in group}
            named |= set(definition.get("suppress_while", []))
        found: dict[str, Any] = {}
        for segment in named:
            found |= self.restrictions(segment)
        return found

    def activation_versions(self, activation: str) -> list[Any]:
        """List the versions of an activation that are in force."""
        before = self.activations_before
        return [self.activations[activation], *([before[activation]] if activation in before else [])]

    def caps(self, activation: str) -> list["Cap"]:
        """List the frequency caps of an activation: its own, and the policy's caps for its channel."""
        return self.caps_of(activation, self.activations[activation])

    def caps_of(self, activation: str, definition: Mapping[str, Any]) -> list["Cap"]:
        """List the frequency caps of one version of an activation."""
        own = {
            "channel": definition["channel"],
            "journey": journey_of(definition),
            "intent": definition["content"]["intent"],
            "activation": activation,
        }
        found = [
            Cap(one["of"], own[one["of"]], one["at_most"], length(one["within"]))
            for one in definition.get("frequency_cap", [])
        ]
        return found + [cap for cap in self.policy_caps() if cap.value == definition["channel"]]

    def policy_caps(self) -> list["Cap"]:
        """List the policy's frequency caps."""
        return [
            Cap("channel", one["channel"], one["at_most"], length(one["within"])) for one in self.policy.get("caps", [])
        ]

    def classes_used(self, value: Mapping[str, Any]) -> set[str]:
        """Name the restriction classes that one mapping of a rule uses directly."""
        found: set[Any] = set()
        for key in ("trait", "changed"):
            if isinstance(value.get(key), str):
                found.add(self.traits.get(value[key], {}).get("restricted"))
        for key in ("event", "last", "absent", "covered", "not", "sequence"):
            steps = value[key] if key == "sequence" and key in value else [value.get(key)]
            for event_type in [name for step in steps for name in types_named(step)]:
                declared = self.events[event_type]
                found.add(declared.get("restricted"))
                used = (
                    [*value.get("where", {}), *value.get("is", {})]
                    if key in ("event", "last", "absent", "covered")
                    else []
                )
                if key == "event" and "of" in value and isinstance(value["of"], str):
                    used.append(value["of"])
                if key == "covered":
                    used += [value[name] for name in ("days", "until") if name in value]
                found |= {declared["data"][path].get("restricted") for path in used if path in declared["data"]}
        return found - {None}


def rules_of(definition: Mapping[str, Any]) -> list[Any]:
    """List the rules of a segment: enter, and exit if it has one."""
    return [definition[name] for name in ("enter", "exit") if name in definition]


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """Walk every mapping inside a YAML value, itself included."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from mappings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mappings(inner)


def strings(value: Any) -> Iterator[str]:
    """Walk every text inside a YAML value, except keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def types_named(value: Any) -> list[str]:
    """Return the event types named by a type or a list of types; any other value names none."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def leaves(rule: Any, path: str, odd: bool = False) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Walk the conditions of a rule in document order: (path, condition, under an odd number of `none`)."""
    for group in GROUPS:
        if group in rule:
            inner, where = (
                (rule[group]["of"], f"{path}.{group}.of")
                if group == "at_least_of"
                else (rule[group], f"{path}.{group}")
            )
            for index, item in enumerate(inner):
                yield from leaves(item, f"{where}[{index}]", odd != (group == "none"))
            return
    yield path, rule, odd


def conditions(rule: Any, odd: bool = False) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Walk the conditions of a rule and those in a score's `when`: (condition, under an odd number of `none`)."""
    for _, leaf, under in leaves(rule, "", odd):
        yield leaf, under
        if "score" in leaf:
            for part in leaf["score"]:
                if "when" in part:
                    yield from conditions(part["when"], under)


def place(key: str, text: str) -> float:
    """Place a text in [0, 1) by its keyed hash."""
    digest = hmac.new(key.encode("utf-8"), text.encode("utf-8"), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def journey_of(activation: Mapping[str, Any]) -> str:
    """Name the journey of an activation: the one it gives, or its own name."""
    name: str = activation.get("journey", activation["activation"])
    return name


def catalogue(
    dictionary: Mapping[str, Any],
    segments: list[Any],
    policy: Mapping[str, Any] | None = None,
    activations: Sequence[Any] = (),
    before: Sequence[Any] = (),
) -> Catalogue:
    """Put a catalogue together from the values of its files."""
    events: dict[str, Any] = {
        name: {"data": {path: {"type": "datetime" if path == "until" else "string"} for path in paths}}
        for name, paths in BUILT_IN.items()
    }
    for name, declared in (dictionary.get("events") or {}).items():
        built_in = events.get(name, {"data": {}})["data"]
        events[name] = {**declared, "data": {**built_in, **(declared.get("data") or {})}}
    return Catalogue(
        traits=dictionary.get("traits") or {},
        events=events,
        segments={one["segment"]: one for one in written_out(segments)},
        policy=policy or {},
        activations={one["activation"]: one for one in written_out(list(activations))},
        segments_before={one["segment"]: one for one in before if "segment" in one},
        activations_before={one["activation"]: one for one in before if "activation" in one},
    )


def read_folder(folder: Path) -> Catalogue:
    """Read a catalogue folder."""
    policy = folder / "policy.yaml"
    return catalogue(
        read_file(folder / "dictionary.yaml"),
        [read_file(path) for path in sorted((folder / "segments").rglob("*.yaml"))],
        read_file(policy) if policy.exists() else {},
        [read_file(path) for path in sorted((folder / "activations").rglob("*.yaml"))],
        [read_file(path) for path in sorted((folder / "before").rglob("*.yaml"))],
    )


def read_file(path: Path) -> Any:
    """Read one file."""
    return read_text(path.read_text(encoding="utf-8"))


def read_text(text: str) -> Any:
    """Read YAML 1.2 whose times stay texts."""
    reader = YAML(typ="safe", pure=True)
    reader.constructor.add_constructor(
        "tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node)
    )
    return reader.load(text) or {}
