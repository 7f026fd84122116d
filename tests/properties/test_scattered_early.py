"""Persons of a log that is older than its first catalogue are those of the log: their links, erasures and facts."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from rules.engine.event_time import record_time
from rules.engine.persons.remote import Remote
from rules.ground.instants import format_instant, parse_instant
from streams.operations.filling.before_first import Early
from tests.properties.scattered import FILES, history, persons_of
from tests.properties.scattered_fills import Scattered, home_of
from tests.properties.test_scattered_fills import CATALOGUES, END_MS, members_naively, script_of, wanted
from tests.transcripts.transcript import Files

SEEDS = 6
ERASED_SEEDS = [*range(8), 145, 155]
"""In the last two a fact comes through one erased subject to another, which must refuse it."""
NAIVE_EVERY = 3
TRIED_MAX = 40


def end_of(
    seed: int, lines: Sequence[bytes], script: Sequence[bytes | str], catalogues: Sequence[Files]
) -> tuple[Scattered, dict[str, Any]]:
    """Run a script whose first cut comes after some events; return what is known of persons in the end."""
    scattered = Scattered(random.Random(seed), catalogues, restarting=bool(seed % 2), late=True)
    found: dict[str, Any] = {}
    for partition in scattered.run(script, END_MS):
        found |= persons_of(partition, END_MS)
    return scattered, found


def moving(seed: int, cuts: int) -> tuple[dict[str, Any], dict[str, Any], list[bytes]]:
    """Let links move before cuts, before their fills, and after them; return found, wanted and the lines."""
    rng = random.Random(seed)
    lines, catalogues = history(rng), CATALOGUES[:cuts]
    script: list[bytes | str] = [*lines[:25], "cut", *lines[25:30], "fill 0", *lines[30:]]
    if cuts > 1:
        script = script_of(rng, lines)
    _, found = end_of(seed, lines, script, catalogues)
    return found, wanted(lines, catalogues[-1]), lines


@pytest.mark.parametrize("cuts", [1, 2])
def test_links_that_move_around_the_first_cut_and_its_fill_make_the_persons_of_the_log(cuts: int) -> None:
    for seed in range(SEEDS):
        found, persons, lines = moving(seed, cuts)
        assert found == persons, f"seed {seed}"
        if seed % NAIVE_EVERY == 0:
            members = {(subject, name) for subject, each in found.items() for name in each["members"]}
            assert members == members_naively(lines, CATALOGUES[cuts - 1]), f"seed {seed}"


def erased(seed: int, afterwards: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let everything come before the first cut, erasures too; return found and wanted."""
    # records of one instant stand in the order of their partitions
    drawn = history(random.Random(seed), 60, erased=0.08)
    lines = sorted(drawn, key=lambda line: (record_time(line), home_of(json.loads(line)["subject"])))
    files = {**FILES, "policy.yaml": {"erasure": {"afterwards": afterwards}}}
    _, found = end_of(seed, lines, [*lines, "cut", "fill 0"], [files])
    persons = wanted(lines, files)
    if afterwards == "begin_anew":
        # of facts that an alias brings to a subject that was erased, the smallest time is not known exactly
        found, persons = ({who: told | {"known": None} for who, told in each.items()} for each in (found, persons))
    return found, persons


@pytest.mark.parametrize("afterwards", ["refuse", "begin_anew"])
def test_erasures_before_the_first_catalogue_stand_and_what_comes_after_them_is_as_the_policy_says(
    afterwards: str,
) -> None:
    for seed in ERASED_SEEDS:
        found, persons = erased(seed, afterwards)
        assert found == persons, f"seed {seed}"


LINKED_SINCE: list[tuple[str, str, dict[str, str]]] = [
    ("hcp:1", "privacy.erased", {}),
    ("crm:5", "a", {"color": "red"}),
    ("crm:5", "identity.linked", {"canonical": "hcp:1"}),
    ("crm:5", "identity.unlinked", {}),
]


def test_nobody_is_erased_who_was_linked_with_an_erased_subject_before_the_fill() -> None:
    lines: list[bytes | str] = [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"e{index}",
                "source": "/s",
                "type": type_,
                "subject": subject,
                "time": format_instant(END_MS - 1_000_000 + index),
                "recordedtime": format_instant(END_MS - 1_000_000 + index),
                "data": data,
            }
        ).encode()
        for index, (subject, type_, data) in enumerate(LINKED_SINCE)
    ]
    script = [*lines[:2], "calm", "cut", "calm", lines[2], "calm", "fill 0", "calm", lines[3]]
    _, found = end_of(0, (), script, [FILES])
    assert found["crm:5"]["members"] >= {"liked"}


def too_early(seed: int) -> list[str]:
    """Fill the first cut while nothing else moves; return what changed before it ended."""
    lines = history(random.Random(seed))
    scattered, _ = end_of(seed, lines, [*lines, "calm", "cut", "fill 0"], CATALOGUES[:1])
    told = [json.loads(value) for home in scattered.homes for value in home.worker.changes]
    return [
        each["id"]
        for each in told
        if not each["backfill"] and parse_instant(each["effective_at"]) <= scattered.clock_ms + 7
    ]


def test_nobody_is_judged_before_all_of_the_person_is_there() -> None:
    assert [too_early(seed) for seed in range(SEEDS)] == [[]] * SEEDS


def test_links_that_are_not_told_again_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Early, "link_events", lambda *_: iter(()))
    assert any(found != persons for found, persons, _ in (moving(seed, 1) for seed in range(TRIED_MAX)))


def test_an_end_that_does_not_wait_for_the_fill_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Remote, "_waits", lambda *_, live: False)
    assert any(too_early(seed) for seed in range(TRIED_MAX))
