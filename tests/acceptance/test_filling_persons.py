"""A fill brings the past of whole persons: whoever links, unlinks or reaches whom through whom meanwhile."""

import json
import time
from collections import defaultdict
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.acceptance.test_filling import counted, equal
from tests.servers import unique

pytestmark = pytest.mark.servers

PARTITIONS = 2
DICTIONARY = "events: {portal.login: {}, portal.visit: {}}\n"
HEAD = "segment: {0}\nversion: 1\nstatus: approved\nenter: {1}\n"
FIRST = {"dictionary.yaml": DICTIONARY, "segments/known.yaml": HEAD.format("known", "{everyone: true}")}
SECOND = FIRST | {
    "segments/often.yaml": HEAD.format("often", "{event: portal.login, count: {at_least: 3}, within: 1d}"),
    "segments/seldom.yaml": HEAD.format("seldom", "{event: portal.login, count: {at_most: 2}, within: 1d}"),
}


def names(person: str) -> list[str]:
    """Name four subjects of a person; each lives in another partition than the one before."""
    found: list[str] = []
    for number in range(100):
        subject = f"hcp:{person}-{number}"
        if partition_of(subject.encode(), PARTITIONS) == len(found) % PARTITIONS:
            found.append(subject)
    return found[:4]


CHAINED, LATE, MEANWHILE, PARTED = (names(each) for each in ("chained", "late", "meanwhile", "parted"))
OTHERS = [f"hcp:{number}" for number in range(12)]


class Sent:
    """Events that were sent, with the records' order of each subject."""

    def __init__(self, segue: Segue) -> None:
        self.segue = segue
        self.lines: list[str] = []

    def send(self, *told: tuple[Any, ...]) -> None:
        """Send events, each (subject, type) or (alias, canonical)."""
        made: list[str] = []
        for subject, what in told:
            number = f"e{len(self.lines) + len(made)}"
            if ":" in what:
                made.append(event(subject, "identity.linked", number, canonical=what))
            else:
                made.append(event(subject, what, number))
        self.segue.done("send", "-", stdin="".join(made))
        self.lines += made

    def standing(self, file: Path, catalogue: Path) -> dict[str, set[str]]:
        """Return who is in what, by `segue replay` of these events under one catalogue from the beginning."""
        file.write_text("".join(self.lines))
        return standing([json.loads(each) for each in self.segue.done("replay", catalogue, file).out.splitlines()])


def standing(told: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return who is in what after all changes."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in told:
        members = found[each["segment"]]
        (members.add if each["change"] == "entered" else members.discard)(each["profile"])
    return dict(found)


def not_empty(standing: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out segments in which nobody is."""
    return {name: members for name, members in standing.items() if members}


def changes(segue: Segue) -> list[dict[str, Any]]:
    """Return the changes of segments that were published so far."""
    watched = segue.done("watch", "--from-start", "--seconds", 3, "--json")
    return [each for each in watched.lines if "sequence" in each]


def links(subjects: list[str]) -> list[tuple[str, str]]:
    """Link each subject to the next."""
    return [*pairwise(subjects)]


def test_a_fill_brings_the_past_of_whole_persons(kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path) -> None:
    segue = deployment(unique("whole"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "first", FIRST))
    sent = Sent(segue)
    second = write_catalogue(tmp_path / "second", SECOND)
    with segue.started("worker", "--log-level", "warning"):
        # the first three of each person tell one login each; the last one, for whom they stand, tells none
        sent.send(*product([one for each in (CHAINED, LATE, MEANWHILE, PARTED) for one in each[:3]], ["portal.login"]))
        sent.send(*product([*OTHERS, *(each[3] for each in (CHAINED, LATE, MEANWHILE, PARTED))], ["portal.visit"]))
        sent.send(*links(CHAINED), *links(PARTED))
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)  # the worker is there
        previewed = segue.done("preview", second).out
        assert (
            "2 profiles have facts of other subjects: what these were told before the cut is not counted" in previewed
        )
        segue.done("apply", second, "--no-fill")
        sent.send(*links(LATE))
        with segue.started("fill", "--json", SEGUE_FILL_RECORDS_PER_S_MAX=8) as filling:
            time.sleep(1)
            sent.send(*links(MEANWHILE), (PARTED[1], "identity.unlinked"))
            out, _ = filling.communicate(timeout=60)
        assert json.loads(out)["not_waited_for"] == []
        wanted = sent.standing(tmp_path / "sent.ndjson", second)
        assert wanted["often"] == {CHAINED[3], LATE[3], MEANWHILE[3]}
        wait_for(lambda: counted(segue) == {name: len(members) for name, members in wanted.items()})
        assert equal(segue)
    all_told = changes(segue)
    assert standing(all_told) == wanted
    told = [each for each in all_told if each["profile"] in (CHAINED[3], LATE[3]) and each["segment"] != "known"]
    # judged once, by all of the person
    assert [(each["change"], each["segment"], each["backfill"]) for each in told] == [("entered", "often", True)] * 2


def test_where_no_worker_runs_the_fill_ends_and_says_so(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("alone"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "first", FIRST))
    sent = Sent(segue)
    with segue.started("worker", "--log-level", "warning") as worker:
        sent.send(*product(CHAINED[:3], ["portal.login"]), (CHAINED[3], "portal.visit"), *links(CHAINED))
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)
        worker.terminate()
        worker.communicate(timeout=60)
    second = write_catalogue(tmp_path / "second", SECOND)
    said = segue.done("apply", second).out
    assert "No worker took it in meanwhile in partitions 0, 1." in said
    with segue.started("worker", "--log-level", "warning"):
        wanted = sent.standing(tmp_path / "sent.ndjson", second)
        # whether somebody was in a segment meanwhile, and left it, depends on the order
        sizes = {name: len(members) for name, members in wanted.items() if members}
        wait_for(lambda: {name: size for name, size in counted(segue).items() if size} == sizes)
        wait_for(lambda: not_empty(standing(changes(segue))) == not_empty(wanted))


EARLY = FIRST | {
    "segments/often.yaml": HEAD.format("often", "{event: portal.login, count: {at_least: 3}, within: 1d}"),
    "policy.yaml": "erasure: {afterwards: begin_anew}\n",
}


def test_the_fill_of_the_first_catalogue_makes_the_persons_that_the_log_tells_of(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("early"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    segue.done("topics")
    gone, alias, stays, other = PARTED
    sent = Sent(segue)
    sent.send(*product([*CHAINED[:3], *LATE[:3], *MEANWHILE[:3], *PARTED], ["portal.login"]))
    # one chain that stands, one that was relinked, one that was taken back in its middle
    sent.send(*links(CHAINED), (LATE[0], LATE[3]), *links(LATE), *links(MEANWHILE), (MEANWHILE[1], "identity.unlinked"))
    sent.send((alias, gone), (other, stays), (gone, "privacy.erased"))
    sent.send((alias, "portal.login"), (gone, "portal.login"))  # begins anew
    first = write_catalogue(tmp_path / "first", EARLY)
    with segue.started("worker", "--log-level", "warning"):
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)  # the worker is there
        applied = segue.done("apply", first)
        assert "9 subjects stand for another by links from before the first catalogue." in applied.out
        wanted = sent.standing(tmp_path / "sent.ndjson", first)
        assert wanted["known"] == {CHAINED[3], LATE[3], MEANWHILE[1], MEANWHILE[3], gone, alias, stays}
        assert wanted["often"] == {CHAINED[3], LATE[3]}
        wait_for(lambda: counted(segue) == {name: len(members) for name, members in wanted.items()})
        told = changes(segue)
        # each is judged once, by all of the person
        assert [(each["change"], each["backfill"]) for each in told] == [("entered", True)] * 9
        assert standing(told) == wanted
        # links and erasures that come now go on from there
        sent.send((CHAINED[0], "identity.unlinked"), (LATE[3], "privacy.erased"), (alias, "portal.login"))
        wanted = sent.standing(tmp_path / "sent.ndjson", first)
        wait_for(lambda: counted(segue) == {name: len(members) for name, members in wanted.items()})
        assert "there is no history to bring" in segue.done("fill").out
        assert equal(segue)
    assert standing(changes(segue)) == wanted
    assert f"stands for {CHAINED[2]}" in segue.done("explain", CHAINED[1]).out


REACHING = {
    "dictionary.yaml": """
events:
  plan.changed: {reaches: {roles: [prescriber], as: plan.told}}
  plan.told: {data: {organisation: {type: string}}}
""",
    "segments/told.yaml": HEAD.format("told", "{event: plan.told, count: {at_least: 2}}"),
}


def test_the_fill_of_the_first_catalogue_ties_people_to_organisations_and_tells_them_the_latest(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("ties"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    segue.done("topics")
    tied, untied, alias, end = PARTED
    affiliation = {"organisation": "payer:1", "role": "prescriber"}
    lines = [
        *(event(each, "affiliation.started", f"t-{each}", **affiliation) for each in (tied, untied, alias)),
        event(untied, "affiliation.ended", "u", **affiliation),
        event("payer:1", "plan.changed", "p1"),
        event(alias, "identity.linked", "l1", canonical=end),
    ]
    segue.done("send", "-", stdin="".join(lines))
    first = write_catalogue(tmp_path / "first", REACHING)
    with segue.started("worker", "--log-level", "warning"):
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)  # the worker is there
        segue.done("apply", first)
        lines.append(event("payer:1", "plan.changed", "p2"))
        segue.done("send", "-", stdin=lines[-1])
        (tmp_path / "sent.ndjson").write_text("".join(lines))
        replayed = segue.done("replay", first, tmp_path / "sent.ndjson").out
        wanted = standing([json.loads(each) for each in replayed.splitlines()])
        assert wanted == {"told": {tied, end}}
        wait_for(lambda: counted(segue) == {"told": 2})
        assert equal(segue)
    assert standing(changes(segue)) == wanted
