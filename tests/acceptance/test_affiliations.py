"""Organisations whose events reach those that are tied to them, over partitions of real servers."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from rules.engine.affiliations.pages import PAGE_MAX
from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import ROOT, Segue, deployment, event, stop
from tests.acceptance.forked import Forked, Quick
from tests.acceptance.published import Published
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

pytestmark = pytest.mark.servers

PARTITIONS: Final = 4
CONTENT: Final = "{call_to_action: read, intent: access, review: {status: approved, reference: R, expires: 2099-01-31}}"
FILES: Final = {
    "dictionary.yaml": (
        "events:\n"
        "  formulary.changed:\n"
        "    data: {status: {type: string}}\n"
        "    reaches: {roles: [prescriber], as: plan.formulary_changed}\n"
        "  plan.formulary_changed:\n"
        "    data: {organisation: {type: string}, status: {type: string}}\n"
        "  portal.login: {definition: Logged in}\n"
    ),
    "segments/covered.yaml": (
        "segment: covered\nversion: 1\nstatus: approved\n"
        "enter: {last: plan.formulary_changed, is: {status: {equals: covered}}}\n"
    ),
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nenter: {event: portal.login, count: {at_least: 1}}\n"
    ),
    "activations/tell.yaml": (
        "activation: tell\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\n"
        f"segments: {{all: [covered]}}\ncontent: {CONTENT}\n"
    ),
}
DYING: Final = """\
import os, runpy, signal, sys
from streams.wire.maker import RecordMaker
made, last = RecordMaker.effect, sys.argv[1]
def effect(self, effect):
    if effect.type == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return made(self, effect)
RecordMaker.effect = effect
sys.argv = ["segue", "worker", "--log-level", "warning"]
runpy.run_module("streams.cli", run_name="__main__")
"""
"""A worker that is killed when it has applied a record that sends an effect of a type, and before it sends it."""

PAYER, LARGE, SILENT = "payer:7", "payer:9", "payer:silent"
IN, OUT = (
    ["activated tell allowed", "entered covered entry_rule"],
    ["deactivated tell not_member", "exited covered entry_lost"],
)


def partition(subject: str) -> int:
    """Return where a subject lives."""
    return partition_of(subject.encode(), PARTITIONS)


def living_in(wanted: int) -> str:
    """Name a prescriber that lives in a partition."""
    return next(f"hcp:{n}" for n in count() if partition(f"hcp:{n}") == wanted)


FIRST, SECOND, THIRD = (living_in(each) for each in range(PARTITIONS) if each != partition(PAYER))
LATE: Final = living_in(partition(PAYER))
OTHER: Final = next(f"visitor:{n}" for n in count() if partition(f"visitor:{n}") == partition(LARGE))
MANY: Final = [f"hcp:{n}" for n in range(1000, 1000 + PAGE_MAX + 88)]


@contextmanager
def killed_before(effect: str, segue: Segue) -> Iterator[None]:
    """Run a worker until it is about to send such an effect."""
    environment = {**os.environ, **segue.environment, "SEGUE_METRICS_PORT": "0", "SEGUE_WEB_PORT": "0"}
    process = subprocess.Popen([sys.executable, "-c", DYING, effect], cwd=ROOT, env=environment)
    try:
        yield
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()


def test_what_an_organisation_is_told_reaches_all_that_are_tied_to_it_once(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    plain = deployment(unique("affiliations"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    with Forked(plain, tmp_path) as forked:
        tell_and_reach(Quick(plain.environment, forked), tmp_path)


def rebuilt(segue: Segue, told: Published) -> None:
    """Make the state again, of the large organisation's partition and then of all: its people are still tied."""
    for number, (partitions, status, changes) in enumerate(
        (([partition(LARGE)], "excluded", OUT), ([], "covered", IN))
    ):
        segue.done("rebuild", "--force", *partitions)
        with segue.started("worker", "--log-level", "warning") as worker:
            segue.done("send", "-", stdin=event(LARGE, "formulary.changed", f"rebuilt-{number}", status=status))
            assert told.published(2 * len(MANY)) == dict.fromkeys(MANY, changes)
            assert stop(worker).status == 0


def explained_without_facts(segue: Segue, told: Published) -> None:
    """See that `explain` knows an organisation of which only its people were told anything."""
    told.send(FIRST, "affiliation.started", organisation=SILENT, role="nurse")
    told.settled()
    found = segue.done("explain", SILENT)
    assert ("no facts" in found.out, found.out.splitlines()[-1]) == (True, "tied to it: 1 as nurse")
    assert segue.done("explain", SILENT, "--json").json["tied_to_it"] == {"nurse": 1}
    assert segue.done("explain", SILENT, "covered").out.endswith("\ntied to it: 1 as nurse\n")
    assert segue("explain", "payer:nobody").status == 1


def filled_in(segue: Segue, told: Published, folder: Path) -> None:
    """See that a condition that comes in later knows what was told before."""
    enter = "{event: plan.formulary_changed, where: {organisation: {equals: 'payer:7'}}, count: {at_least: 2}}"
    twice = f"segment: told-twice\nversion: 1\nstatus: approved\nenter: {enter}\n"
    segue.done("apply", write_catalogue(folder, {**FILES, "segments/told-twice.yaml": twice}))
    entered = ["entered told-twice entry_rule"]
    assert told.published(3) == {SECOND: entered, THIRD: entered, LATE: entered}


def explained(segue: Segue) -> None:
    """See that `explain` and `history` name the organisation, the role, and since when."""
    said = " ".join(segue.done("explain", FIRST, "covered").out.split())
    assert f"tied to {PAYER} as prescriber since " in said
    assert f"told of {PAYER}, tied as prescriber since " in said
    [leaf] = json.loads(segue.done("explain", FIRST, "covered", "--json").out)["segments"][0]["enter"]
    assert [each["organisation"] for each in leaf["evidence"]] == [PAYER]
    assert segue.done("explain", PAYER, "--json").json["tied_to_it"] == {"prescriber": 4}
    assert "tied to it: 4 as prescriber" in segue.done("explain", PAYER).out
    shown = " ".join(segue.done("history", FIRST, "--change", "1").out.split())
    assert f'plan.formulary_changed {{"organisation":"{PAYER}","status":"covered"}}' in shown
    assert f"told of {PAYER}, tied as prescriber since " in shown


def tell_and_reach(segue: Segue, tmp_path: Path) -> None:
    """Tell organisations, kill workers, and look at all that was published."""
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "rules", FILES))
    told = Published(segue, PARTITIONS)
    tie = {"organisation": PAYER, "role": "prescriber"}
    with killed_before("segue.tied", segue):
        for subject in (FIRST, SECOND, THIRD):
            told.send(subject, "affiliation.started", **tie)
    with killed_before("segue.reaching", segue):
        told.settled()
        told.send(PAYER, "formulary.changed", status="covered")
    with killed_before("segue.reached", segue):
        pass
    with segue.started("worker", "--log-level", "warning") as worker:
        assert told.published(6) == {FIRST: IN, SECOND: IN, THIRD: IN}
        told.send(LATE, "affiliation.started", **tie)
        assert told.published(2) == {LATE: IN}
        explained(segue)
        explained_without_facts(segue, told)
        told.send(FIRST, "affiliation.ended", **tie)
        told.settled()
        told.send(PAYER, "formulary.changed", status="excluded")
        assert told.published(6) == {SECOND: OUT, THIRD: OUT, LATE: OUT}
        large = {"organisation": LARGE, "role": "prescriber"}
        lines = [event(each, "affiliation.started", each, **large) for each in MANY]
        segue.done("send", "-", stdin="".join(lines))
        told.settled()
        changed = event(LARGE, "formulary.changed", "large", status="covered")
        segue.done("send", "-", stdin=changed + event(OTHER, "portal.login", "other"))
        expected = {**dict.fromkeys(MANY, IN), OTHER: ["entered visitors entry_rule"]}
        assert told.published(2 * len(MANY) + 1) == expected
        filled_in(segue, told, tmp_path / "later")
        told.verified()
        assert segue.done("explain", LARGE, "--json").json["tied_to_it"] == {"prescriber": len(MANY)}
        assert stop(worker).status == 0
    rebuilt(segue, told)
    records = told.replayed(tmp_path)
    reached = Counter(
        (each["subject"], each["data"]["fact"]["id"]) for each in records if each["type"] == "segue.reached"
    )
    assert set(reached.values()) == {1}
    assert len(reached) == 3 + 1 + 3 + 3 * len(MANY)
    # the pages of the large organisation are records of their own: what came meanwhile is not kept waiting
    here = [(each["type"], each["subject"]) for each in records if each.get("subject") in (LARGE, OTHER)]
    here = [each for each in here if each[0] != "segue.tied"]
    page = "segue.reaching", LARGE
    assert here[:4] == [("formulary.changed", LARGE), ("portal.login", OTHER), page, page]
