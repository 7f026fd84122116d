"""One person under two subjects that live in two partitions, on real servers: linked, unlinked, erased."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import ROOT, deployment, stop
from tests.acceptance.published import Published
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

pytestmark = pytest.mark.servers

PARTITIONS = 2
PORTAL, CRM, OTHER, THIRD = "hcp:1", "hcp:crm-1", "hcp:crm-2", "hcp:3"
PARTITION_OF = {each: partition_of(each.encode(), PARTITIONS) for each in (PORTAL, CRM, OTHER, THIRD)}
CONTENT = "{call_to_action: read, intent: access, review: {status: approved, reference: R, expires: 2099-01-31}}"
FILES = {
    "dictionary.yaml": "events:\n  portal.login: {definition: Logged in}\n  portal.left: {definition: Left}\n",
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\n"
        "enter: {event: portal.login, count: {at_least: 2}, within: 1h}\n"
        "exit: {event: portal.left, since: entry}\n"
    ),
    "activations/welcome.yaml": (
        "activation: welcome\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\n"
        f"segments: {{all: [visitors]}}\ncontent: {CONTENT}\n"
    ),
}
LOSING = f"""\
import runpy, sys
from streams.wire.maker import RecordMaker
made, lost = RecordMaker.effect, []
def effect(self, effect):
    if effect.type == "segue.facts" and not lost:
        lost.append(effect)
        return self.tick({PARTITION_OF[PORTAL]})
    return made(self, effect)
RecordMaker.effect = effect
sys.argv = ["segue", "worker"]
runpy.run_module("streams.cli", run_name="__main__")
"""
"""A worker that writes a tick in place of its first contribution."""


IN, ACTIVE = "entered visitors", "activated welcome"
OUT, INACTIVE = "exited visitors", "deactivated welcome"


def test_one_person_with_two_names_is_contacted_once_and_forgotten_whole(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("persons"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "rules", FILES))
    two = Published(segue, PARTITIONS)
    with segue.started("worker") as worker:
        two.send_all((CRM, "portal.login"), (PORTAL, "portal.login"), (CRM, "portal.login"))
        assert two.published(2) == {CRM: [f"{ACTIVE} allowed", f"{IN} entry_rule"]}
        two.send(CRM, "identity.linked", canonical=PORTAL)
        assert two.published(4) == {
            CRM: [f"{INACTIVE} merged", f"{OUT} merged"],
            PORTAL: [f"{ACTIVE} allowed", f"{IN} merged"],
        }
        # what is told of the one is known of the other: this leave, and the login before it
        two.send(CRM, "portal.left")
        assert two.published(2) == {PORTAL: [f"{INACTIVE} not_member", f"{OUT} exit_rule"]}
        two.send_all((CRM, "identity.unlinked"), (PORTAL, "portal.login"), (PORTAL, "portal.login"))
        assert two.published(4) == {
            CRM: [f"{ACTIVE} allowed", f"{IN} entry_rule"],
            PORTAL: [f"{ACTIVE} allowed", f"{IN} entry_rule"],
        }
        two.send(CRM, "identity.linked", canonical=PORTAL)
        worker.kill()  # at whatever step it is
    with segue.started("worker") as worker:
        assert two.published(2) == {CRM: [f"{INACTIVE} merged", f"{OUT} merged"]}
        assert two.verified()[PARTITION_OF[CRM]] == 4
        assert stop(worker).status == 0
    segue.done("rebuild", "--force")
    with segue.started("worker") as worker:
        two.send(PORTAL, "privacy.erased")
        assert two.published(2) == {PORTAL: [f"{INACTIVE} erased", f"{OUT} erased"]}
        # nobody hears of the erased person again
        two.send_all((CRM, "portal.login"), (PORTAL, "portal.login"), (CRM, "portal.login"), (PORTAL, "portal.login"))
        two.send_all((OTHER, "portal.login"), (OTHER, "portal.login"))
        assert two.published(2) == {OTHER: [f"{ACTIVE} allowed", f"{IN} entry_rule"]}
        assert two.verified() == [1, 5]
        assert stop(worker).status == 0
    two.replayed(tmp_path)
    environment = {**os.environ, **segue.environment, "SEGUE_METRICS_PORT": "0", "SEGUE_WEB_PORT": "0"}
    losing = subprocess.Popen([sys.executable, "-c", LOSING], cwd=ROOT, env=environment)
    try:
        two.send(OTHER, "identity.linked", canonical=THIRD)
        assert two.published(2) == {OTHER: [f"{INACTIVE} merged", f"{OUT} merged"]}
    finally:
        losing.kill()
        losing.wait()
    wrong = segue("verify")
    assert wrong.status == 1
    assert f"was never written to partition {PARTITION_OF[THIRD]} of the input" in wrong.out
    assert PORTAL not in wrong.out + wrong.err
