"""What organisations tell in a worker: ties and what is told are effects, records of other partitions.

1. A subject whose ties change sends `segue.tied` to the organisation, which keeps the tie in a page
   (`rules.engine.affiliations.pages`) and answers with the latest of each type, `segue.reached`. An organisation that
   is an alias passes the question on to the end of its links, `segue.asked`.
2. An organisation that is told something sends `segue.reaching` to itself. That record tells one page, and sends the
   next `segue.reaching`; the last one sends one to each direct alias. So other records come between two pages, and a
   crash goes on where the log stands: nothing is kept anywhere else.
3. `segue.reached` is a fact of the subject that it names, as if it had been sent.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from rules.engine.affiliations.memories import TIES, LatestMemory, fact_in, ties_in
from rules.engine.affiliations.pages import PAGE_MAX, Rows, Turn, index_name, page_name, page_of, tie, turn
from rules.engine.affiliations.telling import told_event
from rules.engine.affiliations.ties import Tie
from rules.engine.persons.contribution import read_fact, write_fact
from rules.engine.persons.effects import ASKED_TYPE, REACHED_TYPE, REACHING_TYPE, TIED_TYPE, Effect
from rules.engine.persons.host import Host, TakeIn
from rules.engine.persons.received import Received, reading
from rules.engine.persons.steps import At
from rules.engine.profile import Profile
from rules.ground.event import Event

TOLD_BYTES_MAX: Final = 1_000_000
"""Bytes of a fact that one record tells, to all subjects together; to one subject it tells any fact. An event may have
256 KiB, and what a record brings is published in one transaction, which must be small."""
Latest = Mapping[str, Event]


class PagingHost(Host, Protocol):
    """A partition that keeps pages."""

    def rows(self, name: str) -> Rows:
        """Return the rows of an index or a page, to read."""
        ...

    def rows_to_change(self, name: str, r_ms: int) -> Rows:
        """Return the rows of an index or a page, to change; there are none where there was none."""
        ...


class RemoteTelling:
    """Sends and applies the effects of affiliations."""

    def __init__(self, host: PagingHost, take_in: TakeIn) -> None:
        self._host: Final = host
        self._take_in: Final = take_in

    # -- facts of the profile at hand ----------------------------------------------------------------------------------

    def ties(self, profile: Profile | None) -> set[Tie]:
        """Return the ties that a profile's own facts make."""
        if profile is None:
            return set()
        if profile.person is None:
            return ties_in(profile.states.get(TIES.state_key))
        own = profile.person.own
        return set() if own is None else ties_in(own.states.get(TIES.state_key))

    def took(self, event: Event, end: Profile | None, at: At) -> None:
        """Tell what follows from a new fact of an end."""
        if end is not None and event.type in self._host.plan.reaching:
            self._begin(end.subject, end.subject, event, (), at)

    def tied(self, profile: Profile, before: set[Tie], at: At) -> None:
        """Tell organisations which ties of a subject came and went. `before`: its ties before the record."""
        now = self.ties(profile)
        for organisation, role in sorted(before ^ now):
            told = {"way": [profile.subject], "event": at.events[0], "role": role, "tied": (organisation, role) in now}
            at.effects.append(Effect(organisation, TIED_TYPE, told))

    # -- links and erasures of the profile at hand ------------------------------------------------------------------

    def latest(self, profile: Profile | None) -> Latest:
        """Return the latest fact of each type that reaches somebody, as far as an end knows one."""
        if profile is None or (profile.person is not None and profile.person.canonical is not None):
            return {}
        found = {
            name: fact_in(profile.states.get(LatestMemory(name).state_key), name, profile.subject)
            for name in sorted(self._host.plan.reaching)
        }
        return {name: event for name, event in found.items() if event is not None}

    def stands_alone(self, profile: Profile, at: At) -> None:
        """Tell the latest to those that are tied to a subject that stands for itself again."""
        for event in self.latest(profile).values():
            self._begin(profile.subject, profile.subject, event, (), at)

    def moved(self, end: Profile, before: Latest, at: At, joined: str | None = None) -> None:
        """Tell the latest of an end whose facts a link or an erasure changed; to an alias that came, also the rest."""
        for name, event in self.latest(end).items():
            was = before.get(name)
            if was is None or (was.time_ms, was.source, was.id) != (event.time_ms, event.source, event.id):
                self._begin(end.subject, end.subject, event, (), at)
            elif joined is not None:
                self._begin(joined, end.subject, event, (end.subject,), at)

    # -- effects that come ---------------------------------------------------------------------------------------------

    def needs(self, received: Received) -> Iterable[str]:
        """Walk the index and the page that an effect needs; the page is known once the index is in memory."""
        if received.type not in (TIED_TYPE, REACHING_TYPE):
            return
        subject = received.subject
        yield index_name(subject)
        index = self._host.rows(index_name(subject))
        about = received.data.get("after") if received.type == REACHING_TYPE else received.via
        if isinstance(about, str):
            yield page_name(subject, page_of(index, about)[1])

    def receive(self, received: Received, at: At) -> None:
        """Apply an effect. Raises Unreadable."""
        with reading():
            _APPLY[received.type](self, received.subject, received.way, received.data, at)

    def _tied(self, subject: str, way: tuple[str, ...], data: Mapping[str, Any], at: At) -> None:
        role, tied = str(data["role"]), bool(data["tied"])
        if tie(subject, way[-1], role, tied=tied, open_=self._opener(at)) and tied:
            self._answer(subject, (), way[-1], role, at)

    def _asked(self, subject: str, way: tuple[str, ...], data: Mapping[str, Any], at: At) -> None:
        self._answer(subject, way, str(data["subject"]), str(data["role"]), at)

    def _answer(self, organisation: str, way: tuple[str, ...], subject: str, role: str, at: At) -> None:
        """Tell a subject that is tied now the latest; an alias passes the question on."""
        profile = self._host.profile(organisation)
        person = None if profile is None else profile.person
        if person is not None and person.canonical is not None:
            if person.canonical in way:
                at.marks.append("came_round")
                return
            asked = {"way": [*way, organisation], "event": at.events[0], "subject": subject, "role": role}
            at.effects.append(Effect(person.canonical, ASKED_TYPE, asked))
            return
        for name, event in self.latest(profile).items():
            if role in self._host.plan.reaching[name].roles:
                self._tell([subject], organisation, event, at)

    def _reaching(self, subject: str, way: tuple[str, ...], data: Mapping[str, Any], at: At) -> None:
        organisation, after, event = str(data["organisation"]), str(data["after"]), read_fact(data["fact"], subject)
        reaches = self._host.plan.reaching.get(event.type)
        profile = self._host.profile(subject)
        person = None if profile is None else profile.person
        if reaches is None or (len(way) > 1 and (person is None or person.canonical != way[-2])):
            return
        most = max(1, TOLD_BYTES_MAX // len(msgspec.json.encode(data["fact"])))
        told: Turn = turn(subject, after, list(reaches.roles), self._opener(at), min(most, PAGE_MAX))
        self._tell(told.subjects, organisation, event, at)
        if told.next is not None:
            self._send(subject, organisation, event, way, told.next, at)
            return
        for alias in sorted(person.aliases) if person is not None else ():
            self._begin(alias, organisation, event, way, at)

    def _reached(self, subject: str, way: tuple[str, ...], data: Mapping[str, Any], at: At) -> None:
        self._take_in(read_fact(data["fact"], subject), at)

    # -- effects that go -----------------------------------------------------------------------------------------------

    def _begin(self, subject: str, organisation: str, event: Event, way: tuple[str, ...], at: At) -> None:
        """Let an organisation, or an alias of it, tell an event from its first page on. `way`: the subjects before."""
        if subject in way:
            at.marks.append("came_round")
            return
        self._send(subject, organisation, event, (*way, subject), "", at)

    def _send(self, subject: str, organisation: str, event: Event, way: tuple[str, ...], after: str, at: At) -> None:
        data = {
            "way": [*way],
            "event": event.name,
            "organisation": organisation,
            "after": after,
            "fact": write_fact(event),
        }
        at.effects.append(Effect(subject, REACHING_TYPE, data))

    def _tell(self, subjects: Iterable[str], organisation: str, event: Event, at: At) -> None:
        dictionary = self._host.plan.catalogue.dictionary
        for subject in subjects:
            told = told_event(event, subject, organisation, dictionary)
            if told is not None:
                fact = {"way": [organisation], "event": event.name, "fact": write_fact(told)}
                at.effects.append(Effect(subject, REACHED_TYPE, fact))

    def _opener(self, at: At) -> Callable[[str, bool], Rows]:
        host, r_ms = self._host, at.r_ms
        return lambda name, change: host.rows_to_change(name, r_ms) if change else host.rows(name)


_APPLY: Final[Mapping[str, Callable[[RemoteTelling, str, tuple[str, ...], Mapping[str, Any], At], None]]] = {
    TIED_TYPE: RemoteTelling._tied,  # noqa: SLF001 - its own table
    ASKED_TYPE: RemoteTelling._asked,  # noqa: SLF001
    REACHING_TYPE: RemoteTelling._reaching,  # noqa: SLF001
    REACHED_TYPE: RemoteTelling._reached,  # noqa: SLF001
}
TELLING_TYPES: Final = frozenset(_APPLY)
"""The effects of affiliations."""
