"""One profile's records and the clock decide for it: an engine that is fed nothing else says the same of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from hypothesis import given, note
from hypothesis import strategies as st

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.engine.change import AnyChange, Change
from rules.engine.event_time import record_time
from rules.engine.membership import LEAVES_OF
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import Partition
from rules.explain.evidence import rules_then
from streams.intake.decoding import decoder_of
from streams.operations.concerning import Concerning
from streams.operations.shadow import CataloguesOnly
from streams.operations.shares import Share
from streams.operations.steps import Step, steps
from streams.operations.until import ALL, Keep, Reading
from streams.partition.driver import Driver
from tests.properties.batches import now
from tests.properties.fills import filled_scenes
from tests.properties.histories import SUBJECTS
from tests.properties.test_same import HOURS, Scene, checks, contact_scenes, scenes, tell
from tests.transcripts.implementations import compiled, naive
from tests.transcripts.transcript import Files

INPUT = TopicPartition("input", 0)


@dataclass(frozen=True)
class Stored:
    """A record as a consumer returns it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Consumer:
    """Reads a list of records, three at a time."""

    def __init__(self, log: Sequence[Stored]) -> None:
        self._log = log
        self._next = 0

    async def getmany(self, partition: TopicPartition, *, timeout_ms: int) -> dict[TopicPartition, list[Stored]]:
        found = list(self._log[self._next : self._next + 3])
        self._next += len(found)
        return {partition: found}

    async def position(self, partition: TopicPartition) -> int:
        return self._next

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        return {each: next((r for r in self._log if r.timestamp >= t_ms), None) for each, t_ms in times.items()}


def log_of(scene: Scene) -> tuple[list[Stored], dict[str, Files]]:
    """Make the scene's input: its lines with the subjects as keys, and a record for each cut."""
    cuts = [(-1, scene.files), *scene.cuts]
    files: dict[str, Files] = {}
    log: list[Stored] = []
    clock = 0

    def cut(at: int, one: Files) -> None:
        nonlocal clock
        clock = max(clock, at)
        digest = compiled(one).hash
        files[digest] = one
        log.append(
            Stored(
                len(log), clock, None, json.dumps({"type": "segue.catalogue", "data": {"catalogue": digest}}).encode()
            )
        )

    for line in scene.lines:
        timestamp = record_time(line) or clock
        while cuts and cuts[0][0] <= timestamp:
            cut(*cuts.pop(0))
        clock = max(clock, timestamp)
        log.append(Stored(len(log), timestamp, _key(line), line))
    for each in cuts:
        cut(*each)
    return log, files


def _key(line: bytes) -> bytes | None:
    try:
        return str(json.loads(line)["subject"]).encode()
    except (ValueError, KeyError, TypeError):
        return None


async def nowhere(digest: str) -> Catalogue:
    """Raise: every catalogue is at hand."""
    raise AssertionError(digest)


def engine_of(files: dict[str, Files]) -> Partition:
    """Make an empty engine that has the catalogues of a log."""
    engine = Partition("g1", decoder_of(0, 1))
    for digest, one in files.items():
        engine.give_catalogue(digest, compiled(one))
    return engine


def applied(
    log: Sequence[Stored], files: dict[str, Files], until_ms: int, keep: Keep
) -> tuple[Partition, list[AnyChange]]:
    """Apply the records to keep up to an instant, and fire the wakes up to it."""
    engine = engine_of(files)
    reading = Reading(cast("AIOKafkaConsumer", Consumer(log)), INPUT, until_ms, len(log))
    changes: list[AnyChange] = []

    async def read() -> None:
        async for record in reading.records(keep):
            changes.extend(whole(engine.feed(record)).changes)

    now(read())
    changes += changes_of(whole(engine.pass_time(until_ms + 1)).items)
    return engine, changes


def one_profile_is_decided_by_its_own_records(scene: Scene, at: int) -> tuple[Partition, list[AnyChange]]:
    """Return the engine that was fed every record, and its changes."""
    tell(scene)
    log, files = log_of(scene)
    until_ms = HOURS.at(at)
    engine, changes = applied(log, files, until_ms, ALL)
    for subject in SUBJECTS:
        note(subject)
        alone, own = applied(log, files, until_ms, Concerning(subject))
        assert own == [change for change in changes if change.subject == subject]
        assert set(alone.profiles) <= {subject}
        there = engine.profiles.get(subject)
        mine = alone.profiles.get(subject)
        assert (there and there.pack()) == (mine and mine.pack())
        assert alone.catalogue == engine.catalogue
        assert stepped(log, files, until_ms, subject) == own
    return engine, changes


def evidence_says_what_the_changes_say(step: Step) -> None:
    """The conditions that a change names are those that its evidence shows as holding (for a loss: as not holding)."""
    for change in step.changes:
        if not isinstance(change, Change) or change.kind not in LEAVES_OF:
            continue
        rule, wanted = LEAVES_OF[change.kind]
        rules = rules_then(change, step.plan, step.before, step.after)
        assert rules is not None
        segment = step.plan.by_id[change.segment]
        node = segment.enter if rule == "enter" else segment.exit
        assert node is not None
        negated = {path: under_none for path, _, under_none in leaves(node, rule)}
        told = rules.enter if rule == "enter" else rules.exit
        assert [leaf.path for leaf in told] == list(negated)
        holding = [leaf.path for leaf in told if leaf.holds is (wanted is not negated[leaf.path])]
        assert holding == json.loads(change.value)["reason"]["conditions"]


def stepped(log: Sequence[Stored], files: dict[str, Files], until_ms: int, subject: str) -> list[AnyChange]:
    """Return the subject's changes, evaluation by evaluation; the last record brings no time after it."""
    engine = engine_of(files)
    reading = Reading(cast("AIOKafkaConsumer", Consumer(log)), INPUT, until_ms, len(log))
    changes: list[AnyChange] = []

    async def read() -> None:
        async for step in steps(Driver(engine, CataloguesOnly(nowhere)), reading, subject, copies=True):
            assert step.plan is engine.current
            evidence_says_what_the_changes_say(step)
            changes.extend(step.changes)

    now(read())
    return changes + changes_of(whole(engine.pass_time(until_ms + 1)).items)


@checks
@given(scenes(HOURS, cuts=3), st.integers(0, 60))
def test_shares_of_the_subjects_are_decided_each_by_itself(scene: Scene, at: int) -> None:
    tell(scene)
    log, files = log_of(scene)
    engine, _ = applied(log, files, HOURS.at(at), ALL)
    found: dict[str, bytes] = {}
    for share in Share().halves():
        alone, _ = applied(log, files, HOURS.at(at), share)
        assert not found.keys() & alone.profiles.keys()
        found |= {subject: profile.pack() for subject, profile in alone.profiles.items()}
    assert found == {subject: profile.pack() for subject, profile in engine.profiles.items()}


@checks
@given(scenes(HOURS, cuts=3), st.integers(0, 60))
def test_a_profile_is_decided_by_its_own_records_and_the_clock(scene: Scene, at: int) -> None:
    one_profile_is_decided_by_its_own_records(scene, at)


@checks
@given(filled_scenes(HOURS), st.integers(0, 60))
def test_what_was_at_an_instant_is_what_a_replay_up_to_it_says(scene: Scene, at: int) -> None:
    """What `explain --at` and `members --at` read from a log with fills, against the naive evaluator."""
    engine, changes = one_profile_is_decided_by_its_own_records(scene, at)
    replayed, _ = naive(scene.files, scene.lines, scene.cuts, HOURS.at(at), True)
    assert [change.value for change in changes] == replayed
    members = standing(replayed)
    for subject in SUBJECTS:
        assert members_of(engine, subject) == {segment for name, segment in members if name == subject}


def standing(changes: Sequence[bytes]) -> set[tuple[str, str]]:
    """Return who is a member of what after these changes."""
    found: set[tuple[str, str]] = set()
    for change in map(json.loads, changes):
        if "segment" in change:
            (found.add if change["change"] == "entered" else found.discard)((change["profile"], change["segment"]))
    return found


def members_of(engine: Partition, subject: str) -> set[str]:
    """Return the segments that a profile of an engine is in."""
    profile = engine.profiles.get(subject)
    return set() if profile is None else {name for name, stay in profile.stays.items() if stay.member}


@checks
@given(contact_scenes(HOURS), st.integers(0, 60))
def test_a_profiles_activations_are_decided_by_its_own_records_and_the_clock(scene: Scene, at: int) -> None:
    one_profile_is_decided_by_its_own_records(scene, at)
