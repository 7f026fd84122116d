"""`segue preview` on real servers, and the apply that follows."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.acceptance.test_restricted import FILES, SUBJECT
from tests.servers import unique

CHANGED = {
    "segments/visitors.yaml": SMALL["segments/visitors.yaml"]
    .replace("at_least: 2", "at_least: 3")
    .replace("version: 1", "version: 2"),
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
    # a folder's own name is as long as it is
    assert max(len(line) for line in shown if str(folder) not in line) <= 80


@pytest.mark.servers
def test_who_moves_is_named_only_when_asked_with_an_explanation_before_and_after(segue: Segue, tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "new", SMALL | CHANGED)
    html = tmp_path / "preview.html"
    unasked = segue.done("preview", folder, "--days", "0", "--html", html)
    assert "hcp:" not in unasked.out + html.read_text()
    assert "segment newcomers" in html.read_text()
    named = segue.done("preview", folder, "--days", "0", "--who", "2", "--html", html, "--json").json
    [left] = [each for each in named["people"] if each["way"] == "leave"]
    assert (left["name"], len(left["profiles"])) == ("visitors", 2)
    for each in left["profiles"]:
        assert each["profile"] in html.read_text()
        assert int(each["profile"].partition(":")[2]) % 3 == 1
        assert (each["before"][0], each["after"][0]) == ("in", "out")


@pytest.mark.servers
def test_what_is_restricted_is_neither_counted_nor_named_without_the_option(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("hidden"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "old", FILES))
    segue.done("send", "-", stdin=event(SUBJECT, "profile.updated", 1, diagnosis="x", therapy="y", city="z"))
    gone = {name: text for name, text in FILES.items() if "/" not in name}
    new = write_catalogue(tmp_path / "new", gone)
    partly = segue.done("preview", new, "--who", "1", "--json")
    assert {each["segment"] for each in partly.json["segments"]} == {"visitors"}
    assert SUBJECT not in partly.out
    assert "give --restricted to read them" in partly.err
    whole = segue.done("preview", new, "--who", "1", "--restricted", "--json")
    assert {each["segment"] for each in whole.json["segments"]} == {"visitors", "diagnosed", "treated", "below"}
    assert SUBJECT in whole.out


def test_a_sample_that_cannot_be_read_is_usage(tmp_path: Path) -> None:
    ended = Segue()("preview", write_catalogue(tmp_path, SMALL), "--sample", "1/0")
    assert ended.status == 2
    assert "give 1/N" in ended.err


@pytest.mark.servers
def test_apply_refuses_a_preview_that_compared_with_another_catalogue(segue: Segue, tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "new", SMALL | CHANGED)
    found = segue.done("preview", folder, "--days", "0", "--json").json
    assert found["segments"][0]["happened"] is None
    other = write_catalogue(tmp_path / "other", {**SMALL, "segments/c.yaml": CHANGED["segments/newcomers.yaml"]})
    refused = segue("apply", other, "--preview", found["preview"])
    assert refused.status == 1
    assert "run `segue preview` on this folder" in refused.err
    applied = segue.done("apply", folder, "--preview", found["preview"], "--json").json
    assert applied["how"]["preview"] == found["preview"]
    # the same command again: it is done already; another folder is still refused, though it would write nothing
    assert not segue.done("apply", folder, "--preview", found["preview"], "--json").json["applied"]
    stale = segue.done("preview", other, "--days", "0", "--json").json["preview"]
    refused = segue("apply", folder, "--preview", stale)
    assert refused.status == 1
    assert "run `segue preview` on this folder" in refused.err
    refused = segue("apply", folder, "--again", "--preview", found["preview"])
    assert refused.status == 1
    assert "is in force now: run `segue preview` again" in refused.err
    # told before the catalogue is even read
    assert segue("apply", tmp_path, "--preview", "1234").status == 2


def drop_before(segue: Segue, partition: int, offset: int) -> None:
    """Drop the records of an input partition before an offset, as retention does."""

    async def drop() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=segue.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"])
        await admin.start()
        try:
            inputs = TopicPartition(segue.environment["SEGUE_EVENTS_TOPIC"], partition)
            await admin.delete_records({inputs: RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()

    asyncio.run(drop())


@pytest.mark.servers
def test_a_log_without_its_beginning_gives_the_cut_from_the_state_and_says_what_is_not_known(
    segue: Segue, tmp_path: Path
) -> None:
    folder = write_catalogue(tmp_path / "new", SMALL | CHANGED)
    whole = segue.done("preview", folder, "--days", "0", "--json").json
    with segue.started("worker"):
        wait_for(lambda: all(each["lag_records"] == 0 for each in segue.done("lag", "--json").json["partitions"]))
        wait_for(lambda: len(segue.done("members", "visitors").out.splitlines()) == 40)
        for partition, offset in enumerate(whole["offsets"]):
            drop_before(segue, partition, offset["to"] // 2)
        refused = segue("preview", folder, "--days", "30")
        assert refused.status == 2
        assert "give --days 0 for the cut alone" in refused.err
        found = segue.done("preview", folder, "--json").json
    assert found["window_from"] is None
    assert any("is not known" in said for said in found["unknown"])
    rows, expected = ({each["segment"]: each for each in one["segments"]} for one in (found, whole))
    # the state has every member; the log has only some of the logins that a new condition looks at
    assert rows["visitors"]["members_before"] == expected["visitors"]["members_before"] == 40
    assert rows["newcomers"]["cut"]["enter"] < expected["newcomers"]["cut"]["enter"]
    assert {each["segment"] for each in found["blind_though_filled"]} == {"visitors", "newcomers"}
    assert whole["blind_though_filled"] == []
    assert segue("preview", folder, "--sample", "1/2", "--memory-mb", "16").status == 0


@pytest.mark.servers
def test_a_dry_run_shows_the_preview_and_applies_nothing(segue: Segue, tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "new", SMALL | CHANGED)
    before = segue.done("catalogues", "--json").out
    found = segue.done("apply", folder, "--dry-run", "--json").json
    assert {each["segment"] for each in found["segments"]} == {"visitors", "newcomers"}
    assert segue.done("catalogues", "--json").out == before
    same_version = {**SMALL, "segments/visitors.yaml": SMALL["segments/visitors.yaml"].replace("2", "4")}
    same = write_catalogue(tmp_path / "same", same_version)
    refused = segue("apply", same, "--dry-run")
    assert refused.status == 1
    assert "write version: 2" in refused.err
    # a preview counts it all the same, says what an apply will ask for, and which command applies it
    shown = segue.done("preview", same, "--days", "0").out
    assert "Before it can be applied: segments/visitors.yaml:" in " ".join(shown.split())
    assert f"segue apply {same} \\\n  --preview " in shown
