"""The catalogues of the fault runs: three that follow each other, with seven kinds of rules and two channels.

Each segment has one leaf. Together the activations meet every refusal but `restricted`, `market`, `audience` and
`content_expired`: membership, review, consent, suppression, holdout, caps (own and the policy's) and a group's slot.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

CHANNELS: Final = ("email", "sms")
"""The channels of all three catalogues."""
GROUP: Final = "journeys"
INTENT: Final = "nurture"
ASSIGNMENT_KEY: Final = "made-up-key-of-the-fault-runs"


@dataclass(frozen=True)
class Segment:
    """One segment. `kind`: everyone, logins, quiet, tier, left."""

    id: str
    kind: str
    version: int = 1
    count: int = 0
    """logins: the least count …"""
    length_ms: int = 0
    """… within this time (0: ever); quiet: the time without a login; left: the longest stay."""
    value: str = ""
    """tier: the value of the trait."""

    @property
    def rule(self) -> tuple[object, ...]:
        """The fields that make the rule; if one differs, the rule is another."""
        return (self.kind, self.count, self.length_ms, self.value)

    def text(self, status: str = "approved") -> str:
        """Return its definition file."""
        within = f", within: {self.length_ms}ms" if self.length_ms else ""
        enter = {
            "everyone": "{everyone: true}",
            "logins": f"{{event: portal.login, count: {{at_least: {self.count}}}{within}}}",
            "quiet": f"{{absent: portal.login{within}}}",
            "tier": f"{{trait: tier, equals: {self.value}}}",
            "left": "{event: portal.left}",
        }[self.kind]
        stay = f"max_stay: {self.length_ms}ms\n" if self.kind == "left" else ""
        return f"segment: {self.id}\nversion: {self.version}\nstatus: {status}\nenter: {enter}\n{stay}"


@dataclass(frozen=True)
class Cap:
    """At most `count` messages within a window, of the same channel or journey (`of`)."""

    of: str
    at_most: int
    within_ms: int


@dataclass(frozen=True)
class Activation:
    """One activation for HCPs."""

    id: str
    channel: str
    every: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    version: int = 1
    journey: str = ""
    """"": its own."""
    priority: int = 0
    grouped: bool = True
    """Whether it is in the one exclusive group."""
    suppress: tuple[str, ...] = ()
    purpose: str = ""
    """The purpose of the consent that it requires; "": none."""
    caps: tuple[Cap, ...] = ()
    holdout_percent: int = 0
    arms: tuple[tuple[str, int], ...] = ()
    depth: str = "summary"
    review: str = "approved"

    @property
    def slot(self) -> str:
        """The journey for which it competes."""
        return self.journey or self.id

    def text(self, status: str = "approved") -> str:
        """Return its definition file."""
        named = {"all": self.every, "any": self.some, "none": self.none}
        segments = ", ".join(f"{key}: [{', '.join(those)}]" for key, those in named.items() if those)
        caps = ", ".join(f"{{of: {cap.of}, at_most: {cap.at_most}, within: {cap.within_ms}ms}}" for cap in self.caps)
        weights = ", ".join(f"{arm}: {weight}" for arm, weight in self.arms)
        rest = {
            f"journey: {self.journey}": self.journey,
            f"exclusive_group: {GROUP}": self.grouped,
            f"suppress_while: [{', '.join(self.suppress)}]": self.suppress,
            f"requires_consent: {{purpose: {self.purpose}}}": self.purpose,
            f"frequency_cap: [{caps}]": self.caps,
            f"holdout: {{percent: {self.holdout_percent}, salt: kept-out}}": self.holdout_percent,
            f"arms: {{salt: {self.slot}, weights: {{{weights}}}}}": self.arms,
        }
        lines = [
            f"activation: {self.id}",
            f"version: {self.version}",
            f"status: {status}",
            f"channel: {self.channel}",
            "audience: hcp",
            f"segments: {{{segments}}}",
            f"priority: {self.priority}",
            *(line for line, given in rest.items() if given),
            f"content: {{intent: {INTENT}, depth: {self.depth}, review: {{status: {self.review}}}}}",
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Rules:
    """A catalogue of the fault runs."""

    segments: tuple[Segment, ...]
    retired: tuple[Segment, ...] = ()
    """Segments whose files still exist and are no longer approved."""
    activations: tuple[Activation, ...] = ()
    retired_activations: tuple[Activation, ...] = ()
    caps: tuple[Cap, ...] = (Cap("email", 2, 6_000),)
    """The caps of the policy; `of` is the channel here."""
    preempt: bool = True
    anew: bool = False
    """Whether what comes for an erased subject later than its erasure begins a new profile; else it is refused."""

    @cached_property
    def by_id(self) -> tuple[Segment, ...]:
        """The segments in the order of their visits."""
        return tuple(sorted(self.segments, key=lambda one: one.id))

    @cached_property
    def caps_of(self) -> dict[str, tuple[tuple[Cap, str], ...]]:
        """The caps of each activation, its own and the policy's; each with the name whose sends it counts."""
        return {
            one.id: (
                *((cap, one.channel if cap.of == "channel" else one.slot) for cap in one.caps),
                *((replace(cap, of="channel"), one.channel) for cap in self.caps if cap.of == one.channel),
            )
            for one in self.activations
        }

    def files(self) -> dict[str, str]:
        """Return the files of its folder: text by name."""
        texts = {f"segments/{one.id}.yaml": one.text() for one in self.segments}
        texts |= {f"segments/{one.id}.yaml": one.text("retired") for one in self.retired}
        texts |= {f"activations/{one.id}.yaml": one.text() for one in self.activations}
        texts |= {f"activations/{one.id}.yaml": one.text("retired") for one in self.retired_activations}
        return {"dictionary.yaml": DICTIONARY, "policy.yaml": self._policy(), **texts}

    def _policy(self) -> str:
        caps = "".join(
            f"\n  - {{channel: {cap.of}, at_most: {cap.at_most}, within: {cap.within_ms}ms}}" for cap in self.caps
        )
        preempt = "true" if self.preempt else "false"
        return (
            f"assignment_key: {ASSIGNMENT_KEY}\nexclusive_groups: {{{GROUP}: {{preempt: {preempt}}}}}\n"
            f"intents: {{{INTENT}: {{audiences: [hcp]}}}}\ncaps:{caps or ' []'}\n"
            f"erasure: {{afterwards: {'begin_anew' if self.anew else 'refuse'}}}\n"
        )


DICTIONARY: Final = """\
traits:
  tier: {type: string}
events:
  portal.login: {data: {tier: {type: string}}, sets: {tier: tier}}
  portal.left: {}
  note.added: {data: {size: {type: integer}, share: {type: number}}}
"""
BUSY: Final = Segment("b-busy", "logins", count=3, length_ms=4_000)
ACCESS: Final = Activation(
    "m-access", "email", every=("a-known",), journey="access", priority=1, suppress=("e-left",), purpose="promotional"
)
TEXT: Final = Activation("m-access-text", "sms", some=("f-total", "b-busy"), journey="access", purpose="service")
LEARN: Final = Activation(
    "n-learn",
    "email",
    every=("d-gold",),
    none=("c-quiet",),
    journey="learning",
    priority=2,
    caps=(Cap("journey", 1, 3_000),),
    arms=(("summary", 50), ("full", 50)),
)
QUIET: Final = Activation(
    "o-quiet", "sms", some=("c-quiet", "e-left"), grouped=False, purpose="service", holdout_percent=20
)
BASE: Final = Rules(
    (
        Segment("a-known", "everyone"),
        BUSY,
        Segment("c-quiet", "quiet", length_ms=6_000),
        Segment("d-gold", "tier", value="gold"),
        Segment("e-left", "left", length_ms=2_000),
        Segment("f-total", "logins", count=5),
        Segment("g-half-hour", "logins", count=4, length_ms=1_800_000),
    ),
    activations=(ACCESS, TEXT, LEARN, QUIET),
)
_KEPT: Final = {one.id: one for one in BASE.segments}
SECOND: Final = Rules(
    (
        *(_KEPT[name] for name in ("b-busy", "c-quiet", "e-left", "f-total", "g-half-hour")),
        Segment("d-gold", "tier", version=2, value="silver"),
        Segment("h-all", "everyone"),
    ),
    retired=(Segment("a-known", "everyone", version=2),),
    activations=(
        replace(ACCESS, every=("h-all",), version=2),
        replace(TEXT, channel="email", version=2),
        LEARN,
        Activation("p-new", "sms", some=("f-total", "g-half-hour"), priority=3),
    ),
    retired_activations=(replace(QUIET, version=2),),
    preempt=False,
)
"""One segment and one activation each are retired, changed, new; one is on another channel; nothing preempts."""
THIRD: Final = Rules(
    (
        Segment("a-known", "everyone", version=3),
        *(_KEPT[name] for name in ("b-busy", "c-quiet", "e-left", "f-total", "g-half-hour")),
        Segment("d-gold", "tier", version=3, value="gold"),
    ),
    activations=(
        replace(ACCESS, version=3, review="pending"),
        replace(TEXT, version=3),
        replace(LEARN, arms=(("summary", 30), ("full", 70)), version=3),
        replace(QUIET, version=3),
    ),
)
"""One is approved again, one rule changed, one is gone; one content was pulled, one has other arms."""
LAST: Final = replace(
    BASE,
    segments=tuple(replace(one, version=4) if one.id in ("a-known", "d-gold") else one for one in BASE.segments),
    activations=tuple(replace(one, version=4) for one in BASE.activations),
)
"""The first one again, as an edit: with higher versions."""
VISITS: Final = replace(
    BASE,
    segments=(*BASE.segments, Segment("i-visits", "logins", count=2, length_ms=1_700_000)),
    activations=(*BASE.activations, Activation("q-visits", "sms", some=("i-visits",), grouped=False)),
)
"""The first one, with a segment whose history must be filled in."""
OFTEN: Final = replace(
    VISITS,
    segments=(
        *(one for one in VISITS.segments if one.id != "d-gold"),
        Segment("d-gold", "tier", version=2, value="silver"),
        Segment("j-often", "logins", count=3, length_ms=1_600_000),
    ),
)
"""The one after it: its cut may come while the history of the cut before is filled in."""
