"""`segue erase` and `segue privacy` on real servers, with a worker that runs."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, stop, wait_for
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique

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
    made = deployment(name, kafka.bootstrap, valkey.redis_url, 3)
    made.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = f"{name}.activation"
    made.done("topics")
    made.done("apply", write_catalogue(tmp_path_factory.mktemp("erase"), CATALOGUE))
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
    assert done["silent_channels"] == []
    # a producer goes on sending: nobody comes back
    segue.done("send", "-", stdin=event("hcp:crm-1", "portal.login", 3) + event("hcp:npi-1", "portal.login", 4))
    again = segue.done("erase", "hcp:npi-1", "--yes")
    assert "it was in no segment" in again.out
    assert "1 subject" in again.out
    assert "channel email told of this person earlier" in again.out


@pytest.mark.servers
def test_subjects_of_a_file_are_erased_and_one_that_was_never_known(segue: Segue, tmp_path: Path) -> None:
    known(segue, "hcp:file-1")
    file = tmp_path / "subjects.txt"
    file.write_text("hcp:file-1\n\nhcp:never-seen\n")
    done = segue.done("erase", "--file", file, "--yes", "--json").lines
    assert [(each["subject"], len(each["left"])) for each in done] == [("hcp:file-1", 2), ("hcp:never-seen", 0)]


def test_what_cannot_be_erased_is_said_in_a_sentence_without_the_subject(tmp_path: Path) -> None:
    segue = Segue()
    for arguments, status, said in (
        ((), 2, "give a SUBJECT"),
        (("hcp-1",), 2, "SUBJECT must be kind:name"),
        (("hcp:1", "--request", " "), 2, "--request takes"),
        (("--file", tmp_path / "none"), 2, "there is no such file"),
        (("hcp:1", "--wait", "0"), 2, "--wait"),
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
