"""An activation: which members a channel may contact now, and with what (docs/language.md, Activations).

It is read and checked here; `rules.engine.activations` decides it for a profile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from rules.catalogue.pilot import Pilot, PilotText, check_pilot
from rules.catalogue.policy import Channel, Policy, Positive
from rules.catalogue.segment import KnownSegments, Owner, Status, SubjectKind
from rules.language.problems import DefinitionReader
from rules.language.templates import FOR_EACH
from rules.language.validation import Duration, Id, Instant, Items, Maybe, Name, Number, Strict

CapOf = Literal["channel", "journey", "intent", "activation"]
Review = Literal["approved", "pending", "withdrawn"]
WEIGHTS_SUM: Final = 100
WEIGHTS_SLACK: Final = 1e-9
"""33.3 + 33.3 + 33.4 is not 100 in doubles; a slip of the author is far larger."""


class Segments(Strict):
    """The members that an activation addresses: in all of, any of, none of these segments. `all` or `any` is given."""

    all: Maybe[Annotated[Items[Id], Field(min_length=1)]] = None
    any: Maybe[Annotated[Items[Id], Field(min_length=1)]] = None
    none: Maybe[Annotated[Items[Id], Field(min_length=1)]] = None


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most so many messages that share this activation's own value of `of`, in any window of that length."""

    of: CapOf
    at_most: int
    within_ms: int


@dataclass(frozen=True, slots=True)
class Holdout:
    """The share of profiles that is never contacted."""

    percent: float
    salt: str


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of an experiment; weights in the order written, which decides (they sum to 100)."""

    salt: str
    weights: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """A validated activation. Durations and instants in ms; what is not given is None or empty."""

    id: str
    version: int
    status: Status
    channel: str
    audience: str
    segments: Segments
    markets: tuple[str, ...]
    journey: str | None
    """As published; `slot` is the journey that competes in a group."""
    exclusive_group: str | None
    priority: int
    suppress_while: tuple[str, ...]
    consent_purpose: str | None
    frequency_caps: tuple[FrequencyCap, ...]
    holdout: Holdout | None
    arms: Arms | None
    pilot: Pilot | None
    """The subjects that it governs; None: all of them."""
    content: Mapping[str, Any]
    """As published: the keys given, in the order of the reference, without `review`."""
    intent: str
    review: Review
    review_expires_ms: int | None
    owner: Owner
    restricted: frozenset[str]
    """The classes that restrict it, through the segments that it names."""
    raw: dict[str, Any]

    @property
    def slot(self) -> str:
        """The journey that this activation belongs to: the one named, else one of its own."""
        return self.id if self.journey is None else self.journey


class _Consent(Strict):
    purpose: Name


class _Cap(Strict):
    of: CapOf
    at_most: Positive
    within: Duration


class _Holdout(Strict):
    percent: Annotated[Number, Field(ge=0, le=100)]
    salt: str


class _Arms(Strict):
    salt: str
    weights: Annotated[dict[Name, Annotated[Number, Field(ge=0)]], Field(min_length=1)]


class _ReviewNote(Strict):
    status: Review
    reference: Maybe[str] = None
    expires: Maybe[Instant] = None


class _Content(Strict):
    asset: Maybe[str] = None
    intent: Name
    depth: Maybe[str] = None
    topic: Maybe[str] = None
    evidence: Maybe[str] = None
    call_to_action: Maybe[str] = None
    claims: Maybe[Items[str]] = None
    review: _ReviewNote


class _Definition(Strict):
    activation: Id
    version: Annotated[int, Field(ge=0)]
    status: Status
    channel: Channel
    audience: SubjectKind
    segments: Segments
    markets: Maybe[Annotated[Items[Name], Field(min_length=1)]] = None
    journey: Maybe[Name] = None
    exclusive_group: Maybe[Name] = None
    priority: int = 0
    suppress_while: Maybe[Items[Id]] = None
    requires_consent: Maybe[_Consent] = None
    frequency_cap: Maybe[Items[_Cap]] = None
    holdout: Maybe[_Holdout] = None
    arms: Maybe[_Arms] = None
    pilot: Maybe[PilotText] = None
    content: _Content
    owner: Maybe[Owner] = None
    author: Maybe[Name] = None


WRITABLE: Final = (*_Definition.model_fields, FOR_EACH)
"""The keys of a file; a template's own is gone when the definition is read."""
CONTENT_KEYS: Final = tuple(key for key in _Content.model_fields if key != "review")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The rest of the catalogue, against which an activation is checked."""

    segments: KnownSegments
    restricted: Mapping[str, frozenset[str]]
    """Classes by segment."""
    policy: Policy | None
    """None: policy.yaml is wrong itself; nothing that needs it is checked."""


def read_activation(reader: DefinitionReader, around: Surroundings) -> Activation | None:
    """Read one activation file; None if anything is wrong, every problem recorded at its place."""
    before = len(reader.problems)
    model = reader.model(_Definition, WRITABLE)
    if model is None:
        return None
    if model.segments.all is None and model.segments.any is None:
        reader.down("segments").problem("'segments' must have 'all' or 'any'")
    if model.channel == "all":
        reader.down("channel").problem("'all' is no channel: consent to it stands for every channel")
    if model.arms is not None and abs(fsum(model.arms.weights.values()) - WEIGHTS_SUM) > WEIGHTS_SLACK:
        total = fsum(model.arms.weights.values())
        reader.down("arms", "weights").problem(f"the weights of arms must sum to {WEIGHTS_SUM}, not {total:g}")
    named = _named(reader, model)
    for each, segment in named:
        around.segments.check(each, segment, f"activation {model.activation!r}", model.status)
    restricted = frozenset(name for _, segment in named for name in around.restricted.get(segment, ()))
    if around.policy is not None:
        _check_policy(reader, model, around.policy, restricted)
    return _compiled(model, restricted, reader.value) if len(reader.problems) == before else None


def _named(reader: DefinitionReader, model: _Definition) -> list[tuple[DefinitionReader, str]]:
    """List every segment that it names anywhere, with the place."""
    groups: dict[tuple[str, ...], tuple[str, ...] | None] = {
        ("segments", key): getattr(model.segments, key) for key in Segments.model_fields
    }
    groups["suppress_while",] = model.suppress_while
    return [
        (reader.down(*path, index), segment) for path, ids in groups.items() for index, segment in enumerate(ids or ())
    ]


def _check_policy(reader: DefinitionReader, model: _Definition, policy: Policy, restricted: Iterable[str]) -> None:
    if policy.key is None:
        for key in ("holdout", "arms"):
            if getattr(model, key) is not None:
                reader.down(key).problem(f"{key!r} needs 'assignment_key' in policy.yaml")
    pilot = Pilot.of(model.pilot)
    if pilot is not None:
        check_pilot(reader.down("pilot"), pilot, policy.market_trait, policy.key is not None)
    for name in sorted(restricted):
        restriction = policy.restrictions.get(name)
        if restriction is None:
            reader.down("segments").problem(
                f"its segments use data restricted as {name!r}, which policy.yaml does not list",
                name=name,
                known=policy.restrictions,
            )
        elif model.channel not in restriction.channels:
            allowed = ", ".join(restriction.channels) or "none"
            reader.down("channel").problem(
                f"channel {model.channel!r} is not for data restricted as {name!r}; allowed: {allowed}"
            )
    if policy.intents is not None:
        _check_intent(reader, model, policy)


def _check_intent(reader: DefinitionReader, model: _Definition, policy: Policy) -> None:
    name = model.content.intent
    intent = (policy.intents or {}).get(name)
    if intent is None:
        here = reader.down("content", "intent")
        here.problem(f"intent {name!r} is not listed in policy.yaml", name=name, known=policy.intents or ())
        return
    if intent.audiences is not None and model.audience not in intent.audiences:
        reader.down("audience").problem(
            f"intent {name!r} is not for audience {model.audience!r}", name=model.audience, known=intent.audiences
        )
    if intent.markets is not None and model.markets is None:
        here = reader.down("content", "intent")
        here.problem(f"intent {name!r} is for some markets only; name 'markets' among {', '.join(intent.markets)}")
    for index, market in enumerate(model.markets or ()):
        if intent.markets is not None and market not in intent.markets:
            here = reader.down("markets", index)
            here.problem(f"intent {name!r} is not for market {market!r}", name=market, known=intent.markets)
    required = model.requires_consent.purpose if model.requires_consent else None
    if intent.consent is not None and required != intent.consent:
        here = reader.down(*(("content", "intent") if required is None else ("requires_consent", "purpose")))
        here.problem(f"intent {name!r} needs 'requires_consent: {{purpose: {intent.consent}}}'")


def _compiled(model: _Definition, restricted: frozenset[str], raw: dict[str, Any]) -> Activation:
    arms, holdout, content = model.arms, model.holdout, raw["content"]
    return Activation(
        id=model.activation,
        version=model.version,
        status=model.status,
        channel=model.channel,
        audience=model.audience,
        segments=model.segments,
        markets=model.markets or (),
        journey=model.journey,
        exclusive_group=model.exclusive_group,
        priority=model.priority,
        suppress_while=model.suppress_while or (),
        consent_purpose=model.requires_consent.purpose if model.requires_consent else None,
        frequency_caps=tuple(FrequencyCap(cap.of, cap.at_most, cap.within) for cap in model.frequency_cap or ()),
        holdout=Holdout(holdout.percent, holdout.salt) if holdout else None,
        arms=Arms(arms.salt, tuple(arms.weights.items())) if arms else None,
        pilot=Pilot.of(model.pilot),
        content={key: content[key] for key in CONTENT_KEYS if key in content},
        intent=model.content.intent,
        review=model.content.review.status,
        review_expires_ms=model.content.review.expires,
        owner=model.owner or Owner(),
        restricted=restricted,
        raw=raw,
    )
