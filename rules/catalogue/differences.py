"""What a catalogue changes against another: its segments, activations, dictionary and policy.

Compares two catalogues that load. `rules.reports.beginnings` tells which conditions begin at a cut without history.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from rules.catalogue.activation import Activation
from rules.catalogue.approvals import RULED_AS
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.policy import Policy
from rules.catalogue.segment import Segment
from rules.catalogue.segment_change import differs
from rules.ground.instants import format_duration
from rules.language.problems import canonical_json

What: TypeAlias = Literal["segment", "activation", "trait", "event", "policy"]
Way: TypeAlias = Literal["new", "changed", "reworded", "moved", "retired", "gone"]
"""new: in force now and not before; changed: it decides otherwise; reworded: it decides as before, and says something
else; moved: to another channel, or between the public topics and the restricted ones; retired: its file is there,
approved no more; gone: its file is not there."""
WHATS: Final[tuple[What, ...]] = get_args(What)
WAYS: Final[tuple[Way, ...]] = get_args(Way)


class Difference(NamedTuple):
    """One difference. `said`: what it means for people; "" where the way says it all."""

    what: What
    way: Way
    name: str
    said: str = ""


def differences(old: Catalogue | None, new: Catalogue) -> list[Difference]:
    """List what differs, in the order of WHATS; without an old one everything approved or declared is new."""
    return [
        *_segments(old, new),
        *_activations(old, new),
        *_declared("trait", _traits(old), _traits(new)),
        *_declared("event", _events(old), _events(new)),
        *_policy(old, new),
    ]


# -- segments


def _segments(old: Catalogue | None, new: Catalogue) -> Iterator[Difference]:
    before = {} if old is None else old.approved
    for name in new.order:
        if old is None or name not in before:
            pilot = _pilot(new.approved[name], new.approved[name], new.before.get(name))
            yield Difference("segment", "new", name, pilot or _back(None if old is None else old.segments.get(name)))
            continue
        rules = "its rules differ: members are judged anew at the cut"
        changed = differs(before[name], new.approved[name], old, new)
        pilot = _pilot(before[name], new.approved[name], new.before.get(name))
        if pilot:
            rules = f"{pilot}; members whom another version governs from now on are judged anew at the cut"
            changed = changed or before[name].pilot != new.approved[name].pilot
        if old.is_hidden(name) != new.is_hidden(name):
            there, here = ("restricted", "public") if new.is_hidden(name) else ("public", "restricted")
            said = (
                f"its changes go to the {there} topics from the cut on, where members who stay stand from their next"
                f" entry on; the {here} snapshot lets go of them, the {here} changes so far stay"
            )
            yield Difference("segment", "moved", name, f"{said}; {rules}" if changed else said)
        elif changed:
            yield Difference("segment", "changed", name, rules)
        elif canonical_json(before[name].raw) != canonical_json(new.approved[name].raw):
            yield Difference("segment", "reworded", name, "its texts differ, its rules do not: nobody moves")
    for name in () if old is None else old.order:
        if name not in new.approved:
            way: Way = "retired" if name in new.segments else "gone"
            yield Difference("segment", way, name, "its members leave at the cut")


# -- activations

_DECIDES: Final[Mapping[str, Callable[[Activation], Any]]] = {
    "audience": lambda each: each.audience,
    "segments": lambda each: each.segments,
    "markets": lambda each: each.markets,
    "journey": lambda each: each.slot,
    "exclusive_group": lambda each: each.exclusive_group,
    "priority": lambda each: each.priority,
    "suppress_while": lambda each: each.suppress_while,
    "requires_consent": lambda each: each.consent_purpose,
    "frequency_cap": lambda each: each.frequency_caps,
    "holdout": lambda each: each.holdout,
}
"""What it is decided by, under the keys that it is written with; besides its review, its intent (caps count by it) and
what the policy says of it. As loaded: a default that is written out is none the less one."""
_TELLS: Final[Mapping[str, Callable[[Activation, Policy], Any]]] = {
    "version": lambda each, policy: each.version,
    "journey": lambda each, policy: each.journey,
    "content": lambda each, policy: each.content,
    "arms": lambda each, policy: None if each.arms is None else (each.arms, _fingerprint(policy)),
}
"""What a change says: where one of these differs, profiles that stay active are told anew."""


def _activations(old: Catalogue | None, new: Catalogue) -> Iterator[Difference]:
    before = {} if old is None else _approved(old)
    for name, each in _approved(new).items():
        if old is None or name not in before:
            pilot = _pilot(each, each, new.activations_before.get(name))
            said = pilot or _back(None if old is None else old.activations.get(name))
            yield Difference("activation", "new", name, f"on {each.channel}; {said}" if said else f"on {each.channel}")
        elif before[name].channel != each.channel:
            said = f"from {before[name].channel} to {each.channel}: those active end there and begin here"
            yield Difference("activation", "moved", name, said)
        else:
            yield from _activation(before[name], each, old, new)
    for name in before:
        if name not in _approved(new):
            way: Way = "retired" if name in new.activations else "gone"
            yield Difference("activation", way, name, "those active end at the cut")


def _activation(was: Activation, now: Activation, old: Catalogue, new: Catalogue) -> Iterator[Difference]:
    told = [key for key, of in _TELLS.items() if of(was, old.policy) != of(now, new.policy)]
    anew = f"those who stay active are told anew ({', '.join(told)})" if told else ""
    pilot = _pilot(was, now, new.activations_before.get(now.id))
    rules = [key for key, value in _decides(now, new).items() if _decides(was, old)[key] != value]
    if pilot and (rules or told or was.pilot != now.pilot):
        yield Difference("activation", "changed", now.id, pilot)
    elif rules:
        said = f"decided anew at the cut ({', '.join(rules)})"
        yield Difference("activation", "changed", now.id, f"{said}; {anew}" if anew else said)
    elif canonical_json(was.raw) != canonical_json(now.raw) or told:
        yield Difference("activation", "reworded", now.id, anew or "nothing that is published differs")


def _back(was: Segment | Activation | None) -> str:
    """Say that a definition was there before, and decided nothing; "" where it was not."""
    return "" if was is None else f"approved; it was {was.status.replace('_', ' ')}"


def _pilot(was: Segment | Activation, now: Segment | Activation, before: Segment | Activation | None) -> str:
    """Say for whom a definition is in force where it is, or was, a pilot; "" where it neither is nor was."""
    if now.pilot is None:
        return "" if was.pilot is None else "its pilot ends: it governs everybody"
    others = "nothing governs the others" if before is None else f"version {before.version} governs the others"
    return f"a pilot for {now.pilot}; {others}"


def _approved(catalogue: Catalogue) -> dict[str, Activation]:
    return dict(sorted(catalogue.approved_activations.items()))


def _decides(each: Activation, catalogue: Catalogue) -> dict[str, Any]:
    """All that decides an activation, by what people know it as."""
    policy = catalogue.policy
    found: dict[str, Any] = {key: of(each) for key, of in _DECIDES.items()}
    found["review"] = canonical_json([each.review, each.review_expires_ms])
    found["intent"] = each.intent if any(cap.of == "intent" for cap in each.frequency_caps) else ""
    found["policy caps"] = canonical_json(
        sorted([cap.at_most, cap.within_ms] for cap in policy.caps if cap.channel == each.channel)
    )
    found["preempt"] = canonical_json(policy.preempt.get(each.exclusive_group or "", True))
    found["assignment_key"] = _fingerprint(policy) if each.holdout is not None else ""
    found["market_trait"] = (policy.market_trait or "") if each.markets else ""
    refused = {name: policy.restrictions[name].refuse_raw for name in each.restricted if name in policy.restrictions}
    found["restrictions"] = canonical_json(refused)
    return found


# -- the dictionary


def _traits(catalogue: Catalogue | None) -> dict[str, tuple[str, Any]]:
    """By name: all of a declaration that means something, as text; and all that was written."""
    traits = {} if catalogue is None else catalogue.dictionary.traits
    return {name: (_meaning(each.type, each.restricted), each) for name, each in sorted(traits.items())}


def _events(catalogue: Catalogue | None) -> dict[str, tuple[str, Any]]:
    events = {} if catalogue is None else catalogue.dictionary.events
    found = {}
    for name, each in sorted(events.items()):
        data = "; ".join(f"{path}: {_meaning(of.type, of.restricted)}" for path, of in sorted(each.data.items()))
        sets = "; ".join(f"{trait} from {path}" for trait, path in sorted(each.sets.items()))
        said = _meaning(f"data {{{data}}}" if data else "no data", each.restricted)
        found[name] = (f"{said}, sets {sets}" if sets else said, each)
    return found


def _meaning(type_: str, restricted: str | None) -> str:
    return type_ if restricted is None else f"{type_}, restricted: {restricted}"


def _declared(
    what: What, old: Mapping[str, tuple[str, Any]], new: Mapping[str, tuple[str, Any]]
) -> Iterator[Difference]:
    for name, (meaning, written) in new.items():
        if name not in old:
            if not getattr(written, "built_in", False):
                yield Difference(what, "new", name)
        elif old[name][0] != meaning:
            yield Difference(what, "changed", name, f"{_only(old[name][0], meaning)}; what is known stays as it came")
        elif old[name][1] != written:
            yield Difference(what, "reworded", name, "its documentation differs")
    for name in old:
        if name not in new:
            said = "values already known stay" if what == "trait" else "from the cut on it is bad input"
            yield Difference(what, "gone", name, said)


def _only(was: str, now: str) -> str:
    """Say what is different of two meanings, part by part where they are lists."""
    before, after = was.split("; "), now.split("; ")
    left = [part for part in before if part not in after]
    right = [part for part in after if part not in before]
    return f"was {'; '.join(left) or 'without'}, is {'; '.join(right) or 'without'}"


# -- the policy


def _policy(old: Catalogue | None, new: Catalogue) -> Iterator[Difference]:
    before = {} if old is None else dict(_rulings(old.policy))
    after = dict(_rulings(new.policy))
    for name, said in after.items():
        if name not in before:
            yield Difference("policy", "new", name, _SECRET if name == _KEY else said)
        elif before[name] != said:
            shown = (
                f"{_SECRET}: every holdout and arm is drawn anew" if name == _KEY else f"was {before[name]}, is {said}"
            )
            yield Difference("policy", "changed", name, shown)
    for name in before:
        if name not in after:
            yield Difference("policy", "gone", name)


_KEY: Final = "assignment_key"
_SECRET: Final = "not shown"


def _rulings(policy: Policy) -> Iterator[tuple[str, str]]:
    """List what a policy rules, by name, in words that differ where it does."""
    if policy.market_trait is not None:
        yield "market_trait", policy.market_trait
    if policy.key is not None:
        yield _KEY, policy.key.fingerprint
    for group, preempt in sorted(policy.preempt.items()):
        yield f"exclusive group {group}", "preempt" if preempt else "no preempt"
    for channel in sorted({cap.channel for cap in policy.caps}):
        caps = (
            f"{cap.at_most} within {format_duration(cap.within_ms)}" for cap in policy.caps if cap.channel == channel
        )
        yield f"caps of {channel}", ", ".join(caps)
    for name, each in sorted(policy.restrictions.items()):
        refuse = "" if each.refuse_raw is None else f", refuses {canonical_json(each.refuse_raw)}"
        yield f"restriction {name}", f"on {_listed(each.channels) or 'no channel'}, {each.membership}{refuse}"
    for name, intent in sorted((policy.intents or {}).items()):
        parts = [f"for {_listed(intent.audiences)}"] if intent.audiences is not None else []
        parts += [f"in {_listed(intent.markets)}"] if intent.markets is not None else []
        parts += [f"with consent to {intent.consent}"] if intent.consent is not None else []
        yield f"intent {name}", ", ".join(parts) or "for anybody"
    for kind, roles in sorted(policy.approvals.roles.items()):
        yield f"approvals of {RULED_AS[kind]}", _listed(roles)


def _fingerprint(policy: Policy) -> str:
    """Say which key it is: where it is kept decides nothing."""
    return "" if policy.key is None else policy.key.fingerprint


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
