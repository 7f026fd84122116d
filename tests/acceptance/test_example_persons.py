"""The example's persons.ndjson and affiliations.ndjson: names linked, a person forgotten, prescribers reached."""

import json
import subprocess
import sys
from typing import Final

from rules.catalogue.loading import load_catalogue
from rules.engine.replay import Replay
from rules.explain.persons import explain_person
from rules.explain.segments import explain
from rules.ground.instants import format_instant, parse_instant
from streams.operations.yaml_files import read_folder
from tests.acceptance.command import EXAMPLE, ROOT, Segue
from tests.docs.markdown import DOCS, text_of

PERSONS: Final = EXAMPLE.parent / "persons.ndjson"
STORY: Final = [
    "02-01T10:00 patient:hub-204 entered active-treatment entry_rule",
    "03-01T09:00 hcp:1234567893 entered oncology-hcp entry_rule",
    "03-04T08:30 hcp:1234567893 entered oncology-access-planners entry_rule",
    "03-04T08:30 hcp:1234567893 activated access-resources-email allowed",
    # the app knows that the patient wants no messages; the hub's name does not, so the reminder goes out
    "03-04T10:00 patient:hub-204 entered supply-lapsed entry_rule",
    "03-04T10:00 patient:hub-204 activated supply-reminder-sms allowed",
    # the CRM enrols the practice; the portal's name goes on being e-mailed
    "03-05T16:00 crm:0031 entered treatment-initiation-programme entry_rule",
    # the link: the programme goes on under the other name, and ends the e-mail
    "03-06T10:00 crm:0031 exited treatment-initiation-programme merged",
    "03-06T10:00 hcp:1234567893 entered treatment-initiation-programme merged",
    "03-06T10:00 hcp:1234567893 deactivated access-resources-email suppressed_by treatment-initiation-programme",
    "03-06T10:00 hcp:1234567893 activated treatment-initiation-field allowed",
    # the link of the patient: what was said to the app counts
    "03-06T10:05 patient:hub-204 deactivated supply-reminder-sms consent",
    # told to the CRM, true of the person
    "03-10T09:00 hcp:1234567893 exited treatment-initiation-programme exit_rule",
    "03-10T09:00 hcp:1234567893 deactivated treatment-initiation-field not_member",
    "03-10T09:00 hcp:1234567893 activated access-resources-email allowed",
    # asked under one name, forgotten under all
    "03-12T12:00 patient:hub-204 exited active-treatment erased",
    "03-12T12:00 patient:hub-204 exited supply-lapsed erased",
]
REFUSED: Final = "line 15: erased"


def told(lines: str) -> list[str]:
    """Write published changes as lines of the story."""
    found = []
    for change in map(json.loads, lines.splitlines()):
        reason, what = change["reason"], change.get("segment") or change["activation"]
        words = [change["effective_at"][5:16], change["profile"], change["change"], what, reason["kind"]]
        found.append(" ".join([*words, *reason.get("by", [])]))
    return found


def test_replay_tells_the_story_of_the_persons() -> None:
    ended = Segue().done("replay", EXAMPLE, PERSONS)
    assert told(ended.out) == STORY
    assert ended.err.strip() == REFUSED


def test_the_naive_evaluator_tells_the_story_of_the_persons() -> None:
    command = [sys.executable, "-m", "tests.naive", str(EXAMPLE), str(PERSONS)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert told(ended.stdout) == STORY
    assert ended.stderr.strip() == REFUSED


AFFILIATIONS: Final = EXAMPLE.parent / "affiliations.ndjson"
REACHED: Final = [
    # the payer tightens its criteria: each prescriber in its plan is told at once, a pharmacist is not
    "03-03T09:00 hcp:1000000012 entered plan-criteria-affected entry_rule",
    # tied under the name of the CRM, which stands for this one
    "03-03T09:00 hcp:1234567893 entered plan-criteria-affected entry_rule",
    # who comes into the plan later is told the latest
    "03-04T09:00 hcp:1000000020 entered plan-criteria-affected entry_rule",
]


def test_a_payers_change_reaches_the_prescribers_that_are_tied_to_it() -> None:
    replayed = Segue().done("replay", EXAMPLE, AFFILIATIONS, "--strict").out
    command = [sys.executable, "-m", "tests.naive", str(EXAMPLE), str(AFFILIATIONS)]
    naive = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert replayed == naive
    assert sorted(told(replayed)) == REACHED


def test_the_page_on_persons_shows_what_is_said_of_the_example() -> None:
    page = text_of(DOCS / "operations" / "identity.md")
    replay = Replay(load_catalogue(read_folder(EXAMPLE)))
    for _ in replay.run(PERSONS.read_bytes().splitlines(), parse_instant("2026-03-06T10:00:03Z")):
        pass
    engine = replay.partition
    assert engine.current is not None
    alias, end = (engine.profiles[each] for each in ("crm:0031", "hcp:1234567893"))
    told = explain_person(alias)
    assert told is not None
    assert all(sentence in page for sentence in told.because)
    [entered] = explain(end, engine.current, engine.clock_ms, "g1", "treatment-initiation-programme")[0].enter
    [(t_ms, source, id_)], [under] = entered.evidence, entered.told_under
    assert f"✓ {entered.text}\n" in page
    assert f"{format_instant(t_ms)}  {source} {id_}  of {under}\n" in page
