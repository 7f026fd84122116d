"""A deployment from nothing: topics, a catalogue, a worker, events in, changes out, and what is said of people."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import EXAMPLE, Ended, Segue, deployment, event, stop, wait_for
from tests.servers import unique

pytestmark = pytest.mark.servers

PLANNER = "hcp:1000000001"
ACADEMIC = "hcp:1000000002"
PATIENT = "patient:p-1"
EVENTS = (
    event(PLANNER, "profile.updated", 1, specialty="medical-oncology", practice_setting="community", country="US")
    + event(ACADEMIC, "profile.updated", 2, specialty="radiation-oncology", practice_setting="academic", country="DE")
    + event(PATIENT, "profile.updated", 3, country="US")
    + event(PLANNER, "access_content.viewed", 4, topic="coverage")
    + event(PLANNER, "access_content.viewed", 5, topic="prior-authorization")
    + "not an event\n"
)


class Running:
    """The deployment with its worker, after the events were taken in."""

    def __init__(self, segue: Segue, worker: Any, sent: Ended) -> None:
        self.segue = segue
        self.worker = worker
        self.sent = sent


@pytest.fixture(scope="module")
def running(kafka: KafkaServer, valkey: ValkeyServer) -> Iterator[Running]:
    segue = deployment(unique("path"), kafka.bootstrap, valkey.redis_url, 2)
    segue.done("topics")
    segue.done("apply", EXAMPLE)
    with segue.started("worker", "--log-level", "warning") as worker:
        sent = segue.done("send", "-", "--json", stdin=EVENTS)
        wait_for(lambda: taken_in(segue))
        yield Running(segue, worker, sent)


def taken_in(segue: Segue) -> bool:
    """Whether everything sent is applied and written."""
    found = segue("lag", "--json").json
    return bool(found["lag_records"] == 0) and sum(each["applied"] for each in found["partitions"]) >= 8


def test_send_counts_what_it_sent(running: Running) -> None:
    assert running.sent.json["sent"] == 6
    assert running.sent.json["without_subject"] == 1


def test_watch_shows_every_change_with_its_rule(running: Running) -> None:
    expected = {(PLANNER, "oncology-hcp"), (PLANNER, "oncology-access-planners"), (ACADEMIC, "oncology-hcp")}
    ended = running.segue.done("watch", "--from-start", "--count", len(expected), "--seconds", 60, "--json")
    assert {(change["profile"], change["segment"]) for change in ended.lines} == expected
    ended = running.segue.done("watch", "--from-start", "--subject", PLANNER, "--count", 2, "--seconds", 60)
    first, second = ended.out.splitlines()
    assert "oncology-hcp v1  entry rule: specialty in [medical-oncology" in first
    assert "oncology-access-planners v3  entry rule: practice_setting equals community; " in second


def test_members_and_sizes_agree(running: Running) -> None:
    members = running.segue.done("members", "oncology-hcp", "--json")
    assert sorted(each["profile"] for each in members.lines) == [PLANNER, ACADEMIC]
    assert len(running.segue.done("members", "oncology-hcp", "--limit", 1).out.splitlines()) == 1
    sizes = {each["segment"]: each["members"] for each in running.segue.done("sizes", "--json").json["segments"]}
    assert len(sizes) >= 18
    assert {name: size for name, size in sizes.items() if size} == {"oncology-hcp": 2, "oncology-access-planners": 1}


def test_members_of_an_unknown_segment_is_1_with_the_nearest_name(running: Running) -> None:
    ended = running.segue("members", "oncology-hpc")
    assert ended.status == 1
    assert "did you mean 'oncology-hcp'" in ended.err


def test_explain_says_why_in_and_what_comes_next(running: Running) -> None:
    [planner] = running.segue.done("explain", PLANNER, "oncology-access-planners", "--json").json["segments"]
    assert planner["member"]
    assert [leaf["holds"] for leaf in planner["enter"]] == [True, True]
    assert [each["id"] for each in planner["enter"][1]["evidence"]] == ["4", "5"]
    assert (planner["next"]["change"], planner["next"]["kind"]) == ("exited", "exit_rule")
    assert planner["exit"][0]["until"] == planner["next"]["at"]


def test_explain_says_why_not_in_the_future_too(running: Running) -> None:
    ended = running.segue.done("explain", ACADEMIC, "oncology-access-planners", "--at", "2099-01-01")
    assert "the market is none of US" in ended.out
    assert "✗ practice_setting equals community" in ended.out
    shown = running.segue.done("explain", ACADEMIC)
    assert "oncology-hcp" in shown.out


def test_explain_of_an_unknown_profile_is_1_and_does_not_repeat_it(running: Running) -> None:
    ended = running.segue("explain", "hcp:nobody-has-this-name")
    assert (ended.status, ended.out) == (1, "")
    assert "not known" in ended.err
    assert "nobody-has" not in ended.err


def test_lag_is_nothing_once_all_is_applied(running: Running) -> None:
    found = running.segue.done("lag", "--json").json
    assert (found["lag_records"], found["lag_seconds"]) == (0, 0)
    # the markers of the transaction that applied the catalogue stand in the log and are no lag
    assert all(each["applied"] <= each["end"] for each in found["partitions"])
    assert "lag records" in running.segue.done("lag").out


def test_apply_says_what_changes_and_the_worker_takes_it_over(running: Running, tmp_path: Path) -> None:
    again = running.segue.done("apply", EXAMPLE, "--json").json
    assert not again["applied"]
    copy = tmp_path / "catalogue"
    for path in EXAMPLE.rglob("*.yaml"):
        text = path.read_text()
        if path.name == "assay-interest.yaml":
            continue
        if path.name == "oncology-hcp.yaml":
            text = text.replace(", radiation-oncology]", "]").replace("version: 1", "version: 2")
        target = copy / path.relative_to(EXAMPLE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    segment = "segment: ever\nversion: 1\nstatus: approved\nenter: {event: access_content.viewed, since: ever}\n"
    (copy / "segments" / "ever.yaml").write_text(segment)
    applied = running.segue.done("apply", copy, "--json")
    assert applied.json["applied"]
    assert (applied.json["new"], applied.json["changed"], applied.json["retired"]) == (
        ["ever"],
        ["oncology-hcp"],
        ["assay-interest"],
    )
    assert "warning: ever: enter" in applied.err
    ended = running.segue.done(
        *("watch", "--from-start", "--json", "--subject", ACADEMIC, "--count", 2, "--seconds", 60)
    )
    assert ended.lines[1]["reason"]["kind"] == "definition_changed"


def test_watch_ends_cleanly_on_ctrl_c(running: Running) -> None:
    with running.segue.started("watch", "--from-start", "--json") as watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        ended = stop(watching, signal.SIGINT)
    assert (ended.status, ended.err) == (130, "")


def test_worker_stops_on_sigterm_with_0_and_the_backlog_is_lag(running: Running) -> None:
    ended = stop(running.worker)
    assert ended.status == 0, ended.err
    assert "hcp:" not in ended.err
    before = running.segue.done("send", "-", stdin=event(PLANNER, "portal.login", 6) * 3)
    assert "3 events sent" in before.out
    found = running.segue.done("lag", "--json").json
    assert found["lag_records"] == 3
    assert found["lag_seconds"] > 0
