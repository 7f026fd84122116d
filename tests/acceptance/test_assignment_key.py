"""An assignment key that the catalogue names: workers and commands with it, without it, with another."""

import json
import socket
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rules.catalogue.assignment_key import SETTING, fingerprint_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

KEY = "thirty two made-up bytes of a key"
PLAIN = f"# ours\nassignment_key: {KEY}  # the old {KEY}\ncaps: []\n"
NAMED = f"assignment_key: {{setting: {SETTING}, fingerprint: {fingerprint_of(KEY)}}}\n"
FILES = {
    "dictionary.yaml": "events:\n  portal.login: {definition: Logged in}\n",
    "policy.yaml": NAMED,
    "segments/known.yaml": "segment: known\nversion: 1\nstatus: approved\nenter: {everyone: true}\n",
    "activations/hello.yaml": (
        "activation: hello\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\nsegments: {any: [known]}\n"
        "content: {intent: hello, review: {status: approved}}\narms: {salt: s, weights: {a: 50, b: 50}}\n"
    ),
}
SUBJECTS = [f"hcp:{number}" for number in range(12)]


def page(port: int, name: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=2) as answer:
            return json.load(answer)
    except OSError:
        return None


def _incidents(port: int) -> dict[str, str]:
    found: dict[str, str] = (page(port, "ready") or {}).get("incidents", {})
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def arms(segue: Segue) -> dict[str, str]:
    """The arm of each subject, as published."""
    lines = segue.done("watch", "--from-start", "--json", "--channel", "email", "--count", 12, "--seconds", 60).lines
    return {each["profile"]: each["arm"] for each in lines}


@pytest.mark.servers
def test_a_worker_with_another_key_refuses_the_cut_and_says_so(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("key"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    folder = write_catalogue(tmp_path / "catalogue", FILES)
    digest = segue.done("apply", folder, "--json").json["catalogue"]
    segue.done("send", "-", stdin="".join(event(each, "portal.login", each[4:]) for each in SUBJECTS))
    for keys, said in (
        ({}, f"{SETTING} is not set, and policy.yaml names it"),
        ({SETTING: "another"}, f"{SETTING} holds a key of fingerprint {fingerprint_of('another')}"),
    ):
        port = free_port()
        with segue.started("worker", SEGUE_WEB_PORT=port, **keys):
            incidents = wait_for(partial(_incidents, port))
            assert said in incidents["0"]
            assert incidents["0"].startswith(f"catalogue {digest[:12]} is refused: ")
            [partition] = page(port, "status")["partitions"]
            assert (partition["state"], partition["incident"]) == ("stopped", incidents["0"])
    assert segue.done("watch", "--from-start", "--json", "--seconds", 1).lines == []
    with segue.started("worker", **{SETTING: KEY}):
        assigned = arms(segue)
        # one key, one assignment: it is that of a catalogue that holds the key
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)
        explained = segue("explain", SUBJECTS[0], "hello")
        assert explained.status == 2
        assert "who is held out and who sees which arm cannot be computed" in explained.err
        segue.done("explain", SUBJECTS[0], "hello", **{SETTING: KEY})
    for command in (["verify"], ["preview", folder]):
        refused = segue(*command)
        assert (refused.status, f"{SETTING} is not set" in refused.err) == (2, True), refused.err
        segue.done(*command, **{SETTING: KEY})
    _dumped_and_replayed(segue, tmp_path, assigned)


def _dumped_and_replayed(segue: Segue, tmp_path: Path, assigned: dict[str, str]) -> None:
    """See that a dump replays with the key, and is refused without."""
    dump = ("dump", "0", "-o", tmp_path / "p0.ndjson", "--catalogues", tmp_path / "cuts")
    said = segue.done(*dump, **{SETTING: KEY}).err
    replay = next(line for line in said.splitlines() if line.startswith("segue replay")).split()[1:]
    replayed = segue.done(*replay, **{SETTING: KEY})
    found = {each["profile"]: each["arm"] for each in replayed.lines if "activation" in each}
    assert found == assigned
    refused = segue(*replay)
    assert (refused.status, refused.out) == (2, "")


@pytest.mark.servers
def test_a_plain_key_is_applied_with_a_warning_and_written_nowhere(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("plain"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    folder = write_catalogue(tmp_path / "catalogue", {**FILES, "policy.yaml": PLAIN})
    checked = segue.done("check", folder)
    assert "[plain-key]" in checked.err
    assert NAMED.strip() in checked.err
    applied = segue.done("apply", folder)
    segue.done("send", "-", stdin="".join(event(each, "portal.login", each[4:]) for each in SUBJECTS))
    with segue.started("worker"):
        assigned = arms(segue)
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)
    written = segue.done("catalogue", "in force", "-o", tmp_path / "again")
    assert "the assignment key is left out of policy.yaml" in written.err
    assert (tmp_path / "again" / "policy.yaml").read_text() == f"# ours\n{NAMED}caps: []\n"
    assert (tmp_path / "again" / "segments" / "known.yaml").read_text() == FILES["segments/known.yaml"]
    dumped = segue.done("dump", "0", "-o", tmp_path / "p0.ndjson", "--catalogues", tmp_path / "cuts")
    shown = [applied, checked, written, dumped, segue.done("catalogues", "--json"), segue.done("catalogues")]
    # named in the catalogue: nothing else differs, nobody is told anew
    moved = segue.done("diff", "in force", tmp_path / "again", "--json", **{SETTING: KEY})
    assert [(each["what"], each["name"]) for each in moved.json["changes"]] == []
    other = write_catalogue(tmp_path / "other", {**FILES, "policy.yaml": PLAIN.replace(KEY, "another plain one")})
    changed = segue.done("diff", "in force", other)
    assert "assignment_key" in changed.out
    shown += [moved, changed, segue.done("diff", "in force", other, "--markdown")]
    for each in shown:
        assert KEY not in each.out + each.err
    for path in [*(tmp_path / "again").rglob("*"), *(tmp_path / "cuts").rglob("*"), tmp_path / "p0.ndjson"]:
        assert path.is_dir() or KEY not in path.read_text()
    replay = next(line for line in dumped.err.splitlines() if line.startswith("segue replay")).split()[1:]
    replayed = segue.done(*replay, **{SETTING: KEY})
    assert {each["profile"]: each["arm"] for each in replayed.lines if "activation" in each} == assigned
