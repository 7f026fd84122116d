"""A deployment from nothing: topics, a catalogue, a worker, events in, changes out, and answers about people."""

import json
import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import EXAMPLE, Ended, Segue, deployment, event, stop, wait_for
from tests.servers import unique

pytestmark = pytest.mark.servers

PLANNER = "hcp:1000000001"
ACADEMIC = "hcp:1000000002"
STARTING = "hcp:1000000012"
PATIENT = "patient:p-1"
EVENTS = (
    event(PLANNER, "profile.updated", 1, specialty="medical-oncology", practice_setting="community", country="US")
    + event(ACADEMIC, "profile.updated", 2, specialty="radiation-oncology", practice_setting="academic", country="DE")
    + event(PATIENT, "profile.updated", 3, country="US")
    + event(PLANNER, "access_content.viewed", 4, topic="coverage")
    + event(PLANNER, "access_content.viewed", 5, topic="prior-authorization")
    + event(PLANNER, "consent.granted", 6, channel="email", purpose="promotional")
    + event(STARTING, "profile.updated", 7, specialty="medical-oncology", practice_setting="community", country="US")
    + event(STARTING, "consent.granted", 8, channel="all", purpose="promotional")
    + event(STARTING, "access_content.viewed", 9, topic="coverage")
    + event(STARTING, "workflow_content.viewed", 10, topic="scheduling")
    + "".join(
        event(STARTING, "message.sent", number, channel="email", journey="access-2026", intent="access_resources")
        for number in (11, 12, 13, 14)
    )
    + event(STARTING, "programme.enrolled", 15)
    + "not an event\n"
)
ACTIVE = {
    ("activated", PLANNER, "access-resources-email"),
    ("activated", STARTING, "access-resources-email"),
    ("activated", STARTING, "access-visit-field"),
    ("deactivated", STARTING, "access-resources-email"),
    ("deactivated", STARTING, "access-visit-field"),
    ("activated", STARTING, "treatment-initiation-field"),
}
SEGMENTS = {
    (PLANNER, "oncology-hcp"),
    (PLANNER, "oncology-access-planners"),
    (ACADEMIC, "oncology-hcp"),
    (STARTING, "oncology-hcp"),
    (STARTING, "oncology-access-planners"),
    (STARTING, "treatment-initiation-programme"),
}


class Running:
    """The deployment with its worker, after it took the events in."""

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
    """Tell whether everything sent is applied and written."""
    found = segue("lag", "--json").json
    return bool(found["lag_records"] == 0) and sum(each["applied"] for each in found["partitions"]) >= 18


def test_send_counts_what_it_sent(running: Running) -> None:
    assert running.sent.json["sent"] == 16
    assert running.sent.json["without_subject"] == 1


def test_watch_shows_every_change_of_memberships_and_channels(running: Running) -> None:
    count = len(SEGMENTS) + len(ACTIVE)
    ended = running.segue.done("watch", "--from-start", "--count", count, "--seconds", 60, "--json")
    memberships = [change for change in ended.lines if "segment" in change]
    assert {(change["profile"], change["segment"]) for change in memberships} == SEGMENTS
    contacts = [change for change in ended.lines if "activation" in change]
    assert {(change["change"], change["profile"], change["activation"]) for change in contacts} == ACTIVE


def test_watch_can_be_narrowed_and_says_the_reason_of_each(running: Running) -> None:
    watch = ("watch", "--from-start", "--seconds", 20)
    ended = running.segue.done(*watch, "--channel", "field", "--count", 3)
    begun, ended_line, instead = ended.out.splitlines()
    assert f"● activated    {STARTING}  access-visit-field v1  field  nothing refuses it  [/test 10]" in begun
    assert "○ deactivated" in ended_line
    assert "field  suppressed by treatment-initiation-programme  [/test 15]" in ended_line
    assert "treatment-initiation-field v1  field" in instead
    ended = running.segue.done(*watch, "--activation", "access-resources-email", "--count", 3, "--json")
    assert {change["channel"] for change in ended.lines} == {"email"}
    both = running.segue.done(*watch, "--membership", "--channel", "email", "--count", len(SEGMENTS) + 3, "--json")
    assert {change.get("channel") for change in both.lines} == {None, "email"}
    unknown = running.segue("watch", "--channel", "emial")
    assert (unknown.status, unknown.out) == (1, "")
    assert "did you mean 'email'?" in unknown.err


def test_watch_shows_every_membership_with_its_rule(running: Running) -> None:
    watch = ("watch", "--from-start", "--membership", "--subject", PLANNER, "--count", 2, "--seconds", 60)
    first, second = running.segue.done(*watch).out.splitlines()
    assert "oncology-hcp v1  entry rule: specialty in [medical-oncology" in first
    assert "oncology-access-planners v3  entry rule: practice_setting equals community; " in second


def test_members_and_sizes_agree(running: Running) -> None:
    members = running.segue.done("members", "oncology-hcp", "--json")
    assert sorted(each["profile"] for each in members.lines) == sorted([PLANNER, ACADEMIC, STARTING])
    assert len(running.segue.done("members", "oncology-hcp", "--limit", 1).out.splitlines()) == 1
    sizes = {
        each["segment"]: each["members"]
        for each in running.segue.done("sizes", "--restricted", "--json").json["segments"]
    }
    assert len(sizes) >= 18
    assert {name: size for name, size in sizes.items() if size} == {
        "oncology-hcp": 3,
        "oncology-access-planners": 2,
        "treatment-initiation-programme": 1,
    }


def test_members_and_sizes_of_activations_are_who_is_active(running: Running) -> None:
    counted = running.segue.done("sizes", "--json").json
    active = {each["activation"]: each["active"] for each in counted["activations"] if each["active"]}
    assert active == {"access-resources-email": 1, "treatment-initiation-field": 1}
    assert {each["channel"]: each["profiles"] for each in counted["channels"]} == {"email": 1, "field": 1, "sms": 0}
    assert running.segue.done("members", "access-resources-email").out == f"{PLANNER}\n"
    assert running.segue.done("members", "access-visit-field").out == ""
    shown = running.segue.done("sizes").out
    assert "2 active activations" in shown
    assert "profiles in all" in shown


def test_a_name_that_is_not_known_is_1_with_the_nearest(running: Running) -> None:
    for command, name, nearest in (
        (["members"], "oncology-hpc", "oncology-hcp"),
        (["members"], "access-resources-mail", "access-resources-email"),
        (["explain", PLANNER], "acess-visit-field", "access-visit-field"),
    ):
        ended = running.segue(*command, name)
        assert (ended.status, ended.out) == (1, "")
        assert f"did you mean '{nearest}'?" in ended.err
    assert running.segue("members", "oncology-hcp", "--activation").status == 1


def test_explain_says_why_in_and_what_comes_next(running: Running) -> None:
    [planner] = running.segue.done("explain", PLANNER, "oncology-access-planners", "--json").json["segments"]
    assert planner["member"]
    assert [leaf["holds"] for leaf in planner["enter"]] == [True, True]
    assert [each["id"] for each in planner["enter"][1]["evidence"]] == ["4", "5"]
    assert (planner["next"]["change"], planner["next"]["kind"]) == ("exited", "exit_rule")
    assert planner["exit"][0]["until"] == planner["next"]["at"]


def test_explain_says_what_falls_due_until_an_instant(running: Running) -> None:
    now = running.segue.done("explain", PLANNER, "oncology-access-planners", "--json").json
    assert now["on_its_way"] == []
    [planner] = now["segments"]
    later = running.segue.done("explain", PLANNER, "--at", planner["next"]["at"], "--json").json
    left = {"segment": "oncology-access-planners", "change": "exited", "at": planner["next"]["at"], "kind": "exit_rule"}
    assert left in later["on_its_way"]
    ended = {each["activation"] for each in later["on_its_way"] if each.get("change") == "deactivated"}
    assert "access-resources-email" in ended


def test_explain_says_why_not_in_the_future_too(running: Running) -> None:
    ended = running.segue.done("explain", ACADEMIC, "oncology-access-planners", "--at", "2099-01-01")
    assert "the market is none of US" in ended.out
    assert "✗ practice_setting equals community" in ended.out
    shown = running.segue.done("explain", ACADEMIC)
    assert "oncology-hcp" in shown.out


def test_explain_says_every_refusal_of_an_activation_and_when_it_ends(running: Running) -> None:
    told = running.segue.done("explain", STARTING, "access-resources-email", "--json").json
    assert told["segments"] == []
    [found] = told["activations"]
    assert (found["active"], found["was"]) == (False, "frequency_cap")
    assert [(each["code"], each["by"]) for each in found["refusals"]] == [
        ("suppressed_by", ["treatment-initiation-programme"]),
        ("frequency_cap", ["channel", "journey"]),
    ]
    suppressed, capped = (each["until"] for each in found["refusals"])
    assert capped < suppressed == found["next"]["at"]
    assert found["next"]["change"] == "activated"
    shown = running.segue.done("explain", STARTING, "access-resources-email").out
    assert "1. suppressed_by: suppressed while in treatment-initiation-programme" in shown
    assert "2. frequency_cap: 4 messages of journey access-2026 within 2w, at most 3; 4 messages of channel" in shown


def test_at_80_columns_nothing_is_cut_off(running: Running) -> None:
    told = running.segue.done("explain", PLANNER, "--json").json
    [planner] = [each for each in told["segments"] if each["segment"] == "oncology-access-planners"]
    leaves = planner["next"]["at"]
    [_, leaf] = planner["enter"]
    for arguments in ((), ("oncology-access-planners",), ("access-resources-email",)):
        lines = running.segue.on_terminal("explain", PLANNER, *arguments)
        assert max(map(len, lines)) <= 80
        shown = words(lines)
        assert f"leaves at {leaves}" in shown or f"ends at {leaves}" in shown
        assert (leaf["text"] in shown) == (arguments == ("oncology-access-planners",))
    for command in (("sizes",), ("lag",), ("watch", "--from-start", "--count", 6)):
        assert max(map(len, running.segue.on_terminal(*command))) <= 80
    # without a terminal, a sentence stays on one line
    piped = running.segue.done("explain", PLANNER, "oncology-access-planners").out
    assert f"✓ {leaf['text']}  until" in piped


def words(lines: Iterable[str]) -> str:
    """Return a terminal's text with its lines joined and the branches of trees removed."""
    return " ".join(" ".join(lines).translate(dict.fromkeys(map(ord, "│├└─"), " ")).split())


def test_explain_says_why_an_activation_is_active_and_what_would_end_it(running: Running) -> None:
    shown = running.segue.done("explain", PLANNER, "access-resources-email").out
    for said in (
        "active",
        "its journey access-2026 has the slot of the group oncology-journeys",
        "its content expires, at 2027-12-31",
        "the profile enters treatment-initiation-programme",
        "3 more messages of journey access-2026 within 2w: at most 3",
        "next  ends at ",
    ):
        assert said in shown
    whole = running.segue.done("explain", PLANNER).out
    assert "consent: consent to promotional by field is not known" in whole
    assert "Activations for other audiences: evidence-pack-email" in whole


def test_explain_of_an_unknown_profile_is_1_and_does_not_repeat_it(running: Running) -> None:
    ended = running.segue("explain", "hcp:nobody-has-this-name")
    assert (ended.status, ended.out) == (1, "")
    assert "not known" in ended.err
    assert "nobody-has" not in ended.err


def test_lag_is_nothing_once_all_is_applied(running: Running) -> None:
    found = running.segue.done("lag", "--json").json
    assert (found["lag_records"], found["lag_seconds"]) == (0, 0)
    # the transaction that applied the catalogue left markers in the log; they are not lag
    assert all(each["applied"] <= each["end"] for each in found["partitions"])
    assert "caught up" in running.segue.done("lag").out


def test_an_activations_profiles_and_its_evidence_can_be_told_of_the_past(running: Running) -> None:
    columns = ("--columns", "profile,since,channel,arm,reason,country", "--json")
    [now] = running.segue.done("members", "access-resources-email", *columns).lines
    assert (now["profile"], now["channel"], now["reason"], now["country"]) == (PLANNER, "email", "allowed", "US")
    since = now["since"]
    [then] = running.segue.done("members", "access-resources-email", *columns, "--at", since).lines
    assert then == now
    changes = running.segue.done("history", STARTING, "--json").json["changes"]
    contacts = [each["change"] for each in changes if "activation" in each["change"]]
    assert {(each["change"], each["profile"], each["activation"]) for each in contacts} == {
        each for each in ACTIVE if each[1] == STARTING
    }
    [stopped] = [each for each in contacts if each["change"] == "deactivated" and each["channel"] == "field"]
    told = running.segue.done("history", STARTING, "--change", f"field/{stopped['sequence']}", "--json").json
    assert told["change"] == stopped
    assert told["activation"]["refusals"][0]["code"] == "suppressed_by"
    assert (told["trigger"]["id"], told["trigger"]["type"]) == ("15", "programme.enrolled")
    shown = running.segue.done("history", STARTING, "--change", stopped["id"]).out
    assert "suppressed_by" in shown


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
    visit = copy / "activations" / "hcp" / "treatment-initiation-field.yaml"
    visit.write_text(_next_version(visit.read_text()).replace("channel: field", "channel: phone"))
    pulled = copy / "activations" / "hcp" / "access-resources-email.yaml"
    text = _next_version(pulled.read_text()).replace("review: {status: approved", "review: {status: withdrawn")
    pulled.write_text(text.replace("at_most: 3, within: 14d", "at_most: 3, within: 28d"))
    (copy / "activations" / "payer" / "evidence-pack-email.yaml").unlink()
    policy = copy / "policy.yaml"
    policy.write_text(policy.read_text().replace("{channel: sms, at_most: 2", "{channel: sms, at_most: 1"))
    watch = ("watch", "--from-start", "--json", "--activation", "treatment-initiation-field", "--count", 3)
    with running.segue.started(*watch, "--seconds", 120) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["channel"] == "field"
        applied = running.segue.done("apply", copy, "--json")
        # a channel that appears during the run is followed, too
        moved = [json.loads(watching.stdout.readline()) for _ in range(2)]
    assert {(each["channel"], each["change"]) for each in moved} == {("field", "deactivated"), ("phone", "activated")}
    assert applied.json["applied"]
    prefix = running.segue.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"]
    assert applied.json["created_topics"] == [f"{prefix}.phone", f"{prefix}.phone.current"]
    found = applied.json["differences"]
    assert found["segment"] == {"new": ["ever"], "changed": ["oncology-hcp"], "gone": ["assay-interest"]}
    assert found["activation"]["moved"] == ["treatment-initiation-field"]
    assert found["activation"]["gone"] == ["evidence-pack-email"]
    assert "access-resources-email" in found["activation"]["changed"]
    assert found["policy"] == {"changed": ["caps of sms"]}
    assert found["trait"] == found["event"] == {}
    assert "history: ever (1 or more of access_content.viewed) looks at what happened before now" in applied.err
    assert "warning: access-resources-email: the cap of journey access-2026, at most 3 within 4w" in applied.err
    narrowed = ("watch", "--from-start", "--json", "--seconds", 60, "--subject")
    ended = running.segue.done(*narrowed, ACADEMIC, "--count", 2)
    assert ended.lines[1]["reason"]["kind"] == "definition_changed"
    ended = running.segue.done(*narrowed, STARTING, "--channel", "phone", "--count", 1)
    assert [(each["activation"], each["change"]) for each in ended.lines] == [
        ("treatment-initiation-field", "activated")
    ]
    # the content was pulled: from the cut on nobody is contacted with it
    ended = running.segue.done(*narrowed, PLANNER, "--channel", "email", "--count", 2)
    assert ended.lines[1]["reason"]["kind"] == "content_not_approved"
    # an unused channel keeps its topics, and its past can still be read
    assert len(running.segue.done(*narrowed, STARTING, "--channel", "field", "--count", 3).lines) == 3


def _next_version(text: str) -> str:
    return re.sub(r"^version: (\d+)", lambda found: f"version: {int(found[1]) + 1}", text, count=1, flags=re.MULTILINE)


def test_watch_ends_cleanly_on_ctrl_c(running: Running) -> None:
    with running.segue.started("watch", "--from-start", "--restricted", "--json") as watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        ended = stop(watching, signal.SIGINT)
    assert (ended.status, ended.err) == (130, "")


def test_worker_stops_on_sigterm_with_0_and_the_backlog_is_lag(running: Running) -> None:
    ended = stop(running.worker)
    assert ended.status == 0, ended.err
    assert "hcp:" not in ended.err
    before = running.segue.done("send", "-", stdin=event(PLANNER, "portal.login", 16) * 3)
    assert "3 events sent" in before.out
    found = running.segue.done("lag", "--json").json
    assert found["lag_records"] == 3
    assert found["lag_seconds"] > 0
