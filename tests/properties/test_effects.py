"""Effects as records: a worker that delivers them says what a replay says, and a restart at any record changes nothing.

A worker follows links hop by hop, so a chain is in between for some records. Where all links lead from a few subjects
to others that are no alias themselves, every effect is one hop away and nothing is in between. Wherever links lead,
each subject has the same facts in the end.
"""

import contextlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.engine.partition import Partition
from rules.engine.persons import remote
from rules.engine.persons.part import OWN
from rules.engine.profile import Profile
from rules.engine.replay import Replay
from tests.properties.delivering import Delivered
from tests.properties.persons import linked_contact_scenes, linked_scenes
from tests.properties.scattered import EVERY_RECORD, FILES, held_in, history
from tests.properties.test_same import HOURS, PATIENCE_S, Scene, checks, tell
from tests.transcripts.implementations import compiled, engine
from tests.transcripts.transcript import Files

pytestmark = pytest.mark.timeout(PATIENCE_S)
ALIAS_FOR = {"hcp:1": "crm:4", "hcp:3": "lab:2"}
"""Who is linked in the place of a subject that stands for others, in a scene without chains."""
END_FOR = {"crm:4": "hcp:1", "crm:5": "hcp:3", "lab:2": "hcp:1"}
"""Who stands for another in the place of one that does not."""
END_NOW = {"crm:4": "crm:5", "crm:5": "crm:5", "lab:2": "lab:2"}
"""For whom crm:4 stands, in a scene with one end."""
LINK = b'"identity.'
"""What stands in the line of a link event."""
RECORDS_MAX = 2_000
"""More than a scene has, with its effects."""


def without_chains(scene: Scene) -> Scene:
    """Let all links lead from some subjects to others; and no cuts, because a worker has no history at them."""
    return replace(scene, lines=[_without_chain(line) for line in scene.lines], cuts=[], as_live=False)


def _without_chain(line: bytes) -> bytes:
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or event.get("type") not in ("identity.linked", "identity.unlinked"):
        return line
    event["subject"] = ALIAS_FOR.get(event["subject"], event["subject"])
    if "data" in event:
        canonical = event["data"]["canonical"]
        event["data"] = {"canonical": END_FOR.get(canonical, canonical)}
    return json.dumps(event).encode()


def to_one_end(scene: Scene) -> Scene:
    """Let crm:5 and lab:2 stand for hcp:1 all the time, and crm:4 for one of the three: its end stays the same."""
    dated = next((json.loads(line) for line in scene.lines if b"recordedtime" in line), None)
    lines = [_to_one_end(line) for line in scene.lines if b"privacy.erased" not in line]
    if dated is not None:
        first = {"specversion": "1.0", "source": "/s", "type": "identity.linked", "data": {"canonical": "hcp:1"}}
        first |= {"time": dated["recordedtime"], "recordedtime": dated["recordedtime"]}
        lines[:0] = [json.dumps({**first, "id": each, "subject": each}).encode() for each in ("crm:5", "lab:2")]
    return replace(scene, lines=lines, cuts=[], as_live=False)


def _to_one_end(line: bytes) -> bytes:
    if b'"identity.' not in line:
        return line
    event = json.loads(line)
    event["subject"] = "crm:4"
    if "data" in event:
        event["data"] = {"canonical": END_NOW.get(event["data"]["canonical"], "hcp:1")}
    return json.dumps(event).encode()


def facts_of(partition: Partition) -> dict[str, Any]:
    """Return what each known profile knows, without marks and arrivals.

    The known-since of an erased subject that began anew is left out if an alias brings it facts: a worker keeps states,
    and does not know the smallest time exactly (docs/language.md, Facts and an erasure).
    """
    return {
        subject: (_known_since(profile), profile.latest_ms, profile.traits, profile.consents)
        for subject, profile in partition.profiles.items()
        if profile.is_known
    }


def _known_since(profile: Profile) -> int | None:
    person = profile.person
    brought = person is not None and person.erased is not None and any(way.via != OWN for way in person.parts)
    return None if brought else profile.known_since_ms


def by_profile(changes: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Sort changes by their profile, in their order."""
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for change in changes:
        found[json.loads(change)["profile"]].append(change)
    return found


def with_ties_of(whole: Sequence[bytes], delivered: Sequence[bytes], lines: Sequence[bytes]) -> list[bytes]:
    """Return the delivered changes; a wake names the link event that absorbs it in the replay.

    A link that moves nothing is not told to the end of a chain, so a wake that is due at that very millisecond stays a
    wake (docs/language.md, Links in Kafka). Nothing but `reason.events` differs, and only if a link is named there.
    """
    links = {f"{event['source']} {event['id']}" for event in map(json.loads, (each for each in lines if LINK in each))}
    told: dict[str, list[str]] = {one["id"]: one["reason"]["events"] for one in map(json.loads, whole)}
    found = []
    for change in delivered:
        events = told.get(json.loads(change)["id"], [])
        named = b'"events":%b' % json.dumps(events, separators=(",", ":")).encode()
        found.append(change.replace(b'"events":[]', named, 1) if links.issuperset(events) else change)
    return found


@partial(checks, share=2)
@given((linked_scenes(HOURS) | linked_contact_scenes(HOURS, cuts=0)).map(without_chains))
def test_effects_that_are_delivered_say_what_a_replay_says(scene: Scene) -> None:
    tell(scene)
    whole, _ = engine(scene.files, scene.lines, [], scene.until, False)
    delivered = Delivered(scene.files, [], set()).deliver(scene.lines, scene.until)
    assert by_profile(delivered) == by_profile(whole)


@partial(checks, share=2)
@given((linked_scenes(HOURS) | linked_contact_scenes(HOURS, cuts=0)).map(to_one_end))
def test_a_relink_to_the_same_end_moves_nothing_there_that_a_replay_does_not(scene: Scene) -> None:
    tell(scene)
    whole, _ = engine(scene.files, scene.lines, [], scene.until, False)
    delivered = Delivered(scene.files, [], set()).deliver(scene.lines, scene.until)
    assert by_profile(with_ties_of(whole, delivered, scene.lines)) == by_profile(whole)


@partial(checks, share=2)
@given(linked_scenes(HOURS) | linked_contact_scenes(HOURS, cuts=0))
def test_in_the_end_every_subject_has_the_facts_that_a_replay_gives_it(scene: Scene) -> None:
    tell(scene)
    replay = Replay(compiled(scene.files))
    for _ in replay.run(scene.lines, scene.until):
        pass
    delivered = Delivered(scene.files, [], set())
    delivered.deliver(scene.lines, scene.until)
    assert facts_of(delivered.partition) == facts_of(replay.partition)
    assert held_in(delivered.partition) == {}


@partial(checks, share=2)
@given(linked_scenes(HOURS, cuts=2) | linked_contact_scenes(HOURS), st.data())
def test_a_restart_at_any_record_changes_neither_changes_nor_effects(scene: Scene, data: st.DataObject) -> None:
    tell(scene)
    whole = Delivered(scene.files, scene.cuts, set())
    whole.deliver(scene.lines, scene.until)
    boundaries = data.draw(st.just(set(range(RECORDS_MAX))) | st.sets(st.integers(1, 60)))
    parts = Delivered(scene.files, scene.cuts, boundaries)
    parts.deliver(scene.lines, scene.until)
    assert (parts.changes, parts.effects) == (whole.changes, whole.effects)
    assert not parts.marks["unreadable"]


ODD: list[Any] = [None, True, 0, -1, 1.5, 2**53 + 1, 2**64 - 1, "", "x", "hcp:1", [], {}, [[]], [0], ["x", 1], {"a": 1}]
"""What may stand in some place of an effect that a stranger wrote."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Walk the places of a JSON value: what contains it, and its key or index there."""
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in keys:
        yield value, key
        yield from places(each)


def damaged(rng: random.Random, effect: bytes) -> bytes:
    """Return an effect with one place changed, taken away or doubled, or with one byte changed."""
    if rng.random() < 0.1:
        at = rng.randrange(len(effect))
        return effect[:at] + bytes([rng.randrange(32, 127)]) + effect[at + 1 :]
    event = json.loads(effect)
    inside, key = rng.choice([*places(event["data"])])
    if rng.random() < 0.2:
        del inside[key]
    elif isinstance(inside, list) and rng.random() < 0.2:
        inside.insert(key, inside[key])
    else:
        inside[key] = rng.choice(ODD)
    return json.dumps(event).encode()


def bad_among(rng: random.Random, files: Files, lines: Sequence[bytes]) -> tuple[Delivered, list[bytes]]:
    """Put damaged effects of a history among its lines. Returns a worker that had the good lines alone, and all lines.

    A history without effects stays as it is.
    """
    whole = Delivered(files, [], set())
    whole.deliver(lines, None)
    found = list(lines)
    for _ in range(40 if whole.effects else 0):
        found.insert(rng.randrange(len(found) + 1), damaged(rng, rng.choice(whole.effects)))
    return whole, found


@partial(checks, share=2)
@given(linked_scenes(HOURS) | linked_contact_scenes(HOURS, cuts=0), st.integers(0, 2**32))
def test_a_bad_effect_stops_nothing(scene: Scene, chance: int) -> None:
    tell(scene)
    whole, lines = bad_among(random.Random(chance), scene.files, scene.lines)
    if not whole.effects:
        return
    worker = Delivered(scene.files, [], set(range(RECORDS_MAX)))
    worker.deliver(lines, None)
    assert worker.partition.offset > len([line for line in lines if line.strip()])
    assert worker.partition.clock_ms >= whole.partition.clock_ms


@pytest.mark.parametrize(
    ("unchecked", "instead"), [("check_states", lambda *_: None), ("reading", contextlib.nullcontext)]
)
def test_a_look_at_effects_that_is_left_out_is_noticed(
    unchecked: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(0)
    _, lines = bad_among(rng, FILES, history(rng))
    Delivered(FILES, [], EVERY_RECORD).deliver(lines, None)
    monkeypatch.setattr(remote, unchecked, instead)
    with pytest.raises((TypeError, ValueError)):
        Delivered(FILES, [], EVERY_RECORD).deliver(lines, None)
