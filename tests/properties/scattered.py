"""Persons whose subjects live in several partitions: each reads at its own pace, and effects come when they come.

Effects of one partition keep their order. All else is drawn: which partition applies its next record, and when an
effect stands in the log of its target.
"""

import json
import random
from collections import deque
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from rules.catalogue.logic import leaves
from rules.conditions.view import View
from rules.engine.partition import Partition
from rules.ground.instants import format_instant
from tests.properties.delivering import Delivered
from tests.properties.drawing import Condition
from tests.properties.persons import PERSONS
from tests.properties.test_same import HOURS
from tests.transcripts.transcript import Files

PARTITIONS = 3
EVERY_RECORD = set(range(2_000))
"""More than any partition applies."""
STEPS_MAX = 20_000
"""More would go round for ever."""


def segment(name: str, enter: Condition) -> Condition:
    """Write a segment."""
    return {"segment": name, "version": 1, "status": "approved", "enter": enter}


SEGMENTS = (
    segment("liked", {"trait": "color", "equals": "red"}),
    segment("often", {"event": "b", "count": {"at_least": 3}, "within": "30d"}),
    segment("agreed", {"consent": {"channel": "sms", "purpose": "p"}}),
    segment("quiet", {"absent": "b", "within": "2d"}),
    segment("lastly", {"last": "b", "is": {"n": {"above": 2}}}),
    segment("steady", {"trait": "color", "equals": "red", "for": "1h"}),
)
"""A profile is a member by its facts and the instant alone."""
FILES: Files = {
    "dictionary.yaml": {
        "traits": {"color": {"type": "string"}},
        "events": {
            "a": {"data": {"color": {"type": "string"}}, "sets": {"color": "color"}},
            "b": {"data": {"n": {"type": "number"}}},
        },
    },
    **{f"segments/{each['segment']}.yaml": each for each in SEGMENTS},
}


def history(rng: random.Random, count: int = 40, *, erased: float = 0.0) -> list[bytes]:
    """Draw a history of which nearly half are link events; they come a few seconds late at most.

    `erased`: the share of erasures.
    """
    lines: list[bytes] = []
    sent: list[dict[str, Any]] = []
    at_ms = HOURS.start
    for index in range(count):
        at_ms += rng.choice([0, 1, 1_000, 60_000])
        subject = rng.choice(PERSONS)
        type_, data = ("privacy.erased", {}) if erased and rng.random() < erased else _event(rng, subject)
        event = {
            "specversion": "1.0",
            "id": f"e{index}",
            "source": "/s",
            "type": type_,
            "subject": subject,
            "time": format_instant(at_ms - rng.choice([0, 0, 0, 5_000])),
            "data": data,
        }
        if sent and rng.random() < 0.05:
            event = rng.choice(sent)  # a redelivery
        sent.append(event)
        lines.append(json.dumps({**event, "recordedtime": format_instant(at_ms)}).encode())
    return lines


def _event(rng: random.Random, subject: str) -> tuple[str, dict[str, Any]]:
    drawn = rng.random()
    if drawn < 0.16:
        return "identity.unlinked", {}
    if drawn < 0.45:
        return "identity.linked", {"canonical": rng.choice([each for each in PERSONS if each != subject])}
    if drawn < 0.6:
        return "a", {"color": rng.choice(["red", "blue"])}
    if drawn < 0.7:
        return rng.choice(["consent.granted", "consent.withdrawn"]), {"channel": "sms", "purpose": "p"}
    return "b", {"n": rng.randint(0, 4)}


def scatter(
    rng: random.Random, lines: Sequence[bytes], end_ms: int, *, restarting: bool, files: Files = FILES
) -> list[Partition]:
    """Apply a history in several partitions until nothing is in flight, then all wakes up to an instant.

    `restarting`: the state goes to the store and comes back after every record.
    """
    workers = [Delivered(files, [], EVERY_RECORD if restarting else set()) for _ in range(PARTITIONS)]
    logs: list[deque[bytes]] = [deque() for _ in workers]
    outs: list[deque[bytes]] = [deque() for _ in workers]
    pace = [rng.choice([0.05, 1, 3]) for _ in range(2 * PARTITIONS)]
    source = deque(lines)
    for _ in range(STEPS_MAX):
        waiting = [source, *logs, *outs]
        weights = [weight if queue else 0 for queue, weight in zip(waiting, [1, *pace], strict=True)]
        if not any(weights):
            break
        chosen = rng.choices(range(len(waiting)), weights)[0]
        record = waiting[chosen].popleft()
        if 1 <= chosen <= PARTITIONS:
            outs[chosen - 1] += workers[chosen - 1].apply(record)
        else:
            logs[_home(json.loads(record)["subject"])].append(record)
    else:
        raise AssertionError("effects go round for ever")
    return [worker.end(end_ms) for worker in workers]


def _home(subject: str) -> int:
    return crc32(subject.encode()) % PARTITIONS


def persons_of(partition: Partition, t_ms: int) -> dict[str, Any]:
    """Return of each known profile its facts, whose facts it has, what holds at an instant, and where it is in."""
    plan = partition.current
    assert plan is not None
    found = {}
    for subject, profile in partition.profiles.items():
        if profile.is_known:
            found[subject] = {
                "known": (profile.known_since_ms, profile.latest_ms),
                "traits": profile.traits,
                "consents": profile.consents,
                "origins": set() if profile.person is None else profile.person.origins() - {subject},
                "holds": [
                    (segment.id, path, leaf.verdict(View(t_ms, profile, observed_since_ms=profile.known_since_ms))[0])
                    for segment in plan.segments
                    for path, leaf, _ in leaves(segment.enter, "enter")
                ],
                "members": {name for name, stay in profile.stays.items() if stay.member},
            }
    return found


def held_in(partition: Partition) -> dict[str, Any]:
    """Return the facts that are held until they come another way, by subject: in the end there are none."""
    persons = {subject: profile.person for subject, profile in partition.profiles.items()}
    return {subject: person.held for subject, person in persons.items() if person is not None and person.held}
