"""Persons of several subjects in several partitions, under everything that storms bring.

Links, unlinks, relinks and erasures go on while workers are killed, partitions move, replies are lost and Redis goes
back. The real `Worker` runs over the models, as in `storms`. At the end of each run must hold:

- each partition has put out exactly what its own records give, and each effect stands in its target's input once, in
  the order in which the log makes them;
- an alias is in nothing, at every record: the checker follows the links by itself;
- whoever enters because a link brought it (`merged`) enters after another subject of the person has left, also in the
  order in which the changes were published;
- once nothing moves any more, each subject is in the segments that the naive evaluator gives it, which knows nothing of
  partitions and effects.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

from rules.catalogue.catalogue import Catalogue
from rules.engine import related
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange, Change
from rules.engine.outcome import Applied, whole
from rules.engine.partition import Partition
from rules.engine.persons.effects import EFFECT_BYTES_MAX, seal
from rules.engine.persons.pieces import PIECE
from rules.engine.record import Record
from rules.ground.event import Event
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from rules.language.dictionary import NO_FACTS
from streams.intake.decoding import decoder_of
from streams.operations.verify_effects import Exchange
from streams.records import OutRecord
from streams.wire.progress import read_progress
from tests.faults.one_person import check_one_person, links_of
from tests.faults.scenes import scenes_of
from tests.naive.reading import read_text
from tests.naive.replay import replay
from tests.rules.catalogues import load
from tests.simulation.storms import PARTITIONS, STREAMS, Run
from tests.streams.world import DEAD, EVENTS, OUT, PROGRESS
from tests.transcripts.implementations import plain

ANEW_SEEDS = (1, 3)
"""Of five seeds: those in which the erased begin anew."""
SMALL = 900
"""Bytes of an effect in some runs: most contributions come in pieces there."""
RECORDS_MAX = 5_000
"""No partition of a run has so many records: 200 to 700 are usual."""
SUBJECTS = ("hcp:1", "hcp:2", "hcp:3", "crm:4", "crm:5", "crm:6")
"""Few, so that links meet: chains, rings, two aliases of one. They live in both partitions."""
assert {partition_of(each.encode(), PARTITIONS) for each in SUBJECTS} == set(range(PARTITIONS))
DICTIONARY = """\
traits: {color: {type: string}}
events:
  a: {data: {color: {type: string}}, sets: {color: color}}
  b: {}
  left: {}
"""
BY_FACTS = {
    "liked": "enter: {trait: color, equals: red}",
    "often": "enter: {event: b, count: {at_least: 2}, within: 30d}",
    "agreed": "enter: {consent: {channel: email, purpose: news}}",
}
"""Segments of which a profile is a member by its facts alone, whatever it was a member of before."""
BY_STAYS = {"staying": "enter: {event: a, within: 30d}\nexit: {event: left, since: entry}\nreenter_after: 1s"}
LATER = {"seldom": "enter: {event: b, count: {at_least: 3}, within: 20d}"}
WELCOME = """\
activation: welcome
version: 1
status: approved
channel: email
audience: hcp
segments: {all: [often]}
content: {intent: access, review: {status: approved}}
"""


def files(segments: dict[str, str], policy: str = "") -> dict[str, str]:
    """Write a catalogue."""
    made = {"dictionary.yaml": DICTIONARY, "activations/welcome.yaml": WELCOME}
    for name, rules in segments.items():
        made[f"segments/{name}.yaml"] = f"segment: {name}\nversion: 1\nstatus: approved\n{rules}\n"
    return made | ({"policy.yaml": policy} if policy else {})


BEGIN_ANEW = "erasure: {afterwards: begin_anew}\n"


def catalogues(policy: str) -> tuple[dict[str, str], ...]:
    """Return the files of each catalogue."""
    three = (BY_FACTS | BY_STAYS, BY_FACTS | BY_STAYS | LATER, BY_FACTS | BY_STAYS)
    return tuple(files(each, policy) for each in three)


CATALOGUES, ANEW = catalogues(""), catalogues(BEGIN_ANEW)
LOADED, LOADED_ANEW = (tuple(load(each) for each in some) for some in (CATALOGUES, ANEW))
"""Each loads to what a cut puts into force; the third is the first again."""


class PersonsRun(Run):
    """One run, by its seed."""

    loaded = LOADED
    catalogues = CATALOGUES
    anew = False
    """Whether what comes for an erased subject later begins a new profile."""
    by_facts: Set[str] = BY_FACTS.keys()
    """The segments in which the naive evaluator must see the same profiles at the end."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.told: list[tuple[int, bytes]] = []
        """Every event in the order of its record: its instant and its value."""
        self.came: Counter[str] = Counter()

    def tell(self, subject: str, type_: str, data: dict[str, str] | None = None, late_ms: int = 0) -> None:
        """Append an event to its partition."""
        world = self.world
        world.events += 1
        value = json.dumps(
            {
                "specversion": "1.0",
                "id": f"e{world.events}",
                "source": "/test",
                "type": type_,
                "subject": subject,
                "time": format_instant(world.broker.now_ms - late_ms),
                "data": data or {},
            }
        ).encode()
        self._append(subject, value)

    def _append(self, subject: str, value: bytes) -> None:
        key = subject.encode()
        self.world.broker.append(OutRecord(EVENTS, partition_of(key, PARTITIONS), key, value))
        self.told.append((self.world.broker.now_ms, value))

    def traffic(self) -> None:
        rng = self.rng
        for _ in range(rng.randrange(5, 30)):
            self.world.advance(rng.choice([0, 0, 1, 50, 2_000]))
            subject = rng.choice(SUBJECTS)
            type_ = rng.choice(
                ["a", "a", "b", "b", "b", "left", "consent.granted", "consent.withdrawn", "link", "link"]
            )
            match type_:
                case "link":
                    self._link(subject)
                case "a":
                    self.tell(subject, type_, {"color": rng.choice(["red", "blue", ""])}, rng.choice([0, 0, 5_000]))
                case "consent.granted" | "consent.withdrawn":
                    self.tell(subject, type_, {"channel": "email", "purpose": "news"})
                case _:
                    self.tell(subject, type_)
            if rng.random() < 0.05 and self.told:
                self.again()

    def again(self) -> None:
        """Append an event of before again: a redelivery."""
        value = self.rng.choice(self.told)[1]
        self._append(json.loads(value)["subject"], value)

    def link_among(self, subjects: Sequence[str]) -> None:
        """Link one of some subjects to another, or take its link back."""
        self._link(self.rng.choice(subjects), subjects)

    def _link(self, subject: str, subjects: Sequence[str] = SUBJECTS) -> None:
        other = self.rng.choice([each for each in subjects if each != subject])
        if self.rng.random() < 0.4:
            self.came["unlink"] += 1
            self.tell(subject, "identity.unlinked")
        else:
            self.came["link"] += 1
            self.tell(subject, "identity.linked", {"canonical": other}, self.rng.choice([0, 0, 0, 4_000]))

    async def cut(self) -> None:
        """Make a cut, right after links: they are on their way at the cut."""
        if self.cuts < len(self.loaded):
            for _ in range(3):
                self.link_among(SUBJECTS)
        await super().cut()

    def meanwhile(self) -> None:
        """Link somebody while a fill writes history, now and then."""
        if self.rng.random() < 0.4:
            self.link_among(SUBJECTS)

    async def cut_and_fill(self) -> None:
        """Make a cut, and fill it in a moment later."""
        await self.cut()
        await self.world.pass_time(self.rng.choice([1, 300]))
        self.world.advance(10)
        await self.fill()

    async def crossing(self) -> None:
        """Let two subjects be linked to each other at one instant, and one of them to a third."""
        one, other, third = self.rng.sample(SUBJECTS, 3)
        self.tell(one, "identity.linked", {"canonical": other})
        self.tell(other, "identity.linked", {"canonical": one})
        if self.rng.random() < 0.7:
            self.world.advance(self.rng.choice([0, 1]))
            self.tell(other, "identity.linked", {"canonical": third})

    async def erase(self) -> None:
        """Erase somebody when nothing is in flight, so that it is clear who belongs to the person."""
        await self.calm()
        self.world.advance(10_000)
        gone = self.rng.choice(SUBJECTS)
        self.tell(gone, "privacy.erased")
        await self.calm()
        if self.rng.random() < 0.7:
            # whoever is linked to it now by a link of before is erased, too
            other = self.rng.choice([each for each in SUBJECTS if each != gone])
            self.tell(other, "identity.linked", {"canonical": gone}, late_ms=1)
            await self.calm()

    def moves(self, segment: str) -> list[tuple[str, bool]]:
        """Return who entered a segment (True) or left it, in the order of each partition."""
        told = [json.loads(value) for partition in range(PARTITIONS) for value in self.world.out(OUT, partition)]
        return [(each["profile"], each["change"] == "entered") for each in told if each["segment"] == segment]

    async def calm(self) -> None:
        """Wait until every effect has arrived and is applied."""
        self.weather(fair=True)
        await self.world.until(self.settled, 600_000)

    async def end_in_order(self) -> None:
        """End the processes. No worker has failed, and no partition has stopped."""
        for process in self.processes:
            assert not process.worker.status.failure
            assert not any(one.incident for one in process.worker.status.partitions.values())
            await process.revoke()
            await process.kill()

    def settled(self) -> bool:
        ends = [self.world.broker.watermarks(EVENTS, partition)[1] for partition in range(PARTITIONS)]
        assert max(ends) < RECORDS_MAX, "effects go round for ever"
        return super().settled() and ends == [self._stable(partition) for partition in range(PARTITIONS)]

    def _stable(self, partition: int) -> int:
        return self.world.broker.fetch(EVENTS, partition, 0)[1]


class Seen:
    """The records of one partition, applied again by an engine that holds everything; and what the checker follows."""

    def __init__(self, partition: int, loaded: Sequence[Catalogue]) -> None:
        self.partition = partition
        self.engine = Partition("g1", decoder_of(partition, PARTITIONS), clock_ms=-1)
        for catalogue in loaded:
            self.engine.give_catalogue(catalogue.hash, catalogue)
        self.changes: list[AnyChange] = []
        self.digests: dict[int, str] = {}
        self._links: defaultdict[str, dict[tuple[int, str, str], str | None]] = defaultdict(dict)
        self._erased: set[str] = set()
        self._stands: defaultdict[str, set[str]] = defaultdict(set)

    def run(self, run: PersonsRun, exchange: Exchange) -> None:
        """Apply all records."""
        for found in run.world.broker.fetch(EVENTS, self.partition, 0)[0]:
            record = Record(found.offset, found.timestamp_ms, found.key, found.value)
            applied: Applied = whole(self.engine.feed(record))
            exchange.take(self.partition, record)
            for effect in applied.effects:
                exchange.send(self.partition, effect)
            self.changes += applied.changes
            run.came.update(applied.marks)
            run.came["piece"] += sum(PIECE in effect.data for effect in applied.effects)
            self.digests[found.offset + 1] = self.engine.digest
            run.came["began anew"] += self._began_anew(applied, found.value or b"")
            self._follow(applied, found.value or b"")

    def _began_anew(self, applied: Applied, value: bytes) -> bool:
        """Tell whether a fact was taken of a subject that was erased and knew nothing since."""
        told = json.loads(value)
        subject = told.get("subject", "")
        if told["type"] in ("privacy.erased", "segue.erased"):
            self._erased.add(subject)
        elif applied.kind == "event" and told["type"] not in NO_FACTS and subject in self._erased:
            self._erased.discard(subject)
            return True
        return False

    def _follow(self, applied: Applied, value: bytes) -> None:
        for change in applied.changes:
            name = change.activation if isinstance(change, ActivationChange) else change.segment
            standing = self._stands[change.subject]
            (standing.add if _stands(change) else standing.discard)(name)
        told = json.loads(value)
        subject = told.get("subject", "")
        if isinstance(applied.decoded, Event) and applied.kind == "event":
            event = applied.decoded
            if event.type in ("identity.linked", "identity.unlinked"):
                self._links[subject][event.time_ms, event.source, event.id] = told["data"].get("canonical")
        if told["type"] in ("privacy.erased", "segue.erased") and not self._stands[subject]:
            self._links.pop(subject, None)
        links = self._links.get(subject)
        if links and links[max(links)] is not None:
            assert not self._stands[subject], f"an alias is in {self._stands[subject]} after {told}"


@dataclass(frozen=True)
class Read:
    """A record as the checker of the faults reads it."""

    offset: int
    timestamp: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def read(run: PersonsRun, topic: str) -> list[list[Read]]:
    """Return what a read_committed reader has got of a topic, by partition."""
    every = [run.world.broker.fetch(topic, partition, 0)[0] for partition in range(PARTITIONS)]
    return [[Read(one.offset, one.timestamp_ms, one.value) for one in records] for records in every]


def check(run: PersonsRun) -> None:
    """Check all that must hold at the end of a run; count what came of links, and what crossed them."""
    exchange = Exchange(PARTITIONS, "g1")
    seen = [Seen(partition, run.loaded) for partition in range(PARTITIONS)]
    for each in seen:
        each.run(run, exchange)
    for each in seen:
        end = run.end(each.partition)
        assert exchange.difference(each.partition, end, set(range(PARTITIONS))) == ""
        for channel, (topic, _) in STREAMS.items():
            wanted = [change.value for change in each.changes if _channel(change) == channel]
            assert run.world.out(topic, each.partition) == wanted, f"partition {each.partition} {channel}"
        for value in run.world.out(PROGRESS, each.partition):
            progress = read_progress(value)
            assert progress.digest == each.digests.get(progress.offset, progress.digest)
        assert not run.world.out(DEAD, each.partition)
        run.came["effect"] += sum(len(told) for (source, _), told in exchange.sent.items() if source == each.partition)
    changes = [change for each in seen for change in each.changes]
    for change in changes:
        run.came[f"{change.kind} {'+' if _stands(change) else '-'}"] += 1
    check_merged(changes)
    inputs = read(run, EVENTS)
    topics = {topic: read(run, topic) for topic, _ in STREAMS.values()}
    check_one_person(links_of(inputs, anew=run.anew), topics)
    run.came += scenes_of(inputs, read(run, PROGRESS), run.forgotten)
    if run.cuts == 1:
        check_naively(run, changes)


def _stands(change: AnyChange) -> bool:
    return change.activated if isinstance(change, ActivationChange) else change.entered


def _channel(change: AnyChange) -> str:
    return change.channel if isinstance(change, ActivationChange) else ""


def check_merged(changes: Sequence[AnyChange]) -> None:
    """Whoever enters with `merged`: another subject has left that segment with `merged` by then."""
    left: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for change in changes:
        if isinstance(change, Change) and not change.entered and change.kind == "merged":
            left[change.segment].append((change.effective_ms, change.subject))
    for change in changes:
        if isinstance(change, Change) and change.entered and change.kind == "merged":
            before = [who for at, who in left[change.segment] if at <= change.effective_ms and who != change.subject]
            assert before, f"{change.id} entered, and nobody has left"


def check_naively(run: PersonsRun, changes: Sequence[AnyChange]) -> None:
    """Compare who is in which segment at the end with what the naive evaluator says."""
    lines = [
        json.dumps({**json.loads(value), "recordedtime": format_instant(at_ms)}).encode() for at_ms, value in run.told
    ]
    catalogue = plain({name: read_text(text) for name, text in run.catalogues[0].items()})
    naive = [json.loads(each) for each in replay(catalogue, lines).changes]
    wanted = _standing(
        [(each["profile"], each["segment"], each["change"] == "entered") for each in naive if "segment" in each],
        run.by_facts,
    )
    moves = [(each.subject, each.segment, each.entered) for each in changes if isinstance(each, Change)]
    assert _standing(moves, run.by_facts) == wanted


def _standing(moves: Sequence[tuple[str, str, bool]], segments: Set[str]) -> set[tuple[str, str]]:
    standing: set[tuple[str, str]] = set()
    for subject, segment, entered in moves:
        (standing.add if entered else standing.discard)((subject, segment))
    return {each for each in standing if each[1] in segments}


async def persons(seed: int) -> Counter[str]:
    """Run one seed to its end; return how often each kind of event came.

    Raises AssertionError when a law does not hold, or nothing moves any more.
    """
    bytes_max = SMALL if seed % 2 else EFFECT_BYTES_MAX
    with patch.object(related, "seal", partial(seal, bytes_max=bytes_max)):
        return await _persons((AnewRun if seed % 5 in ANEW_SEEDS else PersonsRun)(seed), seed)


class AnewRun(PersonsRun):
    """One run in which the erased begin anew."""

    catalogues = ANEW
    loaded = LOADED_ANEW
    anew = True


async def _persons(run: PersonsRun, seed: int) -> Counter[str]:
    await run.begin()
    erasing = [run.erase] if seed % 3 else []
    cutting = [run.cut, run.fill, run.cut_and_fill] if seed % 4 == 3 else []
    events = (run.kill, run.rebalance, run.zombie, run.roll_back, run.crossing, run.nothing, *erasing, *cutting)
    for _ in range(10):
        run.weather()
        run.traffic()
        await run.world.pass_time(run.rng.choice([0, 5, 300, 4_000]))
        event = run.rng.choice(events)
        run.came[event.__name__] += 1
        await event()
    run.weather(fair=True)
    run.traffic()
    await run.calm()
    check(run)
    await run.end_in_order()
    return run.came
