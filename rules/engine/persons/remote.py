"""Links and erasures in a worker: what is beyond the profile at hand are effects, records of other partitions.

A record touches one profile. What it brings to another is an effect (`rules.engine.persons.effects`), written in the
transaction of the record's changes; its target's owner applies it by `receive`. Facts carry the
subjects that they came through, and are not passed on to one of these: a tail that leads into a ring would else go
round for ever. Nothing ever waits for another partition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final, TypeAlias

from rules.engine.decode import Own, is_subject
from rules.engine.past import FIRST_CUT, HISTORY_TYPE, begin_again
from rules.engine.persons.contribution import (
    check_states,
    read_besides,
    read_brought,
    read_fact,
    read_identity,
    read_subjects,
    read_taken,
    write_fact,
)
from rules.engine.persons.effects import ERASED_TYPE, FACT_TYPE, FACTS_TYPE, WITHDRAWN_TYPE
from rules.engine.persons.host import Host, Telling
from rules.engine.persons.journeys import active_of, note_moved
from rules.engine.persons.packed import Held, Identity, Link
from rules.engine.persons.part import OWN, Way
from rules.engine.persons.person import Person
from rules.engine.persons.pieces import PIECE, gather
from rules.engine.persons.received import Received, Unreadable, read_effect, reading
from rules.engine.persons.sending import Sending
from rules.engine.persons.steps import (
    At,
    add_facts,
    brought_by,
    drop_facts,
    settle,
)
from rules.engine.persons.taking_over import Taken
from rules.engine.profile import NEVER, Profile
from rules.ground.event import Event

Dropped: TypeAlias = tuple[str, Set[str] | None]
"""The alias that facts came through, and the subjects of which they were told; None: all of these."""
SUBJECTS_USUAL: Final = 50
"""A person of more subjects than this is told to somebody: most of these links are wrong."""


class Remote(Sending):
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
            self._send(profile, FACT_TYPE, person.canonical, passed, told, at)
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
            moved = {} if after is None else {"to": after}
            self._send(profile, WITHDRAWN_TYPE, before, (), {"origins": None, **moved}, at)
        if after is not None:
            brought = brought_by(profile, host.plan_of(profile), at.r_ms)
            self._bring(profile, after, (), brought, at, link=link.identity, taken=taken, instead=before)

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
            self._send(profile, ERASED_TYPE, other, (), told, at)

    # -- effects -----------------------------------------------------------------------------------------------------

    def receive(self, received: Received, at: At) -> None:
        """Apply an effect to its target. Raises Unreadable, and nothing but the pieces that wait has changed."""
        host = self._host
        profile = host.linked(received.subject, at.r_ms)
        if PIECE in received.data:
            self._touch(profile, at)
            person = profile.linked()
            waiting, data = gather(person.pieces, received.data)
            wrong = waiting is person.pieces or len(waiting) < len(person.pieces)
            person.pieces = waiting
            host.moved(profile)
            whole = None if data is None else read_effect(Own(received.type, data, received.subject))
            if data is None and not wrong:
                return  # more pieces come
            if whole is None or PIECE in whole.data:
                raise Unreadable
            received = whole
            at.events = (received.event,)
        _APPLY[received.type](self, profile, received, at)

    def _facts(self, profile: Profile, received: Received, at: At) -> None:
        host, person, data = self._host, profile.linked(), received.data
        with reading():
            brought, kept_there = read_brought(data["parts"]), data["states"]
            taken = read_taken(data["taken"], data.get("active"))
            if kept_there.__class__ is not str:
                raise ValueError("no states")
            link = None if data["link"] is None else read_identity(data["link"])
            instead, withdrawn = read_besides(data)
            check_states(brought, host.plan)
        if received.way == (received.via,):
            person.aliases.add(received.via)
        host.moved(profile)
        if link is not None and person.erased is not None and link <= person.erased:
            at.marks.append("link_to_erased")
            if received.way == (received.via,):
                told = {"erasure": [*person.erased], "link": received.event, "refused": True}
                self._send(profile, ERASED_TYPE, received.via, (), told, at)
            self._answer_to(instead, profile, received, at)
            return
        self._touch(profile, at)
        by_link = link is not None or taken.active is not None
        if by_link and person.erased is not None and not host.plan_of(profile).catalogue.policy.begins_anew:
            at.marks.append("link_to_erased")  # what is told of the alias is in nothing until the link is taken back
        before, begins, shown = len(person.origins()), not person.parts, person.shown()
        latest = self._telling.latest(profile)
        moved = add_facts(profile, received.via, brought, host.plan_of(profile), at.r_ms, kept_there)
        moved |= self._drop_all(profile, [(received.via, withdrawn), *_no_longer_held(person, received, moved)], at)
        answers = instead is not None and person.canonical == instead and instead not in received.way
        if person.canonical is None:
            if before <= SUBJECTS_USUAL < len(person.origins()):
                at.marks.append("many_subjects")
            had = active_of(profile, host.plan_of(profile)) if by_link else {}
            if self._waits(profile, begins, received, live=bool(moved or taken.stays)):
                if begins and person.parts:
                    begin_again(profile, host.first_ms)
            else:
                self._evaluate(profile, at, taken)
            if taken.active is not None:
                alias, has = (received.way[0], taken.active), active_of(profile, host.plan_of(profile))
                at.marks += note_moved(profile, received.event, alias, had, has)
            self._telling.moved(profile, latest, at, received.via)
        else:
            if person.canonical == received.way[0] and (by_link or moved):
                at.marks.append("ring")
            if moved or taken.stays or answers:
                self._show(profile, shown, moved, received.way, at, taken=taken, instead=instead if answers else None)
        if not answers:
            self._answer_to(instead, profile, received, at)

    def _waits(self, profile: Profile, begins: bool, received: Received, *, live: bool) -> bool:
        """Tell whether a profile was never evaluated, and waits for the end of the fill of the first cut.

        It waits as if the facts were its own (`rules.engine.past`). `begins`: it had no facts before this effect.
        `live`: the effect brought something; by a history or by an event that came since that cut.
        """
        if live and received.event != f"/segue/{self._host.generation} {HISTORY_TYPE}":
            return False
        return (begins or profile.evaluated_ms == NEVER) and FIRST_CUT not in self._host.plan_of(profile).fills

    def _answer_to(self, instead: str | None, profile: Profile, received: Received, at: At) -> None:
        """Tell the subject that an alias left to hold its facts no longer (`rules.engine.persons.sending`)."""
        if instead not in (None, profile.subject):
            self._answer(profile, received.way[0], profile.subject, instead, (), at)

    def _fact(self, profile: Profile, received: Received, at: At) -> None:
        data, person = received.data, profile.linked()
        with reading():
            event, origin = read_fact(data["fact"], received.subject), data["origin"]
            if origin == profile.subject or not is_subject(origin):
                raise ValueError("no origin")
        anew = self._host.plan.catalogue.policy.begins_anew
        if not person.takes(event.time_ms, anew):
            at.marks.append("erased_fact")
            return
        self._know(profile, Way(received.via, origin, anew), event, received.way, at)

    def _withdrawn(self, profile: Profile, received: Received, at: At) -> None:
        data, person, via = received.data, profile.linked(), received.via
        if "left" in data:
            self._answered(profile, received, at)
            return
        with reading():
            origins = None if data["origins"] is None else read_subjects(data["origins"])
        to = None if data.get("to") == profile.subject else data.get("to")
        dropped: list[Dropped] = []
        if received.way == (via,):
            person.aliases.discard(via)
            dropped += map(_all_of, person.freed(to=via))
        if origins is None:
            person.freed(via=via)
        if to.__class__ is str and to != via and to in person.aliases:
            person.held.append(Held(via, to, None if origins is None else tuple(sorted(origins))))
            self._host.moved(profile)
        else:
            dropped.append((via, origins))
        if dropped:
            self._drop(profile, received, dropped, at, to, by_link=origins is None)

    def _answered(self, profile: Profile, received: Received, at: At) -> None:
        """Take the answer to a withdrawal: what is held is dropped, or the answer is passed on."""
        data, person = received.data, profile.linked()
        left, to = data["left"], data.get("to", "")
        if not is_subject(left) or not is_subject(to):
            raise Unreadable
        freed = person.freed(via=left, to=to)
        if freed:
            self._drop(profile, received, [_all_of(held) for held in freed], at)
        elif person.canonical is not None and profile.subject not in received.way:  # once round, in a ring
            self._answer(profile, profile.subject, to, person.canonical, received.way, at)

    def _drop(
        self,
        profile: Profile,
        received: Received,
        dropped: Sequence[Dropped],
        at: At,
        to: str | None = None,
        *,
        by_link: bool = False,
    ) -> None:
        """Drop what came through aliases; the end of the links is evaluated without it. `to`: it comes that way.

        `by_link`: a link event took its own subject away. Then the end is evaluated even if nothing came through that
        subject, and a wake that is due at R is absorbed, as in a replay.
        """
        person = profile.linked()
        self._touch(profile, at)
        latest = self._telling.latest(profile)
        had, shown = {*person.parts}, person.shown()
        gone = self._drop_all(profile, dropped, at)
        self._host.moved(profile)
        if person.canonical is None:
            asked = by_link and not self._waits(profile, False, received, live=False)
            if asked or had - person.parts.keys():
                self._evaluate(profile, at)
                self._telling.moved(profile, latest, at)
        elif gone:
            self._show(profile, shown, gone, received.way, at, to=to)

    def _drop_all(self, profile: Profile, dropped: Iterable[Dropped], at: At) -> set[str]:
        """Drop facts; return of which subjects they were told."""
        gone: set[str] = set()
        for via, origins in dropped:
            if origins is None or origins:
                gone |= drop_facts(profile, via, origins, self._host.plan_of(profile), at.r_ms)
        return gone

    def _erased(self, profile: Profile, received: Received, at: At) -> None:
        host, person = self._host, profile.linked()
        with reading():
            erasure = read_identity(received.data["erasure"])
        newly = person.newly_erased_by(erasure)
        if not newly and received.data.get("refused") is True:
            return  # the sender refused a link, and was not erased now: what it brings, it brings still
        # the sender has lost all of its facts, those that are later than the erasure among them
        dropped = [(received.via, None), *map(_all_of, person.freed(to=received.via))]
        person.freed(via=received.via)
        if newly:
            link = received.data.get("link", "")
            self._erase(profile, erasure, at, received.via, link if link.__class__ is str else "")
            person.aliases.discard(received.via)
            self._drop_all(profile, dropped, at)
            return
        person.aliases.discard(received.via)
        self._drop(profile, received, dropped, at)
        if person.canonical == received.via:  # left alone: what it has came later than the erasure
            brought = brought_by(profile, host.plan_of(profile), at.r_ms)
            link = None if person.link is None else person.link.identity  # it may be erased again meanwhile
            self._bring(profile, received.via, (), brought, at, link=link)


def _all_of(held: Held) -> Dropped:
    return held.via, None if held.origins is None else {*held.origins}


def _no_longer_held(person: Person, received: Received, taken: Set[str]) -> list[Dropped]:
    """Return what is held no longer after facts came, another way or the same way again. `taken`: of whom."""
    via = received.via
    person.unhold(via, taken)
    found: list[Dropped] = []
    if received.data.get("instead") == person.subject:
        found = [_all_of(held) for held in person.freed(via=received.way[0], to=via)]
    if received.data["link"] is not None and person.freed(via=via):  # all that the alias brings is in this effect
        found.append((via, {way.origin for way in person.parts if way.via == via} - taken))
    return found


_APPLY: Final[Mapping[str, Callable[[Remote, Profile, Received, At], None]]] = {
    FACTS_TYPE: Remote._facts,  # noqa: SLF001 - its own table
    FACT_TYPE: Remote._fact,  # noqa: SLF001
    WITHDRAWN_TYPE: Remote._withdrawn,  # noqa: SLF001
    ERASED_TYPE: Remote._erased,  # noqa: SLF001
}
