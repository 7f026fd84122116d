"""What reaches beyond one profile: links, erasures and affiliations, and the effects that other profiles send.

Where every subject is at hand (a replay), what follows for others is done at once. In a worker it is told by effects.
The two ways stand side by side: `Local` and `Remote`, `LocalTelling` and `RemoteTelling`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from rules.engine.affiliations.local import LocalTelling
from rules.engine.affiliations.remote import TELLING_TYPES, RemoteTelling
from rules.engine.outcome import Item, Need, NeedProfiles
from rules.engine.persons.effects import Effect, seal
from rules.engine.persons.host import Persons, Telling
from rules.engine.persons.local import Local
from rules.engine.persons.received import Received, Unreadable
from rules.engine.persons.remote import Remote
from rules.engine.persons.steps import At, classify
from rules.engine.profile import Profile
from rules.engine.profiles import Profiles
from rules.ground.digest import identity, roll
from rules.ground.event import Event


class Related:
    """Applies what reaches beyond one profile."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles: Final = profiles
        telling, persons = self._at_hand() if profiles.logs else self._by_effects()
        self.telling: Final = telling
        self.persons: Final = persons
        self._apply: Final[Mapping[str, Callable[[Event, At], None]]] = {
            "fact": self.persons.fact,
            "link": self.persons.link,
            "erasure": self.persons.erase,
        }

    def _at_hand(self) -> tuple[Telling, Persons]:
        telling = LocalTelling(self._profiles, self._take_in)
        return telling, Local(self._profiles, telling)

    def _by_effects(self) -> tuple[Telling, Persons]:
        telling = RemoteTelling(self._profiles, self._take_in)
        return telling, Remote(self._profiles, telling)

    def kind_of(self, profile: Profile | None, event: Event, known: int, r_ms: int) -> str:
        """Tell what an event is that is a link or an erasure, or whose subject met one (`classify`)."""
        return classify(profile, event, known, r_ms, anew=self._profiles.plan.catalogue.policy.begins_anew)

    def apply(self, kind: str, event: Event, r_ms: int, items: list[Item]) -> At:
        """Apply an event of a kind that moves something: `fact`, `link`, `erasure`."""
        at = At(r_ms, (event.name,), items)
        self._apply[kind](event, at)
        return at

    def apply_telling(self, event: Event, known: int, r_ms: int, items: list[Item]) -> At:
        """Apply an event that ties its subject to an organisation, or may reach those that are tied to its subject."""
        at = At(r_ms, (event.name,), items)
        before = self.telling.ties(self._profiles.profile(event.subject))
        self._profiles.apply_event(event, known, r_ms, items)
        profile = self._profiles.by_subject[event.subject]
        self.telling.took(event, profile, at)
        self.telling.tied(profile, before, at)
        return at

    def receive(self, received: Received, r_ms: int, items: list[Item]) -> At:
        """Apply an effect of another profile."""
        at = At(r_ms, (received.event,), items)
        if self._profiles.cuts.current is not None:
            place = self.telling if received.type in TELLING_TYPES else self.persons
            try:
                place.receive(received, at)
            except Unreadable:
                at.marks.append("unreadable")
        return at

    def need_of(self, received: Received) -> Need | None:
        """Return the page of ties that an effect lacks, where profiles live in a store."""
        if self._profiles.queue.horizon is None:
            return None
        names = self.telling.needs(received)
        return next((NeedProfiles((name,)) for name in names if self._profiles.lacks(name)), None)

    def seal(self, at: At, subject: str, offset: int) -> list[Effect]:
        """Give effects their bytes, which the digest takes up after the changes. `offset`, `subject`: of the record."""
        if not at.effects:
            return []
        profiles = self._profiles
        sealed = seal(at.effects, profiles.generation, subject, offset, at.r_ms)
        for effect in sealed:
            profiles.digest = roll(profiles.digest, effect.value)
        return sealed

    def _take_in(self, event: Event, at: At) -> None:
        """Let a subject know a fact that is told to it, unless it knows it already or would refuse it."""
        known = identity(event.time_ms, event.source, event.id)
        profile = self._profiles.profile(event.subject)
        if profile is None or profile.person is None:
            if profile is None or not profile.seen.recognises(known, at.r_ms):
                self._profiles.apply_event(event, known, at.r_ms, at.items)
            return
        kind = self.kind_of(profile, event, known, at.r_ms)
        if kind == "fact":
            self.persons.fact(event, at)
        elif kind == "refused":
            at.marks.append("erased_fact")
