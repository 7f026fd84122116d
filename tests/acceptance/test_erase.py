"""`segue erase` and `segue privacy` on real servers, with a worker that runs."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rules.ground.instants import MS_PER_DAY, parse_instant
from streams.clock import SystemClock
from streams.embedded import KafkaServer, ValkeyServer
from streams.operations.privacy import Privacy
from streams.operations.privacy import privacy as privacy_of
from streams.operations.servers import serving
from streams.operations.settings import read_settings
from tests.acceptance.command import Ended, Segue, deployment, event, stop, wait_for
from tests.acceptance.forked import Forked, Quick
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique
from tests.streams.delivery.platform import environment, running

CATALOGUE = {
    **SMALL,
    "segments/visitors.yaml": SMALL["segments/visitors.yaml"].replace("at_least: 2", "at_least: 1"),
    "activations/welcome.yaml": (
        "activation: welcome\nversion: 4\nstatus: approved\nchannel: email\naudience: hcp\n"
        "segments: {all: [visitors]}\n"
        "content: {asset: AC-1, intent: access_resources, review: {status: approved, reference: MLR-1}}\n"
    ),
}


@pytest.fixture(scope="module")
def segue(kafka: KafkaServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Segue]:
    """A deployment with a worker."""
    name = unique("erase")
    folder = tmp_path_factory.mktemp("erase")
    made = Quick(deployment(name, kafka.bootstrap, valkey.redis_url, 3).environment)
    made.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = f"{name}.activation"
    with Forked(made, folder) as made.forked:
        made.done("topics")
        made.done("apply", write_catalogue(folder / "catalogue", CATALOGUE))
        with made.started("worker") as worker:
            yield made
            assert stop(worker).status == 0


def known(segue: Segue, *subjects: str) -> None:
    """Let subjects enter the segment and the activation."""
    segue.done("send", "-", stdin="".join(event(each, "portal.login", 1) for each in subjects))
    for each in subjects:
        wait_for(partial(active, segue, each))


def active(segue: Segue, subject: str) -> bool:
    """Tell whether an explanation says that a subject may be contacted."""
    ended = segue("explain", subject, "--json")
    return ended.status == 0 and any(each["active"] for each in ended.json["activations"])


@pytest.mark.servers
def test_a_whole_person_is_erased_and_what_each_subject_left_is_told(segue: Segue) -> None:
    known(segue, "hcp:crm-1", "hcp:npi-1")
    segue.done("send", "-", stdin=event("hcp:crm-1", "identity.linked", 2, canonical="hcp:npi-1"))
    wait_for(lambda: "stands for hcp:npi-1" in segue("erase", "hcp:npi-1").out)
    refused = segue("erase", "hcp:crm-1")
    assert refused.status == 2
    assert "2 subjects of one person" in refused.out
    assert "cannot be undone" in refused.err
    assert "--yes" in refused.err
    done = segue.done("erase", "hcp:crm-1", "--request", "DSR-1", "--yes", "--json").json
    assert sorted(done["subjects"]) == ["hcp:crm-1", "hcp:npi-1"]
    assert done["left"] == [
        {"subject": "hcp:npi-1", "channel": None, "name": "visitors"},
        {"subject": "hcp:npi-1", "channel": "email", "name": "welcome"},
    ]
    # the first subject was told to the channel before the link: its platform knows it, and hears nothing now
    assert done["silent"] == [{"subject": "hcp:crm-1", "channel": "email"}]
    # a producer goes on sending: nobody comes back
    segue.done("send", "-", stdin=event("hcp:crm-1", "portal.login", 3) + event("hcp:npi-1", "portal.login", 4))
    again = segue.done("erase", "hcp:npi-1", "--yes")
    assert again.err == "An erasure cannot be undone: read what is written above before you go on.\n"
    assert "hcp:npi-1: one subject, linked to no other\n" in again.out
    assert "it was in no segment" in again.out
    assert "1 subject" in again.out
    said = "channel email told of hcp:npi-1 earlier and had nothing to end now: ask its platform to delete hcp:npi-1"
    assert said in again.out


@pytest.mark.servers
def test_a_person_of_several_subjects_leaves_one_command_to_ask_for_all_of_them(segue: Segue) -> None:
    """A chain of two links, another alias, and a ring: each subject is found once, and told of once."""
    chain = [f"hcp:chain-{n}" for n in range(4)]
    links = [(chain[0], chain[1]), (chain[1], chain[2]), (chain[3], chain[2])]
    ring = [("hcp:ring-1", "hcp:ring-2"), ("hcp:ring-2", "hcp:ring 3"), ("hcp:ring 3", "hcp:ring-1")]
    for number, (subject, canonical) in enumerate([*links, *ring]):
        segue.done("send", "-", stdin=event(subject, "portal.login", f"in-{number}"))
        segue.done("send", "-", stdin=event(subject, "identity.linked", f"link-{number}", canonical=canonical))
    wait_for(lambda: "4 subjects" in segue("erase", chain[0]).out and "3 subjects" in segue("erase", ring[0][0]).out)
    done = segue.done("erase", chain[0], "hcp:ring 3", chain[3], "--yes")
    command = next(line for line in done.out.splitlines() if "segue privacy" in line)
    asked = shlex.split(command)[2:]
    assert asked[0] == chain[0]
    assert sorted(asked) == sorted([*chain, "hcp:ring-1", "hcp:ring-2", "hcp:ring 3"])
    told = segue.done("privacy", *asked, "--json").json
    assert (told["asked"], told["stands"]) == (asked, "erased")
    # in the order of the links that are not dropped yet
    assert sorted(each["subject"] for each in told["subjects"]) == sorted(asked)
    assert all(each["stands"] == "erased" and each["topics"] for each in told["subjects"])
    dates = [place["gone_by"] for each in told["subjects"] for place in each["topics"]]
    assert told["gone_by"] == max(dates)
    # the same subjects of a file; with one who is not erased there is no date
    with_one_more = "\n".join([*asked, "hcp:nobody", ""])
    segue.done("send", "-", stdin=event("hcp:another", "portal.login", 1))
    wait_for(lambda: segue("explain", "hcp:another").status == 0)
    assert segue.done("privacy", "--file", "-", stdin=with_one_more).out.splitlines()[-1].startswith("gone from every")
    last = segue.done("privacy", "hcp:another", "--file", "-", stdin=with_one_more).out.splitlines()[-1]
    assert last == "not all subjects are erased; gone from every disk 30 days after an erasure"
    # on a terminal the command is broken over lines that a shell joins
    long = [f"hcp:{'long-name-' * 4}{n}" for n in range(2)]
    shown = segue.on_terminal("erase", *long, "--yes")
    assert max(map(len, shown)) <= 80
    begins = next(number for number, line in enumerate(shown) if line.startswith("  segue privacy"))
    assert shown[begins].endswith(" \\")
    assert shlex.split("\n".join(shown[begins:]).replace("\\\n", "")) == ["segue", "privacy", *long]


@pytest.mark.servers
async def test_what_each_platform_answered_is_kept_and_names_nobody(segue: Segue) -> None:
    """One person is deleted there; another, whom the platform refuses to delete, makes the command end with 1."""
    both = ("hcp:receipt-gone", "hcp:receipt-kept")
    await asyncio.to_thread(known, segue, *both)
    async with running("braze", refuses_to_delete=lambda each: each == both[1]) as platform:
        with segue.started("deliver", "email", **environment(platform)) as deliverer:
            gone = await asyncio.to_thread(segue.done, "erase", both[0], "--request", "DSR-7", "--yes", "--json")
            kept = await asyncio.to_thread(segue.done, "erase", both[1], "--request", "DSR-8", "--yes")
            assert "segue privacy --receipts DSR-8" in kept.out

            def looked(reference: str, outcome: str) -> Ended | None:
                ended = segue("privacy", "--receipts", reference, "--json")
                return ended if ended.status in (0, 1) and f'"outcome":"{outcome}"' in ended.out else None

            found = await asyncio.to_thread(wait_for, lambda: looked("DSR-7", "accepted"))
            refused = await asyncio.to_thread(wait_for, lambda: looked("DSR-8", "refused"))
            assert (await asyncio.to_thread(stop, deliverer)).status == 0
    assert both[0] not in platform.people
    assert found.status == 0
    [told] = found.lines
    assert told["erasure"] == f"/segue/erase {gone.json['id']}"
    assert (told["request"], told["subjects"], told["settled"]) == ("DSR-7", 1, True)
    [channel] = told["channels"]
    counts = ("channel", "changes", "accepted", "refused", "waiting", "silent")
    assert [channel[name] for name in counts] == ["email", 1, 1, 0, 0, 0]
    receipt = channel["receipts"][-1]
    answered = ("platform", "host", "outcome", "code", "status")
    host = platform.url.removeprefix("http://")
    assert [receipt[name] for name in answered] == ["braze", host, "accepted", "", 201]
    assert receipt["persons"] >= receipt["deleted"] >= 0
    assert receipt["request_id"].startswith("req-")
    by_id = segue.done("privacy", "--receipts", gone.json["id"])
    assert by_id.out.splitlines()[-1] == "everything is accepted by the platforms that segue deliver tells"
    assert refused.status == 1
    shown = segue("privacy", "--receipts", "DSR-8")
    assert shown.status == 1
    assert "1 REFUSED: the platform still has the person" in shown.out
    assert shown.out.splitlines()[-1] == "not everything is accepted: see above"
    assert not any(name in ended.out for ended in (found, refused, by_id, shown) for name in ("receipt-", "hcp:"))
    assert max(map(len, segue.on_terminal("privacy", "--receipts", "DSR-7"))) <= 80
    none = segue("privacy", "--receipts", "DSR-9")
    assert (none.status, none.out) == (1, "")
    assert "no erasure is recorded under 'DSR-9'" in none.err


@pytest.mark.servers
def test_a_channel_that_was_not_told_is_not_settled(segue: Segue) -> None:
    known(segue, "hcp:silent-1", "hcp:silent-2")
    segue.done("send", "-", stdin=event("hcp:silent-2", "identity.linked", 2, canonical="hcp:silent-1"))
    wait_for(lambda: "stands for hcp:silent-1" in segue("erase", "hcp:silent-1").out)
    segue.done("erase", "hcp:silent-2", "--request", "DSR-10", "--yes")
    shown = segue("privacy", "--receipts", "DSR-10")
    assert shown.status == 1
    assert "asked at" in shown.out
    said = "channel email: 1 change to tell, 0 accepted, 1 without an answer, nothing told it of 1 subject: ask its"
    assert said in shown.out


@pytest.mark.servers
async def test_a_silent_subject_is_deleted_at_the_platform_by_the_command_that_erase_shows(segue: Segue) -> None:
    """An alias that the platform knew before its link: no change tells of it. Only once all before it is delivered."""
    alias, end = "hcp:deleted-1", "hcp:deleted-2"
    await asyncio.to_thread(known, segue, alias, end)
    linked = event(alias, "identity.linked", 2, canonical=end)
    await asyncio.to_thread(segue.done, "send", "-", stdin=linked)
    shows = f"stands for {end}"
    await asyncio.to_thread(wait_for, lambda: shows in segue("erase", end).out)
    done = await asyncio.to_thread(segue.done, "erase", end, "--request", "DSR-11", "--yes")
    [line] = [each for each in done.out.splitlines() if "segue deliver" in each and "--delete" in each]
    command = shlex.split(line)
    assert command[:5] == ["segue", "deliver", "email", "--delete", alias]
    async with running("customerio") as platform:
        settings = environment(platform)
        with segue.started("deliver", "email", **settings) as deliverer:
            await asyncio.to_thread(wait_for, lambda: alias in platform.people)
            told = await asyncio.to_thread(partial(segue, *command[1:], **settings))
            assert (told.status, told.out) == (0, "email: 1 deletion accepted, 0 refused\n"), told.err
            assert alias not in platform.people
            await asyncio.to_thread(wait_for, lambda: segue("privacy", "--receipts", "DSR-11").status == 0)
            assert (await asyncio.to_thread(stop, deliverer)).status == 0
        [found] = (await asyncio.to_thread(segue.done, "privacy", "--receipts", "DSR-11", "--json")).lines
        [channel] = found["channels"]
        assert [channel[name] for name in ("accepted", "silent", "asked_for", "waiting")] == [1, 0, 1, 0]
        for changed, said in (
            ({"--erasure": "of-nobody"}, "no erasure is recorded under 'of-nobody'"),
            ({"--delete": "nobody"}, "--delete must be kind:name"),
            ({"--erasure": " "}, "go together"),
        ):
            wrong = [changed.get(before, each) for before, each in zip(["", *command], command, strict=False)]
            refused = await asyncio.to_thread(partial(segue, *wrong[1:], **settings))
            assert refused.status in (1, 2), said
            assert said in refused.err
            assert alias not in refused.err
        other = "hcp:deleted-3"
        await asyncio.to_thread(segue.done, "send", "-", stdin=event(other, "portal.login", 1))
        await asyncio.to_thread(segue.done, "erase", other, "--yes")
        living = "hcp:living-1"  # known, and not active on the channel
        agreed = event(living, "consent.granted", 1, channel="email", purpose="news")
        await asyncio.to_thread(segue.done, "send", "-", stdin=agreed)
        for wrongly in (living, other, "hcp:never-heard-of"):
            mistyped = [wrongly if each == alias else each for each in command[1:]]
            refused = await asyncio.to_thread(partial(segue, *mistyped, "--delete", alias, **settings))
            assert (refused.status, refused.err) == (
                1,
                "nobody is deleted: no erasure with that id is known of 1 of these subjects, or the subject began anew"
                " after it; give subjects and id as segue erase told them\n",
            )
        own = await asyncio.to_thread(partial(segue, *command[1:], **{**settings, "SEGUE_DELIVER_SHAPE": "standard"}))
        assert (own.status, "has no request that deletes a person" in own.err) == (2, True)


@pytest.mark.servers
def test_subjects_of_a_file_are_erased_and_one_that_was_never_known(segue: Segue, tmp_path: Path) -> None:
    known(segue, "hcp:file-1")
    file = tmp_path / "subjects.txt"
    file.write_text("hcp:file-1\n\nhcp:never-seen\n")
    done = segue.done("erase", "--file", file, "--yes", "--json").lines
    assert [(each["subject"], len(each["left"])) for each in done] == [("hcp:file-1", 2), ("hcp:never-seen", 0)]


@pytest.mark.servers
def test_privacy_tells_what_is_held_where_and_by_when_it_is_gone(segue: Segue) -> None:
    known(segue, "hcp:held-1", "hcp:held-2", "hcp:beside-1")
    linked = event("hcp:held-2", "identity.linked", 2, canonical="hcp:held-1")
    segue.done("send", "-", stdin=linked + event("hcp:held-1", "portal.login", 3, topic="secret-payload"))
    wait_for(lambda: "stands for hcp:held-1" in segue("erase", "hcp:held-1").out)
    before = segue.done("privacy", "hcp:held-2", "--json")
    assert "secret-payload" not in before.out
    held = before.json
    assert (held["stands"], held["gone_by"], held["not_read"]) == ("held", None, [])
    assert 29 < held["days_after_an_erasure"] < 30
    by_subject = {each["subject"]: each for each in held["subjects"]}
    assert by_subject.keys() == {"hcp:held-1", "hcp:held-2"}
    assert by_subject["hcp:held-2"]["stands_for"] == "hcp:held-1"
    found = topics_of(by_subject["hcp:held-1"], segue)
    # its two events and what the link brought; the memberships stand
    assert found["events"]["records"] == 3
    assert (found["current"]["standing"], found["current"]["gone_by"]) == (1, None)
    assert (found["email.current"]["standing"], found["email"]["records"]) == (1, 1)
    assert by_subject["hcp:held-1"]["redis_bytes"] > 0

    erased = segue.done("erase", "hcp:held-1", "--yes")
    assert "segue privacy hcp:held-1 hcp:held-2" in erased.out
    for subject in ("hcp:held-1", "hcp:held-2"):
        after = segue.done("privacy", subject, "--json").json
        assert after["stands"] == "erased"
        # the link of the other one is dropped a moment later
        topics = [topic for each in after["subjects"] for topic in each["topics"]]
        one = next(each for each in after["subjects"] if each["subject"] == subject)
        gone_ms = parse_instant(after["gone_by"])
        dates = [*(parse_instant(each["gone_by"]) for each in topics), parse_instant(one["backups_gone_by"])]
        assert gone_ms == max(dates)
        # retention 28 days, a segment of 1 day, and 3 h of the broker, after the last record
        newest_ms = max(parse_instant(each["newest"]) for each in topics if "current" not in each["topic"])
        assert gone_ms - newest_ms == 29 * MS_PER_DAY + 3 * 3_600_000
        assert all(each["standing"] == 0 for each in topics)
        assert one["redis_bytes"] < by_subject[subject]["redis_bytes"]
    shown = segue.on_terminal("privacy", "hcp:held-1")
    assert max(map(len, shown)) <= 80
    last = " ".join(shown[-2:])
    assert re.search(r"gone from every disk by \d{4}-\d{2}-\d{2}; (a name stays|2 names stay) in Redis: see", last)
    assert segue.done("privacy", "hcp:beside-1").out.splitlines()[-1] == (
        "not erased; gone from every disk 30 days after an erasure"
    )


def topics_of(held: Any, segue: Segue) -> dict[str, Any]:
    """Return the topics of a subject by a short name."""
    names = {
        segue.environment["SEGUE_EVENTS_TOPIC"]: "events",
        segue.environment["SEGUE_CURRENT_TOPIC"]: "current",
        f"{segue.environment['SEGUE_ACTIVATION_TOPIC_PREFIX']}.email": "email",
        f"{segue.environment['SEGUE_ACTIVATION_TOPIC_PREFIX']}.email.current": "email.current",
    }
    return {names.get(each["topic"], each["topic"]): each for each in held["topics"]}


@pytest.mark.servers
def test_what_was_not_read_in_time_counts_as_if_it_had_come_just_now(
    segue: Segue, monkeypatch: pytest.MonkeyPatch
) -> None:
    segue.done("send", "-", stdin=event("hcp:late-1", "portal.login", 1))
    segue.done("erase", "hcp:late-1", "--yes")
    for name, value in segue.environment.items():
        monkeypatch.setenv(name, value)

    async def look() -> Privacy:
        async with serving(*read_settings()) as servers:
            return await privacy_of(servers, "hcp:late-1", 0)

    now_ms = SystemClock().wall_ms()
    found = asyncio.run(look())
    assert segue.environment["SEGUE_EVENTS_TOPIC"] in {each.topic for each in found.unread}
    assert found.gone_ms is not None
    assert found.gone_ms >= now_ms + 29 * MS_PER_DAY
    assert not found.nothing


@pytest.mark.servers
def test_nothing_is_held_of_a_subject_that_nobody_told_of(segue: Segue) -> None:
    assert segue.done("privacy", "hcp:nobody").out.splitlines()[-1] == "nothing is held: no profile and no record"


@pytest.mark.servers
def test_privacy_refuses_what_is_no_subject_in_a_sentence(segue: Segue) -> None:
    for arguments, said in (
        ((), "give a SUBJECT"),
        (("hcp-1",), "SUBJECT must be kind:name"),
        (("hcp:1", "hcp-1"), "SUBJECT must be kind:name"),
        (("--file", "none"), "none: there is no such file"),
        (("hcp:1", "--fil", "none"), "--fil"),
        (("hcp:1", "--receipts", "DSR-1"), "--receipts takes a reference and no subject"),
        (("--receipts", " "), "--receipts takes the reference"),
        (("hcp:1", "--seconds", "0"), "--seconds"),
        (("hcp:1", "--seconds", "soon"), "--seconds"),
    ):
        ended = segue("privacy", *arguments)
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err
        assert "hcp-1" not in ended.err


@pytest.mark.servers
def test_what_cannot_be_erased_is_said_in_a_sentence_without_the_subject(segue: Segue, tmp_path: Path) -> None:
    for arguments, status, said in (
        ((), 2, "give a SUBJECT"),
        (("hcp-1",), 2, "SUBJECT must be kind:name"),
        (("hcp:1", "--request", " "), 2, "--request takes"),
        (("--file", tmp_path / "none"), 2, "there is no such file"),
        (("hcp:1", "--wait", "0"), 2, "--wait"),
        (("hcp:1234567893", "--request", "of 1234567893", "--yes"), 2, "--request repeats a subject"),
    ):
        ended = segue("erase", *arguments)
        assert ended.status == status, ended.err
        assert said in ended.err
    file = tmp_path / "subjects"
    file.write_text("hcp:1\nDr. Secret\n")
    ended = segue("erase", "--file", file)
    assert ended.status == 2
    assert "line 2 of" in ended.err
    assert "Secret" not in ended.err


@pytest.mark.servers
def test_without_a_worker_the_event_waits_in_the_log(kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path) -> None:
    segue = deployment(unique("erase-alone"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    ended = segue("erase", "hcp:1", "--yes", "--wait", "1")
    assert ended.status == 3
    assert "the erasure is in the log" in ended.err
