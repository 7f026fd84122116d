"""`segue preview` on real servers, and the apply that follows."""

from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique

CHANGED = {
    "segments/visitors.yaml": SMALL["segments/visitors.yaml"].replace("at_least: 2", "at_least: 3"),
    "segments/newcomers.yaml": SMALL["segments/visitors.yaml"]
    .replace("visitors", "newcomers")
    .replace("at_least: 2", "exactly: 1"),
}
SUBJECTS = 60


@pytest.fixture
def segue(kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path) -> Segue:
    """A deployment in which the small catalogue is in force and subjects logged in once, twice or three times."""
    made = deployment(unique("preview"), kafka.bootstrap, valkey.redis_url, 2)
    made.done("topics")
    made.done("apply", write_catalogue(tmp_path / "old", SMALL))
    logins = [
        event(f"hcp:{subject}", "portal.login", f"{subject}-{number}")
        for subject in range(SUBJECTS)
        for number in range(subject % 3 + 1)
    ]
    made.done("send", "-", stdin="".join(logins))
    return made


@pytest.mark.servers
def test_preview_counts_who_would_enter_and_leave_and_writes_nothing(segue: Segue, tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "new", SMALL | CHANGED)
    before = segue.done("lag", "--json").json
    found = segue.done("preview", folder, "--json").json
    rows = {each["segment"]: each for each in found["segments"]}
    assert (rows["visitors"]["members_before"], rows["visitors"]["cut"]["leave"]) == (40, 20)
    assert (rows["newcomers"]["cut"]["enter"], rows["newcomers"]["members_after"]) == (20, 20)
    assert rows["visitors"]["happened"]["enter"] == 40
    assert rows["visitors"]["would"]["enter"] == 20
    parts = {each["part"]: each for each in found["parts"]}
    assert (parts["segment newcomers"]["enter"], parts["segment visitors"]["leave"]) == (20, 20)
    assert found["read"]["records"] == SUBJECTS * 2 + 2
    after = segue.done("lag", "--json").json
    assert [each["end"] for each in after["partitions"]] == [each["end"] for each in before["partitions"]]


@pytest.mark.servers
def test_a_sample_counts_the_same_subjects_each_time_and_says_that_it_is_scaled(segue: Segue, tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "new", SMALL | CHANGED)
    found = segue.done("preview", folder, "--sample", "1/4", "--json").json
    assert found["sample"]["one_in"] == 4
    assert found["sample"]["scaled"]
    again = segue.done("preview", folder, "--sample", "1/4", "--json").json
    assert again["segments"] == found["segments"]
    shown = segue.on_terminal("preview", folder, "--sample", "1/4")
    assert any("scaled by 4" in line for line in shown)
    assert max(map(len, shown)) <= 80


def test_a_sample_that_cannot_be_read_is_usage(tmp_path: Path) -> None:
    ended = Segue()("preview", write_catalogue(tmp_path, SMALL), "--sample", "1/0")
    assert ended.status == 2
    assert "give 1/N" in ended.err
