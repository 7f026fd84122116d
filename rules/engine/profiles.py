"""The profiles of a partition that are in memory: what moves them, what they put out, and what the next slice needs."""

from collections.abc import Callable, Sequence
from typing import Final

from rules.engine.activations.change import ActiveCounts, ActiveRows
from rules.engine.affiliations.pages import Rows
from rules.engine.change import AnyChange, Change
from rules.engine.cuts import Cuts
from rules.engine.old_layouts import is_former, take_former
from rules.engine.outcome import Item, Withdrawal
from rules.engine.persons.joining import rejoin
from rules.engine.persons.steps import begun
from rules.engine.plan import Plan
from rules.engine.profile import Profile, unpack
from rules.engine.protocol import IllegalOrder
from rules.engine.queue import Horizon, Queue, Standing
from rules.engine.seen import Seen
from rules.engine.slice import Slices
from rules.engine.step import apply_event, bring_over, wake
from rules.ground.digest import roll
from rules.ground.event import Event
from rules.ground.instants import FOREVER


class Profiles:
    """The profiles in memory. Links, erasures and affiliations have their host in it (`rules.engine.persons.host`)."""

    def __init__(
        self,
        generation: str,
        *,
        digest: str,
        horizon: Horizon | None,
        history: Callable[[str], list[Seen]] | None,
        active: ActiveRows | None,
    ) -> None:
        """Begin with none. The arguments are those of `rules.engine.partition.Partition`."""
        self.generation: Final = generation
        self.logs: Final = history is not None
        self.digest = digest
        self.changes_total = 0
        self.wakes_total = 0
        """Wakes that fired; visits of a cut are none."""
        self.by_subject: Final[dict[str, Profile]] = {}
        self.absent: Final[set[str]] = set()
        """Subjects that the store does not have, of those asked for since the last slice."""
        self.cuts: Final = Cuts(filled=history is not None)
        self.queue: Final = Queue(self.by_subject, self.cuts, horizon)
        self.slices: Final = Slices()
        self._history: Final = history
        self._active: Final = None if active is None else ActiveCounts(active)

    # -- what can be asked -----------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """The plan in force. There is one: an event was decoded by its dictionary."""
        current = self.cuts.current
        assert current is not None
        return current

    @property
    def first_ms(self) -> int:
        """The instant of the first cut."""
        return self.cuts.first_ms

    def plan_of(self, profile: Profile) -> Plan:
        """Return the plan that a profile stands under."""
        return self.cuts.plans[profile.cut]

    def profile(self, subject: str) -> Profile | None:
        """Return a profile that is in memory."""
        return self.by_subject.get(subject)

    def lacks(self, subject: str) -> bool:
        """Tell whether the profile is neither in memory nor known to be absent from the store."""
        return subject not in self.by_subject and subject not in self.absent

    def facts_of(self, subject: str) -> Sequence[Seen]:
        """Return the facts of a subject that never met a link, where everything is at hand."""
        return () if self._history is None else self._history(subject)

    def rows(self, name: str) -> Rows:
        """Return the rows of a page of ties, to read."""
        profile = self.by_subject.get(name)
        page = None if profile is None or profile.person is None else profile.person.page
        return [] if page is None else page

    def active(self) -> ActiveRows | None:
        """Return for how many profiles each activation is active; None: not known."""
        return None if self._active is None else self._active.rows()

    # -- from and to a store (each as the partition's own) -----------------------------------------------------------

    def give(self, subject: str, blob: bytes | None) -> None:
        """See `rules.engine.partition.Partition.give_profile`."""
        if subject in self.by_subject:
            return
        if blob is None:
            self.absent.add(subject)
            return
        profile = unpack(subject, blob)
        if profile.is_forgotten and self.cuts.current is not None:
            profile.cut = self.cuts.current.ordinal
        states = self.cuts.plans[profile.cut].states
        if is_former(blob):
            take_former(profile.states, states)
        if profile.person is not None:
            rejoin(profile, states, profile.evaluated_ms)
        self.by_subject[subject] = profile
        self.queue.enqueue(profile)

    def give_wakes(self, entries: Sequence[Standing], horizon: Horizon) -> None:
        """See `rules.engine.partition.Partition.give_wakes`."""
        if self.queue.horizon is None or horizon < self.queue.horizon:
            raise IllegalOrder("the queue is complete further than that")
        if any(self.lacks(subject) for _, subject in entries):
            raise IllegalOrder("give the profiles of a page before its wakes")
        for _, subject in entries:
            profile = self.by_subject.get(subject)
            if profile is not None:
                self.queue.enqueue(profile)
                if profile.is_forgotten:  # the store lists it, and may have a key since that names it otherwise
                    self.slices.touched.add(subject)
        self.queue.horizon = horizon

    def forget(self, subject: str) -> bool:
        """See `rules.engine.partition.Partition.forget`."""
        profile = self.by_subject.get(subject)
        if profile is None:
            return True
        if self.slices.needs(subject) or self.queue.complete_to((self.queue.stands_at(profile), subject)):
            return False
        del self.by_subject[subject]
        return True

    # -- what moves them ---------------------------------------------------------------------------------------------

    def apply_event(self, event: Event, known: int, r_ms: int, items: list[Item]) -> None:
        """Let the profile of an event take it in. `known`: the identity of the event, which the profile does not know.

        The profile never met a link.
        """
        current, queue = self.cuts.current, self.queue
        assert current is not None
        profile = self.by_subject.get(event.subject)
        queued_ms = FOREVER
        if profile is not None:
            here = profile.cut == current.ordinal
            queued_ms = profile.wake_ms if here else queue.stands_at(profile)
            if not here or queued_ms < r_ms or self.slices.packing is not None:
                self.bring_up(profile, r_ms, items)
        profile, changes = apply_event(profile, current, event, known, r_ms, self.generation)
        self.by_subject[event.subject] = profile
        # it stands at its wake, for it is over every cut; at the same instant its entry is in the queue already
        if profile.wake_ms != queued_ms:
            queue.enqueue(profile)
        self.slices.touched.add(event.subject)
        if self._history is not None:
            self._history(event.subject).append(Seen(event, profile.arrivals, r_ms))
        if changes:
            self.put_out(changes, items)

    def bring_up(self, profile: Profile, r_ms: int, items: list[Item]) -> None:
        """Fire a profile's own wakes before its own record, and its visits. They do not count.

        A wake at R is absorbed by an event.
        """
        if self.slices.packing is not None:
            self.before_change(profile)
        current = self.cuts.current
        while profile.wake_ms < r_ms or (current is not None and profile.cut != current.ordinal):
            self.fire(profile, items)

    def fire(self, profile: Profile, items: list[Item]) -> None:
        """Evaluate a profile where it stands: at its wake, or at the visit of its next cut."""
        plan = self.cuts.next_of(profile)
        self.before_change(profile)
        self.slices.touched.add(profile.subject)
        if plan is None or profile.wake_ms < plan.t_ms:
            self.wakes_total += 1
            self.put_out(wake(profile, self.cuts.plans[profile.cut], profile.wake_ms, self.generation), items)
            return
        items += [
            Withdrawal(profile.subject, segment, was_restricted)
            for segment, was_restricted in plan.rehomed
            if profile.member_since(segment) is not None
        ]
        history = self._history(profile.subject) if self._history is not None else None
        self.put_out(bring_over(profile, plan, self.generation, history), items)

    def linked(self, subject: str, r_ms: int) -> Profile:
        """Return a profile that remembers links; where there is none, it begins without facts."""
        profile = self.by_subject.get(subject)
        if profile is None:
            profile = self.by_subject[subject] = begun(subject, self.plan, r_ms)
            return profile
        self.before_change(profile)
        if profile.person is None:
            own = profile.linked().own
            if own is not None and self._history is not None:
                own.log = [*self._history(subject)]
        return profile

    def rows_to_change(self, name: str, r_ms: int) -> Rows:
        """Return the rows of a page of ties, to change; there are none where there was none."""
        person = self.linked(name, r_ms).linked()
        self.moved(self.by_subject[name])
        if person.page is None:
            person.page = []
        return person.page

    # -- what follows ------------------------------------------------------------------------------------------------

    def put_out(self, changes: Sequence[AnyChange], items: list[Item]) -> None:
        """Put changes out, in order."""
        for change in changes:
            self.digest = roll(self.digest, change.value)
            if isinstance(change, Change):
                self.slices.move(change)
            elif self._active is not None:
                self._active.take(change)
        self.changes_total += len(changes)
        items += changes

    def moved(self, profile: Profile) -> None:
        """Note that a profile moved: it is written with the next slice, and may stand elsewhere in the queue."""
        self.queue.enqueue(profile)
        self.slices.touched.add(profile.subject)

    def before_change(self, profile: Profile) -> None:
        """Leave a profile to the slice that was begun as it stood at its boundary."""
        if self.slices.packing is not None:
            self.slices.packing.before_change(profile, self.cuts.plans)
