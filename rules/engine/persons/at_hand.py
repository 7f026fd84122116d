"""What a link, an erasure or a fact does to the one profile at hand, wherever the other profiles of its person are."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from rules.engine.evaluation import MERGED
from rules.engine.persons.folding import fold_fact
from rules.engine.persons.host import Host
from rules.engine.persons.packed import Identity, Link
from rules.engine.persons.part import Way
from rules.engine.persons.person import identity_of
from rules.engine.persons.steps import (
    ERASED_KIND,
    At,
    evaluate,
    evaluate_fact,
    forget,
    is_later_link,
    leave,
    link_of,
    others_of,
)
from rules.engine.persons.taking_over import Taken, taken_from
from rules.engine.profile import Profile
from rules.ground.event import Event


class AtHand(ABC):
    """The steps that `Local` and `Remote` share. Each of the two adds what follows for other profiles."""

    def __init__(self, host: Host) -> None:
        self._host: Final = host

    def link(self, event: Event, at: At) -> None:
        """Let a link event decide for whom its subject stands. One that changes nothing of that evaluates nothing."""
        profile = self._host.linked(event.subject, at.r_ms)
        person, link = profile.linked(), link_of(event)
        assert is_later_link(person, event)
        before = person.canonical
        if before == link.canonical:
            person.link = link
            self._host.moved(profile)
            return
        self._touch(profile, at)
        taken = taken_from(profile)
        person.link = link
        self._relinked(profile, link, before, taken, at)

    def erase(self, event: Event, at: At) -> None:
        """Erase a subject, and with it the whole person."""
        self._erase(self._host.linked(event.subject, at.r_ms), identity_of(event), at)

    @abstractmethod
    def _relinked(self, profile: Profile, link: Link, before: str | None, taken: Taken, at: At) -> None:
        """Do what follows from a link. `before`: for whom the subject stood; `taken`: what it had."""

    @abstractmethod
    def _erase(self, profile: Profile, erasure: Identity, at: At) -> None:
        """Erase a subject, and let its person be erased."""

    def _touch(self, profile: Profile, at: At) -> None:
        """Bring a profile up to R, right before it is evaluated."""
        self._host.bring_up(profile, at.r_ms, at.items)

    def _fold(self, profile: Profile, way: Way, event: Event, passed: Sequence[str], at: At) -> int | None:
        """Fold a fact; return what it can move. None: the person knew it. `passed`: the subjects it came through.

        Who knows the fact already is not touched by it, unless it is an alias.
        """
        if not (profile.is_known and profile.linked().knows_event(event, at.r_ms)):
            self._touch(profile, at)
        host = self._host
        return fold_fact(profile, way, host.plan_of(profile), event, at.r_ms, passed=passed, logs=host.logs)

    def _leave_all(self, profile: Profile, erasure: Identity, at: At) -> list[str]:
        """Let an erased subject leave everything, and forget its facts; return whom its erasure reaches next."""
        host, person = self._host, profile.linked()
        self._touch(profile, at)
        others = [*others_of(person)]
        kind = MERGED if person.canonical is not None else ERASED_KIND
        host.put_out(leave(profile, host.plan, at, host.generation, kind), at.items)
        forget(profile, erasure, host.plan, at.r_ms)
        host.moved(profile)
        return others

    def _evaluate(self, profile: Profile, at: At, taken: Taken | None = None) -> None:
        """Evaluate a profile whose facts moved. `taken`: what it takes over."""
        host = self._host
        host.put_out(evaluate(profile, host.plan, at, host.generation, taken), at.items)
        host.moved(profile)

    def _evaluate_fact(self, profile: Profile, mask: int, at: At) -> None:
        """Evaluate a profile that took a fact in, which can move what a mask says."""
        host = self._host
        host.put_out(evaluate_fact(profile, host.plan, at, host.generation, mask), at.items)
