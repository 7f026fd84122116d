"""Links and erasures where every subject is at hand: the effects follow at once, in the order of docs/language.md.

The facts move first, from subject to subject along the links; then those are evaluated whom the text names, one after
the other. A worker has the same steps in another order: what is beyond one profile are records of other partitions
(`rules.engine.persons.remote`).
"""

from collections.abc import Iterator, Set
from typing import Final

from rules.engine.outcome import Item
from rules.engine.persons.at_hand import AtHand
from rules.engine.persons.host import Host, Latest, LocalTold
from rules.engine.persons.packed import Identity, Link
from rules.engine.persons.part import OWN, Way
from rules.engine.persons.person import logged
from rules.engine.persons.received import Received
from rules.engine.persons.steps import (
    At,
    add_facts,
    brought_by,
    drop_facts,
    others_of,
    settle,
)
from rules.engine.persons.taking_over import Taken
from rules.engine.profile import Profile
from rules.ground.event import Event


class Local(AtHand):
    """Applies events to subjects that met a link or an erasure, with all that follows from them."""

    def __init__(self, host: Host, telling: LocalTold) -> None:
        super().__init__(host)
        self._telling: Final = telling
        self._early: Final[dict[str, list[Item]]] = {}
        """By subject: what its visits brought that came because its facts move, until it is evaluated."""

    def fact(self, event: Event, at: At) -> None:
        """Take a fact in; if its subject is an alias, the end of its links knows it too."""
        self._telling.took(event, self._learn(event, at), at)

    def _learn(self, event: Event, at: At) -> Profile | None:
        """Take a fact in. Returns the end of the links, if the fact is new to it."""
        host = self._host
        profile = host.linked(event.subject, at.r_ms)
        person = profile.linked()
        alias = person.canonical is not None
        mask = self._fold(profile, Way(OWN, event.subject), event, (), at)
        if not alias:
            if mask is not None:
                self._evaluate_fact(profile, mask, at)
            host.moved(profile)
            return profile if mask is not None else None
        host.moved(profile)
        via, came_by = event.subject, [event.subject]
        for passed in self._way(person.canonical, {via}):
            there = passed.linked()
            anew = host.plan.catalogue.policy.begins_anew
            if not there.takes(event.time_ms, anew):
                return None
            mask = self._fold(passed, Way(via, event.subject, anew), event, came_by, at)
            came_by.append(passed.subject)
            host.moved(passed)
            if there.canonical is None and mask is not None:
                self._evaluate_fact(passed, mask, at)
                host.moved(passed)
                return passed
            via = passed.subject
        return None

    def link(self, event: Event, at: At) -> None:
        """Let a link event decide for whom its subject stands."""
        super().link(event, at)
        self._finish(at)

    def _relinked(self, profile: Profile, link: Link, before: str | None, taken: Taken, at: At) -> None:
        host, after = self._host, link.canonical
        latest = self._latest(before, after)
        refusing = None if after is None else host.linked(after, at.r_ms).linked()
        erasure = None if refusing is None else refusing.erased
        repeats = erasure is not None and link.identity <= erasure
        if refusing is not None:
            refusing.aliases.add(profile.subject)
            if not repeats:
                self._bring(profile, None, at)
        if before is not None:
            left = host.linked(before, at.r_ms)
            left.linked().aliases.discard(profile.subject)
            self._withdraw(left, profile.subject, None, at)
        settle(profile, host.plan_of(profile), at.r_ms)
        self._evaluate(profile, at)
        if after is None:
            self._telling.stands_alone(profile, at)
        end = self._end(before)
        if end is not None and end is not profile:
            self._evaluate(end, at)
            self._telling.moved(end, latest.get(end.subject, {}), at)
            latest = self._latest(before, after)
        if repeats and erasure is not None:
            self._erase(profile, erasure, at)
            return
        end = self._end(after)
        if end is not None:
            self._evaluate(end, at, taken)
            *_, joined = (one.subject for one in self._way(profile.subject, set()) if one is not end)
            self._telling.moved(end, latest.get(end.subject, {}), at, joined)

    def erase(self, event: Event, at: At) -> None:
        """Erase a subject, and with it the whole person."""
        super().erase(event, at)
        self._finish(at)

    def _erase(self, profile: Profile, erasure: Identity, at: At) -> None:
        """Erase a subject, and those that it reaches."""
        self._erase_on(profile, erasure, at, dict(self._latest(profile.subject)))

    def _erase_on(self, profile: Profile, erasure: Identity, at: At, latest: dict[str, Latest]) -> None:
        """Erase a subject, and those that it reaches. `latest`: of the end of the person, before all of this."""
        host = self._host
        latest.pop(profile.subject, None)
        person = profile.linked()
        canonical = person.canonical
        others = [host.linked(subject, at.r_ms) for subject in others_of(person)]
        before = [logged(other.linked().parts.values()) for other in others]
        self._leave_all(profile, erasure, at)
        self._telling.forget(profile.subject)
        if canonical is not None:
            there = host.linked(canonical, at.r_ms)
            there.linked().aliases.discard(profile.subject)
            self._withdraw(there, profile.subject, None, at)
        after = [logged(other.linked().parts.values()) for other in others]
        for other, had, has in zip(others, before, after, strict=True):
            if other.linked().newly_erased_by(erasure):
                self._erase_on(other, erasure, at, latest)
            elif had != has:
                self._affect(other.subject, at, latest)
        if person.parts:
            self._affect(profile.subject, at, latest)

    def recalled(self, profile: Profile, at: At) -> None:
        """Do nothing: history is at hand, so no record brings it."""

    def receive(self, received: Received, at: At) -> None:
        """Do nothing: what follows for others was done at once."""

    # -- facts move ------------------------------------------------------------------------------------------------

    def _bring(self, alias: Profile, origins: Set[str] | None, at: At) -> None:
        """Bring facts of an alias to the subject that it stands for, and on along the links. `origins`: of these."""
        host = self._host
        for passed in self._way(alias.linked().canonical, {alias.subject}):
            brought = brought_by(alias, host.plan_of(alias), at.r_ms, origins)
            self._touch_early(passed, at)
            shown = passed.linked().shown()
            origins = add_facts(passed, alias.subject, brought, host.plan_of(passed), at.r_ms)
            host.moved(passed)
            self._hide(passed, shown, at)
            alias = passed

    def _withdraw(self, profile: Profile, via: str, origins: Set[str] | None, at: At) -> None:
        """Take facts back that an alias brought, and on along the links."""
        host = self._host
        self._touch_early(profile, at)
        shown = profile.linked().shown()
        gone = drop_facts(profile, via, origins, host.plan_of(profile), at.r_ms)
        host.moved(profile)
        self._hide(profile, shown, at)
        left = gone & profile.linked().shown()
        if left:  # another way still leads here
            self._bring(profile, left, at)

    def _hide(self, alias: Profile, shown: Set[str], at: At) -> None:
        """Take back from the subject that an alias stands for what it had of it (`shown`) and has not any more."""
        person = alias.linked()
        lost = shown - person.shown()
        if lost and person.canonical is not None:
            self._withdraw(self._host.linked(person.canonical, at.r_ms), alias.subject, lost, at)

    def _way(self, subject: str | None, passed: set[str]) -> Iterator[Profile]:
        """Walk a subject and those that the links lead to from it, as far as they lead to new ones."""
        while subject is not None and subject not in passed:
            passed = passed | {subject}
            profile = self._host.linked(subject, 0)
            yield profile
            subject = profile.linked().canonical

    def _end(self, subject: str | None) -> Profile | None:
        """Follow the links to their end. None: there is no subject, or they lead in a ring."""
        way = [*self._way(subject, set())]
        return way[-1] if way and way[-1].linked().canonical is None else None

    # -- visits that wait ------------------------------------------------------------------------------------------

    def _touch(self, profile: Profile, at: At) -> None:
        at.items += self._early.pop(profile.subject, ())
        super()._touch(profile, at)

    def _touch_early(self, profile: Profile, at: At) -> None:
        """Bring a profile up to R because its facts move; what comes of it is put out when it is evaluated."""
        self._host.bring_up(profile, at.r_ms, self._early.setdefault(profile.subject, []))

    def _finish(self, at: At) -> None:
        """Put out what waits for those that were not evaluated."""
        for items in self._early.values():
            at.items += items
        self._early.clear()

    # -- evaluations -----------------------------------------------------------------------------------------------

    def _affect(self, subject: str, at: At, latest: dict[str, Latest]) -> None:
        end = self._end(subject)
        if end is not None:
            self._evaluate(end, at)
            self._telling.moved(end, latest.get(end.subject, {}), at)
            latest[end.subject] = self._telling.latest(end)

    def _latest(self, *subjects: str | None) -> dict[str, Latest]:
        """Return the latest of each type of the ends of these subjects, before their facts move."""
        ends = [self._end(subject) for subject in subjects]
        return {end.subject: dict(self._telling.latest(end)) for end in ends if end is not None}

    def _evaluate(self, profile: Profile, at: At, taken: Taken | None = None) -> None:
        self._touch(profile, at)
        super()._evaluate(profile, at, taken)
