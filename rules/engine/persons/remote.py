"""Links and erasures in a worker: what is beyond the profile at hand are effects, records of other partitions.

A record touches one profile. What it brings to another is an effect (`rules.engine.persons.effects`), written in the
transaction of the record's changes; its target's owner applies it by `receive`. Facts carry the
subjects that they came through, and are not passed on to one of these: a tail that leads into a ring would else go
round for ever. Nothing ever waits for another partition.
"""

from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from typing import Any, Final

import msgspec

from rules.engine.decode import Own, is_subject
from rules.engine.persons.at_hand import AtHand
from rules.engine.persons.contribution import (
    read_brought,
    read_fact,
    read_identity,
    read_taken,
    write_brought,
    write_fact,
)
from rules.engine.persons.effects import ERASED_TYPE, FACT_TYPE, FACTS_TYPE, WITHDRAWN_TYPE, Effect
from rules.engine.persons.host import Host, Telling
from rules.engine.persons.journeys import active_of, note_moved
from rules.engine.persons.lacking import kept_by, note_origin
from rules.engine.persons.packed import Identity, Link
from rules.engine.persons.part import OWN, Way
from rules.engine.persons.pieces import PIECE, gather
from rules.engine.persons.received import Received, read_effect
from rules.engine.persons.steps import (
    At,
    Brought,
    add_facts,
    brought_by,
    drop_facts,
    settle,
)
from rules.engine.persons.taking_over import Taken, as_json
from rules.engine.profile import Profile
from rules.ground.event import Event

SUBJECTS_USUAL: Final = 50
"""A person of more subjects than this is told to somebody: most of these links are wrong."""


class Remote(AtHand):
    """Applies events and effects to the one profile that they are about; `At.effects` takes what follows for others."""

    def __init__(self, host: Host, telling: Telling) -> None:
        super().__init__(host)
        self._telling: Final = telling

    # -- its own events ----------------------------------------------------------------------------------------------

    def fact(self, event: Event, at: At) -> None:
        """Take a fact in; an alias passes it on."""
        profile = self._host.linked(event.subject, at.r_ms)
        before = self._telling.ties(profile)
        self._know(profile, Way(OWN, event.subject), event, (), at)
        self._telling.tied(profile, before, at)

    def _know(self, profile: Profile, way: Way, event: Event, passed: tuple[str, ...], at: At) -> None:
        """Know a fact; an alias passes it on. `passed`: the subjects that it came through."""
        person = profile.linked()
        mask = self._fold(profile, way, event, passed, at)
        if person.canonical is not None and person.canonical in person.came_by(way):
            at.marks.append("came_round")
        elif person.canonical is not None:
            told = {"origin": way.origin, "fact": write_fact(event)}
            self._pass_on(profile, FACT_TYPE, person.canonical, passed, told, at)
        elif mask is not None:
            self._evaluate_fact(profile, mask, at)
            self._telling.took(event, profile, at)
        self._host.moved(profile)

    def _relinked(self, profile: Profile, link: Link, before: str | None, taken: Taken, at: At) -> None:
        host, after = self._host, link.canonical
        taken = taken._replace(active=active_of(profile, host.plan_of(profile)))
        settle(profile, host.plan_of(profile), at.r_ms)
        self._evaluate(profile, at)
        if after is None:
            self._telling.stands_alone(profile, at)
        if before is not None:
            self._pass_on(profile, WITHDRAWN_TYPE, before, (), {"origins": None}, at)
        if after is not None:
            brought = brought_by(profile, host.plan_of(profile), at.r_ms)
            self._bring(profile, after, (), brought, at, link=link.identity, taken=taken)

    def recalled(self, profile: Profile, at: At) -> None:
        """Pass on what a profile's own facts are after history came to it, if it is an alias."""
        person = profile.linked()
        if person.canonical is not None:
            own = brought_by(profile, self._host.plan_of(profile), at.r_ms, {profile.subject})
            self._bring(profile, person.canonical, (), own, at)

    def _erase(self, profile: Profile, erasure: Identity, at: At, via: str = "", link: str = "") -> None:
        """Erase a subject. `via`: who told it; `link`: the link event to an erased subject that brought it, if any."""
        self._touch(profile, at)  # its ties are those under the plan in force
        ties = self._telling.ties(profile)
        others = self._leave_all(profile, erasure, at)
        self._telling.tied(profile, ties, at)
        for other in others:
            told = {"erasure": [*erasure]} | ({"link": link} if link and other != via else {})
            self._pass_on(profile, ERASED_TYPE, other, (), told, at)

    # -- effects -----------------------------------------------------------------------------------------------------

    def receive(self, received: Received, at: At) -> None:
        """Apply an effect to its target. One that does not say what it must says nothing."""
        host = self._host
        profile = host.linked(received.subject, at.r_ms)
        if PIECE in received.data:
            self._touch(profile, at)
            person = profile.linked()
            person.pieces, data = gather(person.pieces, received.data)
            host.moved(profile)
            whole = None if data is None else read_effect(Own(received.type, data, received.subject))
            if whole is None or PIECE in whole.data:
                return
            received = whole
            at.events = (received.event,)
        with suppress(ValueError, KeyError, TypeError, msgspec.MsgspecError):
            _APPLY[received.type](self, profile, received, at)

    def _facts(self, profile: Profile, received: Received, at: At) -> None:
        host, person, data = self._host, profile.linked(), received.data
        brought, taken, kept_there = (
            read_brought(data["parts"]),
            read_taken(data["taken"], data.get("active")),
            data["states"],
        )
        if kept_there.__class__ is not str:
            raise ValueError("no states")
        link = None if data["link"] is None else read_identity(data["link"])
        if received.way == (received.via,):
            person.aliases.add(received.via)
        host.moved(profile)
        if link is not None and person.erased is not None and link <= person.erased:
            at.marks.append("link_to_erased")
            if received.way == (received.via,):
                told = {"erasure": [*person.erased], "link": received.event}
                self._pass_on(profile, ERASED_TYPE, received.via, (), told, at)
            return
        self._touch(profile, at)
        by_link = link is not None or taken.active is not None
        if by_link and person.erased is not None and not host.plan_of(profile).catalogue.policy.begins_anew:
            at.marks.append("link_to_erased")  # what is told of the alias is in nothing until the link is taken back
        before, shown = len(person.origins()), person.shown()
        latest = self._telling.latest(profile)
        kept = add_facts(profile, received.via, brought, host.plan_of(profile), at.r_ms, kept_there)
        if person.canonical is None:
            if before <= SUBJECTS_USUAL < len(person.origins()):
                at.marks.append("many_subjects")
            had = active_of(profile, host.plan_of(profile)) if by_link else {}
            self._evaluate(profile, at, taken)
            if taken.active is not None:
                alias, has = (received.way[0], taken.active), active_of(profile, host.plan_of(profile))
                at.marks += note_moved(profile, received.event, alias, had, has)
            self._telling.moved(profile, latest, at, received.via)
            return
        if person.canonical == received.way[0] and (by_link or kept):
            at.marks.append("ring")
        if kept or taken.stays:
            self._show(profile, shown, kept, received.way, at, taken)

    def _fact(self, profile: Profile, received: Received, at: At) -> None:
        data, person = received.data, profile.linked()
        event = read_fact(data["fact"], received.subject)
        anew = self._host.plan.catalogue.policy.begins_anew
        origin = data["origin"]
        if origin == profile.subject or not is_subject(origin):
            return
        if not person.takes(event.time_ms, anew):
            at.marks.append("erased_fact")
            return
        self._know(profile, Way(received.via, origin, anew), event, received.way, at)

    def _withdrawn(self, profile: Profile, received: Received, at: At) -> None:
        origins = received.data["origins"]
        if received.way == (received.via,):
            profile.linked().aliases.discard(received.via)
        self._drop(profile, received, None if origins is None else set(origins), at)

    def _drop(self, profile: Profile, received: Received, origins: set[str] | None, at: At) -> None:
        """Drop what came through the sender; the end of the links is evaluated without it."""
        host, person = self._host, profile.linked()
        self._touch(profile, at)
        latest = self._telling.latest(profile)
        had = {way for way in person.parts if way.via == received.via}
        shown = person.shown()
        gone = drop_facts(profile, received.via, origins, host.plan_of(profile), at.r_ms)
        host.moved(profile)
        if person.canonical is None:
            if had - person.parts.keys():
                self._evaluate(profile, at)
                self._telling.moved(profile, latest, at)
        elif gone:
            self._show(profile, shown, gone, received.way, at)

    def _erased(self, profile: Profile, received: Received, at: At) -> None:
        host, person, erasure = self._host, profile.linked(), read_identity(received.data["erasure"])
        if person.newly_erased_by(erasure):
            link = received.data.get("link", "")
            self._erase(profile, erasure, at, received.via, link if link.__class__ is str else "")
            person.aliases.discard(received.via)
            # the sender has lost all of its facts, those that are later than the erasure among them
            drop_facts(profile, received.via, None, host.plan_of(profile), at.r_ms)
            return
        person.aliases.discard(received.via)
        self._drop(profile, received, None, at)
        if person.canonical == received.via:  # left alone: what it has came later than the erasure
            self._bring(profile, received.via, (), brought_by(profile, host.plan_of(profile), at.r_ms), at)

    # -- what follows for others -------------------------------------------------------------------------------------

    def _show(
        self,
        profile: Profile,
        shown: Set[str],
        moved: Set[str],
        way: tuple[str, ...],
        at: At,
        taken: Taken | None = None,
    ) -> None:
        """Let the subject that an alias stands for have what moved. `shown`: whose facts that one had before.

        Facts that reach it another way now are told again, with that way: a subject may have them by several ways while
        links move, and what is left of these must be known further on.
        """
        person = profile.linked()
        target = person.canonical
        assert target is not None
        if target in way:
            at.marks.append("came_round")
            taken = None
        lost = shown - person.shown()
        if lost:
            self._pass_on(profile, WITHDRAWN_TYPE, target, way, {"origins": sorted(lost)}, at)
        brought = brought_by(profile, self._host.plan_of(profile), at.r_ms, moved)
        if brought or (taken is not None and taken.stays):
            self._bring(profile, target, way, brought, at, taken=taken)

    def _bring(
        self,
        profile: Profile,
        subject: str,
        way: tuple[str, ...],
        brought: Brought,
        at: At,
        *,
        link: Identity | None = None,
        taken: Taken | None = None,
    ) -> None:
        plan = self._host.plan_of(profile)
        for _, part in brought:
            note_origin(profile, part, plan)
        told: dict[str, Any] = {
            "states": kept_by(plan),
            "link": None if link is None else [*link],
            "parts": write_brought(brought, plan, at.r_ms),
            "taken": {} if taken is None else as_json(taken),
        }
        if taken is not None and taken.active is not None:
            told["active"] = dict(taken.active)
        self._pass_on(profile, FACTS_TYPE, subject, way, told, at)

    def _pass_on(
        self, profile: Profile, type_: str, subject: str, passed: tuple[str, ...], told: Mapping[str, Any], at: At
    ) -> None:
        """Send an effect to another subject. `passed`: the subjects that it came through before this one."""
        way = (*passed, profile.subject)
        at.effects.append(Effect(subject, type_, {"way": way, "event": at.events[0], **told}))


_APPLY: Final[Mapping[str, Callable[[Remote, Profile, Received, At], None]]] = {
    FACTS_TYPE: Remote._facts,  # noqa: SLF001 - its own table
    FACT_TYPE: Remote._fact,  # noqa: SLF001
    WITHDRAWN_TYPE: Remote._withdrawn,  # noqa: SLF001
    ERASED_TYPE: Remote._erased,  # noqa: SLF001
}
