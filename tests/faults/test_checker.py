"""The checker itself: its model agrees with the naive evaluator, and it sees each promise when it is broken."""

import json
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from tests.faults.catalogues import BASE, CHANNELS, OFTEN, SECOND, THIRD, VISITS, Rules
from tests.faults.checker import Follower, Names
from tests.faults.model import DIGEST_START, Change, Partition, instant, rolled
from tests.faults.promises import (
    Violated,
    check_payloads,
    check_progress,
    check_sequences,
    check_standing,
    compare,
)
from tests.faults.traffic import CONTACTS
from tests.naive import Cut, read_folder, replay

START_MS = 1_772_373_600_000
TYPES = {"portal.login": 6, "portal.left": 1, "note.added": 1, **dict.fromkeys(CONTACTS, 1)}


@dataclass
class Sent:
    """A record as from a consumer."""

    offset: int
    timestamp: int
    value: bytes
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def history(seed: int, count: int = 60) -> list[Sent]:
    """Return a cut and some events, with repeated ones, late ones, and idle times."""
    rng, now_ms = random.Random(seed), START_MS
    records = [Sent(0, now_ms, b'{"type":"segue.catalogue"}')]
    events: list[dict[str, Any]] = []
    for n in range(count):
        now_ms += rng.choice([0, 1, 200, 900, 3_000, 8_000])
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"e{n}",
            "source": "/t",
            "type": rng.choices(list(TYPES), list(TYPES.values()))[0],
            "subject": f"hcp:{rng.randrange(3)}",
            "time": instant(now_ms - rng.choice([0, 0, 0, 1_500, 40_000, 1_799_000])),
            "data": {},
        }
        if event["type"] == "portal.login" and rng.random() < 0.5:
            event["data"] = {"tier": rng.choice(["gold", "silver", ""])}
        elif event["type"] in CONTACTS:
            event["data"] = CONTACTS[event["type"]](rng)
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


RECORDS = 200
SENT = history(1, RECORDS)
MODEL = modelled(SENT)
VALUES = {channel: MODEL.of(channel) for channel in ("", *CHANNELS)}
assert all(len(values) > 8 for values in VALUES.values()), "a channel has little to break"


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
        # `segue replay` cuts before the first line at that instant: this must be that line
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
    assert {change.channel for change in model.changes} == {"", *CHANNELS}


@pytest.mark.parametrize("seed", range(6))
def test_the_model_agrees_with_the_naive_evaluator_on_history_that_is_filled_in(seed: int, tmp_path: Path) -> None:
    base, visits, often = (
        read_folder(folder_of(rules, tmp_path / str(n))) for n, rules in enumerate((BASE, VISITS, OFTEN))
    )
    lay, cuts, shift = list[Sent](), list[int](), 0
    past: dict[str, list[Any]] = defaultdict(list)

    def lay_down(at_ms: int, event: Any) -> None:
        lay.append(Sent(len(lay), at_ms, json.dumps(event).encode()))

    def fill(at_ms: int, cut: int, past: dict[str, list[Any]]) -> None:
        for subject, events in past.items():
            lay_down(at_ms, {"type": "segue.history", "subject": subject, "data": {"cut": cut, "events": events}})

    before: list[dict[str, list[Any]]] = []
    for place, record in enumerate(history(seed, 90)):
        at_ms, event = record.timestamp + shift, json.loads(record.value)
        lay_down(at_ms, event)
        if event["type"] != "segue.catalogue" and "subject" in event:
            past[event["subject"]].append(event)
        if place in (30, 50):
            cuts.append(at_ms + 1)
            before.append({subject: list(events) for subject, events in past.items()})
            lay_down(cuts[-1], {"type": "segue.catalogue"})
            shift += 2
        if place in (40, 60):
            fill(at_ms, cuts[-1], before[-1])
        if place == 62:
            fill(at_ms, cuts[0], before[0])
        for filled, cut in ((45, 0), (65, 1), (67, 0)):
            if place == filled:
                lay_down(at_ms + 1, {"type": "segue.filled", "data": {"cut": cuts[cut], "since": None}})
                shift += 2
    lines = [
        json.dumps({**json.loads(record.value), "recordedtime": instant(record.timestamp)}).encode()
        for record in lay
        if b"segue.catalogue" not in record.value
    ]
    then = [Cut(at_ms, catalogue) for at_ms, catalogue in zip(cuts, (visits, often), strict=True)]
    found = replay(base, lines, None, then, as_live=True)
    model = modelled(lay, BASE, VISITS, OFTEN)
    assert [change.value for change in model.changes] == found.changes
    filled_in = [json.loads(value) for value in model.of() if b'"backfill":true' in value]
    assert {"i-visits", "j-often"} <= {change["segment"] for change in filled_in}


every_channel = pytest.mark.parametrize("channel", ["", *CHANNELS], ids=["membership", *CHANNELS])


@every_channel
def test_what_is_expected_is_right(channel: str) -> None:
    values = VALUES[channel]
    compare("here", modelled(history(1, RECORDS)).of(channel), values)
    check_sequences(values)
    check_payloads([*values, *values])
    changes = until_the_last_begins(channel)
    check_standing("here", changes, standing_after(changes))


@every_channel
@pytest.mark.parametrize(
    ("letter", "broken"),
    [
        ("L0", lambda values: values[:-1]),
        ("L0", lambda values: values[1:]),
        ("L0", lambda values: [*values[:3], values[3].replace(b'"sequence":', b'"sequence":1'), *values[4:]]),
        ("D0", lambda values: [*values, values[2]]),
        ("O0", lambda values: [values[1], values[0], *values[2:]]),
    ],
    ids=["the last missing", "the first missing", "another payload", "twice", "out of order"],
)
def test_a_broken_promise_is_seen(letter: str, broken: Callable[[list[bytes]], list[bytes]], channel: str) -> None:
    with pytest.raises(Violated, match=f"^{letter}"):
        compare("here", VALUES[channel], broken(VALUES[channel]))


@every_channel
def test_a_gap_in_a_sequence_and_an_id_with_two_payloads_are_seen(channel: str) -> None:
    values = VALUES[channel]
    with pytest.raises(Violated, match=r"^O0"):
        check_sequences(values[1:])
    with pytest.raises(Violated, match=r"^C0"):
        check_payloads([*values, values[0].replace(b'version":1', b'version":2'), values[0] + b" "])


@every_channel
def test_who_stands_too_long_or_not_at_all_or_as_somebody_else_is_seen(channel: str) -> None:
    changes = until_the_last_begins(channel)
    standing = standing_after(changes)
    key, value = next(iter(standing.items()))
    for wrong in (
        {**standing, b"hcp:9|a": value},
        {each: kept for each, kept in standing.items() if each != key},
        {**standing, key: value + b" "},
    ):
        with pytest.raises(Violated, match=r"^S0"):
            check_standing("here", changes, wrong)


def test_another_order_across_topics_is_seen_in_the_digest() -> None:
    progress = [json.dumps({"offset": upto, "digest": digest}).encode() for upto, digest in MODEL.digests().items()]
    check_progress("here", MODEL.digests(), progress)
    both = next(
        n
        for n, (one, two) in enumerate(pairwise(MODEL.changes))
        if one.channel != two.channel and one.upto == two.upto and n > 5
    )
    changes = list(MODEL.changes)
    changes[both], changes[both + 1] = changes[both + 1], changes[both]
    digest = DIGEST_START
    for change in changes[: both + 2]:
        digest = rolled(digest, change.value)
    # each topic by itself is unchanged
    assert [one.value for one in changes if not one.channel] == VALUES[""]
    with pytest.raises(Violated, match=r"^O0"):
        check_progress("here", MODEL.digests(), [json.dumps({"offset": changes[both].upto, "digest": digest}).encode()])


def test_output_read_ahead_of_its_input_is_waited_for_and_wrong_output_is_not() -> None:
    names = Names("", "", 1, "events", "out", "current", "dlt", "t")
    whole: dict[TopicPartition, list[Any]] = defaultdict(list)
    for stream in names.streams:
        whole[TopicPartition(stream.topic, 0)] = [Sent(0, 0, value) for value in VALUES[stream.channel]]
    events = TopicPartition("events", 0)
    follower = Follower(names, [BASE])
    whole[events] = SENT[: RECORDS // 2]
    assert "more than the input" in follower.behind(whole, 0)
    whole[events] = SENT
    assert follower.behind(whole, 0) == ""
    spoilt = {**whole, TopicPartition("out", 0): whole[TopicPartition("out", 0)][1:]}
    with pytest.raises(Violated, match=r"^L0"):
        Follower(names, [BASE]).behind(defaultdict(list, spoilt), 0)


def of(channel: str) -> list[Change]:
    return [change for change in MODEL.changes if change.channel == channel]


def until_the_last_begins(channel: str) -> list[Change]:
    changes = of(channel)
    return changes[: 1 + max(n for n, change in enumerate(changes) if change.stands)]


def standing_after(changes: list[Change]) -> dict[bytes, bytes]:
    """Return the content of a compacted topic after changes."""
    found = {f"{change.subject}|{change.name}".encode(): change.value if change.stands else None for change in changes}
    return {key: value for key, value in found.items() if value is not None}
