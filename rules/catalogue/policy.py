"""The policy: what policy.yaml rules for every segment and activation of a catalogue (docs/language.md, Policy)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from rules.catalogue.approvals import Approvals, ApprovalsDefinition, read_approvals
from rules.catalogue.assignment_key import AssignmentKey, Keys, read_assignment_key
from rules.catalogue.logic import read_rule
from rules.catalogue.segment import SubjectKind
from rules.conditions.base import Node
from rules.conditions.context import RuleContext
from rules.conditions.kinds import kind_of
from rules.language.dictionary import Dictionary
from rules.language.problems import DefinitionReader
from rules.language.validation import Duration, Items, Maybe, Name, Strict, matching

Membership = Literal["public", "restricted"]
Positive = Annotated[int, Field(ge=1)]
CHANNEL_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Channel = Annotated[str, matching(CHANNEL_NAME, "must be the name of a channel: up to 64 of A-Z, a-z, 0-9, _ and -")]
"""A channel names a topic, `activation.<channel>`; a dot would run into `….current`."""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many messages of a channel in any window of that length."""

    channel: str
    at_most: int
    within_ms: int


@dataclass(frozen=True, slots=True)
class Intent:
    """What activations of an intent must keep to; None: it asks nothing about that."""

    audiences: tuple[str, ...] | None
    markets: tuple[str, ...] | None
    consent: str | None
    """The purpose that they must require."""


@dataclass(frozen=True, slots=True, eq=False)
class Restriction:
    """How data of a class may be used."""

    channels: tuple[str, ...]
    """Those on which a restricted activation may run; a list left out allows none."""
    membership: Membership
    """`restricted`: membership changes stay off the public topics."""
    refuse: Node | None
    """Profiles for which it holds are not admitted, and members leave."""
    refuse_raw: Any
    """`refuse` as written, None without it."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy; a catalogue without policy.yaml has `Policy()`. Durations in ms."""

    market_trait: str | None = None
    """The trait that holds a profile's market; None: markets are descriptive."""
    key: AssignmentKey | None = None
    """Key of the HMAC behind holdouts and arms; it may be named and not known here."""
    preempt: Mapping[str, bool] = field(default_factory=dict)
    """By exclusive group that is named: whether a better journey takes the slot at once. Others: it does."""
    caps: tuple[Cap, ...] = ()
    restrictions: Mapping[str, Restriction] = field(default_factory=dict)
    intents: Mapping[str, Intent] | None = None
    """None: any intent will do."""
    begins_anew: bool = False
    """Whether later facts of an erased subject begin a new profile; else they are refused."""
    approvals: Approvals = field(default_factory=Approvals)
    """Whose signatures a definition needs before it is applied; empty: nobody's."""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known_keys(self) -> Keys:
        """Return the key by its setting, for loading another catalogue beside this one; empty where none is known."""
        if self.key is None or self.key.setting is None or self.key.secret is None:
            return {}
        return {self.key.setting: self.key.secret}


class _Group(Strict):
    preempt: bool = True


class _Cap(Strict):
    channel: Channel
    at_most: Positive
    within: Duration


class _Restriction(Strict):
    channels: Maybe[Items[Channel]] = None
    membership: Membership = "public"
    refuse: Any = None


class _Intent(Strict):
    audiences: Maybe[Annotated[Items[SubjectKind], Field(min_length=1)]] = None
    markets: Maybe[Annotated[Items[Name], Field(min_length=1)]] = None
    consent: Maybe[Name] = None


class _Erasure(Strict):
    afterwards: Literal["refuse", "begin_anew"] = "refuse"


class _Definition(Strict):
    market_trait: Maybe[Name] = None
    assignment_key: Any = None
    exclusive_groups: Maybe[dict[Name, _Group]] = None
    caps: Maybe[Items[_Cap]] = None
    restrictions: Maybe[dict[Name, _Restriction]] = None
    intents: Maybe[dict[Name, _Intent]] = None
    erasure: Maybe[_Erasure] = None
    approvals: Maybe[ApprovalsDefinition] = None
    author: Maybe[Name] = None


def read_policy(reader: DefinitionReader, dictionary: Dictionary | None, keys: Keys) -> Policy | None:
    """Read policy.yaml; None if anything is wrong, every problem recorded at its place.

    `keys` are the assignment keys that are known here, by setting.
    Without a dictionary (it was wrong itself) only what needs none is checked. An empty file is an empty policy.
    """
    if reader.value is None:
        return Policy()
    before = len(reader.problems)
    model = reader.model(_Definition)
    named = isinstance(reader.value, dict) and "assignment_key" in reader.value
    key = read_assignment_key(reader.down("assignment_key"), keys) if named else None
    if model is None or dictionary is None:
        return None
    if model.market_trait is not None:
        _check_market_trait(reader.down("market_trait"), model.market_trait, dictionary)
    restrictions = {
        name: _restriction(reader.down("restrictions", name), each, dictionary)
        for name, each in (model.restrictions or {}).items()
    }
    approvals = read_approvals(model.approvals, reader.down("approvals") if model.approvals else None)
    if len(reader.problems) > before:
        return None
    return Policy(
        market_trait=model.market_trait,
        key=key,
        preempt={name: group.preempt for name, group in (model.exclusive_groups or {}).items()},
        caps=tuple(Cap(cap.channel, cap.at_most, cap.within) for cap in model.caps or ()),
        restrictions=restrictions,
        intents=None
        if model.intents is None
        else {name: Intent(each.audiences, each.markets, each.consent) for name, each in model.intents.items()},
        begins_anew=model.erasure is not None and model.erasure.afterwards == "begin_anew",
        approvals=approvals,
        raw=reader.value,
    )


def approvals_of(raw: Any) -> Approvals:
    """Read the approvals of a stored policy whose catalogue does not load here; unreadable ones ask for nothing."""
    value = raw.get("approvals") if isinstance(raw, dict) else None
    try:
        return Approvals() if value is None else read_approvals(ApprovalsDefinition.model_validate(value), None)
    except ValidationError:
        return Approvals()


def _check_market_trait(reader: DefinitionReader, name: str, dictionary: Dictionary) -> None:
    trait = dictionary.traits.get(name)
    if trait is None:
        reader.problem(f"unknown trait {name!r}", name=name, known=dictionary.traits)
    elif trait.type != "string":
        reader.problem(f"the market trait must be a string, {name!r} is declared as {trait.type}")


def _restriction(reader: DefinitionReader, model: _Restriction, dictionary: Dictionary) -> Restriction:
    refuse, raw = None, None
    if "refuse" in reader.value:
        here = reader.down("refuse")
        raw = here.value
        kind = kind_of(raw) if isinstance(raw, dict) else None
        if kind is not None and kind.refuses:
            refuse = read_rule(here, RuleContext(dictionary=dictionary, rule="restriction", segment="", forgets=False))
        else:
            here.problem("'refuse' must be a trait or a consent condition")
    return Restriction(model.channels or (), model.membership, refuse, raw)
