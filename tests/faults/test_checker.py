"""The checker itself: its model agrees with the naive evaluator, and each promise is seen when it is broken."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import Violated, check_payloads, check_sequences, compare
from tests.faults.model import BASE, SECOND, THIRD, Partition, Rules, instant
from tests.naive import Cut, read_folder, replay

START_MS = 1_772_373_600_000


@dataclass
class Sent:
    """A record as a consumer would give it."""

    offset: int
    timestamp: int
    value: bytes
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def history(seed: int, count: int = 60) -> list[Sent]:
    """A cut and some events, with repetitions, late ones, and idle times."""
    rng, now_ms = random.Random(seed), START_MS
    records = [Sent(0, now_ms, b'{"type":"segue.catalogue"}')]
    events: list[dict[str, Any]] = []
    for n in range(count):
        now_ms += rng.choice([0, 1, 200, 900, 3_000, 8_000])
        event = {
            "specversion": "1.0",
            "id": f"e{n}",
            "source": "/t",
            "type": rng.choice(["portal.login", "portal.login", "portal.login", "portal.left", "note.added"]),
            "subject": f"hcp:{rng.randrange(3)}",
            "time": instant(now_ms - rng.choice([0, 0, 0, 1_500, 40_000, 1_799_000])),
            "data": {},
        }
        if event["type"] == "portal.login" and rng.random() < 0.5:
            event["data"] = {"tier": rng.choice(["gold", "silver", ""])}
        event = rng.choice(events) if events and rng.random() < 0.1 else event
        events.append(event)
        records.append(Sent(n + 1, now_ms, json.dumps(event).encode()))
    records.append(Sent(count + 1, now_ms + 3_600_000, b'{"type":"segue.tick"}'))
    return records


def modelled(records: list[Sent], *catalogues: Rules) -> Partition:
    model = Partition(catalogues or [BASE])
    for record in records:
        model.apply(record)
    return model


VALUES = [change.value for change in modelled(history(1)).changes]


def folder_of(rules: Rules, folder: Path) -> Path:
    for name, text in rules.files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("seed", range(6))
def test_the_model_agrees_with_the_naive_evaluator(seed: int, tmp_path: Path) -> None:
    base, second, third = (
        read_folder(folder_of(rules, tmp_path / str(n))) for n, rules in enumerate((BASE, SECOND, THIRD))
    )
    records = history(seed)
    cuts = sorted(random.Random(seed).sample(range(2, len(records) - 1), 2), reverse=True)
    for place in cuts:
        # `segue replay` cuts before the first line at that instant: make sure that it is this one
        at_ms = records[place - 1].timestamp + 1
        for later in records[place:]:
            later.timestamp += 2
        records.insert(place, Sent(place, at_ms, b'{"type":"segue.catalogue"}'))
    instants = [record.timestamp for record in records[1:] if b"segue.catalogue" in record.value]
    lines = [
        json.dumps({**json.loads(record.value), "recordedtime": instant(record.timestamp)}).encode()
        for record in records
        if b"segue.catalogue" not in record.value
    ]
    then = [Cut(at_ms, catalogue) for at_ms, catalogue in zip(instants, (second, third), strict=True)]
    found = replay(base, lines, None, then)
    model = modelled(records, BASE, SECOND, THIRD)
    assert not found.refusals
    assert [change.value for change in model.changes] == found.changes


def test_what_is_expected_is_right() -> None:
    compare(0, modelled(history(1)), VALUES)
    check_sequences(VALUES)
    check_payloads([*VALUES, *VALUES])


@pytest.mark.parametrize(
    ("letter", "values"),
    [
        ("L0", VALUES[:-1]),
        ("L0", VALUES[1:]),
        ("L0", [*VALUES[:3], VALUES[3].replace(b'"sequence":', b'"sequence":1'), *VALUES[4:]]),
        ("D0", [*VALUES, VALUES[2]]),
        ("O0", [VALUES[1], VALUES[0], *VALUES[2:]]),
    ],
    ids=["the last missing", "the first missing", "another payload", "twice", "out of order"],
)
def test_a_broken_promise_is_seen(letter: str, values: list[bytes]) -> None:
    with pytest.raises(Violated, match=f"^{letter}"):
        compare(0, modelled(history(1)), values)


def test_a_gap_in_a_sequence_and_an_id_with_two_payloads_are_seen() -> None:
    with pytest.raises(Violated, match=r"^O0"):
        check_sequences(VALUES[1:])
    with pytest.raises(Violated, match=r"^C0"):
        check_payloads([*VALUES, VALUES[0].replace(b'"version":1', b'"version":2'), VALUES[0] + b" "])
