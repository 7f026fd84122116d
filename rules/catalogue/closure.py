"""What an approval covers: a definition with all that it refers to, as named parts, and one hash over them.

| of | are parts |
|---|---|
| a segment | its file; its parent, and every segment that its rules name, each with all of its own parts; every trait and event that its rules name; with `markets`, the market trait; of each class that restricts it, the ruling; with a pilot, what it goes by |
| an activation | its file; every segment that it names, with all of its parts; its intent's ruling; the policy's caps of its channel; its group's ruling; of each class that restricts it, the ruling; with `markets`, the market trait; with a holdout, arms or a pilot by percent, the assignment key; the events that consent and caps count |
| a trait | its declaration; each event that sets it, with the path and what `data` declares there |
| an event | its whole declaration |
| a ruling of a class | as written, with the traits and events that its `refuse` names |
| dictionary, policy, keys | the file |

Everything is compared as values: key order apart, except the order of arms, which decides. The rules version of the
engine is no part: an upgrade does not ask for new signatures. Nor is the version before a pilot: it is in force
already, and `before_parts` tells whether it still means the same.
"""  # noqa: E501

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from rules.catalogue.activation import Activation
from rules.catalogue.approvals import ApprovedKind
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.files import DICTIONARY, POLICY
from rules.catalogue.mentions import mentions
from rules.catalogue.pilot import Pilot
from rules.catalogue.segment import Segment, references
from rules.conditions.consent import CONSENT_EVENTS
from rules.conditions.mention import Mention
from rules.language.dictionary import REPLIED, SENT
from rules.language.problems import canonical_json

_FORM: Final = "segue approval 1"
"""The form of the hashed text. Another form takes another name, so that no hash means two things."""


class Closures:
    """The closures of one catalogue. What parts share is hashed once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._policy: Mapping[str, Any] = catalogue.policy.raw
        dictionary = catalogue.files.get(DICTIONARY) or {}
        self._traits: Mapping[str, Any] = dictionary.get("traits") or {}
        self._events: Mapping[str, Any] = dictionary.get("events") or {}
        self._hashes: dict[str, str] = {}

    def parts(self, kind: ApprovedKind, name: str) -> dict[str, str]:
        """Return the hash of each part by its name, sorted. `name`: an id, for a segment and an activation."""
        found: dict[str, Any] = {}
        if kind == "segment":
            self._segment(found, name)
        elif kind == "activation":
            self._activation(found, self._catalogue.activations[name])
        else:
            file = {"dictionary": DICTIONARY, "policy": POLICY}[kind]
            found[file] = self._catalogue.files.get(file)
        return {part: self._hash(part, found[part]) for part in sorted(found)}

    def before_parts(self, kind: ApprovedKind, name: str) -> dict[str, str] | None:
        """Return the parts of the version that governs the subjects outside a pilot, or all; None: there is none.

        Of a catalogue with the pilot that is the version before it, of one without a pilot the definition itself.
        """
        found: dict[str, Any] = {}
        if kind == "segment":
            segment = self._catalogue.before.get(name) or self._catalogue.approved.get(name)
            if segment is None:
                return None
            self._define_segment(found, segment)
        else:
            activation = self._catalogue.activations_before.get(name) or self._catalogue.activations.get(name)
            if activation is None or activation.status != "approved":
                return None
            self._activation(found, activation)
        return {part: value_hash(found[part]) for part in sorted(found)}

    def _hash(self, part: str, value: Any) -> str:
        if part not in self._hashes:
            self._hashes[part] = value_hash(value)
        return self._hashes[part]

    def _segment(self, found: dict[str, Any], name: str) -> None:
        if f"segment {name}" not in found:
            self._define_segment(found, self._catalogue.segments[name])

    def _define_segment(self, found: dict[str, Any], segment: Segment) -> None:
        found[f"segment {segment.id}"] = segment.raw
        self._mentioned(found, references(segment.raw))
        self._surroundings(found, bool(segment.markets), self._catalogue.restricted[segment.id], segment.pilot)

    def _activation(self, found: dict[str, Any], activation: Activation) -> None:
        arms = None if activation.arms is None else [list(arm) for arm in activation.arms.weights]
        found[f"activation {activation.id}"] = {"file": activation.raw, "arms": arms}
        named = activation.segments
        for name in (*(named.all or ()), *(named.any or ()), *(named.none or ()), *activation.suppress_while):
            self._segment(found, name)
        self._surroundings(found, bool(activation.markets), activation.restricted, activation.pilot)
        self._ruled(found, f"intent {activation.intent}", "intents", activation.intent)
        if activation.exclusive_group is not None:
            self._ruled(
                found, f"exclusive group {activation.exclusive_group}", "exclusive_groups", activation.exclusive_group
            )
        if activation.holdout is not None or arms is not None:
            found["assignment key"] = self._policy.get("assignment_key")
        caps = [cap for cap in self._policy.get("caps") or () if cap.get("channel") == activation.channel]
        found[f"caps of {activation.channel}"] = sorted(caps, key=canonical_json)
        if caps or activation.frequency_caps:
            self._event(found, SENT)
        if activation.consent_purpose is not None:
            self._mentioned(found, (Mention("event", name, ()) for name in CONSENT_EVENTS))

    def _surroundings(self, found: dict[str, Any], markets: bool, classes: Iterable[str], pilot: Pilot | None) -> None:
        """Add what the policy says of every definition: of markets, of pilots and of restricted classes."""
        if pilot is not None and pilot.percent is not None:
            found["assignment key"] = self._policy.get("assignment_key")
        if markets or (pilot is not None and pilot.markets is not None):
            trait = self._catalogue.policy.market_trait
            found["market trait"] = trait
            if trait is not None:
                self._trait(found, trait)
        for name in sorted(classes):
            self._ruled(found, f"restriction {name}", "restrictions", name)
            ruling = self._catalogue.policy.restrictions.get(name)
            if ruling is not None:
                self._mentioned(found, mentions(ruling.refuse_raw, ()))

    def _ruled(self, found: dict[str, Any], part: str, key: str, name: str) -> None:
        found[part] = (self._policy.get(key) or {}).get(name)

    def _mentioned(self, found: dict[str, Any], named: Iterable[Mention]) -> None:
        for mention in named:
            if mention.kind == "segment":
                self._segment(found, mention.name)
            elif mention.kind == "trait":
                self._trait(found, mention.name)
            else:
                self._event(found, mention.name)
                if mention.path[-1:] == ("consent",):
                    self._event(found, REPLIED)  # STOP withdraws

    def _trait(self, found: dict[str, Any], name: str) -> None:
        found[f"trait {name}"] = {"declared": self._traits.get(name), "set by": dict(self._setters(name))}

    def _event(self, found: dict[str, Any], name: str) -> None:
        found[f"event {name}"] = self._events.get(name)

    def _setters(self, trait: str) -> Iterator[tuple[str, Any]]:
        for event, declared in self._events.items():
            path = ((declared or {}).get("sets") or {}).get(trait)
            if path is not None:
                yield event, [path, ((declared or {}).get("data") or {}).get(path)]


def value_hash(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hex."""
    return sha256(canonical_json(value).encode()).hexdigest()


def closure_hash(kind: ApprovedKind, name: str, parts: Mapping[str, str]) -> str:
    """Return the hash that an approval is bound to: of the kind, the name, and the hash of every part."""
    return value_hash([_FORM, kind, name, dict(parts)])
