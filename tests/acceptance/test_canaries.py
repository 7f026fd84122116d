"""Planted values come out nowhere: no log line, metric, page, header or error of any command holds one.

The values stand in subjects, payloads, traits and credentials. A worker and a deliverer run at `debug` on servers that
ask for passwords, every command runs as it should, and once more with wrong passwords. Commands whose job is to show
subjects are ruled by name; a new command fails the test until it is ruled.
"""

import asyncio
import base64
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.catalogue.assignment_key import SETTING, fingerprint_of
from streams.cli.commands import COMMANDS
from streams.embedded import ValkeyServer
from streams.wire.rights import Right
from tests.acceptance.command import Ended, Segue, deployment, event, stop, wait_for
from tests.acceptance.forked import Forked
from tests.acceptance.test_definitions import write_catalogue
from tests.secured import Secured, password_of
from tests.secured_redis import USER, acl_server, user_of
from tests.servers import unique
from tests.streams.delivery.platform import API_KEY, SECRET, SITE_ID, Platform, environment, running

OPERATOR: Final = "operator"
SUBJECT: Final = "hcp:canary-subject-1"
OF_PEOPLE: Final = {
    "subject": "canary-subject",
    "payload": "canary-payload",
    "undeclared attribute": "canary-undeclared",
    "trait": "canary-trait",
    "wrong type": "canary-type",
    "garbage": "canary-garbage",
}
CREDENTIALS: Final = {
    "Kafka's password": password_of(OPERATOR),
    "a wrong password of Kafka": "canary-wrong-kafka",
    "Redis' password": "canary-redis",
    "a wrong password of Redis": "canary-wrong-redis",
    "the assignment key": "canary-assignment-key-of-32-bytes",
    "the endpoint's secret": SECRET,
    "the endpoint's secret, decoded": base64.b64decode(SECRET.removeprefix("whsec_")).decode(),
    "the endpoint's key": API_KEY,
    "the endpoint's site": SITE_ID,
}
FILES: Final = {
    "dictionary.yaml": """\
traits:
  specialty: {type: string, definition: What somebody is trained in}
events:
  portal.login: {definition: Logged in, data: {topic: {type: string}, visits: {type: integer}}}
  profile.updated: {definition: Changed, data: {specialty: {type: string}}, sets: {specialty: specialty}}
""",
    "policy.yaml": (
        f"assignment_key: {{setting: {SETTING}, fingerprint: {fingerprint_of(CREDENTIALS['the assignment key'])}}}\n"
    ),
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nenter: {event: portal.login, since: ever}\n"
    ),
    "activations/welcome.yaml": (
        "activation: welcome\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\n"
        "segments: {all: [visitors]}\ncontent: {intent: hello, review: {status: approved}}\n"
        "arms: {salt: s, weights: {a: 50, b: 50}}\n"
    ),
}
NARROW: Final = (
    "segment: visitors\nversion: 2\nstatus: approved\nenter: {event: portal.login, count: {at_least: 9}, since: ever}\n"
)
"""Lets everybody leave."""
EVENTS: Final = (
    event(SUBJECT, "portal.login", 1, topic="canary-payload", more="canary-undeclared")
    + event(SUBJECT, "profile.updated", 2, specialty="canary-trait")
    + event(SUBJECT, "portal.login", 3, visits="canary-type")
    + '{"canary-garbage": 1}\ncanary-garbage\n'
)
PEOPLE: Final = (
    f"subject,name,email,street\n{SUBJECT},canary-payload,canary-trait@x.example,canary-type\n"
    f"{SUBJECT}-2,canary-payload,canary-garbage,\ncanary-undeclared,canary-garbage,,\n"
)
"""An export with a row whose subject is none."""
EVERYTHING: Final = (
    Right("topic", "*", ("Read", "Write", "Create", "DescribeConfigs")),
    Right("group", "*", ("Read",)),
    Right("transactional-id", "*", ("Write",)),
    Right("cluster", "kafka-cluster", ("DescribeConfigs",)),
)
RUNS: Final[Mapping[str, tuple[tuple[object, ...], ...]]] = {
    "topics": (("topics",),),
    "check": (("check", "DIR"),),
    "approve": (("approve", "DIR"),),
    "replay": (),
    "map": (("map", "DIR"),),
    "asyncapi": (("asyncapi",),),
    "acls": (("acls", "worker"),),
    "preview": (("preview", "OTHER", "--who", 0),),
    "apply": (("apply", "DIR"),),
    "diff": (("diff",), ("diff", "nothing")),
    "catalogues": (("catalogues",), ("catalogues", "--json")),
    "catalogue": (("catalogue", "HASH", "-o", "OUT"),),
    "fill": (("fill",),),
    "worker": (),
    "deliver": (("deliver", "email", "--lag"), ("deliver", "emial")),
    "resume": (("resume", "--json"), ("resume", 0)),
    "send": (("send", "EVENTS"), ("send", "-")),
    "erase": (("erase", SUBJECT, "--json"), ("erase", "canary-subject-1")),
    "privacy": (("privacy", "hcp:nobody"), ("privacy", "canary-subject-1")),
    "watch": (("watch", "--segment", "nothing", "--seconds", 1), ("watch", "--subject", "canary-subject-1")),
    "explain": (("explain", SUBJECT, "nothing"), ("explain", "canary-subject-1"), ("explain", "hcp:canary-subject-9")),
    "history": (("history", SUBJECT, "nothing"), ("history", "hcp:canary-subject-9")),
    "members": (("members", "nothing"), ("members", "visitors", "--columns", "nothing")),
    "sizes": (("sizes",),),
    "lag": (("lag",), ("lag", "--json")),
    "letters": (("letters",), ("letters", "--json"), ("letters", "--resend", "EVENTS"), ("letters", "--show", "0:0")),
    "doctor": (("doctor", "--all"), ("doctor", "--json")),
    "bundle": (("bundle", "BUNDLE", "--process", "WORKER"),),
    "verify": (("verify",),),
    "rebuild": (("rebuild", 0),),
    "dump": (("dump", 0, "-o", "/nowhere/file"), ("dump", 9)),
    "links": (
        ("links",),
        ("links", "--rings"),
        ("links", "preview", SUBJECT, SUBJECT),
        ("links", "take-back", SUBJECT, "--yes"),
        ("links", "canary-subject-1"),
    ),
    "match": (("match", "PEOPLE", "-o", "PAIRS"), ("match", "PEOPLE", "EVENTS", "-o", "PAIRS"), ("match", "nothing")),
}
"""What is run of each command, and must show nothing. An empty row: it is run in another way."""
SHOW_PEOPLE: Final[Mapping[str, tuple[object, ...]]] = {
    "replay": ("replay", "DIR", "EVENTS"),
    "preview": ("preview", "OTHER", "--who", 3),
    "watch": ("watch", "--from-start", "--count", 1),
    "explain": ("explain", SUBJECT),
    "history": ("history", SUBJECT),
    "members": ("members", "visitors", "--columns", "profile,specialty"),
    "letters": ("letters", "--show", "LETTER", "--restricted"),
    "links": ("links", SUBJECT),
    "dump": ("dump", 0),
    "privacy": ("privacy", SUBJECT),
    "erase": ("erase", SUBJECT, "--yes"),
}
"""Commands whose standard output shows people, because that is their job. Standard error shows none, nor a password."""
NOT_RUN: Final = {"demo": "its data is synthetic, and its servers are its own"}
NEED_NO_SERVER: Final = {"check", "approve", "replay", "map", "asyncapi", "acls", "match"}
READ_REDIS: Final = {"topics", "explain", "sizes", "lag", "rebuild", "members", "links", "erase", "privacy"}
"""Commands that are run with a wrong password of Redis."""


@dataclass
class Heard:
    """Everything that came out, by where."""

    texts: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    """Standard output of the commands that show people."""
    statuses: dict[str, int] = field(default_factory=dict)

    def take(self, where: str, ended: Ended, *, shows: bool = False) -> None:
        """Keep what a command wrote."""
        self.statuses[where] = ended.status
        self.texts[f"{where}, standard error"] = ended.err
        (self.shown if shows else self.texts)[where] = ended.out


def test_every_command_is_ruled() -> None:
    assert {each.name for each in COMMANDS} == {*RUNS, *NOT_RUN}
    assert set(SHOW_PEOPLE) <= set(RUNS)


@pytest.fixture(scope="module")
def heard(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    folder = tmp_path_factory.mktemp("canaries")
    name = unique("canaries")
    asyncio.run(secured.allow(OPERATOR, EVERYTHING))
    with acl_server(ValkeyServer, options=user_of(name, CREDENTIALS["Redis' password"])) as redis:
        segue = deployment(name, "", redis.redis_url, 1)
        segue.environment |= {
            **secured.by_password(OPERATOR),
            "SEGUE_REDIS_USERNAME": USER,
            "SEGUE_REDIS_PASSWORD": CREDENTIALS["Redis' password"],
            "SEGUE_ACTIVATION_TOPIC_PREFIX": f"{name}.activation",
            "SEGUE_LOG_LEVEL": "debug",
            "SEGUE_LOG_FORMAT": "json",
            SETTING: CREDENTIALS["the assignment key"],
        }
        made = Heard()
        asyncio.run(_everything(segue, folder, made))
        asyncio.run(_headers(secured, segue, made))
        yield made


async def _everything(segue: Segue, folder: Path, heard: Heard) -> None:
    catalogue = write_catalogue(folder / "catalogue", FILES)
    (folder / "events.ndjson").write_text(EVENTS)
    (folder / "people.csv").write_text(PEOPLE)
    stands: dict[str, object] = {
        "DIR": catalogue,
        "OTHER": write_catalogue(folder / "other", {**FILES, "segments/visitors.yaml": NARROW}),
        "EVENTS": folder / "events.ndjson",
        "OUT": folder / "as-it-was",
        "PEOPLE": folder / "people.csv",
        "PAIRS": folder / "pairs.csv",
        "BUNDLE": folder / "bundle.zip",
    }
    async with running("standard") as platform:
        segue.environment |= environment(platform)
        await asyncio.to_thread(_run_all, segue, folder, stands, platform, heard)


def _run_all(segue: Segue, folder: Path, stands: dict[str, object], platform: Platform, heard: Heard) -> None:
    with ExitStack() as stack:
        forked = stack.enter_context(Forked(segue, folder))

        def run(arguments: tuple[object, ...], environment: Mapping[str, str] = {}, *, shows: bool = False) -> Ended:
            given = tuple(stands.get(str(each), each) for each in arguments)
            ended = forked(given, dict(environment), EVENTS if "-" in arguments else "")
            where = " ".join(("segue", *map(str, arguments), *sorted(environment)))
            heard.take(where, ended, shows=shows)
            return ended

        run(("topics",))
        run(("apply", "DIR"))
        worker = stack.enter_context(segue.started("worker"))
        deliverer = stack.enter_context(segue.started("deliver", "email"))
        run(("send", "EVENTS"))
        wait_for(lambda: platform.taken)
        listed = wait_for(lambda: json.loads(run(("letters", "--json")).out)["letters"])
        stands["LETTER"] = listed[0]["last_letter"]
        stands["HASH"] = json.loads(run(("catalogues", "--json")).out)["catalogues"][0]["catalogue"]
        stands["WORKER"] = f"http://{_addresses(worker.pid)[0]}"
        for commands in RUNS.values():
            for arguments in commands:
                run(arguments)
        with ZipFile(folder / "bundle.zip") as bundle:
            for member in bundle.namelist():
                heard.texts[f"bundle.zip {member}"] = bundle.read(member).decode()
        for arguments in SHOW_PEOPLE.values():
            assert run(arguments, shows=True).status == 0, arguments
        wrong = (
            {"SEGUE_KAFKA_SASL_PASSWORD": CREDENTIALS["a wrong password of Kafka"]},
            {"SEGUE_REDIS_PASSWORD": CREDENTIALS["a wrong password of Redis"]},
        )
        for environment, names in zip(wrong, (RUNS.keys() - NEED_NO_SERVER, READ_REDIS), strict=True):
            for name in sorted(names):
                for arguments in RUNS[name][:1]:
                    run(arguments, environment)
            run(("worker",), environment)
        for process, kind in ((worker, "worker"), (deliverer, "deliverer")):
            for address in _addresses(process.pid):
                for page in ("live", "ready", "status", "metrics"):
                    heard.texts[f"{kind} {address}/{page}"] = _page(f"http://{address}/{page}")
        for process, kind in ((deliverer, "segue deliver"), (worker, "segue worker")):
            heard.take(kind, stop(process))


def _addresses(pid: int) -> list[str]:
    """Return the addresses at which a process listens."""
    sockets = {
        each.readlink().name for each in Path(f"/proc/{pid}/fd").iterdir() if str(each.readlink()).startswith("socket:")
    }
    found = []
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        cells = line.split()
        if cells[3] == "0A" and f"socket:[{cells[9]}]" in sockets:
            found.append(f"127.0.0.1:{int(cells[1].partition(':')[2], 16)}")
    return found


def _page(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return f"{answer.headers}{answer.read().decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.headers}{error.read().decode()}"


async def _headers(secured: Secured, segue: Segue, heard: Heard) -> None:
    """Keep the headers that Segue adds, and the records that only Segue reads."""
    names = [value for name, value in segue.environment.items() if name.endswith("_TOPIC")]
    consumer = AIOKafkaConsumer(bootstrap_servers=secured.plain)
    await consumer.start()
    try:
        partitions = [TopicPartition(name, 0) for name in names]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    headers = [each for each in record.headers if each[0].startswith("segue_")]
                    internal = ".segue." in tp.topic
                    kept = f"{headers}{record.key!r}{record.value!r}" if internal else str(headers)
                    heard.texts[f"{tp.topic} {record.offset}"] = kept
    finally:
        await consumer.stop()


@pytest.mark.servers
def test_no_planted_value_comes_out_where_it_should_not(heard: Heard) -> None:
    canaries = {**OF_PEOPLE, **CREDENTIALS}
    leaks = [
        f"{what}: {where}" for where, text in heard.texts.items() for what, value in canaries.items() if value in text
    ]
    assert leaks == []


@pytest.mark.servers
def test_a_command_that_shows_people_shows_no_credential(heard: Heard) -> None:
    leaks = [
        f"{what}: {where}"
        for where, text in heard.shown.items()
        for what, value in CREDENTIALS.items()
        if value in text
    ]
    assert leaks == []


@pytest.mark.servers
def test_what_was_looked_through_is_not_empty(heard: Heard) -> None:
    """The two tests above would pass over nothing; this one names what they must have looked at."""
    assert [where for where, status in heard.statuses.items() if status == 99] == []
    assert len(heard.statuses) > 60
    assert all("canary" in text for text in heard.shown.values()), {
        w for w, t in heard.shown.items() if "canary" not in t
    }
    for kind in ("worker", "deliverer"):
        assert sum(where.startswith(f"{kind} ") and len(text) > 10 for where, text in heard.texts.items()) >= 5
    metrics = "".join(text for where, text in heard.texts.items() if where.endswith("/metrics"))
    assert "segue_dead_letters_total" in metrics
    log = heard.texts["segue worker, standard error"]
    assert {"partition_claimed", "catalogue_in_force"} <= {json.loads(line)["action"] for line in log.splitlines()}
    assert any("segue_reason" in text for text in heard.texts.values())
    assert sum(where.startswith("bundle.zip") for where in heard.texts) > 3
    refused = [where for where in heard.statuses if "SEGUE_KAFKA_SASL_PASSWORD" in where]
    assert sum(heard.statuses[where] == 3 for where in refused) > 15
