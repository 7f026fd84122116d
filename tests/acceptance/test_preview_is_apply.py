"""The numbers of `segue preview` equal what the `segue apply` that follows does: real servers, a worker, fills.

The example catalogue and synthetic events. The windows of its rules are days and weeks, so the seconds between a
preview and its apply move nobody.
"""

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from streams.example.synthetic import events, subjects
from tests.acceptance.command import EXAMPLE, Segue, deployment, wait_for
from tests.servers import unique

PROFILES: Final = 150
EVENTS: Final = 1_500
Edit = Callable[[Path], None]


def replaced(file: str, *pairs: tuple[str, str]) -> Edit:
    """Edit a file of the catalogue: each old text, which must be there, becomes the new one; its version goes up."""

    def edit(folder: Path) -> None:
        text = (folder / file).read_text()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        number = int(text.partition("version: ")[2].split()[0])
        (folder / file).write_text(text.replace(f"version: {number}", f"version: {number + 1}"))

    return edit


def both(*edits: Edit) -> Edit:
    """Make several edits."""

    def edit(folder: Path) -> None:
        for each in edits:
            each(folder)

    return edit


PLANNERS, LAPSED = "segments/hcp/oncology-access-planners.yaml", "segments/hcp/lapsed-prescribers.yaml"
SUPPLY, EMAIL = "segments/patient/supply-lapsed.yaml", "activations/hcp/access-resources-email.yaml"
REMINDER = "activations/patient/supply-reminder-sms.yaml"
TOPICS = "where: {topic: {in: [coverage, prior-authorization, scheduling]}}, "
RETIRE, RETURN = ("\nstatus: approved", "\nstatus: retired"), ("\nstatus: retired", "\nstatus: approved")
EDITS: Final[tuple[tuple[str, Edit], ...]] = (
    ("a where is dropped", replaced(PLANNERS, (TOPICS, ""))),
    ("a count falls, a window grows", replaced(PLANNERS, ("at_least: 2}, within: 30d", "at_least: 1}, within: 70d"))),
    ("a segment is retired", both(replaced(SUPPLY, RETIRE), replaced(REMINDER, RETIRE))),
    ("it is approved again", both(replaced(SUPPLY, RETURN), replaced(REMINDER, RETURN))),
    (
        "an activation waits for nothing and says something else",
        replaced(EMAIL, ("suppress_while: [treatment-initiation-programme]\n", ""), ("summary", "detail")),
    ),
    (
        "a count for ever falls, and silence shortens",
        replaced(LAPSED, ("count: {at_least: 3}", "count: {at_least: 1}"), ("within: 90d", "within: 10d")),
    ),
)
"""Each is made on top of those before it."""


@pytest.fixture(scope="module")
def segue(kafka: KafkaServer, valkey: ValkeyServer) -> Iterator[Segue]:
    """A deployment with the example in force, a worker, and events."""
    made = deployment(unique("same"), kafka.bootstrap, valkey.redis_url, 2)
    made.done("topics")
    made.done("apply", EXAMPLE)
    drawn = islice(events(subjects(PROFILES), lambda: time.time_ns() // 1_000_000), EVENTS)
    made.done("send", "-", stdin="".join(json.dumps(each) + "\n" for each in drawn))
    with made.started("worker"):
        caught_up(made)
        yield made


def caught_up(segue: Segue) -> None:
    """Wait until the worker has applied and published everything."""
    wait_for(lambda: all(each["lag_records"] == 0 for each in segue.done("lag", "--json").json["partitions"]))


def published(segue: Segue) -> list[dict[str, Any]]:
    """Return every change that was published."""
    return segue.done("watch", "--from-start", "--restricted", "--seconds", 4, "--json").lines


def moved(changes: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Count changes by definition and by what happened."""
    found: dict[str, dict[str, int]] = {}
    for change in changes:
        name = change.get("segment") or change["activation"]
        way = "told_anew" if change["reason"]["kind"] == "definition_changed" and "activation" in change else None
        way = {"entered": "enter", "exited": "leave", "activated": way or "begin", "deactivated": "end"}[
            change["change"]
        ]
        found.setdefault(name, {}).setdefault(way, 0)
        found[name][way] += 1
    return found


def foreseen(preview: Any) -> dict[str, dict[str, int]]:
    """Return the same counts of a preview."""
    ways = {"enter": "enter", "leave": "leave", "become_contactable": "begin", "end": "end", "told_anew": "told_anew"}
    rows = [(each["segment"], each["cut"]) for each in preview["segments"]]
    rows += [(each["activation"], each["cut"]) for each in preview["activations"]]
    found = {name: {way: cut[key] for key, way in ways.items() if cut.get(key)} for name, cut in rows}
    return {name: counts for name, counts in found.items() if counts}


@pytest.mark.servers
@pytest.mark.timeout(900)
def test_every_preview_is_what_the_apply_then_does(segue: Segue, tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    for file in EXAMPLE.rglob("*.yaml"):
        target = folder / file.relative_to(EXAMPLE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text())
    total, before = 0, len(published(segue))
    for number, (said, edit) in enumerate(EDITS):
        edit(folder)
        preview = segue.done("preview", folder, "--restricted", "--json", *(("--days", "0") if number % 2 else ())).json
        segue.done("apply", folder, "--preview", preview["preview"])
        caught_up(segue)
        now_out = published(segue)
        changes, before = now_out[before:], len(now_out)
        assert moved(changes) == foreseen(preview), said
        total += len(changes)
    assert total > 20


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_the_first_catalogue_over_a_log_that_holds_events_is_previewed_with_all_of_them(
    kafka: KafkaServer, valkey: ValkeyServer
) -> None:
    segue = deployment(unique("first"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    drawn = islice(events(subjects(60), lambda: time.time_ns() // 1_000_000), 500)
    segue.done("send", "-", stdin="".join(json.dumps(each) + "\n" for each in drawn))
    with segue.started("worker"):
        preview = segue.done("preview", EXAMPLE, "--restricted", "--json").json
        assert preview["in_force"] is None
        segue.done("apply", EXAMPLE, "--preview", preview["preview"])
        caught_up(segue)
        assert moved(published(segue)) == foreseen(preview)
    assert sum(each["cut"]["enter"] for each in preview["segments"]) > 10
