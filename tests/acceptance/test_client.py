"""The README's e-mail platform, run as it stands there, beside a real deployment: killed, started again, compared."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import EXAMPLE, ROOT, Segue, deployment, event, wait_for
from tests.servers import unique

PLATFORM = ROOT / "streams" / "example" / "email_platform.py"
PROFILE = {"specialty": "medical-oncology", "practice_setting": "community", "country": "US"}
PLANNERS = [f"hcp:{1_000_000_000 + number}" for number in range(8)]


def test_the_readme_shows_the_example_as_it_is() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown == PLATFORM.read_text()


def begun() -> str:
    """Eight who plan access and may be e-mailed (but for the holdout), a payer in review."""
    lines = [event("payer:plan-1", "profile.updated", "p-1", formulary_status="in-review")]
    for who in PLANNERS:
        lines += [
            event(who, "profile.updated", f"{who}-1", **PROFILE),
            event(who, "consent.granted", f"{who}-2", channel="email", purpose="promotional"),
            event(who, "access_content.viewed", f"{who}-3", topic="coverage"),
            event(who, "access_content.viewed", f"{who}-4", topic="prior-authorization"),
        ]
    return "".join(lines)


def gone_on() -> str:
    """Half of them withdraw; two of the others are enrolled in the programme that suppresses every journey."""
    lines = [event(who, "consent.withdrawn", f"{who}-5", channel="email") for who in PLANNERS[::2]]
    lines += [event(who, "programme.enrolled", f"{who}-6") for who in PLANNERS[1:4:2]]
    lines.append(event("payer:plan-2", "profile.updated", "p-2", formulary_status="in-review"))
    return "".join(lines)


def expected(segue: Segue, events: str) -> dict[tuple[str, str], str]:
    """Who may be e-mailed after these events, and why, as the engine says without servers."""
    active: dict[tuple[str, str], str] = {}
    for change in segue.done("replay", EXAMPLE, "-", stdin=events).lines:
        if change.get("channel") == "email":
            key = (change["profile"], change["activation"])
            active.pop(key, None)
            if change["change"] == "activated":
                active[key] = change["reason"]["kind"]
    return active


def contacts(file: Path) -> dict[tuple[str, str], str]:
    with closing(sqlite3.connect(file, timeout=30)) as database:
        try:
            found = database.execute("SELECT profile, activation, because FROM contacts").fetchall()
        except sqlite3.OperationalError:
            return {}
    return {(profile, activation): because for profile, activation, because in found}


@contextmanager
def platform(segue: Segue, file: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.example.email_platform", str(file)],
        cwd=ROOT,
        env={**os.environ, **segue.environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.servers
def test_the_platform_follows_who_may_be_contacted_across_kills(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("platform"), kafka.bootstrap, valkey.redis_url, 2)
    segue.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = unique("activation")
    first, then = begun(), gone_on()
    at_first, at_last = expected(segue, first), expected(segue, first + then)
    assert len(at_first) > 5
    assert len(at_last) < len(at_first)
    segue.done("topics")
    segue.done("apply", EXAMPLE)
    early, late = tmp_path / "early.db", tmp_path / "late.db"
    with segue.started("worker", "--log-level", "warning"):
        with platform(segue, early) as process:
            segue.done("send", "-", stdin=first)
            wait_for(lambda: contacts(early) == at_first)
            process.kill()
        segue.done("send", "-", stdin=then)
        # one goes on where it was killed, the other begins with the snapshot
        for file in (early, late):
            with platform(segue, file) as process:
                wait_for(lambda file=file: contacts(file) == at_last)  # type: ignore[misc]
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=60)[1] == ""
                assert process.returncode == 0
    assert json.dumps(sorted(contacts(early))) == json.dumps(sorted(contacts(late)))
