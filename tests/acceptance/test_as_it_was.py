"""How it was: a profile and a segment at an instant in the past, from the log."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.embedded import KafkaServer, ValkeyServer
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from tests.acceptance.command import Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.acceptance.told import Told
from tests.servers import unique

pytestmark = pytest.mark.servers
ONE, TWO = "hcp:1000000001", "hcp:1000000002"
DICTIONARY = {
    "dictionary.yaml": (
        "traits: {city: {type: string}}\nevents: {portal.login: {data: {city: {type: string}}, sets: {city: city}}}\n"
    )
}
FIRST = {
    **DICTIONARY,
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nenter: {event: portal.login, within: 1h}\n"
    ),
}
SECOND = {
    **DICTIONARY,
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 2\nstatus: approved\nenter: {event: portal.login, within: 1h}\n"
        "exit: {during: {from: 2020-01-01}}\n"
    ),
    "segments/known.yaml": "segment: known\nversion: 1\nstatus: approved\nenter: {everyone: true}\n",
}
"""Nobody is a visitor any more, and all are known."""


@pytest.fixture(scope="module")
def told(kafka: KafkaServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    segue = deployment(unique("was"), kafka.bootstrap, valkey.redis_url, 2)
    told = Told(segue)
    segue.done("topics")
    told.mark("before the first catalogue")
    segue.done("apply", write_catalogue(tmp_path_factory.mktemp("first"), FIRST), "--by", "ann")
    with segue.started("worker", "--log-level", "warning"):
        told.mark("before the first login")
        segue.done("send", "-", stdin=event(ONE, "portal.login", 1, city="Basel"))
        wait_for(lambda: members(segue, "visitors") == [ONE])
        told.mark("one is in")
        segue.done("apply", write_catalogue(tmp_path_factory.mktemp("second"), SECOND), "--by", "ben")
        wait_for(lambda: members(segue, "known") == [ONE])
        told.mark("after the second catalogue")
        segue.done("send", "-", stdin=event(ONE, "portal.login", 2, city="Bern") + event(TWO, "portal.login", 3))
        wait_for(lambda: members(segue, "known") == [ONE, TWO])
        told.mark("the end")
        yield told


def members(segue: Segue, segment: str) -> list[str]:
    """Return the members of a segment, sorted."""
    return sorted(segue("members", segment).out.split())


def explained(told: Told, subject: str, at: str) -> tuple[dict[str, bool], str]:
    """Return which segments there were and whether the profile was in them, and the catalogue then in force."""
    found = told.segue.done("explain", subject, "--at", told.at[at], "--json").json
    assert found["at"] == told.at[at]
    assert found["on_its_way"] == []
    return {each["segment"]: each["member"] for each in found["segments"]}, found["catalogue"]


def test_explain_tells_how_it_was_under_the_catalogue_then_in_force(told: Told) -> None:
    then, first = explained(told, ONE, "one is in")
    assert then == {"visitors": True}
    after, second = explained(told, ONE, "after the second catalogue")
    assert after == {"known": True, "visitors": False}
    assert second != first
    assert explained(told, ONE, "the end") == (after, second)
    assert explained(told, TWO, "the end") == (after, second)


def test_explain_never_tells_today_for_an_instant_at_which_nothing_was_known(told: Told) -> None:
    for subject, at, said in (
        (ONE, "before the first catalogue", "no catalogue was in force at"),
        (ONE, "before the first login", "the profile was not known at"),
        (TWO, "one is in", "the profile was not known at"),
    ):
        ended = told.segue("explain", subject, "--at", told.at[at])
        assert (ended.status, ended.out) == (1, ""), at
        assert said in ended.err
        assert subject not in ended.err


def test_instants_are_written_in_one_form(told: Told) -> None:
    for shown in (
        told.segue.done("explain", ONE, "visitors").out,
        told.segue.done("explain", ONE, "--at", told.at["one is in"]).out,
        told.segue.done("history", ONE).out,
        told.segue.done("history", ONE, "--change", 1).out,
    ):
        found = re.findall(r"\d{4}-\d\d-\d\d\S*(?: \d\d:\S*)?", shown)
        assert found
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z[,;)]?", each) for each in found), found


def test_explain_ahead_of_now_is_what_comes_if_nothing_happens(told: Told) -> None:
    found = told.segue.done("explain", ONE, "--at", "2100-01-01T00:00:00Z", "--json").json
    assert found["at"] == "2100-01-01T00:00:00.000Z"


def test_history_tells_every_published_change_and_who_applied_the_rules(told: Told) -> None:
    watch = ("watch", "--from-start", "--membership", "--subject", ONE, "--count", 3, "--seconds", 60, "--json")
    published = told.segue.done(*watch).lines
    found = told.segue.done("history", ONE, "--json").json
    assert [each["change"] for each in found["changes"]] == published
    assert [
        (
            each["change"]["segment"],
            each["change"]["change"],
            each["change"]["segment_version"],
            each["in_force"]["applied"]["by"],
        )
        for each in found["changes"]
    ] == [("visitors", "entered", 1, "ann"), ("known", "entered", 1, "ben"), ("visitors", "exited", 2, "ben")]
    assert found["changes"][0]["conditions"] == ["1 or more of portal.login within 1h"]
    shown = told.segue.done("history", ONE).out.splitlines()
    assert [line.partition(" ")[0] for line in shown if not line.startswith(" ")] == ["catalogue", "catalogue"]
    assert "applied by ann" in shown[0]
    assert "visitors v1  entry rule: 1 or more of portal.login within 1h  [/test 1]" in shown[1]


def test_history_can_be_narrowed_to_a_name_and_knows_its_names(told: Told) -> None:
    found = told.segue.done("history", ONE, "visitors", "--json").json
    assert [each["change"]["change"] for each in found["changes"]] == ["entered", "exited"]
    unknown = told.segue("history", ONE, "visitor")
    assert (unknown.status, unknown.out) == (1, "")
    assert "did you mean 'visitors'?" in unknown.err
    nobody = told.segue("history", "hcp:nobody")
    assert (nobody.status, nobody.out) == (1, "")
    assert "hcp:nobody" not in nobody.err


def test_the_evidence_of_an_old_change_is_the_rule_then_and_the_event_as_it_came(told: Told) -> None:
    first = told.segue.done("history", ONE, "--change", 1, "--json").json
    assert first["change"]["segment_version"] == 1
    [leaf] = first["rules"]["enter"]
    assert (leaf["path"], leaf["text"], leaf["holds"]) == ("enter", "1 or more of portal.login within 1h", True)
    [event_then] = first["events"]
    assert (event_then["id"], event_then["type"], event_then["data"]) == ("1", "portal.login", {"city": "Basel"})
    assert first["trigger"] == event_then
    assert first["rules"]["exit"] == []
    left = told.segue.done("history", ONE, "--change", f"g1/{ONE}/3", "--json").json
    assert left["trigger"] is None
    assert [(each["path"], each["holds"]) for each in left["rules"]["exit"]] == [("exit", True)]
    shown = told.segue.done("history", ONE, "--change", 1).out
    assert "enter, as it was then" in shown
    assert '/test 1  portal.login  {"city":"Basel"}' in shown
    unknown = told.segue("history", ONE, "--change", 99)
    assert (unknown.status, unknown.out) == (1, "")
    assert "no published change of that id" in unknown.err


def test_members_then_are_those_of_the_log_under_the_rules_then(told: Told) -> None:
    def then(segment: str, at: str) -> list[str]:
        return told.segue.done("members", segment, "--at", told.at[at]).out.split()

    assert then("visitors", "before the first login") == []
    assert then("visitors", "one is in") == [ONE]
    assert then("visitors", "the end") == []
    assert sorted(then("known", "the end")) == [ONE, TWO]
    for segment, at, said in (
        ("known", "one is in", "the catalogue in force has no segment and no activation 'known'"),
        ("known", "before the first catalogue", "no catalogue was in force at"),
    ):
        refused = told.segue("members", segment, "--at", told.at[at])
        assert (refused.status, refused.out) == (1, "")
        assert said in refused.err
    ahead = told.segue("members", "known", "--at", "2100-01-01")
    assert (ahead.status, ahead.out) == (2, "")
    assert "in the future" in ahead.err


def test_columns_of_members_are_the_entry_and_the_traits_asked_for(told: Told, tmp_path: Path) -> None:
    columns = "profile,since,version,reason,conditions,events,backfill,city"
    [then] = told.segue.done("members", "visitors", "--at", told.at["one is in"], "--columns", columns, "--json").lines
    assert told.at["before the first login"] < then.pop("since") < told.at["one is in"]
    assert then == {
        "profile": ONE,
        "version": 1,
        "reason": "entry_rule",
        "conditions": ["enter"],
        "events": ["/test 1"],
        "backfill": False,
        "city": "Basel",
    }
    now = {each["profile"]: each for each in told.segue.done("members", "known", "--columns", columns, "--json").lines}
    assert (now[ONE]["backfill"], now[ONE]["city"], now[ONE]["events"]) == (True, "Bern", [])
    assert (now[TWO]["backfill"], now[TWO]["city"], now[TWO]["events"]) == (False, None, ["/test 3"])
    shown = told.segue.done("members", "known", "--columns", "profile,city", "--csv", "-").out.splitlines()
    assert (shown[0], sorted(shown[1:])) == ("profile,city", [f"{ONE},Bern", f"{TWO},"])
    file = tmp_path / "known.parquet"
    written = told.segue.done("members", "known", "--columns", columns, "--parquet", file)
    assert (written.out, written.err) == ("", f"2 members written to {file}\n")
    query = f"SELECT profile, backfill, city, conditions FROM '{file}' ORDER BY profile"
    assert duckdb.connect().execute(query).fetchall() == [(ONE, True, "Bern", ["enter"]), (TWO, False, None, ["enter"])]
    assert list(tmp_path.iterdir()) == [file]


def test_a_column_that_is_none_is_told_with_the_nearest(told: Told, tmp_path: Path) -> None:
    for arguments, said in (
        (("--columns", "profile,citty"), "there is no column 'citty': give profile, "),
        (("--columns", "profile,,city"), "give names with a comma between them"),
        (("--columns", "city,city"), "the column 'city' is asked for twice"),
        (("--csv", "-", "--json"), "give one of --csv, --parquet and --json"),
        (("--parquet", "-"), "--parquet needs a file"),
        (("--csv", tmp_path / "no" / "such"), "cannot be written"),
        (("--at", "yesterday"), "is no instant"),
    ):
        refused = told.segue("members", "known", *arguments)
        assert (refused.status, refused.out) == (2, ""), arguments
        assert said in refused.err


async def store_with_other_rules(told: Told, catalogue: str) -> None:
    """Store a catalogue anew as an older version of Segue would have, then the one in force as it is."""
    kafka, topic = (told.segue.environment[f"SEGUE_{name}"] for name in ("KAFKA_BOOTSTRAP_SERVERS", "CATALOGUES_TOPIC"))
    log = KafkaLog(KafkaConnection(kafka))
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        stored = {record.key: record.value for record in await log.read_to_end(topic, 0)}
        last = await log.last(topic, 0)
        assert last is not None
        older = json.dumps({**json.loads(stored[catalogue.encode()] or b""), "rules": 0}).encode()
        await producer.send_and_wait(topic, older, key=catalogue.encode(), partition=0)
        await producer.send_and_wait(topic, last.value, key=last.key, partition=0)
    finally:
        await producer.stop()
        await log.close()


def test_a_catalogue_of_other_rules_is_no_reason_for_a_guess(told: Told) -> None:
    before = told.segue.done("history", ONE, "--json").json
    assert before["kept_only"] is None
    asyncio.run(store_with_other_rules(told, before["changes"][0]["in_force"]["catalogue"]))
    for arguments in (
        ("explain", ONE, "--at", told.at["one is in"]),
        ("members", "known", "--at", told.at["the end"]),
        ("history", ONE, "--change", 3),
    ):
        refused = told.segue(*arguments)
        assert (refused.status, refused.out) == (1, "")
        assert (
            "how it was then cannot be told: the log holds a catalogue that was applied under other rules"
            in refused.err
        )
    kept = told.segue.done("history", ONE, "--json")
    assert "of other rules than this version of Segue has: these are the changes that" in kept.err
    assert [each["change"] for each in kept.json["changes"]] == [each["change"] for each in before["changes"]]


async def drop_records(told: Told) -> None:
    """Drop every record of the input, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=told.segue.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        inputs = [TopicPartition(told.segue.environment["SEGUE_EVENTS_TOPIC"], n) for n in range(2)]
        await admin.delete_records({each: RecordsToDelete(before_offset=-1) for each in inputs})
    finally:
        await admin.close()


def test_where_the_log_is_gone_the_past_is_refused_or_told_from_what_still_stands(told: Told) -> None:
    published = told.segue.done("history", ONE, "--json").json["changes"]
    asyncio.run(drop_records(told))
    refused = told.segue("explain", ONE, "--at", told.at["one is in"])
    assert (refused.status, refused.out) == (1, "")
    assert re.search(
        r"how it was then cannot be told: partition \d has lost its log before offset \d+ to retention;"
        r" the earliest instant that can is \d{4}-",
        refused.err,
    )
    # nothing has moved the profile since then: its state is the answer
    assert explained(told, ONE, "the end")[0] == {"known": True, "visitors": False}
    gone = told.segue("members", "visitors", "--at", told.at["one is in"])
    assert (gone.status, gone.out) == (1, "")
    assert "has lost its log" in gone.err
    kept = told.segue.done("history", ONE, "--json")
    assert "retention has dropped the log" in kept.err
    assert [each["change"] for each in kept.json["changes"]] == [each["change"] for each in published]
    assert kept.json["changes"][1]["conditions"] == published[1]["conditions"] == ["everyone"]
    assert [each["in_force"]["applied"]["by"] for each in kept.json["changes"]] == ["ann", "ben", "ben"]
    assert told.segue("history", ONE, "--change", 1).status == 1
