"""What organisations tell where every subject is at hand: at once, in the order of docs/language.md."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from rules.engine.affiliations.telling import told_event
from rules.engine.affiliations.ties import AFFILIATIONS, Tie, Ties
from rules.engine.persons.host import Host, TakeIn
from rules.engine.persons.person import identity_of
from rules.engine.persons.received import Received
from rules.engine.persons.steps import At
from rules.engine.profile import Profile
from rules.engine.seen import Seen
from rules.ground.event import Event

Latest = Mapping[str, Event]
"""By type that reaches somebody: the latest fact."""


class TellingHost(Host, Protocol):
    """A partition that has the facts of all subjects."""

    def facts_of(self, subject: str) -> Sequence[Seen]:
        """Return the facts of a subject that never met a link, in the order in which they came."""
        ...


class LocalTelling:
    """Tells events of organisations to who is tied to them."""

    def __init__(self, host: TellingHost, take_in: TakeIn) -> None:
        self._host: Final = host
        self._take_in: Final = take_in
        self._ties: Final = Ties()
        self._read: dict[str, tuple[int, int, dict[str, Event]]] = {}
        """By subject that never met a link: under which plan, how many facts were looked at, the latest of them."""

    def took(self, event: Event, end: Profile | None, at: At) -> None:
        """Tell what follows from a fact. `end`: the profile that is the end of the links, if the fact is new to it."""
        if end is not None and event.type in self._host.plan.reaching:
            self._reach(end.subject, event, self._tied(end.subject, event), at)
        if event.type not in AFFILIATIONS:
            return
        tie = self._ties.learn(event)
        if tie is not None:
            self._catch_up(event.subject, tie, at)

    def ties(self, profile: Profile | None) -> set[Tie]:
        """Return nothing: `took` keeps ties itself."""
        return set()

    def tied(self, profile: Profile, before: set[Tie], at: At) -> None:
        """Do nothing: `took` tells what a tie brings."""

    def needs(self, received: Received) -> Iterable[str]:
        """Return nothing: ties are kept in no pages."""
        return ()

    def receive(self, received: Received, at: At) -> None:
        """Do nothing: what is told was taken in at once."""

    def forget(self, subject: str) -> None:
        """Forget the ties of a subject that was erased."""
        self._ties.forget(subject)

    def stands_alone(self, profile: Profile, at: At) -> None:
        """Tell the latest to who is tied to a subject that stands for itself again."""
        for _, event in sorted(self.latest(profile).items()):
            self._reach(profile.subject, event, self._tied(profile.subject, event), at)

    def moved(self, end: Profile, before: Latest, at: At, joined: str | None = None) -> None:
        """Tell the latest of an end whose facts a link or an erasure changed. `before`: its latest before that.

        `joined`: an alias of the end that came; who is tied to it is told what is the latest still, too.
        """
        for name, event in sorted(self.latest(end).items()):
            if name not in before or identity_of(before[name]) != identity_of(event):
                self._reach(end.subject, event, self._tied(end.subject, event), at)
            elif joined is not None:
                self._reach(end.subject, event, self._tied(joined, event), at)

    def latest(self, profile: Profile | None) -> Latest:
        """Return the latest fact of each type that reaches somebody, as far as a profile knows one."""
        reaching = self._host.plan.reaching
        if profile is None or not reaching:
            return {}
        if profile.person is not None:
            if profile.person.canonical is not None:
                return {}
            found: dict[str, Event] = {}
            for part in profile.person.ordered():
                _look(found, part.log or (), reaching)
            return found
        ordinal, facts = self._host.plan.ordinal, self._host.facts_of(profile.subject)
        under, read, found = self._read.get(profile.subject, (ordinal, 0, {}))
        if under != ordinal:
            read, found = 0, {}
        _look(found, facts[read:], reaching)
        self._read[profile.subject] = ordinal, len(facts), found
        return found

    def _catch_up(self, subject: str, tie: Tie, at: At) -> None:
        """Tell a subject that is tied now the latest of each type."""
        end = self._end(tie[0])
        for name, event in sorted(self.latest(end).items()):
            reaches = self._host.plan.reaching[name]
            if end is not None and tie[1] in reaches.roles:
                self._reach(end.subject, event, [subject], at)

    def _reach(self, organisation: str, event: Event, subjects: Iterable[str], at: At) -> None:
        dictionary = self._host.plan.catalogue.dictionary
        for subject in subjects:
            told = told_event(event, subject, organisation, dictionary)
            if told is not None:
                self._take_in(told, At(at.r_ms, (told.name,), at.items))

    def _tied(self, organisation: str, event: Event) -> list[str]:
        """List who is tied to an organisation or to its aliases in a role that an event reaches, in order."""
        return [*self._tied_in(organisation, self._host.plan.reaching[event.type].roles)]

    def _tied_in(self, organisation: str, roles: Collection[str]) -> Iterator[str]:
        yield from self._ties.tied(organisation, roles)
        profile = self._host.profile(organisation)
        if profile is not None and profile.person is not None:
            for alias in sorted(profile.person.aliases):
                yield from self._tied_in(alias, roles)

    def _end(self, subject: str) -> Profile | None:
        """Follow the links of an organisation. None: nobody knows the end, or they lead in a ring."""
        passed: set[str] = set()
        while subject not in passed:
            passed.add(subject)
            profile = self._host.profile(subject)
            if profile is None or profile.person is None or profile.person.canonical is None:
                return profile
            subject = profile.person.canonical
        return None


def _look(found: dict[str, Event], facts: Iterable[Seen], reaching: Mapping[str, object]) -> None:
    for seen in facts:
        event = seen.event
        if event.type in reaching and (event.type not in found or identity_of(found[event.type]) < identity_of(event)):
            found[event.type] = event
