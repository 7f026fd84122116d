"""What commands that look back or bring events again do with somebody who was erased: they show and bring nothing."""

import time
from pathlib import Path

import pytest

from rules.ground.instants import format_instant
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import deployment, event, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.acceptance.test_filling import counted
from tests.acceptance.test_filling_persons import CHAINED, FIRST, PARTITIONS, SECOND
from tests.servers import unique

pytestmark = pytest.mark.servers


def test_no_command_that_looks_back_shows_or_brings_back_who_was_erased(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("asked"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "first", FIRST))
    gone, alias, stays, _ = CHAINED
    old = [event(each, "portal.login", f"{each} {n}") for each in (gone, alias, stays) for n in range(3)]
    with segue.started("worker", "--log-level", "warning"):
        segue.done("send", "-", stdin="".join([*old, event(alias, "identity.linked", "link", canonical=gone)]))
        wait_for(lambda: counted(segue) == {"known": 2})
        before = format_instant(time.time_ns() // 1_000_000)
        time.sleep(0.1)
        segue.done("send", "-", stdin=event(gone, "privacy.erased", "erasure"))
        wait_for(lambda: counted(segue) == {"known": 1})
        second = write_catalogue(tmp_path / "second", SECOND)
        previewed = segue.done("preview", second, "--json").out
        segue.done("apply", second)
        wait_for(lambda: counted(segue) == {"known": 1, "often": 1, "seldom": 0})
        # a file of letters, mended or not
        letters = tmp_path / "letters.ndjson"
        letters.write_text("".join([*old, *(event(each, "portal.login", "new") for each in (gone, alias))]))
        segue.done("letters", "--resend", letters)
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)
        assert counted(segue) == {"known": 1, "often": 1, "seldom": 0}
        at = [segue.done("members", "known", "--at", before).out, segue.done("members", "often").out]
    assert all(stays in each for each in at)
    shown = previewed + "".join(at)
    assert gone not in shown
    assert alias not in shown
