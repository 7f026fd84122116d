"""Commands that run a deployment, in a deployment with something wrong; and commands that need no worker."""

from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique


@pytest.mark.servers
def test_topics_creates_once_verifies_after_and_refuses_another_count(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    segue = deployment(unique("topics"), kafka.bootstrap, valkey.redis_url, 2)
    created = segue.done("topics", "--json").json
    assert len(created["created_topics"]) == 11
    assert created["created_partitions"] == [0, 1]
    again = segue.done("topics", "--json").json
    assert (again["created_topics"], again["created_partitions"], again["ok"]) == ([], [], True)
    changed = segue("topics", SEGUE_PARTITIONS=3)
    assert changed.status == 1
    assert "it has 2 partitions, this deployment has 3" in changed.out
    assert segue("worker", SEGUE_PARTITIONS=3).status == 1
    assert segue("lag", SEGUE_PARTITIONS=3).status == 1


@pytest.mark.servers
def test_commands_before_topics_say_what_to_run(kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path) -> None:
    segue = deployment(unique("bare"), kafka.bootstrap, valkey.redis_url, 1)
    folder = write_catalogue(tmp_path, SMALL)
    for ended in (segue("apply", folder), segue("send", "-", stdin=event("hcp:1", "portal.login", 1)), segue("sizes")):
        assert ended.status == 1
        assert "run `segue topics`" in ended.err
    refused = segue("worker")
    assert refused.status == 1
    wrong = [line["message"] for line in refused.logged if line["level"] == "error"]
    assert wrong
    assert all("run `segue topics`" in message for message in wrong)
    human = segue("worker", "--log-level", "error", SEGUE_LOG_FORMAT="human")
    assert human.status == 1
    assert " ERROR   streams.worker.preflight  topic " in human.err


@pytest.mark.servers
def test_apply_of_a_bad_catalogue_is_1_and_applies_nothing(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("bad"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    folder = write_catalogue(tmp_path, {**SMALL, "segments/b.yaml": "segment: b\nversion: 1\nstatus: approved\n"})
    ended = segue("apply", folder)
    assert (ended.status, ended.out) == (1, "")
    assert "segments/b.yaml:1:1: missing key 'enter'" in ended.err
    assert "no catalogue is in force" in segue("sizes").err
    # the catalogue is corrected, and longer than a megabyte: still one record
    write_catalogue(tmp_path, {"segments/b.yaml": SMALL["segments/visitors.yaml"].replace("visitors", "b")})
    large = {f"segments/{n}.yaml": _large(n) for n in range(12)}
    applied = segue.done("apply", write_catalogue(tmp_path, large), "--json").json
    assert len(applied["differences"]["segment"]["new"]) == 14


def _large(n: int) -> str:
    return SMALL["segments/visitors.yaml"].replace("visitors", f"s{n}") + f"description: {'long ' * 20_000}\n"


def test_worker_whose_servers_are_away_is_3() -> None:
    ended = Segue()("worker", SEGUE_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", SEGUE_REDIS_URL="redis://127.0.0.1:1/0")
    assert ended.status == 3
    assert "not reachable" in ended.err


def test_asyncapi_prints_the_document_that_is_checked_in() -> None:
    ended = Segue().done("asyncapi")
    assert ended.out.startswith("asyncapi: 3")
    assert "segment.membership" in ended.out
