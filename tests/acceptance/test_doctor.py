"""`segue doctor` and `segue bundle` on real servers: what is right, what is wrong, what is away, and what is told."""

import asyncio
import os
import stat
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import EXAMPLE, Segue, deployment, event, stop, wait_for
from tests.secured import Secured
from tests.servers import unique
from tests.streams.metrics.scrape import free_port

CANARY: Final = "canary-71c2"


@pytest.fixture
def segue(kafka: KafkaServer, valkey: ValkeyServer) -> Segue:
    return deployment(unique("doctor"), kafka.bootstrap, valkey.redis_url, partitions=2)


def found(segue: Segue, *arguments: str, status: int) -> dict[str, dict[str, Any]]:
    """Run the doctor and return what it looked at, by name."""
    ended = segue("doctor", "--json", *arguments)
    assert ended.status == status, ended.out + ended.err
    assert ended.json["ok"] == (status == 0)
    return {each["name"]: each for each in ended.json["checks"]}


def set_topic(segue: Segue, setting: str, **configs: str) -> None:
    """Change the settings of a topic."""

    async def change() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=segue.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"])
        await admin.start()
        try:
            named = {name.replace("_", "."): value for name, value in configs.items()}
            resource = ConfigResource(ConfigResourceType.TOPIC, segue.environment[setting], configs=named)
            await admin.alter_configs([resource])
        finally:
            await admin.close()

    asyncio.run(change())


@pytest.mark.servers
def test_the_doctor_goes_with_a_deployment_from_its_beginning(segue: Segue) -> None:
    before = found(segue, status=1)
    assert before["topics"]["outcome"] == "wrong"
    assert before["topics"]["remedy"] == "run `segue topics`"
    assert before["transactions"]["outcome"] == before["state of each partition"]["outcome"] == "unknown"

    segue.done("topics")
    made = found(segue, "--no-write", status=0)
    assert "transactions" not in made
    assert made["catalogue in force"]["remedy"] == "run `segue apply`"

    segue.done("apply", EXAMPLE, "--no-fill")
    there = found(segue, status=0)
    outcomes = {name: each["outcome"] for name, each in there.items()}
    # the embedded Valkey keeps no append-only file, and nothing names an erasure key
    assert {name for name, outcome in outcomes.items() if outcome != "right"} == {"redis", "SEGUE_ERASURE_KEY"}
    assert there["SEGUE_ERASURE_KEY"]["said"] == "it is not set, so Redis keeps the names of erased people"
    assert there["transactions"]["said"].startswith("one was begun and taken back")
    assert outcomes["clock of Kafka"] == outcomes["clock of Redis"] == "right"
    shown = segue.on_terminal("doctor", "--all")
    assert max(map(len, shown)) <= 80
    assert any(line.startswith("right   state of each partition: it goes with the log") for line in shown)

    set_topic(segue, "SEGUE_EVENTS_TOPIC", message_timestamp_type="CreateTime", retention_ms="3600000")
    wrong = found(segue, status=1)
    topic = wrong[f"topic {segue.environment['SEGUE_EVENTS_TOPIC']}"]
    assert (topic["outcome"], topic["said"]) == ("advice", "retention.ms is 3600000")
    said = segue("doctor").out
    assert "message.timestamp.type is CreateTime" in said
    assert "→ set it to LogAppendTime: each producer's clock would decide about time" in said


@pytest.mark.servers
def test_a_server_that_is_away_is_told_once_and_what_stands_on_it_is_not_known(segue: Segue) -> None:
    segue.done("topics")
    port = free_port()
    away = Segue(segue.environment | {"SEGUE_REDIS_URL": f"redis://user:{CANARY}@127.0.0.1:{port}/0"})
    checks = found(away, status=3)
    assert checks["Redis"]["said"].startswith(f"Redis at 127.0.0.1:{port} refuses the connection")
    assert checks["state of each partition"]["outcome"] == "unknown"
    assert checks["transactions"]["outcome"] == "right"
    away = Segue(segue.environment | {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"})
    checks = found(away, status=3)
    assert [name for name, each in checks.items() if each["outcome"] == "away"] == ["Kafka"]
    assert CANARY not in str(checks)


@pytest.mark.servers
def test_a_refused_credential_is_one_sentence(segue: Segue, secured: Secured) -> None:
    refused = Segue(segue.environment | secured.by_password("worker") | {"SEGUE_KAFKA_SASL_PASSWORD": CANARY})
    checks = found(refused, status=3)
    assert "user 'worker' or the password is wrong" in checks["Kafka"]["said"]
    assert CANARY not in str(checks)


@pytest.mark.servers
def test_a_missing_right_is_named(segue: Segue, secured: Secured) -> None:
    nobody = Segue(segue.environment | secured.by_password("nobody"))
    checks = found(nobody, "--as", "deliverer", "--channel", "email", status=3)
    said = checks["rights of the deliverer in Kafka"]["said"]
    topic = f"{segue.environment.get('SEGUE_ACTIVATION_TOPIC_PREFIX', 'activation')}.email"
    assert said.startswith(f"Kafka does not let user 'nobody' Read topic {topic}, ")
    assert said.endswith("add that ACL; `segue acls deliverer` lists them all")
    checks = found(segue, "--as", "reader", "--channel", "emial", status=1)
    assert [each["said"] for each in checks.values() if each["outcome"] == "wrong"] == [
        "there is none: no catalogue with the channel 'emial' was ever applied"
    ]
    ended = segue("doctor", "--as", "deliverr")
    assert ended.status == 2
    assert ended.err.startswith("'deliverr' is no role; did you mean 'deliverer'?")


@pytest.mark.servers
def test_a_bundle_holds_what_support_asks_for_and_nothing_of_a_person(segue: Segue, tmp_path: Path) -> None:
    segue = Segue(segue.environment | {"SEGUE_ASSIGNMENT_KEY_B": CANARY, "SEGUE_APPROVAL_KEY": ""})
    segue.done("topics")
    segue.done("apply", EXAMPLE)
    events = tmp_path / "events.ndjson"
    events.write_text(
        event(f"hcp:{CANARY}", "portal.login", f"{CANARY}-1", page=CANARY)
        + event(f"hcp:{CANARY}", "no.such.type", f"{CANARY}-2", page=CANARY)
    )
    pages, metrics = free_port(), free_port()
    with segue.started("worker", SEGUE_WEB_PORT=pages, SEGUE_METRICS_PORT=metrics, SEGUE_LOG_FORMAT="json") as worker:
        segue.done("send", events)
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)
        log = tmp_path / "worker.log"
        log.write_text(f"Traceback {CANARY}\n")
        file = tmp_path / "bundle.zip"
        process, page = f"http://127.0.0.1:{pages}", f"http://127.0.0.1:{metrics}/"
        done = segue.done("bundle", file, "--process", process, "--metrics", page, "--log", log, "--json").json
        again = segue("bundle", file)
        ended = stop(worker)
    assert (again.status, again.err) == (2, f"{file} is there already: give another FILE\n")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert done["not_to_be_had"] == {"log-0.ndjson": "1 line is not JSON as Segue logs it, and was left out"}
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"doctor.json", "lag.json", "topics.json", "settings.json", "versions.json", "manifest.json"} < held.keys()
    assert '"partitions":' in held["process-0/status.json"]
    assert "segue_build_info" in held["process-0/metrics.txt"]
    assert [name for name, text in held.items() if CANARY in text] == []

    log.write_text(ended.err)
    segue.done("bundle", tmp_path / "second.zip", "--log", log)
    with zipfile.ZipFile(tmp_path / "second.zip") as archive:
        lines = archive.read("log-0.ndjson").decode()
    assert lines.count("\n") > 3
    assert CANARY not in lines


def test_wrong_arguments_of_a_bundle_are_told_first(tmp_path: Path) -> None:
    segue = Segue()
    ended = segue("bundle", tmp_path / "a.zip", "--process", "worker:6066")
    assert (ended.status, ended.err) == (2, "'worker:6066' is no address of a process: http://host:port\n")
    ended = segue("bundle", tmp_path / "a.zip", "--log", tmp_path / "no.log")
    assert (ended.status, ended.err) == (2, f"{tmp_path / 'no.log'}: there is no such file\n")
    assert not (tmp_path / "a.zip").exists()
