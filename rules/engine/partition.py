"""The engine of one partition: records in, changes out, in the one canonical order (docs/protocol.md).

For each record in offset order: first the due wakes that it passes, by (due, subject); then the record's own changes. A
profile *stands* at its next instant: its wake, or the cut that it has not been brought over yet, whichever comes first
(at one instant the visit of the cut absorbs the wake). The queue holds (due, subject). An entry that no longer says
where its profile stands is dropped when it comes up.

Profiles and wakes may live in a store: then `horizon` says up to which (due, subject) the queue is complete. `feed`
answers with what is lacking, and the caller gives it (`rules.engine.outcome`, `rules.engine.protocol`). Nothing here
waits, reads a clock or fails half-way.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from heapq import heappop, heappush
from typing import Final, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.engine.activations.change import ActiveCounts, ActiveRows
from rules.engine.affiliations.local import LocalTelling
from rules.engine.affiliations.pages import Rows
from rules.engine.affiliations.remote import TELLING_TYPES, RemoteTelling
from rules.engine.change import AnyChange, Change
from rules.engine.cut import Cut
from rules.engine.cuts import Cuts
from rules.engine.decode import Own
from rules.engine.old_layouts import is_former, take_former
from rules.engine.outcome import (
    Applied,
    AppliedKind,
    Item,
    Need,
    NeedCatalogue,
    NeedProfiles,
    NeedWakes,
    Passed,
    Withdrawal,
)
from rules.engine.past import FIRST_CUT, History, begin, facts_of, read_filled, read_history, take_in
from rules.engine.persons.effects import Effect, seal
from rules.engine.persons.joining import rejoin
from rules.engine.persons.local import Local
from rules.engine.persons.remote import Received, Remote, read_effect
from rules.engine.persons.steps import At, begun, classify, settle
from rules.engine.plan import Plan, all_of
from rules.engine.profile import NEVER, Profile, unpack
from rules.engine.protocol import PROTOCOL, STATES, Call, IllegalOrder, State
from rules.engine.record import CATALOGUE_TYPE, EMPTY_DICTIONARY, Decode, Decoded, Record
from rules.engine.refusal import REFUSALS
from rules.engine.seen import Seen
from rules.engine.slice import Packing, Slice, Touched
from rules.engine.step import apply_event, bring_over, look_again, wake
from rules.ground.digest import DIGEST_START, identity, roll
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.dictionary import NO_FACTS

PUBLISHING_WAKES_MAX: Final = 1_000
"""Wakes that publish, and visits of a cut, that one record may pass (docs/protocol.md)."""
BEGINNING_MS: Final = -FOREVER
"""The clock before the first record of a file."""

Horizon: TypeAlias = tuple[int, str]
"""(due, subject): up to and including there the queue is complete."""


class _UnderWay:
    """A call that lacks something: what was asked, how the record was decoded, and the items so far."""

    __slots__ = ("asked", "decoded", "items")

    def __init__(self, asked: object, decoded: Decoded | None, items: list[Item]) -> None:
        self.asked = asked
        self.decoded = decoded
        self.items = items


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
        history: Callable[[str], list[Seen]] | None = None,
        active: ActiveRows | None = (),
    ) -> None:
        """Start at a boundary. `horizon` None: every profile is in memory, nothing but a catalogue is ever lacking.

        `history` gives what a profile took in, for filling new conditions at a cut, and the partition adds to it what
        comes, as long as the profile meets no link. None: such conditions are pending. `active`:
        for how many profiles each activation is active at that boundary; None: not known.
        """
        self.generation = generation
        self.offset = offset
        self.clock_ms = clock_ms
        self.last_ms = last_ms
        self.digest = digest
        self.horizon = horizon
        self.changes_total = 0
        self.wakes_total = 0
        """Wakes that fired; visits of a cut are none."""
        self.profiles: dict[str, Profile] = {}
        self._decode = decode
        self._history = history
        self.logs = history is not None
        self._telling: LocalTelling | RemoteTelling
        self._persons: Local | Remote
        if history is None:
            self._telling = RemoteTelling(self)
            self._persons = Remote(self, self._telling)
        else:
            self._telling = LocalTelling(self)
            self._persons = Local(self, self._telling)
        self._cuts = Cuts(filled=history is not None)
        self._queue: list[tuple[int, str]] = []
        self._absent: set[str] = set()
        """Subjects that the store does not have, of those asked for since the last slice."""
        self._counted: list[str] = []
        """Whose wakes and visits count against the limit, before the record at hand."""
        self._state: State = "new"
        self._under_way: _UnderWay | None = None
        self._catalogues: dict[str, Catalogue] = {}
        self._touched = Touched()
        self._packing: Packing | None = None
        self._active = None if active is None else ActiveCounts(active)

    # -- the protocol ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the engine stands in `rules.engine.protocol`."""
        return self._state

    def feed(self, record: Record) -> Applied | Need:
        """Apply the next record, or return what is lacking: give it, and feed the same record again.

        Raises IllegalOrder, having changed nothing: another record is under way, or this one was applied before.
        """
        timestamp_ms = record.timestamp_ms
        r_ms = self.clock_ms if timestamp_ms is None or timestamp_ms < self.clock_ms else timestamp_ms
        decoded, items = self._begun(record, r_ms)
        event = received = None
        own = ""
        known = 0
        if isinstance(decoded, Event):
            event = decoded
            known = identity(event.time_ms, event.source, event.id)
            profile = self.profiles.get(event.subject)
            if event.type in NO_FACTS or (profile is not None and profile.person is not None):
                return self._feed_personal(record, r_ms, event, known, items)
            if profile is not None:
                own = "" if profile.knows(known, r_ms) else event.subject
            elif self.horizon is not None and event.subject not in self._absent:
                return self._lack(record, decoded, items, NeedProfiles((event.subject,)))
            else:
                own = event.subject
        elif isinstance(decoded, Own):
            received = read_effect(decoded)
            own = "" if received is None and read_history(decoded) is None else decoded.subject
            need = self._need_of(decoded, own) or self._page_needed(received)
            if need is not None:
                return self._lack(record, decoded, items, need)
        if not self._nothing_due(r_ms) and not self._pass_wakes(r_ms, items, PUBLISHING_WAKES_MAX, own):
            return self._lack(record, decoded, items, NeedWakes(r_ms))
        self._advance(record, r_ms)
        if event is not None:
            if not own:
                return Applied("redelivery", event, items)
            if event.type in self.plan.tells:
                return self._apply_telling(event, known, r_ms, items)
            self._apply_event(event, known, r_ms, items)
            return Applied("event", event, items)
        if received is not None and isinstance(decoded, Own):
            return self._receive(received, decoded, r_ms, items)
        if isinstance(decoded, Own):
            at = At(r_ms, (f"/segue/{self.generation} {decoded.type}",), items)
            return Applied(self._apply_own(decoded, at), decoded, items, self._seal(at, own), at.marks)
        return Applied("refused", decoded, items)

    def _feed_personal(self, record: Record, r_ms: int, event: Event, known: int, items: list[Item]) -> Applied | Need:
        """Apply an event that is a link or an erasure, or whose subject met one."""
        profile = self.profiles.get(event.subject)
        if profile is None and self.horizon is not None and event.subject not in self._absent:
            return self._lack(record, event, items, NeedProfiles((event.subject,)))
        kind = classify(profile, event, known, r_ms, anew=self.plan.catalogue.policy.begins_anew)
        moves = kind in ("fact", "link", "erasure")
        own = event.subject if moves else ""
        if not self._nothing_due(r_ms) and not self._pass_wakes(r_ms, items, PUBLISHING_WAKES_MAX, own):
            return self._lack(record, event, items, NeedWakes(r_ms))
        self._advance(record, r_ms)
        if kind == "refused":
            return Applied("refused", REFUSALS["erased"], items)
        if not moves:
            return Applied("redelivery", event, items)
        at = At(r_ms, (f"{event.source} {event.id}",), items)
        {"fact": self._persons.fact, "link": self._persons.link, "erasure": self._persons.erase}[kind](event, at)
        return Applied("event", event, items, self._seal(at, event.subject), at.marks)

    def _receive(self, received: Received, decoded: Own, r_ms: int, items: list[Item]) -> Applied:
        """Apply an effect of another profile."""
        at = At(r_ms, (received.event,), items)
        if isinstance(self._persons, Remote) and self._cuts.current is not None:
            if isinstance(self._telling, RemoteTelling) and received.type in TELLING_TYPES:
                self._telling.receive(received.type, received.subject, received.way, received.data, at)
            else:
                self._persons.receive(received, at)
        return Applied("own", decoded, items, self._seal(at, received.subject), at.marks)

    def _seal(self, at: At, subject: str) -> list[Effect]:
        """Give effects their bytes, which the digest takes up after the changes."""
        sealed = seal(at.effects, self.generation, subject, self.offset - 1, at.r_ms) if at.effects else []
        for effect in sealed:
            self.digest = roll(self.digest, effect.value)
        return sealed

    def _advance(self, record: Record, r_ms: int) -> None:
        """Let the clock and the offset pass a record that is about to be applied."""
        self._state, self._under_way = "boundary", None
        self.clock_ms, self.offset = r_ms, record.offset + 1
        if self._counted:
            self._counted = []
        if record.timestamp_ms is not None:
            self.last_ms = record.timestamp_ms

    # -- what links and erasures need of it (rules.engine.persons.host) ----------------------------------------------

    @property
    def plan(self) -> Plan:
        """The plan in force. There is one: an event was decoded by its dictionary."""
        current = self._cuts.current
        assert current is not None
        return current

    def plan_of(self, profile: Profile) -> Plan:
        """Return the plan that a profile stands under."""
        return self._cuts.plans[profile.cut]

    def profile(self, subject: str) -> Profile | None:
        """Return a profile that is in memory."""
        return self.profiles.get(subject)

    def linked(self, subject: str, r_ms: int) -> Profile:
        """Return a profile that remembers links; where there is none, it begins without facts."""
        profile = self.profiles.get(subject)
        if profile is None:
            profile = self.profiles[subject] = begun(subject, self.plan, r_ms)
            return profile
        self._before_change(profile)
        if profile.person is None:
            own = profile.linked().own
            if own is not None and self._history is not None:
                own.log = [*self._history(subject)]
        return profile

    def _apply_telling(self, event: Event, known: int, r_ms: int, items: list[Item]) -> Applied:
        """Apply an event that ties its subject to an organisation, or may reach those that are tied to its subject."""
        at = At(r_ms, (f"{event.source} {event.id}",), items)
        before = self._telling.ties(self.profiles.get(event.subject))
        self._apply_event(event, known, r_ms, items)
        profile = self.profiles[event.subject]
        self._telling.took(event, profile, at)
        self._telling.tied(profile, before, at)
        return Applied("event", event, items, self._seal(at, event.subject))

    def _page_needed(self, received: Received | None) -> Need | None:
        """Return the page of ties that an effect lacks."""
        if received is None or self.horizon is None or not isinstance(self._telling, RemoteTelling):
            return None
        names = self._telling.needs(received.type, received.subject, received.data, received.way)
        return next((NeedProfiles((name,)) for name in names if self.lacks(name)), None)

    def rows(self, name: str) -> Rows:
        """Return the rows of a page of ties, to read."""
        profile = self.profiles.get(name)
        page = None if profile is None or profile.person is None else profile.person.page
        return [] if page is None else page

    def rows_to_change(self, name: str, r_ms: int) -> Rows:
        """Return the rows of a page of ties, to change; there are none where there was none."""
        profile = self.profiles.get(name)
        if profile is None:
            profile = self.profiles[name] = begun(name, self.plan, r_ms)
        self._before_change(profile)
        self.moved(profile)
        person = profile.linked()
        if person.page is None:
            person.page = []
        return person.page

    def facts_of(self, subject: str) -> Sequence[Seen]:
        """Return the facts of a subject that never met a link, where everything is at hand."""
        return () if self._history is None else self._history(subject)

    def take_in(self, event: Event, at: At) -> None:
        """Let a subject know a fact that is told to it, unless it knows it already or would refuse it."""
        known = identity(event.time_ms, event.source, event.id)
        profile = self.profiles.get(event.subject)
        if profile is None or profile.person is None:
            if profile is None or not profile.knows(known, at.r_ms):
                self._apply_event(event, known, at.r_ms, at.items)
        elif classify(profile, event, known, at.r_ms, anew=self.plan.catalogue.policy.begins_anew) == "fact":
            self._persons.fact(event, at)

    def bring_up(self, profile: Profile, r_ms: int, items: list[Item]) -> None:
        """Fire a profile's own wakes before its own record, and its visits. They do not count.

        A wake at R is absorbed by an event.
        """
        self._before_change(profile)
        while profile.wake_ms < r_ms or self._cuts.next_of(profile) is not None:
            self._fire(profile, items)

    def put_out(self, changes: Sequence[AnyChange], items: list[Item]) -> None:
        """Put changes out, in order."""
        for change in changes:
            self.digest = roll(self.digest, change.value)
            if isinstance(change, Change):
                self._touched.move(change)
            elif self._active is not None:
                self._active.take(change)
        self.changes_total += len(changes)
        items += changes

    def moved(self, profile: Profile) -> None:
        """Note that a profile moved: it is written with the next slice, and may stand elsewhere in the queue."""
        self._enqueue(profile)
        self._touched.subjects.add(profile.subject)

    def cut(self, catalogue: Catalogue, t_ms: int) -> Passed | Need:
        """Make a cut at `t_ms` that no record makes, as a file's `--then` asks, or return what is lacking.

        Returns what the wakes due before it brought. The visits of the cut stand in the queue.
        """
        passed = self._pass_time((catalogue.hash, t_ms), t_ms, PUBLISHING_WAKES_MAX)
        if isinstance(passed, Passed):
            self._counted = []
            self.clock_ms = max(self.clock_ms, t_ms)
            self._cut(catalogue)
        return passed

    def pass_time(self, before_ms: int) -> Passed | Need:
        """Fire every wake due before an instant, however many, with no record; or return what is lacking.

        The clock stays where it is: this is the end of a file, or a copy that looks ahead.
        """
        return self._pass_time(before_ms, before_ms, None)

    def name_first_cut(self) -> None:
        """Say that the first cut was made at the clock; until then, as a file is replayed, it stands at the beginning.

        Records of history name it by that instant.
        """
        self._cuts.name_first(self.clock_ms)

    def resume(self, cuts: Sequence[Cut]) -> None:
        """Take up the cuts of a checkpoint, oldest first. Raises IllegalOrder: a catalogue of theirs was not given."""
        self._check("resume")
        if not all(cut.catalogue in self._catalogues for cut in cuts):
            raise IllegalOrder("give the catalogues of the cuts first")
        self._cuts.resume(cuts, self._catalogues)
        self._state = "boundary"

    def give_catalogue(self, digest: str, catalogue: Catalogue) -> None:
        """Give the catalogue of a hash; also before a record lacks it."""
        self._catalogues[digest] = catalogue

    def give_profile(self, subject: str, blob: bytes | None) -> None:
        """Give a profile of the store; None: the store has none. One that is in memory stays as it is there.

        Raises ValueError for another layout, KeyError for a cut that is not among those resumed.
        """
        if subject in self.profiles:
            return
        if blob is None:
            self._absent.add(subject)
            return
        profile = unpack(subject, blob)
        if profile.cut not in self._cuts.plans:
            raise KeyError(profile.cut)
        if is_former(blob):
            take_former(profile.states, self._cuts.plans[profile.cut].states)
        if profile.person is not None:
            rejoin(profile, self._cuts.plans[profile.cut].states, profile.evaluated_ms)
        self.profiles[subject] = profile
        self._enqueue(profile)

    def give_wakes(self, entries: Sequence[tuple[int, str]], horizon: Horizon | None) -> None:
        """Give a page of wakes (due, subject): all that the store has after the old horizon, up to the new one.

        `horizon` None: there is nothing further. Raises IllegalOrder: the profile of an entry was not given, or the
        horizon goes back.
        """
        further = (FOREVER, "") if horizon is None else horizon
        if self.horizon is None or further < self.horizon:
            raise IllegalOrder("the queue is complete further than that")
        if not all(subject in self.profiles or subject in self._absent for _, subject in entries):
            raise IllegalOrder("give the profiles of a page before its wakes")
        for _, subject in entries:
            profile = self.profiles.get(subject)
            if profile is not None:
                self._enqueue(profile)
        self.horizon = further

    def forget(self, subject: str) -> bool:
        """Drop a clean profile from memory; False, and nothing happens, if the queue or a slice still needs it."""
        self._check("forget")
        profile = self.profiles.get(subject)
        if profile is None:
            return True
        if (
            subject in self._touched.subjects
            or (self._packing is not None and subject in self._packing)
            or self.horizon is None
            or (self._stands_at(profile), subject) <= self.horizon
        ):
            return False
        del self.profiles[subject]
        return True

    def begin_slice(self) -> None:
        """Begin a slice of all that was touched since the last one. Its boundary is the next record to apply.

        `pack_slice` packs its profiles; meanwhile records are applied, and nothing of them comes into the slice. Raises
        IllegalOrder: the slice before is not whole yet.
        """
        self._check("begin_slice")
        if self._packing is not None:
            raise IllegalOrder("begin_slice: the slice before is not whole yet")
        joined, left = self._touched.moved()
        begun = Slice(
            offset=self.offset,
            clock_ms=self.clock_ms,
            last_ms=self.last_ms,
            catalogue=self.catalogue,
            digest=self.digest,
            cuts=self._cuts.kept(),
            active=self.active(),
            profiles={},
            wakes={},
            joined=joined,
            left=left,
        )
        self._packing = Packing(begun, self._touched.subjects)
        self._touched = Touched()
        self._absent.clear()

    def pack_slice(self, profiles_max: int | None = None) -> Slice | None:
        """Pack so many more profiles of the slice that was begun (None: all); return it once it is whole.

        Raises IllegalOrder: no slice was begun.
        """
        packing = self._packing
        if packing is None:
            raise IllegalOrder("pack_slice: no slice was begun")
        if not packing.pack(self.profiles, self._cuts.plans, profiles_max):
            return None
        self._packing = None
        return packing.slice

    def take_slice(self) -> Slice:
        """Begin a slice, and pack it whole at once. Raises IllegalOrder: the slice before is not whole yet."""
        self.begin_slice()
        taken = self.pack_slice()
        assert taken is not None
        return taken

    # -- what can be asked -----------------------------------------------------------------------------------------

    @property
    def current(self) -> Plan | None:
        """The plan in force; None before the first catalogue."""
        return self._cuts.current

    @property
    def catalogue(self) -> str:
        """Hash of the catalogue in force; "" before the first."""
        return "" if self._cuts.current is None else self._cuts.current.catalogue.hash

    @property
    def touched(self) -> int:
        """How many profiles were touched since the last slice was begun."""
        return len(self._touched.subjects)

    @property
    def to_pack(self) -> int | None:
        """How many profiles of a slice that was begun are still to be packed; None: no slice was begun."""
        return None if self._packing is None else self._packing.left

    def lacks(self, subject: str) -> bool:
        """Tell whether the profile is neither in memory nor known to be absent from the store."""
        return subject not in self.profiles and subject not in self._absent

    def instant_of(self, timestamp_ms: int | None) -> int:
        """Return R: the record's timestamp or the clock, whichever is later."""
        return self.clock_ms if timestamp_ms is None else max(self.clock_ms, timestamp_ms)

    def next_due(self) -> int | None:
        """Return the smallest due instant in the queue; None: nothing is due ever."""
        top = self._top()
        return None if top is None or top[0] >= FOREVER else top[0]

    def cuts(self) -> tuple[Cut, ...]:
        """Return the cuts that profiles may stand under, oldest first, as `resume` takes them."""
        return self._cuts.kept()

    def active(self) -> ActiveRows | None:
        """Return for how many profiles each activation is active; None: not known."""
        return None if self._active is None else self._active.rows()

    def unvisited_ms(self) -> list[int]:
        """Return the instants of the cuts whose visits may not be over."""
        return self._cuts.unvisited_ms()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _check(self, call: Call) -> None:
        if (self._state, call) not in PROTOCOL:
            raise IllegalOrder(f"{call}: {STATES[self._state]}")

    def _begun(self, record: Record, r_ms: int) -> tuple[Decoded, list[Item]]:
        """Begin a record, or take it up again where it lacked something."""
        under_way = self._under_way
        if under_way is None:
            if record.offset < self.offset:
                raise IllegalOrder(f"record {record.offset} came again, at {self.offset}")
            current = self._cuts.current
            return self._decode(record, EMPTY_DICTIONARY if current is None else current.catalogue.dictionary, r_ms), []
        if under_way.asked != record or under_way.decoded is None:
            raise IllegalOrder(f"record {record.offset}: another call is under way")
        return under_way.decoded, under_way.items

    def _lack(self, asked: object, decoded: Decoded | None, items: list[Item], need: Need) -> Need:
        self._state, self._under_way = "within", _UnderWay(asked, decoded, items)
        return need

    def _pass_time(self, asked: object, before_ms: int, limit: int | None) -> Passed | Need:
        items: list[Item] = []
        if self._under_way is not None:
            if self._under_way.asked != asked:
                raise IllegalOrder("another call is under way")
            items = self._under_way.items
        if not self._pass_wakes(before_ms, items, limit, ""):
            return self._lack(asked, None, items, NeedWakes(before_ms))
        self._state, self._under_way = "boundary", None
        return Passed(items)

    def _nothing_due(self, before_ms: int) -> bool:
        """Tell at a glance that no wake or visit is due before an instant. False: `_pass_wakes` must look.

        Nearly every record passes nothing, so it pays for a look at the first entry only, dropped or not.
        """
        queue, horizon = self._queue, self.horizon
        return (
            (not queue or queue[0][0] >= before_ms)
            and len(self._cuts.plans) <= 1
            and (horizon is None or horizon[0] >= before_ms)
        )

    def _pass_wakes(self, before_ms: int, items: list[Item], limit: int | None, own: str) -> bool:
        """Fire the wakes due before an instant in canonical order, at most `limit` that publish.

        `own`: the subject of the event that passes them; its wakes do not count. "": there is none.
        Returns False when the queue is not complete that far.
        """
        while limit is None or len(self._counted) < limit or self._give_back(own):
            top = self._top()
            if top is None or top[0] >= before_ms:
                if len(self._cuts.plans) > 1:
                    self._cuts.let_go(before_ms, self.horizon)
                return self.horizon is None or self.horizon >= (before_ms, "")
            if self.horizon is not None and top > self.horizon:
                return False
            heappop(self._queue)
            profile = self.profiles[top[1]]
            visit = self._cuts.next_of(profile)
            before = self.changes_total
            self._fire(profile, items)
            visited = visit is not None and profile.cut == visit.ordinal
            if visit is not None and visited:
                self._cuts.visited(visit, profile.subject)
            if (visited and profile.is_known) or self.changes_total > before:
                self._counted.append(profile.subject)
            self._enqueue(profile)
        return True

    def _give_back(self, own: str) -> bool:
        """At the limit: take off what counted of the record's own profile; tell whether that was anything."""
        others = [subject for subject in self._counted if subject != own]
        fewer, self._counted = len(others) < len(self._counted), others
        return fewer

    def _apply_event(self, event: Event, known: int, r_ms: int, items: list[Item]) -> None:
        current = self._cuts.current
        if current is None:
            raise AssertionError("an event was decoded without a catalogue")
        profile = self.profiles.get(event.subject)
        queued_ms = FOREVER
        if profile is not None:
            queued_ms = self._stands_at(profile)
            self.bring_up(profile, r_ms, items)
        profile, changes = apply_event(profile, current, event, known, r_ms, self.generation)
        self.profiles[event.subject] = profile
        if self._stands_at(profile) != queued_ms:  # else its entry is in the queue already
            self._enqueue(profile)
        self._touched.subjects.add(event.subject)
        if self._history is not None:
            self._history(event.subject).append(Seen(event, profile.arrivals, r_ms))
        if changes:
            self.put_out(changes, items)

    def _need_of(self, own: Own, subject: str) -> Need | None:
        """Return what a record of Segue's own lacks. `subject`: whose history it brings; "": it brings none."""
        digest = _catalogue_named(own)
        if digest is not None and digest not in self._catalogues:
            return NeedCatalogue(digest)
        if subject and self.horizon is not None and self.lacks(subject):
            return NeedProfiles((subject,))
        return None

    def _apply_own(self, own: Own, at: At) -> AppliedKind:
        """Do what a record of Segue's own says."""
        digest = _catalogue_named(own)
        if digest is not None:
            self._cut(self._catalogues[digest])
            return "cut"
        history = read_history(own)
        if history is not None:
            self._take_history(history, at)
            return "own"
        filled = read_filled(own)
        if filled is None or not self._cuts.fill(filled.cut_ms, filled.since_ms, at.r_ms):
            return "own"
        self._stand_anew()
        return "filled"

    def _take_history(self, history: History, at: At) -> None:
        """Make facts known to the conditions that came in at a cut without their history. An alias passes them on."""
        r_ms, items = at.r_ms, at.items
        cuts, current = self._cuts.anew(history.cut_ms, history.traits), self._cuts.current
        profile = self.profiles.get(history.subject)
        if current is None or not cuts or (profile is None and FIRST_CUT not in cuts):
            return
        facts = [*facts_of(history, current.catalogue.dictionary, r_ms)]
        if profile is not None and profile.person is not None:
            self._recall(profile, facts, cuts, at)
            return
        if profile is None:
            if not facts:
                return
            profile = begin(history.subject, current, facts, history.cut_ms)
            self.profiles[history.subject] = profile
        else:
            self.bring_up(profile, r_ms, items)
        mask = take_in(profile, current, facts, cuts, r_ms)
        profile.mask_cut = -1  # what sleeps is to be found again
        if profile.evaluated_ms == NEVER and FIRST_CUT in current.fills:
            profile.evaluated_ms, mask = r_ms - 1, all_of(current)
        if profile.evaluated_ms != NEVER:
            look_again(profile, current, mask, r_ms)
        self._enqueue(profile)
        self._touched.subjects.add(history.subject)

    def _recall(self, profile: Profile, facts: list[Event], cuts: Mapping[int, Set[str]], at: At) -> None:
        """Take history in for a subject that met a link: as facts of its own."""
        person, plan = profile.linked(), self.plan
        own = person.own
        if own is None:
            return  # not known: it takes none
        self.bring_up(profile, at.r_ms, at.items)
        anew = plan.catalogue.policy.begins_anew
        mask = take_in(own, plan, [each for each in facts if person.takes(each.time_ms, anew)], cuts, at.r_ms)
        settle(profile, plan, at.r_ms)
        if isinstance(self._persons, Remote):
            self._persons.recalled(profile, at)
        if person.canonical is None and profile.evaluated_ms != NEVER:
            look_again(profile, plan, mask, at.r_ms)
        self.moved(profile)

    def _cut(self, catalogue: Catalogue) -> None:
        self._cuts.enforce(catalogue, self.clock_ms)
        self._stand_anew()

    def _stand_anew(self) -> None:
        """Put every profile into the queue for the visit of a cut that was made now."""
        for subject, profile in self.profiles.items():
            heappush(self._queue, (self._stands_at(profile), subject))
        if self.horizon is not None:
            self.horizon = min(self.horizon, (self.clock_ms, ""))

    def _stands_at(self, profile: Profile) -> int:
        plan = self._cuts.next_of(profile)
        return profile.wake_ms if plan is None else min(profile.wake_ms, plan.t_ms)

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

    def _fire(self, profile: Profile, items: list[Item]) -> None:
        """Evaluate a profile where it stands: at its wake, or at the visit of its next cut."""
        plan = self._cuts.next_of(profile)
        self._before_change(profile)
        self._touched.subjects.add(profile.subject)
        if plan is None or profile.wake_ms < plan.t_ms:
            self.wakes_total += 1
            self.put_out(wake(profile, self._cuts.plans[profile.cut], profile.wake_ms, self.generation), items)
            return
        items += [
            Withdrawal(profile.subject, segment, was_restricted)
            for segment, was_restricted in plan.rehomed
            if profile.member_since(segment) is not None
        ]
        history = self._history(profile.subject) if self._history is not None else None
        self.put_out(bring_over(profile, plan, self.generation, history), items)

    def _before_change(self, profile: Profile) -> None:
        """Leave a profile to the slice that was begun as it stood at its boundary."""
        if self._packing is not None:
            self._packing.before_change(profile, self._cuts.plans)


def _catalogue_named(own: Own) -> str | None:
    """Return the hash of the catalogue that a record of our own puts into force; None: it is another record."""
    if own.type != CATALOGUE_TYPE or not isinstance(own.data, Mapping):
        return None
    digest = own.data.get("catalogue")
    return digest if isinstance(digest, str) else None
