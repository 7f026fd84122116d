"""The naive evaluator: its instants against a simpler walk over every millisecond, and its own limits and order."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.naive.reading import read_folder
from tests.naive.replay import Cut, replay
from tests.naive.times import instant, written
from tests.properties.drawing import Grid
from tests.properties.test_same import (
    EXAMPLES,
    HOURS,
    PATIENCE_S,
    Scene,
    contact_scenes,
    filled_contact_scenes,
    filled_scenes,
    scenes,
    tell,
)
from tests.transcripts.implementations import plain

START = HOURS.start
pytestmark = pytest.mark.timeout(PATIENCE_S)
MILLISECONDS = Grid("ms", START, 40)


@settings(
    max_examples=min(EXAMPLES, 60),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(scenes(MILLISECONDS, cuts=2) | contact_scenes(MILLISECONDS, cuts=2), st.booleans())
def test_chosen_instants_say_what_every_millisecond_says(scene: Scene, filled: bool) -> None:
    tell(scene)
    cuts = [Cut(at, plain(files)) for at, files in scene.cuts]
    until = START + 80
    chosen = replay(plain(scene.files), scene.lines, until, cuts, not filled)
    walked = replay(plain(scene.files), scene.lines, until, cuts, not filled, walk=True)
    note(f"chosen={chosen.changes}")
    note(f"walked={walked.changes}")
    assert chosen == walked


@settings(
    max_examples=min(EXAMPLES, 60),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(filled_scenes(MILLISECONDS, cuts=2) | filled_contact_scenes(MILLISECONDS, cuts=2))
def test_chosen_instants_say_what_every_millisecond_says_of_what_is_filled(scene: Scene) -> None:
    tell(scene)
    cuts = [Cut(at, plain(files)) for at, files in scene.cuts]
    chosen = replay(plain(scene.files), scene.lines, START + 80, cuts, as_live=True)
    walked = replay(plain(scene.files), scene.lines, START + 80, cuts, as_live=True, walk=True)
    note(f"chosen={chosen.changes}")
    note(f"walked={walked.changes}")
    assert chosen == walked


def viewed(subject: str, at: str, **more: Any) -> bytes:
    """Write the line of an event."""
    event = {"specversion": "1.0", "id": f"{subject} {at}", "source": "/s", "type": "message.sent", "subject": subject}
    return json.dumps({**event, "time": at, **more}).encode()


def test_the_command_prints_changes_refusals_and_an_exit_status(tmp_path: Path) -> None:
    for name, ids in (("one", ["s"]), ("two", ["t"])):
        folder = tmp_path / name
        (folder / "segments" / "deep").mkdir(parents=True)
        (folder / "dictionary.yaml").write_text("traits: {}\nevents: {}\n")
        for each in ids:
            text = f"segment: {each}\nversion: 1\nstatus: approved\nenter: {{during: {{from: 2026-01-01}}}}\n"
            (folder / "segments" / "deep" / f"{each}.yaml").write_text(text)
    lines = [viewed("hcp:1", "2026-03-01"), b"", b"{", viewed("hcp:1", "2026-03-03")]
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    command = [sys.executable, "-m", "tests.naive", str(tmp_path / "one"), str(tmp_path / "events.ndjson")]
    command += ["--then", "2026-03-02", str(tmp_path / "two"), "--until", "1772582400000", "--strict"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr == b"line 3: not_json\n"
    changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["segment"], one["change"], one["effective_at"][:10]) for one in changes] == [
        ("s", "entered", "2026-03-01"),
        ("s", "exited", "2026-03-02"),
        ("t", "entered", "2026-03-02"),
    ]
    assert read_folder(tmp_path / "one").segments.keys() == {"s"}


def test_written_instants_are_read_back() -> None:
    for ms in (START, START + 1, -1, 0, 253402300799999, -62135596800000):
        assert instant(written(ms)) == ms
