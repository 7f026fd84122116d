"""Time passes for all profiles: wakes, cuts and fillings, up to the instant of a record."""

from dataclasses import dataclass, field

from tests.naive.evaluation import evaluate
from tests.naive.fillings import Filled, History
from tests.naive.happenings import Happening, Instants
from tests.naive.membership import Visit
from tests.naive.pending import Era
from tests.naive.persons import Person, Persons
from tests.naive.pilots import governed


@dataclass
class Passing:
    """All profiles so far. `when` chooses the instants at which a profile is evaluated between records."""

    era: Era
    when: Instants
    linking: bool = True
    """Whether links and erasures have effects on others. With --as-live these stand in the file."""
    happenings: dict[str, list[Happening]] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    """The places of the records that were refused as erased."""

    def __post_init__(self) -> None:
        """Begin with nobody."""
        self.filled: dict[int, int | None] = {}
        self.persons = Persons(self.filled, self.linking)

    def note(self, person: Person, happening: Happening) -> None:
        """Note a happening of a subject."""
        self.happenings.setdefault(person.subject, []).append(happening)

    def bring(self, person: Person, before: int) -> None:
        """Fire the wakes of a subject before an instant."""
        profile, quiet = person.profile, not person.alive
        while not quiet:
            quiet = True
            for at in self.when(profile, governed(profile, self.era, profile.cursor), profile.cursor, before):
                changes = evaluate(profile, self.era, at)
                if changes:
                    self.note(person, Happening(at, changes, None, person.touched))
                    quiet = False  # this change may have altered the next flip
                    break

    def visit(self, index: int, at: int, by: Era | Filled) -> None:
        """Visit every known profile, by a cut or by what is filled in."""
        visit: Visit = "cut" if isinstance(by, Era) else "filled"
        known = [person for person in self.persons.all.values() if person.alive]
        for person in known:
            self.bring(person, at)
        if isinstance(by, Era):
            self.era = by
        else:
            self.filled[by.cut] = by.since
        for person in known:
            self.note(person, Happening(at, evaluate(person.profile, self.era, at, visit=visit), None, index))
            person.touched = index

    def recall(self, index: int, at: int, history: History) -> None:
        """Take a history in: it touches its profile and evaluates nothing."""
        person = self.persons.of(history.subject)
        if not person.own and person.erased is None:
            return
        self.touch(person, index, at)
        anew = self.era.catalogue.begins_anew
        person.profile.recall(history.cut, [event for event in history.events if person.takes(event, anew)])
        if person.alive:
            person.profile.cursor = max(person.profile.cursor, at - 1)
            self.note(person, Happening(at, [], index, index))

    def touch(self, person: Person, index: int, at: int) -> None:
        """Bring a subject to an instant, with what it knew until now."""
        self.bring(person, at)
        person.touched = index
