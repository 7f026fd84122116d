"""`segue demo` as people run it: it ends by itself, reports that nothing was lost, and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import temporary_folder

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


@contextmanager
def _demo(folder: Path, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _left(folder: Path) -> list[str]:
    """List the processes started under a folder that still run, and the files still in it."""
    listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    found = [line[:200] for line in listed.splitlines() if str(folder) in line]
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder).encode() in environ.read_bytes():
                found.append(str(environ))
        except OSError:
            continue  # it ended, or belongs to another user
    return found + [str(each) for each in folder.iterdir()]


def _expect_nothing_left(folder: Path) -> None:
    until = time.monotonic() + 20
    while left := _left(folder):
        assert time.monotonic() < until, left
        time.sleep(0.2)


def _read_until(process: "subprocess.Popen[str]", pattern: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if re.search(pattern, line):
            return
    pytest.fail("it ended before that")


def test_it_ends_by_itself_having_lost_and_repeated_nothing() -> None:
    with temporary_folder() as folder, _demo(folder, DEMO_SECONDS="10") as process:
        text, _ = process.communicate()
        assert process.returncode == 0, text
        told = json.loads(text.splitlines()[-1])
        assert told["events"] > 100
        assert told["changes"] > 10
        assert told["time_alone"] > 0
        assert told["missing"] == told["duplicates"] == told["unexpected"] == told["out_of_order"] == 0
        assert 0 < told["p50_ms"] <= told["p99_ms"]
        assert told["killed_workers"] == 1
        assert told["naive_profiles"] > 0
        assert told["activation_changes"] > 0
        assert told["suppressions"] > 0
        assert 0 < told["suppression_p50_ms"] <= told["suppression_p99_ms"]
        assert told["suppressing_entry_p50_ms"] > 0
        assert told["links"] > 0
        assert told["naive_linked"] >= 2
        assert told["tellings"] > 0
        assert told["told"] > 0
        assert told["naive_told"] > 0
        assert told["effects"] > 0
        assert told["effects_wrong"] == 0
        assert told["link_takeover_p50_ms"] is None or told["link_takeover_p50_ms"] > 0
        assert told["ok"] is True
        for said in (
            "kill -9",
            "has taken over",
            "Why is ",
            "time alone",
            "suppressed by",
            "its programme has ended the e-mail",
            "tightens criteria: its 20 prescribers moved",
            "Nothing was lost",
        ):
            assert said in text
        _expect_nothing_left(folder)


def test_real_purchases_are_played_and_said_to_be_purchases() -> None:
    with temporary_folder() as folder, _demo(folder, "--data", "cdnow", "--seconds", "5", "--json") as process:
        text, _ = process.communicate()
        assert process.returncode == 0, text
        told = json.loads(text.splitlines()[-1])
        assert told["missing"] == told["duplicates"] == 0
        assert "retail purchases of compact discs" in text
        _expect_nothing_left(folder)


@pytest.mark.parametrize(
    ("moment", "number", "status"),
    [
        ("starting Apache Kafka", signal.SIGINT, 130),
        ("Playing", signal.SIGINT, 130),
        ("starting 2 workers", signal.SIGTERM, 130),
        ("Playing", signal.SIGKILL, -9),
    ],
)
def test_it_can_be_ended_at_any_moment_and_leaves_nothing(moment: str, number: int, status: int) -> None:
    with temporary_folder() as folder, _demo(folder, "--seconds", "60") as process:
        _read_until(process, moment)
        process.send_signal(number)
        text, _ = process.communicate(timeout=60)
        assert process.returncode == status, text
        assert "Traceback" not in text, text
        _expect_nothing_left(folder)


def test_settings_of_other_servers_are_left_alone() -> None:
    elsewhere = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": "192.0.2.1:9092", "SEGUE_REDIS_URL": "redis://192.0.2.1:6379/0"}
    with temporary_folder() as folder, _demo(folder, "--seconds", "60", **elsewhere) as process:
        _read_until(process, "Playing")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        _expect_nothing_left(folder)
