"""streams/example/persons.ndjson: two names for one person, and a person forgotten."""

import json
import subprocess
import sys
from typing import Final

from tests.acceptance.command import EXAMPLE, ROOT

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


def test_the_naive_evaluator_tells_the_story_of_the_persons() -> None:
    command = [sys.executable, "-m", "tests.naive", str(EXAMPLE), str(PERSONS)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert told(ended.stdout) == STORY
    assert ended.stderr.strip() == REFUSED
