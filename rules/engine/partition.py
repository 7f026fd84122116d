"""The engine of one partition: records in, changes out, in the one canonical order (design section 3).

For each record in offset order: first the due wakes it passes, by (due, subject); then the record's own changes. A
profile *stands* at its next instant: its wake, or the cut that it has not been brought over yet, whichever comes first
(at one instant the cut's visit absorbs the wake). The queue holds (due, subject); an entry that no longer says where
its profile stands is dropped when it comes up.

Profiles and wakes may live in a store: then `horizon` says up to which (due, subject) the queue is complete, and the
owner loads more when `pass_wakes` asks. Nothing here waits, reads a clock or fails half-way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, Literal, NamedTuple, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange, Change
from rules.engine.cut import Cut, Introduced
from rules.engine.decode import Own, Refusal
from rules.engine.pending import Introduction
from rules.engine.plan import Plan, make_plan
from rules.engine.profile import Profile, cut_of, unpack
from rules.engine.step import Seen, apply_event, bring_over, wake
from rules.ground.digest import DIGEST_START, identity, roll
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.dictionary import Dictionary

PUBLISHING_WAKES_MAX: Final = 1_000
"""Wakes that publish, and visits of a cut, that one record may pass (design section 3)."""
BEGINNING_MS: Final = -FOREVER
"""The clock before the first record of a file."""
CATALOGUE_TYPE: Final = "segue.catalogue"

Horizon: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the input as the engine takes it. `timestamp_ms` None: it has none that can be read (files only)."""

    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


Decode: TypeAlias = Callable[[Record, Dictionary, int], Event | Own | Refusal]
"""Record, dictionary in force, R → what it is. Kafka's checks of key and partition belong to it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a record did, besides the wakes that it passed."""

    kind: Literal["event", "redelivery", "refused", "own", "cut"]
    changes: list[AnyChange] = field(default_factory=list)
    refusal: str | None = None


class Rehomed(NamedTuple):
    """A standing membership whose segment's changes have other topics from a cut on. No change: nobody moved."""

    before: int
    """How many changes of the partition came before it (`changes_total`)."""
    subject: str
    segment: str
    was_restricted: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """All that was touched since the last slice, packed, at one record boundary."""

    offset: int
    clock_ms: int
    last_ms: int
    catalogue: str
    digest: str
    cuts: tuple[Cut, ...]
    profiles: dict[str, bytes]
    wakes: dict[str, int]
    joined: dict[str, list[str]]
    left: dict[str, list[str]]


class UnknownCatalogue(Exception):
    """A cut names a catalogue that was not handed in: `know` it, then apply the record again."""

    def __init__(self, catalogue: str) -> None:
        super().__init__(f"catalogue {catalogue} is not loaded")
        self.catalogue = catalogue


class Partition:
    """One partition's engine. Not thread-safe; every method returns with its state whole."""

    def __init__(
        self,
        generation: str,
        decode: Decode,
        *,
        offset: int = 0,
        clock_ms: int = BEGINNING_MS,
        last_ms: int = -1,
        digest: str = DIGEST_START,
        horizon: Horizon | None = None,
        history: Callable[[str], Iterable[Seen]] | None = None,
        rehomed: list[Rehomed] | None = None,
    ) -> None:
        """Start at a boundary. `horizon` None: every profile is in memory, the queue is always complete.

        `history` gives what a profile took in, for filling new conditions at a cut; None: they are pending. To
        `rehomed` is added what whoever publishes must take from where it stood; he clears it.
        """
        self.generation = generation
        self.offset = offset
        self.clock_ms = clock_ms
        self.last_ms = last_ms
        self.digest = digest
        self.horizon = horizon
        self.changes_total = 0
        self.profiles: dict[str, Profile] = {}
        self.plans: dict[int, Plan] = {}
        self.current: Plan | None = None
        self._decode = decode
        self._history = history
        self._rehomed = rehomed
        self._queue: list[tuple[int, str]] = []
        self._counted: list[str] = []
        """Whose wakes and visits count against the limit, before the record at hand."""
        self._decoded: tuple[Record, Event | Own | Refusal] | None = None
        self._catalogues: dict[str, Catalogue] = {}
        self._visited: dict[int, str | None] = {}
        self._dirty: set[str] = set()
        self._moved: dict[tuple[str, str], bool] = {}

    # -- catalogues ------------------------------------------------------------------------------------------------

    def know(self, digest: str, catalogue: Catalogue) -> None:
        """Hand in a catalogue under its hash, before the record that puts it into force."""
        self._catalogues[digest] = catalogue

    def resume(self, cuts: Sequence[Cut]) -> None:
        """Take up the cuts of a checkpoint, oldest first; their catalogues must be known."""
        for cut in cuts:
            self._enforce(cut.ordinal, cut.t_ms, self._catalogues[cut.catalogue], cut.introductions)
            self._visited[cut.ordinal] = cut.visited_to

    def cut(self, catalogue: Catalogue, t_ms: int) -> None:
        """Put a catalogue into force at t_ms; `pass_wakes(t_ms)` comes before. Its visits stand in the queue."""
        self.clock_ms = max(self.clock_ms, t_ms)
        ordinal = self.current.ordinal + 1 if self.current is not None else 1
        self._enforce(ordinal, self.clock_ms, catalogue)
        self._counted = []
        for subject, profile in self.profiles.items():
            heappush(self._queue, (self._stands_at(profile), subject))
        if self.horizon is not None:
            self.horizon = min(self.horizon, (self.clock_ms, ""))

    def _enforce(
        self,
        ordinal: int,
        t_ms: int,
        catalogue: Catalogue,
        introduced: Iterable[Introduced] = (),
    ) -> None:
        self.current = make_plan(
            catalogue,
            ordinal=ordinal,
            t_ms=t_ms,
            old=self.current,
            filled=self._history is not None,
            introduced={(text, segment): Introduction(cut, at_ms) for text, segment, cut, at_ms in introduced},
        )
        self.plans[ordinal] = self.current
        self._visited[ordinal] = None

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """What `resume` needs: the oldest catalogue that a profile may stand under, and the cuts since."""
        oldest = next(iter(self.plans), 0)
        return tuple(
            Cut(
                ordinal,
                plan.t_ms,
                plan.catalogue.hash,
                self._visited[ordinal],
                _introduced(plan) if ordinal == oldest else (),
            )
            for ordinal, plan in self.plans.items()
        )

    @property
    def unvisited(self) -> tuple[Cut, ...]:
        """The cuts of which some profile may not have been visited."""
        oldest = next(iter(self.plans), 0)
        return tuple(cut for cut in self.cuts if cut.ordinal > oldest)

    # -- profiles --------------------------------------------------------------------------------------------------

    def has(self, subject: str) -> bool:
        """Tell whether the profile is in memory."""
        return subject in self.profiles

    def add(self, subject: str, blob: bytes | None) -> None:
        """Give it a profile from the store; None: the store has none (it is unknown until its first event)."""
        if blob is None or subject in self.profiles:
            return
        profile = unpack(subject, blob, self.plans[cut_of(blob)])
        self.profiles[subject] = profile
        self._enqueue(profile)

    def add_due(self, entries: Iterable[tuple[int, str]], horizon: Horizon | None) -> None:
        """Widen the queue: everything that the store has up to and including `horizon` is now in memory.

        `entries` are wakes (due, subject) whose profiles were added before. `horizon` None: there is nothing further.
        """
        for _, subject in entries:
            profile = self.profiles.get(subject)
            if profile is not None:
                self._enqueue(profile)
        self.horizon = horizon if horizon is not None else (FOREVER, "")

    def forget(self, subject: str) -> bool:
        """Drop a clean profile from memory; False, and nothing happens, if the queue or a slice still needs it."""
        profile = self.profiles.get(subject)
        if profile is None:
            return True
        if subject in self._dirty or self.horizon is None or (self._stands_at(profile), subject) <= self.horizon:
            return False
        del self.profiles[subject]
        return True

    # -- time ------------------------------------------------------------------------------------------------------

    def instant_of(self, timestamp_ms: int | None) -> int:
        """R: the record's timestamp or the clock, whichever is later."""
        return self.clock_ms if timestamp_ms is None else max(self.clock_ms, timestamp_ms)

    def next_due(self) -> int | None:
        """The smallest due instant in the queue; None: nothing is due ever."""
        top = self._top()
        return None if top is None or top[0] >= FOREVER else top[0]

    def pass_wakes(
        self,
        r_ms: int,
        out: list[AnyChange],
        *,
        limit: int | None = PUBLISHING_WAKES_MAX,
        record: Record | None = None,
    ) -> bool:
        """Fire the wakes due before r_ms in canonical order, at most `limit` that publish; their changes go to `out`.

        `record` is the one that passes them: those of the profile of its event do not count.
        Returns False when the queue is not complete that far: load more (`add_due`), call again for the same record.
        """
        while limit is None or len(self._counted) < limit or self._give_back(record):
            top = self._top()
            if top is None or top[0] >= r_ms:
                self._finish_cuts(r_ms)
                return self.horizon is None or self.horizon >= (r_ms, "")
            if self.horizon is not None and top > self.horizon:
                return False
            heappop(self._queue)
            profile = self.profiles[top[1]]
            visit = self._unvisited_plan(profile)
            changes = self._fire(profile)
            visited = visit is not None and profile.cut == visit.ordinal
            if visit is not None and visited:
                self._visited[visit.ordinal] = profile.subject
            if changes or visited:
                self._counted.append(profile.subject)
            self._publish(changes, out)
            self._enqueue(profile)
        return True

    def apply(self, record: Record) -> Applied:
        """Apply a record, after `pass_wakes` of its instant returned True and its profile (by key) was added.

        Raises UnknownCatalogue, having done nothing.
        """
        r_ms = self.instant_of(record.timestamp_ms)
        decoded = self._decode_once(record)
        catalogue = self._catalogue_of(decoded)
        self.clock_ms, self.offset, self._counted, self._decoded = r_ms, record.offset + 1, [], None
        if record.timestamp_ms is not None:
            self.last_ms = record.timestamp_ms
        if catalogue is not None:
            self.cut(catalogue, r_ms)
            return Applied("cut")
        if isinstance(decoded, Own):
            return Applied("own")
        if isinstance(decoded, Refusal):
            return Applied("refused", refusal=decoded.code)
        known = identity(decoded.time_ms, decoded.source, decoded.id)
        if self._redelivered(decoded.subject, known, r_ms):
            return Applied("redelivery")
        return self._apply_event(decoded, known, r_ms)

    def _decode_once(self, record: Record) -> Event | Own | Refusal:
        if self._decoded is None or self._decoded[0] is not record:
            dictionary = self.current.catalogue.dictionary if self.current is not None else EMPTY_DICTIONARY
            self._decoded = record, self._decode(record, dictionary, self.instant_of(record.timestamp_ms))
        return self._decoded[1]

    def _give_back(self, record: Record | None) -> bool:
        """At the limit: take off what counted of the record's own profile; tell whether that was anything."""
        decoded = self._decode_once(record) if record is not None else None
        if not isinstance(decoded, Event) or record is None:
            return False
        known = identity(decoded.time_ms, decoded.source, decoded.id)
        if self._redelivered(decoded.subject, known, self.instant_of(record.timestamp_ms)):
            return False
        others = [subject for subject in self._counted if subject != decoded.subject]
        fewer, self._counted = len(others) < len(self._counted), others
        return fewer

    def _redelivered(self, subject: str, known: int, r_ms: int) -> bool:
        profile = self.profiles.get(subject)
        return profile is not None and profile.knows(known, r_ms)

    def _catalogue_of(self, decoded: Event | Own | Refusal) -> Catalogue | None:
        if not isinstance(decoded, Own) or decoded.type != CATALOGUE_TYPE or not isinstance(decoded.data, Mapping):
            return None
        digest = decoded.data.get("catalogue")
        if not isinstance(digest, str):
            return None
        if digest not in self._catalogues:
            raise UnknownCatalogue(digest)
        return self._catalogues[digest]

    def _apply_event(self, event: Event, known: int, r_ms: int) -> Applied:
        if self.current is None:
            raise AssertionError("an event was decoded without a catalogue")
        out: list[AnyChange] = []
        profile = self.profiles.get(event.subject)
        if profile is not None:
            # its own wakes fire before its own event and do not count; at one instant the event absorbs them
            while self._unvisited_plan(profile) is not None or profile.wake_ms < r_ms:
                self._publish(self._fire(profile), out)
        profile, changes = apply_event(profile, self.current, event, known, r_ms, self.generation)
        self.profiles[event.subject] = profile
        self._enqueue(profile)
        self._dirty.add(event.subject)
        if changes is None:
            return Applied("redelivery", out)
        self._publish(changes, out)
        return Applied("event", out)

    # -- checkpoints -----------------------------------------------------------------------------------------------

    @property
    def touched(self) -> int:
        """How many profiles were touched since the last slice."""
        return len(self._dirty)

    def take_slice(self) -> Slice:
        """Pack all that was touched since the last slice. The boundary is the next record to apply."""
        profiles = {}
        wakes = {}
        for subject in self._dirty:
            profile = self.profiles[subject]
            plan = self.plans[profile.cut]
            for key, state in profile.states.items():
                if state is not None:
                    profile.states[key] = plan.states[key].prune(state, self.clock_ms)
            profiles[subject] = profile.pack(plan)
            wakes[subject] = profile.wake_ms
        joined: dict[str, list[str]] = {}
        left: dict[str, list[str]] = {}
        for (segment, subject), member in self._moved.items():
            (joined if member else left).setdefault(segment, []).append(subject)
        taken = Slice(
            offset=self.offset,
            clock_ms=self.clock_ms,
            last_ms=self.last_ms,
            catalogue=self.current.catalogue.hash if self.current is not None else "",
            digest=self.digest,
            cuts=self.cuts,
            profiles=profiles,
            wakes=wakes,
            joined=joined,
            left=left,
        )
        self._dirty, self._moved = set(), {}
        return taken

    # -- inside ----------------------------------------------------------------------------------------------------

    def _unvisited_plan(self, profile: Profile) -> Plan | None:
        """The next cut that the profile has not been brought over."""
        if self.current is None or profile.cut == self.current.ordinal:
            return None
        return self.plans[profile.cut + 1]

    def _visit_ms(self, profile: Profile) -> int:
        plan = self._unvisited_plan(profile)
        return FOREVER if plan is None else plan.t_ms

    def _stands_at(self, profile: Profile) -> int:
        return min(profile.wake_ms, self._visit_ms(profile))

    def _enqueue(self, profile: Profile) -> None:
        due_ms = self._stands_at(profile)
        if due_ms < FOREVER:
            heappush(self._queue, (due_ms, profile.subject))

    def _top(self) -> tuple[int, str] | None:
        queue = self._queue
        while queue:
            due_ms, subject = queue[0]
            profile = self.profiles.get(subject)
            if profile is not None and self._stands_at(profile) == due_ms:
                return queue[0]
            heappop(queue)
        return None

    def _fire(self, profile: Profile) -> list[AnyChange]:
        """Evaluate a profile where it stands: at its wake, or at the visit of its next cut."""
        plan = self._unvisited_plan(profile)
        self._dirty.add(profile.subject)
        if plan is None or profile.wake_ms < plan.t_ms:
            return wake(profile, self.plans[profile.cut], profile.wake_ms, self.generation)
        if self._rehomed is not None:
            self._rehomed += [
                Rehomed(self.changes_total, profile.subject, segment, was_restricted)
                for segment, was_restricted in plan.rehomed
                if profile.member_since(segment) is not None
            ]
        history = self._history(profile.subject) if self._history is not None else None
        return bring_over(profile, plan, self.generation, history)

    def _publish(self, changes: list[AnyChange], out: list[AnyChange]) -> None:
        for change in changes:
            self.digest = roll(self.digest, change.value)
            if isinstance(change, Change):
                self._moved[change.segment, change.subject] = change.entered
        self.changes_total += len(changes)
        out.extend(changes)

    def _finish_cuts(self, r_ms: int) -> None:
        """Let go of plans that no profile stands under any more: the queue is complete and past their successors."""
        while len(self.plans) > 1:
            ordinals = iter(self.plans)
            oldest, following = next(ordinals), next(ordinals)
            t_ms = self.plans[following].t_ms
            complete = self.horizon is None or self.horizon > (t_ms, MAX_SUBJECT)
            if not complete or t_ms >= r_ms:
                return
            del self.plans[oldest], self._visited[oldest]


def _introduced(plan: Plan) -> tuple[Introduced, ...]:
    known = plan.introductions.items()
    return tuple(Introduced(text, segment, i.cut, i.t_ms) for (text, segment), i in known if i is not None)


MAX_SUBJECT: Final = "\U0010ffff" * 4
"""Sorts after every subject: its kind never begins with four of the last code points."""
EMPTY_DICTIONARY: Final = Dictionary(traits={}, events={})
"""Before the first catalogue nothing is declared: every event is refused."""
