"""Restricted data: every command that reads shows it with `--restricted` only, and all agree on what it is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from rules.ground.instants import format_instant
from streams.cli.commands import COMMANDS
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Ended, Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

SUBJECT: Final = "patient:p-1"
SECRET_VALUE: Final = "C50-911"
FILES: Final = {
    "dictionary.yaml": """\
traits:
  diagnosis: {type: string, restricted: health}
  therapy: {type: string, restricted: care}
  city: {type: string}
events:
  portal.login: {}
  profile.updated:
    data: {diagnosis: {type: string}, therapy: {type: string}, city: {type: string}}
    sets: {diagnosis: diagnosis, therapy: therapy, city: city}
""",
    "policy.yaml": """\
restrictions:
  health: {channels: [sms], membership: restricted}
  care: {channels: [sms], membership: public}
intents: {support: {audiences: [patient]}}
""",
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nenter: {event: portal.login, since: ever}\n"
    ),
    "segments/diagnosed.yaml": (
        "segment: diagnosed\nversion: 1\nstatus: approved\nenter: {trait: diagnosis, exists: true}\n"
    ),
    "segments/treated.yaml": "segment: treated\nversion: 1\nstatus: approved\nenter: {trait: therapy, exists: true}\n",
    "segments/below.yaml": "segment: below\nversion: 1\nstatus: approved\nparent: diagnosed\nenter: {everyone: true}\n",
    **{
        f"activations/{name}.yaml": (
            f"activation: {name}\nversion: 1\nstatus: approved\nchannel: sms\naudience: patient\n"
            f"segments: {{all: [{segment}]}}\ncontent: {{intent: support, review: {{status: approved}}}}\n"
        )
        for name, segment in (("hello-sms", "visitors"), ("care-sms", "treated"), ("help-sms", "below"))
    },
}
OPEN: Final = {"visitors", "hello-sms"}
RESTRICTED: Final = {"diagnosed", "treated", "below", "care-sms", "help-sms"}
"""`treated` uses data whose membership is public: policy.yaml rules its topic, not its readers."""

READ_ALL: Final = {
    "sizes": ("sizes",),
    "explain": ("explain", SUBJECT),
    "explain --at": ("explain", SUBJECT, "--at", "NOW"),
    "watch": ("watch", "--from-start", "--seconds", 4),
    "history": ("history", SUBJECT),
}
"""Commands that read several definitions: without the option they leave out the restricted ones, and say how many."""
READ_ONE: Final = {
    "members": ("members", "NAME"),
    "members --at": ("members", "NAME", "--at", "NOW"),
    "members --columns": ("members", "NAME", "--columns", "profile,since,city"),
    "explain": ("explain", SUBJECT, "NAME"),
    "watch": ("watch", "--from-start", "--seconds", 4, "--segment", "NAME"),
    "history": ("history", SUBJECT, "NAME"),
}
"""Commands that take a name: without the option they refuse a restricted one."""
READ_NO_PROFILES: Final = {
    "demo": "its data is synthetic",
    "check": "definitions, no profiles",
    "replay": "a file, no servers",
    "map": "definitions, no profiles",
    "asyncapi": "no data",
    "topics": "no data",
    "apply": "definitions, no profiles",
    "worker": "a server: its pages hold no profiles",
    "deliver": "a server: what it sends is what the channel's topic holds",
    "send": "writes events",
    "erase": "the subjects of a person, and what they left: for those who may erase",
    "privacy": "counts and instants of a person's records, no values and no names of segments",
    "resume": "reasons and sources, no values",
    "acls": "names of topics and roles",
    "letters": "whole records with --restricted only: tests/acceptance/test_letters.py",
    "lag": "offsets, no profiles",
    "doctor": "settings of servers, no profiles",
    "bundle": "the same, and logs by known fields: tests/acceptance/test_doctor.py",
    "verify": "a whole partition, compared; no value is shown",
    "rebuild": "a whole partition, written to Redis",
    "dump": "a whole partition: for those who may read the topics",
    "approve": "definitions, no profiles",
    "diff": "definitions, no profiles",
    "catalogues": "definitions, no profiles",
    "catalogue": "definitions, no profiles",
    "fill": "reads the log and writes to it; shows counts only",
    "match": "files, no profiles",
}
RULED_ELSEWHERE: Final = {"links": "subjects, and with --restricted all names: tests/acceptance/test_links.py"}


@dataclass(frozen=True)
class Reader:
    """The command line of a deployment whose one patient is in every segment."""

    segue: Segue

    def read(self, arguments: tuple[object, ...], name: str = "", *more: object) -> Ended:
        """Run a command; NAME among its arguments stands for the name, NOW for the present instant."""
        stands = {"NAME": name, "NOW": format_instant(time.time_ns() // 1_000_000)}
        return self.segue(*(stands.get(str(each), each) for each in arguments), *more)


@pytest.fixture(scope="module")
def reader(kafka: KafkaServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    segue = deployment(unique("restricted"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path_factory.mktemp("restricted"), FILES))
    events = event(SUBJECT, "profile.updated", 1, diagnosis=SECRET_VALUE, therapy="brand-a", city="Basel")
    segue.done("send", "-", stdin=events + event(SUBJECT, "portal.login", 2))
    with segue.started("worker"):
        wait_for(lambda: segue("members", "below", "--restricted").out == f"{SUBJECT}\n")
        yield Reader(segue)


def test_every_command_is_ruled() -> None:
    read = {name.split()[0] for name in (*READ_ALL, *READ_ONE)}
    assert {each.name for each in COMMANDS} == {*read, "preview", *READ_NO_PROFILES, *RULED_ELSEWHERE}


@pytest.mark.servers
@pytest.mark.parametrize("command", READ_ALL)
def test_a_command_that_reads_all_leaves_out_the_same_and_says_so(reader: Reader, command: str) -> None:
    arguments = READ_ALL[command]
    for more in ((), ("--json",)):
        partly, whole = reader.read(arguments, "", *more), reader.read(arguments, "", "--restricted", *more)
        assert partly.status == whole.status == 0
        assert named(partly.out) == OPEN
        assert named(whole.out) == OPEN | RESTRICTED
        assert "give --restricted to read them" in partly.err
        assert "3 restricted segments" in partly.err
        assert "2 restricted activations" in partly.err
        assert "--restricted" not in whole.err
        assert SECRET_VALUE not in partly.out + partly.err


@pytest.mark.servers
@pytest.mark.parametrize("command", READ_ONE)
def test_a_command_that_is_given_a_restricted_name_refuses_it_in_one_sentence(reader: Reader, command: str) -> None:
    arguments = READ_ONE[command]
    refused = reader.read(arguments, "below")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err == "segment 'below' is restricted (health): give --restricted to read it\n"
    assert reader.read(arguments, "treated").err.startswith("segment 'treated' is restricted (care)")
    assert reader.read(arguments, "visitors").status == 0
    read = reader.read(arguments, "below", "--restricted")
    assert (read.status, "--restricted" in read.err) == (0, False)
    assert SUBJECT in read.out


@pytest.mark.servers
def test_a_restricted_activation_needs_the_option_too(reader: Reader) -> None:
    watch = ("watch", "--from-start", "--seconds", 4, "--activation", "NAME")
    history = ("history", SUBJECT, "NAME")
    for arguments in (("members", "NAME"), ("explain", SUBJECT, "NAME"), watch, history):
        refused = reader.read(arguments, "care-sms")
        assert (refused.status, refused.out) == (2, "")
        assert refused.err == "activation 'care-sms' is restricted (care): give --restricted to read it\n"
        assert SUBJECT in reader.read(arguments, "care-sms", "--restricted").out


@pytest.mark.servers
def test_the_columns_of_members_and_the_evidence_of_a_change_hold_no_restricted_value(reader: Reader) -> None:
    refused = reader.read(("members", "visitors", "--columns", "profile,diagnosis"))
    assert (refused.status, refused.out) == (2, "")
    assert refused.err == "trait 'diagnosis' is restricted (health): give --restricted to read it\n"
    assert SECRET_VALUE in reader.read(("members", "visitors", "--columns", "profile,diagnosis", "--restricted")).out
    changes = reader.read(("history", SUBJECT, "--restricted", "--json")).json["changes"]
    for change in (each["change"] for each in changes):
        name = change.get("segment") or change["activation"]
        evidence = reader.read(("history", SUBJECT, "--change", change["id"]))
        if name in OPEN:
            assert evidence.status == 0
            assert SECRET_VALUE not in evidence.out
        else:
            assert (evidence.status, evidence.out) == (2, "")
            assert f"{name!r} is restricted" in evidence.err


@pytest.mark.servers
def test_a_preview_counts_and_names_people_of_restricted_segments_with_the_option_only(
    reader: Reader, tmp_path: Path
) -> None:
    """The differences of definitions are no profiles: they stand in both."""
    emptied = {
        name: text.partition("enter:")[0].replace("version: 1", "version: 2")
        + "enter: {trait: city, equals: nowhere}\n"
        for name, text in FILES.items()
        if name.startswith("segments/")
    }
    folder = write_catalogue(tmp_path, {**FILES, **emptied})
    for more, seen in (((), OPEN), (("--restricted",), OPEN | RESTRICTED)):
        found = reader.segue.done("preview", folder, "--days", 0, "--who", 3, "--json", *more)
        rows = [*found.json["segments"], *found.json["activations"]]
        assert {each.get("segment") or each["activation"] for each in rows} == seen
        assert {each["name"] for each in found.json["people"]} <= seen
        assert ("give --restricted to read them" in found.err) == (not more)


@pytest.mark.servers
def test_a_segment_that_was_restricted_when_it_went_stays_so(reader: Reader, tmp_path: Path) -> None:
    left = {name: text for name, text in FILES.items() if "visitors" in name or "hello" in name or "/" not in name}
    reader.segue.done("apply", write_catalogue(tmp_path, left))
    watch = ("watch", "--from-start", "--seconds", 4)
    wait_for(lambda: '"retired"' in reader.read((*watch, "--json", "--restricted"), "").out)
    assert named(reader.read(watch).out) == OPEN
    assert named(reader.read((*watch, "--restricted")).out) == OPEN | RESTRICTED


def named(out: str) -> set[str]:
    """Return the definitions that an output names."""
    words = set(out.replace('"', " ").replace(",", " ").split())
    return {name for name in OPEN | RESTRICTED if name in words}
