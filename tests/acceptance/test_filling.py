"""History is filled in: a segment that comes back finds its members, whoever is killed, and nobody is told twice."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import EXAMPLE, ROOT, Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

pytestmark = pytest.mark.servers

PLATFORM = ROOT / "streams" / "example" / "email_platform.py"
AS_CLIENT = f"""\
import runpy, sys, streams.client
sys.modules["segue_client"] = streams.client
runpy.run_path({str(PLATFORM)!r}, run_name="__main__")
"""
"""Run the e-mail platform in this environment, where the client is a part of Segue."""
PLANNERS = [f"hcp:{1_000_000_000 + number}" for number in range(37)]
PROFILE = {"specialty": "medical-oncology", "practice_setting": "community", "country": "US"}
SEGMENT, EMAIL = "oncology-access-planners", "access-resources-email"


def planners() -> str:
    """Events of 37 planners: some beginnings of two views each, and consent of the first 28."""
    lines = []
    for number, who in enumerate(PLANNERS):
        lines += [
            event(who, "profile.updated", f"{who}-1", **PROFILE),
            event(who, "access_content.viewed", f"{who}-2", topic="coverage"),
            event(who, "access_content.viewed", f"{who}-3", topic="prior-authorization"),
        ]
        if number < 28:
            lines.append(event(who, "consent.granted", f"{who}-4", channel="email", purpose="promotional"))
    return "".join(lines)


def example(folder: Path, *retired: str) -> Path:
    """Copy the example catalogue, with some definitions retired; without what keeps members out after any exit."""
    shutil.copytree(EXAMPLE, folder)
    for file in folder.rglob("*.yaml"):
        text = file.read_text()
        if f"segment: {SEGMENT}\n" in text:
            text = text.replace("reenter_after: 14d\n", "")
        if f"activation: {EMAIL}\n" in text:
            text = re.sub(r"^(holdout|arms): .*\n", "", text, flags=re.MULTILINE)
        if any(f": {name}\n" in text for name in retired):
            text = text.replace("status: approved", "status: retired", 1)
        file.write_text(text)
    return folder


@contextmanager
def platform(segue: Segue, file: Path) -> Iterator[None]:
    """Have the e-mail platform of the client's page run beside."""
    process = subprocess.Popen(
        [sys.executable, "-c", AS_CLIENT, file],
        cwd=ROOT,
        env={**os.environ, **segue.environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def contacts(file: Path) -> int:
    """Count whom the platform may write to for the activation."""
    with closing(sqlite3.connect(file, timeout=30)) as database:
        try:
            [(found,)] = database.execute("SELECT count(*) FROM contacts WHERE activation = ?", (EMAIL,))
        except sqlite3.OperationalError:
            return 0
    return int(found)


def sizes(segue: Segue) -> tuple[int, int]:
    """Return the members of the segment and the profiles of the activation."""
    found = segue.done("sizes", "--restricted", "--json").json
    members = {each["segment"]: each["members"] for each in found["segments"]}
    active = {each["activation"]: each["active"] for each in found["activations"]}
    return members.get(SEGMENT, 0), active.get(EMAIL, 0)


def changes(segue: Segue, *which: object) -> list[dict[str, Any]]:
    """Return the changes published so far."""
    watched = segue.done("watch", "--from-start", "--seconds", 8, "--json", *which)
    return [each for each in watched.lines if "sequence" in each]


def test_a_segment_that_was_retired_and_is_applied_again_has_its_members_again(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("again"), kafka.bootstrap, valkey.redis_url, 2)
    segue.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = unique("activation")
    segue.done("topics")
    segue.done("apply", example(tmp_path / "base"))
    database = tmp_path / "platform.db"
    with segue.started("worker", "--log-level", "warning"), platform(segue, database):
        segue.done("send", "-", stdin=planners())
        wait_for(lambda: sizes(segue) == (37, 28))
        segue.done("apply", example(tmp_path / "retired", SEGMENT, EMAIL, "access-visit-field"))
        wait_for(lambda: sizes(segue) == (0, 0))
        wait_for(lambda: contacts(database) == 0)
        applied = segue.done("apply", "--back", "--json").json
        assert sum(each["subjects"] for each in applied["fill"]["filled"]) == 37
        wait_for(lambda: sizes(segue) == (37, 28))
        wait_for(lambda: contacts(database) == 28)
    entered = [each for each in changes(segue, "--segment", SEGMENT) if each["change"] == "entered"]
    assert Counter(each["backfill"] for each in entered) == {False: 37, True: 37}
    told = changes(segue, "--activation", EMAIL)
    assert len({each["id"] for each in told}) == len(told) == 3 * 28
    for who in PLANNERS[:28]:
        assert [each["change"] for each in told if each["profile"] == who] == ["activated", "deactivated", "activated"]
    # one e-mail for each time that it was allowed anew, and no e-mail of an activation that stood
    with closing(sqlite3.connect(database)) as known:
        assert known.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    assert all(each["difference"] == "" for each in segue.done("verify", "--json").json["partitions"])


DICTIONARY = """\
traits: {city: {type: string}}
events:
  portal.login: {data: {city: {type: string}}, sets: {city: city}}
"""
HEAD = "segment: {}\nversion: 1\nstatus: approved\nenter: "
VISITORS = {"dictionary.yaml": DICTIONARY, "segments/known.yaml": HEAD.format("known") + "{everyone: true}\n"}
OFTEN = HEAD.format("often") + "{event: portal.login, count: {at_least: 2}, within: 1d}\n"
WALKERS = HEAD.format("walkers") + "{aggregate: distinct, of: city, event: portal.login, at_least: 2, within: 1d}\n"
LISBON = HEAD.format("lisbon") + "{trait: city, equals: Lisbon}\n"


def logins(profiles: int) -> str:
    """Two logins of each profile, from two cities; the last one is from Lisbon."""
    return "".join(
        event(f"hcp:{n}", "portal.login", f"{n}-{place}", city=city)  # at equal times the greater id is the later
        for place, city in enumerate(("Porto", "Lisbon"))
        for n in range(profiles)
    )


def counted(segue: Segue) -> dict[str, int]:
    """Return the members of each segment."""
    return {each["segment"]: each["members"] for each in segue.done("sizes", "--json").json["segments"]}


def equal(segue: Segue) -> bool:
    """Tell whether the log, applied again, gives what was published."""
    return all(each["difference"] == "" for each in segue.done("verify", "--json").json["partitions"])


def test_the_first_catalogue_over_an_old_topic_takes_everybody_in(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("old"), kafka.bootstrap, valkey.redis_url, 2)
    topics = segue.done("topics", "--json").json["created_topics"]
    segue.done("send", "-", stdin=logins(30))
    # the state begins at the log's end, as where the topic was there before Segue
    fresh = deployment(unique("old"), kafka.bootstrap, valkey.redis_url, 2)
    fresh.environment["SEGUE_EVENTS_TOPIC"] = segue.environment["SEGUE_EVENTS_TOPIC"]
    assert len(fresh.done("topics", "--json").json["created_topics"]) == len(topics) - 1
    files = {**VISITORS, "segments/often.yaml": OFTEN, "segments/lisbon.yaml": LISBON}
    fresh.done("apply", write_catalogue(tmp_path, files))
    with fresh.started("worker", "--log-level", "warning"):
        wait_for(lambda: counted(fresh) == {"known": 30, "often": 30, "lisbon": 30})
    entered = changes(fresh)
    assert {each["backfill"] for each in entered} == {True}
    assert len(entered) == 90
    assert equal(fresh)
    assert fresh("dump", 0, "-o", tmp_path / "0.ndjson", "--catalogues", tmp_path / "cuts").status == 0


def test_a_filler_that_is_killed_is_seen_and_continued(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("killed"), kafka.bootstrap, valkey.redis_url, 2)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "a", VISITORS))
    with segue.started("worker", "--log-level", "warning"):
        segue.done("send", "-", stdin=logins(200))
        wait_for(lambda: counted(segue) == {"known": 200})
        second = [who for who in (f"hcp:{n}" for n in range(200)) if partition_of(who.encode(), 2) == 1]
        folder = write_catalogue(tmp_path / "b", {**VISITORS, "segments/often.yaml": OFTEN})
        with segue.started("apply", folder, SEGUE_FILL_RECORDS_PER_S_MAX=10) as apply:
            # no partition is filled before all of them are
            wait_for(lambda: all(each is not None and each["share"] > 0 for each in histories(segue)))
            shown = segue.done("explain", second[0], "often").out
            assert re.search(r"no verdict yet: its history is being read: \d+ %", shown), shown
            apply.send_signal(signal.SIGKILL)
            apply.communicate()
        assert counted(segue) == {"known": 200, "often": 0}
        assert "history of partition" in segue.done("lag").out
        # another cut comes while the first one is not filled
        files = {**VISITORS, "segments/often.yaml": OFTEN, "segments/walkers.yaml": WALKERS}
        segue.done("apply", write_catalogue(tmp_path / "c", files), "--no-fill")
        filled = segue.done("fill", "--json").json
        assert {each["passes"] for each in filled["filled"]} == {1}
        wait_for(lambda: counted(segue) == {"known": 200, "often": 200, "walkers": 200})
        assert histories(segue) == [None, None]
        assert "there is no history to bring" in segue.done("fill").out
    assert equal(segue)
    for partition in (0, 1):
        dumped, cuts = tmp_path / f"{partition}.ndjson", tmp_path / f"cuts-{partition}"
        told = segue.done("dump", partition, "-o", dumped, "--catalogues", cuts).err
        [command] = [line for line in told.splitlines() if line.startswith("segue replay")]
        replayed = segue.done(*command.split()[1:]).out.splitlines()
        published = [each for each in changes(segue) if partition_of(each["profile"].encode(), 2) == partition]
        assert [json.loads(each) for each in replayed] == published


def histories(segue: Segue) -> list[Any]:
    """Return what is open of each partition's history."""
    return [each["history"] for each in segue.done("lag", "--json").json["partitions"]]
