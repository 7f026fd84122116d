"""The engine of one partition: records in, changes out, in the one canonical order (docs/protocol.md).

For each record in offset order: first the due wakes that it passes, by (due, subject) (`rules.engine.wakes`); then the
record's own changes: of the record's own profile (`rules.engine.profiles`), or of what reaches beyond it
(`rules.engine.related`), or what a record of Segue's own does (`rules.engine.own`).

Profiles and wakes may live in a store: then `horizon` says up to which (due, subject) the queue is complete
(`rules.engine.queue`). `feed` answers with what is lacking, and the caller gives it (`rules.engine.outcome`,
`rules.engine.protocol`). Nothing here waits, reads a clock or fails half-way.
"""

from collections.abc import Callable, Sequence
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.activations.change import ActiveRows
from rules.engine.cut import Cut
from rules.engine.decode import Own
from rules.engine.outcome import Applied, AppliedKind, Item, Need, NeedProfiles, Passed
from rules.engine.own import OwnRecords
from rules.engine.past import read_history
from rules.engine.persons.received import read_effect
from rules.engine.persons.steps import At
from rules.engine.plan import Plan
from rules.engine.profiles import Profiles
from rules.engine.protocol import PROTOCOL, STATES, Call, IllegalOrder, State
from rules.engine.queue import Horizon
from rules.engine.record import EMPTY_DICTIONARY, Decode, Decoded, Record
from rules.engine.refusal import REFUSALS
from rules.engine.related import Related
from rules.engine.seen import Seen
from rules.engine.slice import Slice
from rules.engine.wakes import Wakes
from rules.ground.digest import DIGEST_START, identity
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.ground.tuples import new
from rules.language.dictionary import NO_FACTS

PUBLISHING_WAKES_MAX: Final = 1_000
"""Wakes that publish, and visits of a cut, that one record may pass (docs/protocol.md)."""
BEGINNING_MS: Final = -FOREVER
"""The clock before the first record of a file."""


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
        portion: int | None = None,
    ) -> None:
        """Start at a boundary. `horizon` None: every profile is in memory, nothing but a catalogue is ever lacking.

        `history` gives what a profile took in, for filling new conditions at a cut, and the partition adds to it what
        comes, as long as the profile meets no link. None: such conditions are pending. `active`:
        for how many profiles each activation is active at that boundary; None: not known. `portion`: so many wakes and
        visits fire before a call answers NeedTurn; None: all that it passes.
        """
        self.offset = offset
        self.clock_ms = clock_ms
        self.last_ms = last_ms
        self._profiles: Final = Profiles(generation, digest=digest, horizon=horizon, history=history, active=active)
        self._related: Final = Related(self._profiles)
        self._own: Final = OwnRecords(self._profiles, self._related.persons, self._related.telling)
        self._wakes: Final = Wakes(self._profiles, portion)
        self._queue: Final = self._profiles.queue
        self._cuts: Final = self._profiles.cuts
        self.profiles: Final = self._profiles.by_subject
        self._decode: Final = decode
        self._state: State = "new"
        self._under_way: _UnderWay | None = None

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
                own = "" if profile.seen.recognises(known, r_ms) else event.subject
            elif self._queue.horizon is not None and event.subject not in self._profiles.absent:
                return self._lack(record, decoded, items, NeedProfiles((event.subject,)))
            else:
                own = event.subject
        elif isinstance(decoded, Own):
            received = read_effect(decoded)
            own = "" if received is None and read_history(decoded) is None else decoded.subject
            need = self._own.need_of(decoded, own)
            if need is None and received is not None:
                need = self._related.need_of(received)
            if need is not None:
                return self._lack(record, decoded, items, need)
        nothing = self._queue.nothing_due(r_ms)
        lacking = None if nothing else self._wakes.fire(r_ms, items, PUBLISHING_WAKES_MAX, own)
        if lacking is not None:
            return self._lack(record, decoded, items, lacking)
        self._advance(record, r_ms)
        if event is not None:
            if not own:
                return Applied("redelivery", event, items)
            current = self._cuts.current
            if current is not None and event.type in current.tells:
                at = self._related.apply_telling(event, known, r_ms, items)
                return self._applied("event", event, at, event.subject)
            self._profiles.apply_event(event, known, r_ms, items)
            return new(Applied, ("event", event, items, (), ()))
        if received is not None and isinstance(decoded, Own):
            return self._applied("own", decoded, self._related.receive(received, r_ms, items), received.subject)
        if isinstance(decoded, Own):
            at = At(r_ms, (f"/segue/{self.generation} {decoded.type}",), items)
            return self._applied(self._own.apply(decoded, at), decoded, at, own)
        return Applied("refused", decoded, items)

    def _feed_personal(self, record: Record, r_ms: int, event: Event, known: int, items: list[Item]) -> Applied | Need:
        """Apply an event that is a link or an erasure, or whose subject met one."""
        profile = self.profiles.get(event.subject)
        if profile is None and self._queue.horizon is not None and event.subject not in self._profiles.absent:
            return self._lack(record, event, items, NeedProfiles((event.subject,)))
        kind = self._related.kind_of(profile, event, known, r_ms)
        moves = kind in ("fact", "link", "erasure")
        own = event.subject if moves else ""
        nothing = self._queue.nothing_due(r_ms)
        lacking = None if nothing else self._wakes.fire(r_ms, items, PUBLISHING_WAKES_MAX, own)
        if lacking is not None:
            return self._lack(record, event, items, lacking)
        self._advance(record, r_ms)
        if kind == "refused":
            return Applied("refused", REFUSALS["erased"], items)
        if not moves:
            return Applied("redelivery", event, items)
        return self._applied("event", event, self._related.apply(kind, event, r_ms, items), event.subject)

    def _applied(self, kind: AppliedKind, decoded: Decoded, at: At, subject: str) -> Applied:
        """Answer with what a record brought, its effects sealed. `subject`: of the record."""
        return Applied(kind, decoded, at.items, self._related.seal(at, subject, self.offset - 1), at.marks)

    def _advance(self, record: Record, r_ms: int) -> None:
        """Let the clock and the offset pass a record that is about to be applied."""
        self._state, self._under_way = "boundary", None
        self.clock_ms, self.offset = r_ms, record.offset + 1
        self._wakes.applied()
        if record.timestamp_ms is not None:
            self.last_ms = record.timestamp_ms

    # -- beside the records ------------------------------------------------------------------------------------------

    def cut(self, catalogue: Catalogue, t_ms: int) -> Passed | Need:
        """Make a cut at `t_ms` that no record makes, as a file's `--then` asks, or return what is lacking.

        Returns what the wakes due before it brought. The visits of the cut stand in the queue.
        """
        passed = self._pass_time((catalogue.hash, t_ms), t_ms, PUBLISHING_WAKES_MAX)
        if isinstance(passed, Passed):
            self._wakes.applied()
            self.clock_ms = max(self.clock_ms, t_ms)
            self._own.enforce(catalogue, self.clock_ms)
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
        if not all(cut.catalogue in self._own.catalogues for cut in cuts):
            raise IllegalOrder("give the catalogues of the cuts first")
        self._cuts.resume(cuts, self._own.catalogues)
        self._state = "boundary"

    def give_catalogue(self, digest: str, catalogue: Catalogue) -> None:
        """Give the catalogue of a hash; also before a record lacks it."""
        self._own.catalogues[digest] = catalogue

    def give_profile(self, subject: str, blob: bytes | None) -> None:
        """Give a profile of the store; None: the store has none. One that is in memory stays as it is there.

        Raises ValueError for another layout, KeyError for a cut that is not among those resumed.
        """
        self._profiles.give(subject, blob)

    def give_wakes(self, entries: Sequence[tuple[int, str]], horizon: Horizon | None) -> None:
        """Give a page of wakes (due, subject): all that the store has after the old horizon, up to the new one.

        `horizon` None: there is nothing further. Raises IllegalOrder: the profile of an entry was not given, or the
        horizon goes back.
        """
        self._profiles.give_wakes(entries, (FOREVER, "") if horizon is None else horizon)

    def forget(self, subject: str) -> bool:
        """Drop a clean profile from memory; False, and nothing happens, if the queue or a slice still needs it."""
        self._check("forget")
        return self._profiles.forget(subject)

    def begin_slice(self) -> None:
        """Begin a slice of all that was touched since the last one. Its boundary is the next record to apply.

        `pack_slice` packs its profiles; meanwhile records are applied, and nothing of them comes into the slice. Raises
        IllegalOrder: the slice before is not whole yet.
        """
        self._check("begin_slice")
        slices = self._profiles.slices
        if slices.packing is not None:
            raise IllegalOrder("begin_slice: the slice before is not whole yet")
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
            joined={},
            left={},
            erased={},
        )
        slices.begin(begun)
        self._profiles.absent.clear()

    def pack_slice(self, profiles_max: int | None = None) -> Slice | None:
        """Pack so many more profiles of the slice that was begun (None: all); return it once it is whole.

        Raises IllegalOrder: no slice was begun.
        """
        slices = self._profiles.slices
        packing = slices.packing
        if packing is None:
            raise IllegalOrder("pack_slice: no slice was begun")
        if not packing.pack(self.profiles, self._cuts.plans, profiles_max):
            return None
        slices.packing = None
        return packing.slice

    def take_slice(self) -> Slice:
        """Begin a slice, and pack it whole at once. Raises IllegalOrder: the slice before is not whole yet."""
        self.begin_slice()
        taken = self.pack_slice()
        assert taken is not None
        return taken

    # -- what can be asked -----------------------------------------------------------------------------------------

    @property
    def generation(self) -> str:
        """The generation of the deployment."""
        return self._profiles.generation

    @property
    def digest(self) -> str:
        """The digest of all that was put out so far."""
        return self._profiles.digest

    @property
    def horizon(self) -> Horizon | None:
        """Up to where the queue is complete; None: it is."""
        return self._queue.horizon

    @property
    def changes_total(self) -> int:
        """How many changes were put out."""
        return self._profiles.changes_total

    @property
    def wakes_total(self) -> int:
        """How many wakes fired; visits of a cut are none."""
        return self._profiles.wakes_total

    @property
    def plan(self) -> Plan:
        """The plan in force. There is one: an event was decoded by its dictionary."""
        return self._profiles.plan

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
        return len(self._profiles.slices.touched)

    @property
    def to_pack(self) -> int | None:
        """How many profiles of a slice that was begun are still to be packed; None: no slice was begun."""
        packing = self._profiles.slices.packing
        return None if packing is None else packing.left

    @property
    def in_slice(self) -> int:
        """How many profiles a slice takes that was begun and is not whole, packed or still to be packed."""
        packing = self._profiles.slices.packing
        return 0 if packing is None else packing.left + len(packing.slice.profiles)

    def lacks(self, subject: str) -> bool:
        """Tell whether the profile is neither in memory nor known to be absent from the store."""
        return self._profiles.lacks(subject)

    def instant_of(self, timestamp_ms: int | None) -> int:
        """Return R: the record's timestamp or the clock, whichever is later."""
        return self.clock_ms if timestamp_ms is None else max(self.clock_ms, timestamp_ms)

    def next_due(self) -> int | None:
        """Return the smallest due instant in the queue; None: nothing is due ever."""
        top = self._queue.top()
        return None if top is None or top[0] >= FOREVER else top[0]

    def cuts(self) -> tuple[Cut, ...]:
        """Return the cuts that profiles may stand under, oldest first, as `resume` takes them."""
        return self._cuts.kept()

    def active(self) -> ActiveRows | None:
        """Return for how many profiles each activation is active; None: not known."""
        return self._profiles.active()

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
        lacking = self._wakes.fire(before_ms, items, limit, "")
        if lacking is not None:
            return self._lack(asked, None, items, lacking)
        self._state, self._under_way = "boundary", None
        return Passed(items)
