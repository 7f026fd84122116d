"""Links, erasures and effects, record by record: each touches one profile, and sends effects to others.

A worker that dies leaves no trace in this: effects are in the log exactly if the changes of their cause are.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tests.faults.persons import (
    ERASED,
    ERASURE,
    FACT,
    FACTS,
    LINKED,
    NO_FACTS,
    NOTHING,
    WITHDRAWN,
    Brought,
    Effect,
    Event,
    Identity,
    Part,
    Person,
    Taken,
)
from tests.faults.profile import Profile


class Early(Exception):
    """An effect was read before the record that is its cause."""


@dataclass
class Post:
    """The effects that all partitions sent, for all to look up."""

    sent: dict[str, Effect] = field(default_factory=dict)
    values: dict[str, bytes] = field(default_factory=dict)
    """By id: the bytes of the record that was found in the target's partition."""


@dataclass
class Now:
    """The record at hand."""

    r_ms: int
    events: list[str]
    cause: str
    """Its subject and its offset, as ids of effects name them."""
    sent: list[str] = field(default_factory=list)
    """The ids of the effects so far."""


class Host(Protocol):
    """What the hops need of their partition."""

    post: Post

    def person_of(self, subject: str) -> Profile: ...
    def bring_up(self, profile: Profile, r_ms: int) -> None: ...
    def judge_person(self, profile: Profile, now: Now, taken: Taken = NOTHING) -> None: ...
    def leave_all(self, profile: Profile, now: Now, kind: str) -> None: ...


class Hops:
    """Applies events and effects to the one profile that they are about."""

    def __init__(self, host: Host) -> None:
        self._host: Final = host

    # -- its own events

    def event(self, event: Event, identity: Identity, now: Now) -> None:
        """Apply an event of a subject that met a link or an erasure, or that meets one now."""
        profile = self._host.person_of(str(event["subject"]))
        person = profile.person
        assert person is not None
        if event["type"] == ERASURE:
            if person.erased is None or person.erased < identity:
                self._erase(profile, person, identity, now)
        elif person.erased is not None:
            return  # refused, and counted; it is no dead letter
        elif event["type"] in NO_FACTS:
            self._link(profile, person, event, identity, now)
        elif identity not in person.own:
            self._fold(profile, person, (person.subject, identity, event), (), now)

    def _link(self, profile: Profile, person: Person, event: Event, identity: Identity, now: Now) -> None:
        if identity in person.own or (person.link is not None and identity <= person.link):
            return
        before = person.canonical
        after = str(event["data"]["canonical"]) if event["type"] == LINKED else None
        if before == after:
            person.link = identity
            return
        self._host.bring_up(profile, now.r_ms)
        taken = profile.taken()
        person.link, person.canonical = identity, after
        profile.refold()
        self._host.judge_person(profile, now)
        if before is not None:
            self._send(profile, now, before, WITHDRAWN)
        if after is not None:
            self._send(profile, now, after, FACTS, brought=person.brought(), taken=taken, link=identity)

    def _fold(
        self,
        profile: Profile,
        person: Person,
        fact: tuple[str, Identity, Event],
        way: tuple[str, ...],
        now: Now,
    ) -> None:
        """Take one fact in, the subject's own (`way` is empty) or one that an alias passes on."""
        origin, identity, event = fact
        known = person.knows(identity)
        if not known or not profile.alive:
            self._host.bring_up(profile, now.r_ms)
        if way:
            part = person.parts.get((way[-1], origin))
            if part is None:
                between = frozenset(way) - {origin, way[-1]}
                part = person.parts[way[-1], origin] = Part({}, between)
            part.facts[identity] = event
            came = part.between | {origin, way[-1]}
        else:
            person.own[identity] = event
            came = frozenset({origin})
        if not known:
            profile.arrive([identity])
        profile.refold()
        if person.canonical is None:
            if not known:
                self._host.judge_person(profile, now)
        elif person.canonical not in came:
            self._send(profile, now, person.canonical, FACT, way, fact=fact)

    def _erase(self, profile: Profile, person: Person, erasure: Identity, now: Now) -> None:
        self._host.bring_up(profile, now.r_ms)
        others = [one for one in (person.canonical, *sorted(person.aliases)) if one is not None]
        self._host.leave_all(profile, now, "erased")
        person.forget(erasure)
        profile.forget()
        for other in others:
            self._send(profile, now, other, ERASED, erasure=erasure)

    def recalled(self, profile: Profile, now: Now) -> None:
        """Pass on an alias's own facts after history came to it."""
        person = profile.person
        if person is not None and person.own and person.canonical is not None:
            self._bring(profile, person.canonical, (), person.brought({person.subject}), now)

    # -- effects

    def effect(self, effect: Effect, now: Now) -> None:
        """Apply an effect to its target."""
        profile = self._host.person_of(effect.subject)
        person = profile.person
        assert person is not None
        _APPLY[effect.type](self, profile, person, effect, now)

    def _facts(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        via, direct = effect.way[-1], len(effect.way) == 1
        if direct:
            person.aliases.add(via)
        if effect.link is not None and person.erased is not None and effect.link <= person.erased:
            if direct:
                self._send(profile, now, via, ERASED, erasure=person.erased)
            return
        self._host.bring_up(profile, now.r_ms)
        shown = person.shown()
        kept = self._add(profile, person, via, effect.brought)
        if person.canonical is None:
            self._host.judge_person(profile, now, effect.taken)
        elif kept or effect.taken.met:
            self._show(profile, person, shown, kept, effect, now)

    @staticmethod
    def _add(profile: Profile, person: Person, via: str, brought: Sequence[Brought]) -> set[str]:
        kept: set[str] = set()
        known = person.facts().keys()
        for origin, facts, between in brought:
            if person.erased is None and person.subject != origin and person.subject not in between and facts:
                person.parts[via, origin] = Part(dict(facts), between)
                kept.add(origin)
        profile.arrive([one for one in person.facts() if one not in known])
        profile.refold()
        return kept

    def _fact(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        assert effect.fact is not None
        if effect.fact[0] != person.subject and person.erased is None:
            self._fold(profile, person, effect.fact, effect.way, now)

    def _withdrawn(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        if len(effect.way) == 1:
            person.aliases.discard(effect.way[-1])
        self._drop(profile, person, effect, effect.origins, now)

    def _drop(self, profile: Profile, person: Person, effect: Effect, origins: AnySet[str] | None, now: Now) -> None:
        self._host.bring_up(profile, now.r_ms)
        shown, via = person.shown(), effect.way[-1]
        gone = {way for way in person.parts if way[0] == via and (origins is None or way[1] in origins)}
        for way in gone:
            del person.parts[way]
        profile.refold()
        if person.canonical is None:
            if gone:
                self._host.judge_person(profile, now)
        elif gone:
            self._show(profile, person, shown, {origin for _, origin in gone}, effect, now)

    def _erased(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        assert effect.erasure is not None
        via = effect.way[-1]
        if person.erased is None or person.erased < effect.erasure:
            self._erase(profile, person, effect.erasure, now)
            person.aliases.discard(via)
            return
        person.aliases.discard(via)
        self._drop(profile, person, effect, None, now)
        if person.canonical == via:
            self._bring(profile, via, (), person.brought(), now)

    # -- what follows for others

    def _show(
        self, profile: Profile, person: Person, shown: AnySet[str], moved: AnySet[str], effect: Effect, now: Now
    ) -> None:
        """Let the subject that an alias stands for have what moved."""
        target = person.canonical
        assert target is not None
        taken = NOTHING if target in effect.way or effect.type != FACTS else effect.taken
        lost = shown - person.shown()
        if lost:
            self._send(profile, now, target, WITHDRAWN, effect.way, origins=lost)
        brought = person.brought(moved)
        if brought or taken.met:
            self._bring(profile, target, effect.way, brought, now, taken)

    def _bring(
        self,
        profile: Profile,
        target: str,
        way: tuple[str, ...],
        brought: Sequence[Brought],
        now: Now,
        taken: Taken = NOTHING,
    ) -> None:
        self._send(profile, now, target, FACTS, way, brought=brought, taken=taken)

    def _send(
        self, profile: Profile, now: Now, target: str, type_: str, way: tuple[str, ...] = (), **more: Any
    ) -> None:
        id_ = f"{now.cause}/{len(now.sent) + 1}"
        effect = Effect(id_, target, type_, (*way, profile.subject), now.events[0], **more)
        now.sent.append(id_)
        self._host.post.sent[id_] = effect


_APPLY: Final[Mapping[str, Callable[[Hops, Profile, Person, Effect, Now], None]]] = {
    FACTS: Hops._facts,  # noqa: SLF001 - its own table
    FACT: Hops._fact,  # noqa: SLF001
    WITHDRAWN: Hops._withdrawn,  # noqa: SLF001
    ERASED: Hops._erased,  # noqa: SLF001
}
