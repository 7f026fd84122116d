"""`segue lag` while a worker works, stands still and is dead: who owns a partition, what waits, what becomes of it."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique

pytestmark = pytest.mark.servers

SESSION_S = 3
STAY_S = 10
RULES = {
    "dictionary.yaml": SMALL["dictionary.yaml"],
    "segments/visitors.yaml": (
        f"segment: visitors\nversion: 1\nstatus: approved\nenter: {{event: portal.login, within: {STAY_S}s}}\n"
    ),
}


def look(segue: Segue) -> Any:
    """Return what `segue lag --json` says of the one partition."""
    [partition] = segue.done("lag", "--json").json["partitions"]
    return partition


def written(found: Any) -> Any:
    """Return what was found if every record is applied and written to Redis; else None."""
    return found if not found["lag_records"] and found["applied"] >= found["published"] else None


def login(who: str) -> str:
    return event(who, "portal.login", f"{who}-{time.time_ns()}")


def test_lag_tells_a_worker_that_works_from_one_that_stands_still_and_one_that_is_dead(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("lag"), kafka.bootstrap, valkey.redis_url, 1)
    segue.environment["SEGUE_SESSION_TIMEOUT_MS"] = str(SESSION_S * 1_000)
    segue.done("topics")
    fresh = look(segue)
    assert (fresh["waits_for"], fresh["owner"], fresh["assigned"]) == ("no worker runs", None, False)
    segue.done("apply", write_catalogue(tmp_path / "rules", RULES))
    with segue.started("worker") as worker:
        works = wait_for(lambda: (found := look(segue))["owner"] and written(found))
        assert (works["lag_records"], works["lag_seconds"], works["waits_for"]) == (0, 0.0, "")
        assert (works["assigned"], works["outlook"]) == (True, "caught up")
        assert works["owner_heard_seconds"] < 60
        assert segue("lag", "--max-seconds", 30).status == 0

        worker.send_signal(signal.SIGSTOP)
        segue.done("send", "-", stdin=login("hcp:2"))
        stands = wait_for(lambda: (found := look(segue))["waits_for"] and found)
        assert stands["waits_for"] == "no worker runs", "the group hears no heartbeat of it"
        assert stands["owner"] == works["owner"], "its claim stands"
        assert stands["lag_records"] == 1
        assert stands["lag_seconds"] > 0
        assert stands["outlook"].startswith("will not catch up: no worker runs")
        worker.send_signal(signal.SIGCONT)
        wait_for(lambda: look(segue)["lag_records"] == 0)

        segue.done("send", "-", stdin=login("hcp:1"))
        wait_for(lambda: written(look(segue)))
        worker.kill()
        worker.wait()
    late = wait_for(lambda: (found := look(segue))["overdue_seconds"] > 6 and found)
    assert (late["lag_records"], late["lag_seconds"]) == (0, 0.0)
    assert late["overdue_wakes"] >= 1
    assert late["waits_for"] == "no worker runs"
    assert late["outlook"].startswith("will not catch up: no worker runs; ")
    assert "overdue by " in late["outlook"]
    refused = segue("lag", "--max-seconds", 5)
    assert refused.status == 1
    assert "partition 0 is " in refused.err
    assert "late by its first wake due, more than 5 s: will not catch up: no worker runs" in refused.err
    for line in segue.on_terminal("lag"):
        assert len(line) <= 80
    shown = " ".join(segue.done("lag").out.split())
    assert "will not catch up" in shown
    assert works["owner"] in shown
    assert "log end" in segue.done("lag", "--offsets").out
    with segue.started("worker", "--log-level", "warning"):
        wait_for(lambda: (found := look(segue))["outlook"] == "caught up" and found["owner"] != works["owner"])
