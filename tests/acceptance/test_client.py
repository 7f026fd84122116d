"""The e-mail platform of the client's page, beside a real deployment: killed, started again, compared, capped.

It runs exactly as printed on the page, in an environment with the client's distribution and nothing else of Segue.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import EXAMPLE, ROOT, Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique

PLATFORM = ROOT / "streams" / "example" / "email_platform.py"
PROFILE = {"specialty": "medical-oncology", "practice_setting": "community", "country": "US"}
PLANNERS = [f"hcp:{1_000_000_000 + number}" for number in range(8)]


def test_every_page_that_shows_the_platform_shows_it_as_it_is() -> None:
    pages = [ROOT / "README.md", ROOT / "streams" / "client" / "README.md", *(ROOT / "docs").rglob("*.md")]
    examples = {page: re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL) for page in pages}
    title = PLATFORM.read_text().splitlines()[0]
    shown = {page: each for page, found in examples.items() for each in found if each.startswith(title)}
    assert ROOT / "streams" / "client" / "README.md" in shown
    assert set(shown.values()) == {PLATFORM.read_text()}


def begun() -> str:
    """Events of eight planners, who may be e-mailed (unless the holdout has them), and of a payer in review."""
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
    """Later events: half of the planners withdraw; two others enrol in the programme that suppresses every journey."""
    lines = [event(who, "consent.withdrawn", f"{who}-5", channel="email") for who in PLANNERS[::2]]
    lines += [event(who, "programme.enrolled", f"{who}-6") for who in PLANNERS[1:4:2]]
    lines.append(event("payer:plan-2", "profile.updated", "p-2", formulary_status="in-review"))
    return "".join(lines)


def expected(segue: Segue, events: str) -> dict[tuple[str, str], str]:
    """Return who may be e-mailed after these events, and why, as the engine says without servers."""
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
def platform(python: Path, segue: Segue, file: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [python, PLATFORM, file],
        cwd=file.parent,
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
    kafka: KafkaServer, valkey: ValkeyServer, client_python: Path, tmp_path: Path
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
        with platform(client_python, segue, early) as process:
            segue.done("send", "-", stdin=first)
            wait_for(lambda: contacts(early) == at_first)
            process.kill()
        segue.done("send", "-", stdin=then)
        # one platform continues where it was killed, the other begins with the snapshot
        for file in (early, late):
            with platform(client_python, segue, file) as process:
                wait_for(lambda file=file: contacts(file) == at_last)  # type: ignore[misc]
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=60)[1] == ""
                assert process.returncode == 0
    assert json.dumps(sorted(contacts(early))) == json.dumps(sorted(contacts(late)))


ACTIVATION = (
    "activation: {name}\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\n"
    "segments: {{all: [visitors]}}\n"
    "frequency_cap: [{{of: activation, at_most: {cap}, within: 7d}}]\n"
    "content: {{asset: AC-1, intent: access_resources, review: {{status: approved, reference: MLR-1}}}}\n"
)
CAPPED = {
    **SMALL,
    "segments/visitors.yaml": SMALL["segments/visitors.yaml"].replace("at_least: 2", "at_least: 1"),
    "activations/once.yaml": ACTIVATION.format(name="once", cap=1),
    "activations/twice.yaml": ACTIVATION.format(name="twice", cap=2),
}


def refusals(segue: Segue, activation: str) -> list[str]:
    """Return why hcp:1 may not be contacted, from the state in Redis; empty before the first checkpoint."""
    ended = segue("explain", "hcp:1", activation, "--json")
    if ended.status:
        return []
    [explained] = ended.json["activations"]
    return [each["code"] for each in explained["refusals"]]


def outbox(file: Path, *statements: tuple[str, tuple[object, ...]]) -> list[tuple[str, str, bytes]]:
    """Apply statements to the platform's database. Returns the events that are not sent yet."""
    with closing(sqlite3.connect(file, timeout=30)) as database:
        with database:
            for statement in statements:
                database.execute(*statement)
        return database.execute("SELECT id, profile, event FROM outbox").fetchall()


@pytest.mark.servers
def test_a_cap_counts_each_email_once_also_when_the_platform_tells_it_again_after_a_crash(
    kafka: KafkaServer, valkey: ValkeyServer, client_python: Path, tmp_path: Path
) -> None:
    segue = deployment(unique("capped"), kafka.bootstrap, valkey.redis_url, 1)
    segue.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = unique("activation")
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "catalogue", CAPPED))
    file = tmp_path / "platform.db"
    both = {("hcp:1", "once"), ("hcp:1", "twice")}
    with segue.started("worker", "--log-level", "warning"):
        with platform(client_python, segue, file) as process:
            segue.done("send", "-", stdin=event("hcp:1", "portal.login", 1))
            wait_for(lambda: contacts(file).keys() == both - {("hcp:1", "once")})
            assert outbox(file) == []
            process.kill()
        wait_for(lambda: refusals(segue, "once") == ["frequency_cap"])
        told = told_events(segue)
        assert sorted(each["data"]["activation"] for each in told) == ["once", "twice"]
        [again] = [each for each in told if each["data"]["activation"] == "twice"]

        # the platform was killed after it sent the event and before it deleted the event from the outbox
        left = ("INSERT INTO outbox VALUES (?, ?, ?)", (again["id"], "hcp:1", json.dumps(again).encode()))
        assert len(outbox(file, left)) == 1
        with platform(client_python, segue, file):
            wait_for(lambda: outbox(file) == [])
            segue.done("send", "-", stdin=event("hcp:2", "portal.login", 2))
            wait_for(lambda: ("hcp:2", "twice") in contacts(file))
            # a partition is decided in order, so the repeated event has been decided by now
            assert ("hcp:1", "twice") in contacts(file)

        # a different e-mail counts as the second
        another = json.dumps({**again, "id": "another"}).encode()
        outbox(file, ("INSERT INTO outbox VALUES (?, ?, ?)", ("another", "hcp:1", another)))
        with platform(client_python, segue, file):
            wait_for(lambda: not both & contacts(file).keys())
        wait_for(lambda: refusals(segue, "twice") == ["frequency_cap"])


def told_events(segue: Segue) -> list[Any]:
    """Return the events of type message.sent in the only partition."""
    lines = segue.done("dump", "0").lines
    return [each for each in lines if each["type"] == "message.sent"]


@pytest.mark.parametrize("arguments", [(), ("one.db", "two.db")])
def test_the_platform_without_its_database_is_usage(client_python: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([client_python, PLATFORM, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: email_platform.py [-h] database\n")
    assert "Traceback" not in done.stderr
