"""Settings from the environment: a misspelt variable is found, and no value is ever told."""

from pathlib import Path

import pytest

from streams.operations.errors import WrongRequest
from streams.operations.settings import misspelt, read_settings, variables
from streams.settings import assignment_keys


def test_every_setting_by_its_own_name_is_known() -> None:
    assert misspelt(dict.fromkeys(variables(), "1")) == []
    assert misspelt({"segue_partitions": "8"}) == []  # pydantic reads them in any case


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SEGUE_PARTITONS", "SEGUE_PARTITIONS"),
        ("SEGUE_KAFKA_BOOTSTRAP_SERVER", "SEGUE_KAFKA_BOOTSTRAP_SERVERS"),
        ("segue_redis_uri", "SEGUE_REDIS_URL"),
        ("SEGUE_DELIVER_APIKEY", "SEGUE_DELIVER_API_KEY"),
        ("SEGUE_WBE_PORT", "SEGUE_WEB_PORT"),
        ("SEGUE_NOTHING_LIKE_IT", None),
    ],
)
def test_a_variable_that_nothing_reads_is_found_with_the_nearest_setting(name: str, nearest: str | None) -> None:
    [found] = misspelt({name: "hidden", "PATH": "/bin"})
    assert (found.name, found.nearest) == (name, nearest)
    assert "hidden" not in str(found)
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEGUE_CACHE_DIR", "/cache"),
        ("SEGUE_TEST_REDIS_URL", "redis://127.0.0.1:1/0"),
        ("SEGUE_SERVICE_HOST", "10.0.0.1"),
        ("SEGUE_SERVICE_PORT_HTTP", "6066"),
        ("SEGUE_PORT", "tcp://10.0.0.1:6066"),
        ("SEGUE_PORT_6066_TCP_ADDR", "10.0.0.1"),
        ("SEGUE_REDIS_SERVICE_PORT", "6379"),
        ("SEGUER", "1"),
    ],
)
def test_what_others_set_or_read_is_left_alone(name: str, value: str) -> None:
    assert misspelt({name: value}) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEGUE_PARTITIONS", "many", "SEGUE_PARTITIONS: "),
        ("SEGUE_REDIS_URL", "http://someone:hidden@here", "SEGUE_REDIS_URL is no address of Redis"),
        ("SEGUE_REDIS_SSL_CAFILE", "/hidden", "SEGUE_REDIS_SSL_CAFILE: it is set, but SEGUE_REDIS_URL"),
        ("SEGUE_REDIS_SENTINELS", "a:1", "SEGUE_REDIS_SENTINEL_MASTER: it is not set"),
        ("SEGUE_REQUEST_TIMEOUT_MS", "20000", "SEGUE_REQUEST_TIMEOUT_MS must be below"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongRequest) as wrong:
        read_settings()
    assert str(wrong.value).startswith(said)
    assert "hidden" not in str(wrong.value)


def test_an_assignment_key_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    monkeypatch.setenv("SEGUE_ASSIGNMENT_KEY_B_FILE", str(file))
    assert assignment_keys() == {}
    with pytest.raises(WrongRequest, match=r"^SEGUE_ASSIGNMENT_KEY_B_FILE: .*: No such file or directory$"):
        read_settings()
    file.write_text("CANARY\n")
    assert assignment_keys() == {"SEGUE_ASSIGNMENT_KEY_B": "CANARY"}
    read_settings()
    monkeypatch.setenv("SEGUE_ASSIGNMENT_KEY_B", "other")
    with pytest.raises(WrongRequest, match=r"^SEGUE_ASSIGNMENT_KEY_B: it is set, and SEGUE_ASSIGNMENT_KEY_B_FILE too"):
        read_settings()
