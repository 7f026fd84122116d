"""The lives of all profiles: each record in order, and the effects that it has on others (docs, sections 11 and 12).

Profiles affect each other only through the effects of links and erasures. So a profile is taken forward to an instant
when a record or an effect touches it, and not before; `replay.merge` puts the happenings into the canonical order.
"""

from collections.abc import Sequence

from tests.naive.affiliations import Tie, latest, tied, ties, way_in
from tests.naive.conditions import Known
from tests.naive.decode import ERASED, LINKED, Event, told_as
from tests.naive.evaluation import evaluate
from tests.naive.fillings import Filled, History
from tests.naive.happenings import Happening, Now, Record
from tests.naive.membership import Taken
from tests.naive.passing import Passing
from tests.naive.persons import Origin, Person
from tests.naive.profile import Identity


class Lives(Passing):
    """All lives so far."""

    def run(self, records: Sequence[Record], end: int) -> dict[str, list[Happening]]:
        """Take every profile through the records and to the end. Returns the happenings of each subject, in order."""
        for index, record in enumerate(records):
            if record.era is not None:
                self.visit(index, record.at, record.era)
            elif isinstance(record.filling, Filled):
                self.visit(index, record.at, record.filling)
            elif isinstance(record.filling, History):
                self.recall(index, record.at, record.filling)
            elif record.event is not None:
                self.take(Now(index, record.at, record.event))
        for person in list(self.persons.all.values()):
            self.bring(person, end + 1)
        return self.happenings

    # ------------------------------------------------------------ events

    def take(self, now: Now) -> None:
        """Take an event in: a fact, a link event, or an erasure."""
        event, person = now.event, self.persons.of(now.event.subject)
        if event.type != ERASED and not person.takes(event, self.era.catalogue.begins_anew):
            self.refused.append(now.index)
        elif person.told(event):
            pass  # a redelivery
        elif event.type == ERASED:
            person.erasures.add(event.identity)
            if person.erased is None or event.identity > person.erased:
                self.erase(person, event.identity, now)
        elif event.is_fact:
            self.learn(person, now)
        else:
            self.link(person, now)

    def learn(self, person: Person, now: Now) -> None:
        """Take a fact in."""
        event = now.event
        linked = person.subject in self.persons.linked
        known = linked and any(one.event.identity == event.identity for one in person.profile.known)
        alias = person.canonical is not None
        before = ties(person)
        if not alias and not known:
            self.touch(person, now.index, now.at)
        person.own[event.identity] = Known(event, self.persons.number(), self.era.ordinal)
        facts = self.settle(now)
        end: Person | None = None
        if not alias and not known:
            end = person
        elif alias and self.linking:
            end = self.persons.end(person.canonical)
            if end is not None:
                had = {one.event.identity for one in end.profile.known}
                end = end if event.identity in identities(facts, end) - had else None
        if end is not None:
            self.effect(end, now)
            self.reach(end, event, now)
        for tie in ties(person) - before:
            self.catch_up(person, tie, now)

    def link(self, person: Person, now: Now) -> None:
        """Let the latest link event of a subject decide, with the effects on others."""
        before = person.canonical
        linked = person.links | {now.event.identity: now.event.data["canonical"] if now.event.type == LINKED else None}
        if linked[max(linked)] == before:
            self.persons.link(person, linked)
            return
        self.touch(person, now.index, now.at)
        taken = Taken.of(person.profile)
        self.persons.link(person, linked)
        person.profile.cursor = now.at  # what an alias slept through fires no wakes
        after = person.canonical
        self.settle(now)
        self.effect(person, now)
        if not self.linking:
            return
        if after is None:
            self.reach_with_latest(person, person.subject, now)
        left = self.persons.end(before)
        if left is not None and left is not person:
            self.affect(left, now)
        erasure = self.persons.of(after).erased if after is not None else None
        if erasure is not None and now.event.identity <= erasure:
            self.erase(person, erasure, now)
        elif (end := self.persons.end(after)) is not None:
            self.affect(end, now, taken, way_in(self.persons, person.subject, end.subject))

    def erase(self, person: Person, erasure: Identity, now: Now) -> None:
        """Erase a subject, then whom it was an alias of, then its direct aliases, and so on."""
        self.touch(person, now.index, now.at)
        others = [
            self.persons.of(one) for one in (person.canonical, *self.persons.aliases(person.subject)) if one is not None
        ]
        before = self.facts()
        leaves = person.canonical is None
        self.publish(person, now, "erased" if leaves else "merged")
        person.forget(erasure)
        after = self.settle(now)
        if not self.linking:
            return
        for other in others:
            if other.erased is None or other.erased < erasure:
                self.erase(other, erasure, now)
            elif identities(before, other) != identities(after, other):
                self.affect(self.persons.end(other.subject), now)
        if self.facts().get(person.subject):
            self.affect(self.persons.end(person.subject), now)

    # ------------------------------------------------------------ evaluations

    def facts(self) -> dict[str, dict[Origin, Known]]:
        """Map every subject to its facts, by the policy in force."""
        return self.persons.facts(self.era.catalogue.begins_anew)

    def settle(self, now: Now) -> dict[str, dict[Origin, Known]]:
        """Let every alias know its facts. The others learn theirs when they are evaluated. Returns all facts."""
        found = self.facts()
        for name in found:
            person = self.persons.of(name)
            if person.canonical is not None:
                self.persons.refresh(person, found, self.era.ordinal, now.at)
        return found

    def affect(self, end: Person | None, now: Now, taken: Taken | None = None, joined: str | None = None) -> None:
        """Evaluate an end, if there is one, after links or erasures changed its facts.

        Where the latest of a type is another than before, it is told to who is tied to the end. The others of `joined`,
        an alias that came, are told the latest, too.
        """
        if end is None:
            return
        before = latest(end, self.era.catalogue)
        self.effect(end, now, taken)
        for name, event in sorted(latest(end, self.era.catalogue).items()):
            if name not in before or before[name].identity != event.identity:
                self.reach(end, event, now)
            elif joined is not None:
                self.reach(end, event, now, joined)

    def effect(self, person: Person, now: Now, taken: Taken | None = None) -> None:
        """Evaluate a subject with the facts that it has now. `taken`: what it takes over."""
        self.touch(person, now.index, now.at)
        self.persons.number()
        self.persons.refresh(person, self.facts(), self.era.ordinal, now.at)
        self.publish(person, now, None if person.alive else "merged", taken)

    # ------------------------------------------------------------ affiliations

    def reach(self, end: Person, event: Event, now: Now, below: str | None = None) -> None:
        """Tell an event of an organisation to who is tied to it, or to `below`, one of its aliases."""
        if not self.linking or event.type not in self.era.catalogue.reaching:
            return
        roles, _ = self.era.catalogue.reaching[event.type]
        for subject in list(tied(self.persons, below or end.subject, roles)):
            self.tell(subject, end, event, now)

    def reach_with_latest(self, end: Person, below: str, now: Now) -> None:
        """Tell the latest of each type of an organisation to who is tied to `below`."""
        for _, event in sorted(latest(end, self.era.catalogue).items()):
            self.reach(end, event, now, below)

    def catch_up(self, person: Person, tie: Tie, now: Now) -> None:
        """Tell a subject that is tied now the latest of each type of the organisation."""
        organisation, role = tie
        end = self.persons.end(organisation)
        if end is None or not self.linking:
            return
        for name, event in sorted(latest(end, self.era.catalogue).items()):
            if role in self.era.catalogue.reaching[name][0]:
                self.tell(person.subject, end, event, now)

    def tell(self, subject: str, organisation: Person, event: Event, now: Now) -> None:
        """Tell an event of an organisation to a subject, as a fact of its own."""
        person, catalogue = self.persons.of(subject), self.era.catalogue
        told = told_as(event, catalogue.reaching[event.type][1], subject, organisation.subject, catalogue)
        if told is None or not person.takes(told, catalogue.begins_anew) or person.told(told):
            return
        caused, now.event = now.event, told
        self.learn(person, now)
        now.event = caused

    def publish(self, person: Person, now: Now, leaving: str | None, taken: Taken | None = None) -> None:
        """Evaluate a subject by the event of the record."""
        changes = evaluate(person.profile, self.era, now.at, now.event, leaving=leaving, taken=taken)
        self.note(person, Happening(now.at, changes, now.index, now.index, now.steps))
        now.steps += 1


def identities(facts: dict[str, dict[Origin, Known]], person: Person) -> set[Identity]:
    """Collect the facts of a subject."""
    return {identity for identity, _ in facts.get(person.subject, {})}
