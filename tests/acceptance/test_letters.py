"""Bad input by the command line: a partition is held and resumed; letters are listed, mended and sent again."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, stop, wait_for
from tests.acceptance.forked import Forked, Quick
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

SUBJECT: Final = "hcp:secret-7"
VALUE: Final = "canary-value"
FILES: Final = {
    "dictionary.yaml": """\
traits:
  visits: {type: integer}
events:
  portal.login: {data: {topic: {type: string}, visits: {type: integer}}, sets: {visits: visits}}
""",
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nenter: {event: portal.login, since: ever}\n"
    ),
}
LIMITS: Final = {
    "SEGUE_BAD_INPUT_WINDOW": "1000",
    "SEGUE_BAD_INPUT_CALM_MS": "3600000",
}

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def segue(kafka: KafkaServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Segue]:
    folder = tmp_path_factory.mktemp("letters")
    made = Quick(deployment(unique("letters"), kafka.bootstrap, valkey.redis_url, 1).environment | LIMITS)
    with Forked(made, folder) as made.forked:
        made.done("topics")
        made.done("apply", write_catalogue(folder / "catalogue", FILES))
        yield made


@contextmanager
def worker(segue: Segue, **environment: object) -> Iterator[str]:
    """Run a worker; give the address of its pages. It must end with status 0."""
    with segue.started("worker", SEGUE_LOG_FORMAT="json", **environment) as process:
        assert process.stderr is not None
        address = ""
        while not address:
            line = json.loads(process.stderr.readline())
            address = line["message"].partition("http://")[2]
        yield f"http://{address}"
        ended = stop(process, signal.SIGTERM)
        assert ended.status == 0, ended.err
        assert VALUE not in ended.err
        assert SUBJECT not in ended.err


def page(address: str, name: str) -> Any:
    try:
        with urllib.request.urlopen(f"{address}/{name}", timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def held(address: str) -> str:
    notices = page(address, "ready")["notices"]
    return next((each["sentence"] for each in notices if each["code"] == "partition_held"), "")


def letters_of(segue: Segue, source: str) -> int:
    """Count the letters of a source: the tests of this file may run in one deployment, or each in one of its own."""
    return sum(each["count"] for each in segue.done("letters", "--source", source, "--json").json["letters"])


def test_800_lines_of_garbage_hold_the_partition_over_a_restart_until_a_person_resumes_it(segue: Segue) -> None:
    segue.done("send", "-", stdin="garbage\n" * 800 + event(SUBJECT, "portal.login", 1, topic=VALUE))
    with worker(segue) as address:
        said = wait_for(lambda: held(address))
        assert "of the last 1,000 records were refused: not_json" in said
        assert page(address, "ready")["ready"] is True
    refused = segue.done("letters", "--json").json
    assert 50 < refused["count"] < 800
    assert refused["held"]["0"] in said
    with worker(segue) as address:
        assert wait_for(lambda: held(address)) == said
        assert segue.done("letters", "--json").json["count"] == refused["count"]
        resumed = segue.done("resume", "--by", "ada", "--note", "the export is mended")
        assert resumed.out.startswith("partition 0 may go on: ")
        wait_for(lambda: segue("members", "visitors").out == f"{SUBJECT}\n")
        assert not held(address)
    assert segue.done("letters", "--json").json["count"] == 800
    assert segue.done("resume").out == "no partition is held: nothing was written\n"
    dumped = segue.done("dump", 0).out
    assert '"segue.resume"' in dumped


def test_letters_are_listed_by_reason_source_and_place_without_values_and_mended_ones_go_in(
    segue: Segue, tmp_path: Path
) -> None:
    bad = [
        event(SUBJECT, "portal.login", 11, topic=VALUE, visits=VALUE),
        event(SUBJECT, "portal.login", 12, visits=1.5),
        event(SUBJECT, "portal.logn", 13, topic=VALUE),
    ]
    segue.done("send", "-", stdin="".join(bad))
    with worker(segue):
        wait_for(lambda: letters_of(segue, "/test") == 3)
        listed = segue.done("letters", "--source", "/test", "--json").json["letters"]
        assert [(each["reason"], each["source"], each["place"], each["count"]) for each in listed] == [
            ("wrong_type", "/test", "data.visits", 2),
            ("undeclared_type", "/test", "type", 1),
        ]
        shown = segue.done("letters", "--source", "/test")
        assert "data.visits" in shown.out
        for text in (shown.out, json.dumps(listed)):
            assert VALUE not in text
            assert SUBJECT not in text
        one = segue.done("letters", "--show", listed[0]["last_letter"], "--restricted", "--json").json
        assert one["key"] == SUBJECT
        assert one["value"]["data"] == {"visits": 1.5}
        file = tmp_path / "mended.ndjson"
        segue.done("letters", "--source", "/test", "--restricted", "-o", file)
        still = segue("letters", "--resend", file)
        assert (still.status, still.out) == (1, "")
        assert still.err == (
            "line 1: wrong_type at data.visits\nline 2: wrong_type at data.visits\nline 3: undeclared_type at type\n"
            "3 events would be refused again, so nothing was sent: mend the file and send it again\n"
        )
        lines = file.read_text().replace(f'"visits": "{VALUE}"', '"visits": 3').replace("1.5", "4")
        file.write_text(lines.replace("portal.logn", "portal.login"))
        assert segue.done("letters", "--resend", file).out.startswith("3 events sent")
        traits = ("members", "visitors", "--columns", "visits", "--json")
        wait_for(lambda: segue(*traits).lines == [{"visits": 4}])
        segue.done("letters", "--resend", file)
    assert letters_of(segue, "/test") == 3


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--show", "0:1"), 2, "give --restricted to read dead letters themselves: they hold personal data"),
        (("-o", "x.ndjson"), 2, "give --restricted to read dead letters themselves: they hold personal data"),
        (
            ("--show", "0", "--restricted"),
            2,
            "--show '0': give PARTITION:OFFSET, like 3:4711, as `segue letters` shows it",
        ),
        (("--show", "9:1", "--restricted"), 2, "there is no partition 9: the input has partitions 0 to 0"),
        (
            ("--show", "0:999999", "--restricted"),
            1,
            "has no dead letter at 0:999999: `segue letters` shows which there are",
        ),
        (("--reason", "wrong_typ"), 2, "no record is refused with the reason 'wrong_typ'; did you mean 'wrong_type'?"),
        (("--since", "yesterday"), 2, "'yesterday' is no instant"),
        (("--resend", "nowhere.ndjson"), 2, "nowhere.ndjson: there is no such file"),
        (("--resend", "-"), 2, "--resend reads the file twice, so it cannot read standard input: give a file"),
        (("--resend", "x", "--show", "0:1"), 2, "give one of --show, --output and --resend"),
        (("--channel", "e mail"), 2, "'e mail' is no channel"),
        (("--channel", "sms"), 1, "channel 'sms' has no dead letters: no `segue deliver sms` ever ran here"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(segue: Segue, arguments: tuple[str, ...], status: int, said: str) -> None:
    ended = segue("letters", *arguments)
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1
