"""What links and erasures need of the partition that they happen in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from rules.engine.change import AnyChange
from rules.engine.outcome import Item
from rules.engine.persons.received import Received
from rules.engine.persons.steps import At
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.ground.event import Event


class Host(Protocol):
    """The partition of a profile. What is not in memory, and is asked for here, does not exist."""

    @property
    def generation(self) -> str:
        """The generation of the deployment."""
        ...

    @property
    def logs(self) -> bool:
        """Whether the facts of each profile are kept, for conditions that come in later."""
        ...

    @property
    def plan(self) -> Plan:
        """The plan in force."""
        ...

    @property
    def first_ms(self) -> int:
        """The instant of the first cut."""
        ...

    def plan_of(self, profile: Profile) -> Plan:
        """Return the plan that a profile stands under."""
        ...

    def profile(self, subject: str) -> Profile | None:
        """Return a profile; None: nothing was ever told of the subject."""
        ...

    def linked(self, subject: str, r_ms: int) -> Profile:
        """Return a profile that remembers links; where there is none, it begins without facts."""
        ...

    def bring_up(self, profile: Profile, r_ms: int, items: list[Item]) -> None:
        """Fire a profile's wakes before an instant, and the visits of its cuts."""
        ...

    def put_out(self, changes: Sequence[AnyChange], items: list[Item]) -> None:
        """Put changes out."""
        ...

    def moved(self, profile: Profile) -> None:
        """Note that a profile moved: it is written with the next slice, and stands elsewhere in the queue."""
        ...


TakeIn = Callable[[Event, At], None]
"""Lets a subject know a fact that is told to it, unless it knows it already or would refuse it."""


class Persons(Protocol):
    """Applies links, erasures, and facts of subjects that met one: `Local`, or a worker's `Remote`."""

    def fact(self, event: Event, at: At) -> None:
        """Take a fact in."""
        ...

    def link(self, event: Event, at: At) -> None:
        """Let a link event decide for whom its subject stands."""
        ...

    def erase(self, event: Event, at: At) -> None:
        """Erase a subject, and with it the whole person."""
        ...

    def recalled(self, profile: Profile, at: At) -> None:
        """Pass on what a profile's own facts are after history came to it."""
        ...

    def receive(self, received: Received, at: At) -> None:
        """Apply an effect of another profile."""
        ...


Latest = Mapping[str, Event]
"""By type that reaches somebody: the latest fact."""


class Telling(Protocol):
    """What follows for affiliations (`rules.engine.affiliations`)."""

    def ties(self, profile: Profile | None) -> set[tuple[str, str]]:
        """Return the ties, (organisation, role), that a profile's own facts make."""
        ...

    def tied(self, profile: Profile, before: set[tuple[str, str]], at: At) -> None:
        """Tell organisations which ties of a subject came and went."""
        ...

    def took(self, event: Event, end: Profile | None, at: At) -> None:
        """Tell what follows from a fact. `end`: the profile that is the end of the links, if the fact is new to it."""
        ...

    def stands_alone(self, profile: Profile, at: At) -> None:
        """Tell the latest to those that are tied to a subject that stands for itself again."""
        ...

    def moved(self, end: Profile, before: Latest, at: At, joined: str | None = None) -> None:
        """Tell the latest of an end whose facts a link or an erasure changed."""
        ...

    def latest(self, profile: Profile | None) -> Latest:
        """Return the latest fact of each type that reaches somebody."""
        ...

    def needs(self, received: Received) -> Iterable[str]:
        """Walk the pages of ties that an effect needs; some are known only once those before are in memory."""
        ...

    def receive(self, received: Received, at: At) -> None:
        """Apply an effect of affiliations, one of TELLING_TYPES."""
        ...


class LocalTold(Telling, Protocol):
    """As it is where every subject is at hand."""

    def forget(self, subject: str) -> None:
        """Forget the ties of a subject that was erased."""
        ...
