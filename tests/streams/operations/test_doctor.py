"""What the doctor says of clocks, of brokers' releases, of what a restart of Redis brings back; what a bundle holds."""

from pathlib import Path

import orjson
import pytest

from streams.exits import Exit
from streams.operations.bundle.gather import Bundle
from streams.operations.bundle.parts import log_lines, settings_told, without_credentials
from streams.operations.doctor.checked import Checked, Examined, Outcome
from streams.operations.doctor.clocks import skew
from streams.operations.doctor.kafka import losing
from streams.operations.doctor.redis import persistence
from streams.settings import Deployment, Settings

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("before", "theirs", "after", "judged", "said"),
    [
        (1_000, 1_500, 2_000, "right", "it goes with this machine's"),
        # an answer that took long tells nothing against the clock
        (1_000, 9_000, 60_000, "right", "it goes with this machine's"),
        (1_000, 3_000, 1_001, "right", "it goes with this machine's"),
        (1_000, 6_000, 1_000, "advice", "it is 5.0 s ahead of this machine's"),
        (10_000, 5_000, 10_500, "advice", "it is 5.0 s behind this machine's"),
        (1_000, 301_000, 1_000, "wrong", "it is 300.0 s ahead of this machine's"),
        (301_000, 1_000, 301_000, "wrong", "it is 300.0 s behind this machine's"),
    ],
)
def test_a_clock_is_judged_by_the_least_that_it_can_be_off(
    before: int, theirs: int, after: int, judged: Outcome, said: str
) -> None:
    found = skew("kafka", "Kafka", before, theirs, after)
    assert (found.outcome, found.said) == (judged, said)


def test_releases_that_lose_the_end_of_a_transaction_are_named() -> None:
    levels = {str(level): {"metadata.version": level} for level in (25, 29, 30, 33, 34)}
    assert [each.name for each in losing(levels | {"unknown": {}})] == ["broker 30", "broker 33"]


@pytest.mark.parametrize(
    ("info", "judged", "said"),
    [
        ({"aof_enabled": "1", "rdb_last_save_time": "0"}, "right", "all but the last second"),
        ({"aof_enabled": "1", "aof_last_write_status": "err"}, "wrong", "aof_last_write_status is err"),
        ({"aof_enabled": "0", "rdb_last_save_time": "7200"}, "right", "a state that is 1.0 h old"),
        ({"aof_enabled": "0", "rdb_last_save_time": "0"}, "right", "a state that is 3.0 h old"),
    ],
)
def test_what_a_restart_of_redis_brings_back(info: dict[str, str], judged: Outcome, said: str) -> None:
    [found] = persistence(info, 3 * HOUR_MS)
    assert found.outcome == judged
    assert said in found.said


def test_an_old_state_without_the_append_only_file_is_advised_against() -> None:
    [found] = persistence({"rdb_last_save_time": "0"}, 25 * HOUR_MS)
    assert found.outcome == "advice"
    # a server that does not say, as managed ones may not, is not judged
    assert persistence({}, 0) == []


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["right", "advice", "unknown"], Exit.DONE),
        (["right", "wrong"], Exit.WRONG_INPUT),
        (["wrong", "away"], Exit.NOT_REACHABLE),
    ],
)
def test_the_gravest_outcome_is_the_exit_status(outcomes: list[Outcome], expected: Exit) -> None:
    assert Examined(tuple(Checked("kafka", "it", each, "so") for each in outcomes)).exit == expected


def test_settings_are_told_without_secrets() -> None:
    settings = Settings(
        redis_url="redis://somebody:CANARY@a:1,b:2/0?password=CANARY",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="worker",
        kafka_sasl_password="CANARY",
    )
    told = settings_told(Deployment(), settings)
    assert "CANARY" not in str(told)
    assert told["SEGUE_REDIS_URL"] == "redis://a:1,b:2/0"
    assert told["SEGUE_KAFKA_SASL_PASSWORD"] == "set"
    assert told["SEGUE_KAFKA_SSL_KEY_PASSWORD"] == "not set"
    assert told["SEGUE_PARTITIONS"] == 8


def test_an_address_is_told_without_its_credentials() -> None:
    assert without_credentials("rediss://u:p@host:6380/1") == "rediss://host:6380/1"
    assert without_credentials("redis://u:p@ss@a:6379,b:6379/0") == "redis://a:6379,b:6379/0"
    assert without_credentials("unix://u:p@/run/redis.sock?db=1") == "unix:///run/redis.sock"
    assert without_credentials("https://issuer/token") == "https://issuer/token"


def test_of_a_log_only_known_fields_of_own_lines_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "worker.log"
    lines = [
        b'{"at":"2026-03-01T00:00:00.000Z","level":"info","action":"claimed","partition":3,"subject":"CANARY"}',
        b"Traceback CANARY",
        b'{"CANARY": 1}',
        b'["CANARY"]',
        b"\xff\xfe",
    ]
    file.write_bytes(b"\n".join(lines) + b"\n")
    found, others = log_lines(file)
    assert found == [{"at": "2026-03-01T00:00:00.000Z", "level": "info", "action": "claimed", "partition": 3}]
    assert others == 4


def test_a_bundle_names_what_it_lacks() -> None:
    import zipfile
    from io import BytesIO

    bundle = Bundle()
    bundle.add_json("a.json", {"b": 1})
    bundle.lacking["lag.json"] = "Kafka is away"
    archive = zipfile.ZipFile(BytesIO(bundle.packed(0)))
    assert orjson.loads(archive.read("manifest.json")) == {
        "made_at": "1970-01-01T00:00:00.000Z",
        "files": ["a.json"],
        "not_to_be_had": {"lag.json": "Kafka is away"},
    }
    assert orjson.loads(archive.read("a.json")) == {"b": 1}
