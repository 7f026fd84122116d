"""Links, erasures and effects, record by record: each touches one profile, and sends effects to others.

A worker that dies leaves no trace in this: effects are in the log exactly if the changes of their cause are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    Held,
    Identity,
    Part,
    Person,
    Taken,
)
from tests.faults.profile import Profile

Dropped = tuple[str, AnySet[str] | None]
"""The alias that facts came through, and the subjects of which they were told; None: all of these."""


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
    at_hand: bool
    """Whether the facts of a profile are at hand; a worker keeps states."""

    @property
    def anew(self) -> bool:
        """Whether what comes later than an erasure begins a new profile."""
        ...

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
        elif not person.takes(identity[0], anew=self._host.anew):
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
            self._send(profile, now, before, WITHDRAWN, to=after)
        if after is not None:
            brought = person.brought()
            self._send(profile, now, after, FACTS, brought=brought, taken=taken, link=identity, instead=before)

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
                part = person.parts[way[-1], origin] = Part({}, identity[0], between)
            part.facts[identity] = event
            part.first_ms = min(part.first_ms, identity[0])
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
        person.forget(erasure, anew=self._host.anew, at_hand=self._host.at_hand)
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
        via, direct, instead = effect.way[-1], len(effect.way) == 1, effect.instead
        if direct:
            person.aliases.add(via)
        if effect.link is not None and person.erased is not None and effect.link <= person.erased:
            if direct:
                self._send(profile, now, via, ERASED, erasure=person.erased, refused=True)
            self._answer_to(profile, effect, now)
            return
        self._host.bring_up(profile, now.r_ms)
        shown = person.shown()
        moved = self._add(profile, person, via, effect.brought)
        moved |= self._drop_all(profile, person, [(via, effect.withdrawn), *_no_longer_held(person, effect, moved)])
        answers = instead is not None and person.canonical == instead and instead not in effect.way
        if person.canonical is None:
            self._host.judge_person(profile, now, effect.taken)
        elif moved or effect.taken.met or answers:
            self._show(profile, person, shown, moved, effect, now, instead=instead if answers else None)
        if not answers:
            self._answer_to(profile, effect, now)

    def _answer_to(self, profile: Profile, effect: Effect, now: Now) -> None:
        """Tell the subject that an alias left to hold its facts no longer."""
        if effect.instead not in (None, profile.subject):
            self._answer(profile, effect.way[0], profile.subject, effect.instead, (), now)

    def _answer(self, profile: Profile, left: str, to: str | None, target: str, way: tuple[str, ...], now: Now) -> None:
        self._send(profile, now, target, WITHDRAWN, way, origins=frozenset(), left=left, to=to)

    def _add(self, profile: Profile, person: Person, via: str, brought: Sequence[Brought]) -> set[str]:
        kept: set[str] = set()
        known = person.facts().keys()
        for origin, facts, between, first_ms in brought:
            part: Part | None = Part(dict(facts), first_ms, between)
            if person.erased is not None and part is not None:
                part = part.later(person.erased[0], at_hand=self._host.at_hand) if self._host.anew else None
            if part is not None and part.facts and person.subject != origin and person.subject not in between:
                person.parts[via, origin] = part
                kept.add(origin)
        profile.arrive([one for one in person.facts() if one not in known])
        profile.refold()
        return kept

    def _fact(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        assert effect.fact is not None
        if effect.fact[0] != person.subject and person.takes(effect.fact[1][0], anew=self._host.anew):
            self._fold(profile, person, effect.fact, effect.way, now)

    def _withdrawn(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        if effect.left is not None:
            self._answered(profile, person, effect, now)
            return
        via = effect.way[-1]
        to = None if effect.to == profile.subject else effect.to
        dropped: list[Dropped] = []
        if len(effect.way) == 1:
            person.aliases.discard(via)
            dropped += map(_all_of, person.freed(to=via))
        if effect.origins is None:
            person.freed(via=via)
        if to is not None and to != via and to in person.aliases:
            person.held.append(Held(via, to, None if effect.origins is None else frozenset(effect.origins)))
        else:
            dropped.append((via, effect.origins))
        if dropped:
            self._drop(profile, person, effect, dropped, now, to, asked=effect.origins is None)

    def _answered(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        """Drop what is held, or pass the answer on."""
        freed = person.freed(via=effect.left, to=effect.to)
        if freed:
            self._drop(profile, person, effect, [_all_of(held) for held in freed], now)
        elif person.canonical is not None and profile.subject not in effect.way:
            self._answer(profile, profile.subject, effect.to, person.canonical, effect.way, now)

    def _drop(
        self,
        profile: Profile,
        person: Person,
        effect: Effect,
        dropped: Sequence[Dropped],
        now: Now,
        to: str | None = None,
        *,
        asked: bool = False,
    ) -> None:
        """Drop facts, and judge the end. `asked`: by the link event itself, which judges the end in any case."""
        self._host.bring_up(profile, now.r_ms)
        shown, had = person.shown(), person.parts.keys() | set()
        gone = self._drop_all(profile, person, dropped)
        if person.canonical is None:
            if asked or had - person.parts.keys():
                self._host.judge_person(profile, now)
        elif gone:
            self._show(profile, person, shown, gone, effect, now, to=to)

    @staticmethod
    def _drop_all(profile: Profile, person: Person, dropped: Iterable[Dropped]) -> set[str]:
        """Drop facts; return whose they were."""
        gone: set[str] = set()
        for via, origins in dropped:
            for way in [way for way in person.parts if way[0] == via and (origins is None or way[1] in origins)]:
                del person.parts[way]
                gone.add(way[1])
        profile.refold()
        return gone

    def _erased(self, profile: Profile, person: Person, effect: Effect, now: Now) -> None:
        assert effect.erasure is not None
        via = effect.way[-1]
        newly = person.erased is None or person.erased < effect.erasure
        if effect.refused and not newly:
            return  # the sender was not erased now: what it brings, it brings still
        dropped: list[Dropped] = [(via, None), *map(_all_of, person.freed(to=via))]
        person.freed(via=via)
        if newly:
            self._erase(profile, person, effect.erasure, now)
            person.aliases.discard(via)
            self._drop_all(profile, person, dropped)
            return
        person.aliases.discard(via)
        self._drop(profile, person, effect, dropped, now)
        if person.canonical == via:
            self._bring(profile, via, (), person.brought(), now)

    # -- what follows for others

    def _show(
        self,
        profile: Profile,
        person: Person,
        shown: AnySet[str],
        moved: AnySet[str],
        effect: Effect,
        now: Now,
        *,
        to: str | None = None,
        instead: str | None = None,
    ) -> None:
        """Let the subject that an alias stands for have what moved, and no more than it has."""
        target = person.canonical
        assert target is not None
        taken = NOTHING if target in effect.way or effect.type != FACTS else effect.taken
        lost = shown - person.shown()
        brought = person.brought(moved)
        if brought or instead is not None or taken.met:
            more = {"brought": brought, "taken": taken, "instead": instead, "withdrawn": lost}
            self._send(profile, now, target, FACTS, effect.way, **more)
        elif lost:
            self._send(profile, now, target, WITHDRAWN, effect.way, origins=lost, to=to)

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


def _all_of(held: Held) -> Dropped:
    return held.via, held.origins


def _no_longer_held(person: Person, effect: Effect, brought: AnySet[str]) -> list[Dropped]:
    """Return what is held no longer after facts came, another way or the same way again. `brought`: of whom."""
    via = effect.way[-1]
    person.unhold(via, brought)
    found: list[Dropped] = []
    if effect.instead == person.subject:
        found = [_all_of(held) for held in person.freed(via=effect.way[0], to=via)]
    if effect.link is not None and person.freed(via=via):
        found.append((via, {origin for alias, origin in person.parts if alias == via} - brought))
    return found


_APPLY: Final[Mapping[str, Callable[[Hops, Profile, Person, Effect, Now], None]]] = {
    FACTS: Hops._facts,  # noqa: SLF001 - its own table
    FACT: Hops._fact,  # noqa: SLF001
    WITHDRAWN: Hops._withdrawn,  # noqa: SLF001
    ERASED: Hops._erased,  # noqa: SLF001
}
