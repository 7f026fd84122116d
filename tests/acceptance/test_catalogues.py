"""Versions, reasons, people: what was in force when, what differs, going back, on real servers."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

DICTIONARY = "events:\n  portal.login: {definition: Logged in}\n"
VISITORS = """\
# who comes back; agreed with the field team
segment: visitors
version: 1
status: approved
enter: {event: portal.login, count: {at_least: 2}, within: 1h}
"""
FIRST = {"dictionary.yaml": DICTIONARY, "segments/visitors.yaml": VISITORS}
SECOND = {
    **FIRST,
    "segments/visitors.yaml": VISITORS.replace("version: 1", "version: 2").replace("at_least: 2", "at_least: 3"),
    "segments/everybody.yaml": "segment: everybody\nversion: 1\nstatus: approved\nenter: {everyone: true}\n",
}

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Place:
    """A deployment and the folder of its catalogue, which is a git repository."""

    segue: Segue
    folder: Path

    def write(self, files: dict[str, str]) -> Path:
        """Let the folder hold these files."""
        for old in self.folder.rglob("*.yaml"):
            old.unlink()
        return write_catalogue(self.folder, files)

    def commit(self) -> str:
        """Commit the folder; return the revision."""
        person = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        for command in (("init", "-q"), ("add", "-A"), (*person, "commit", "-q", "-m", "x")):
            subprocess.run(["git", *command], cwd=self.folder, check=True, capture_output=True)
        told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.folder, check=True, capture_output=True, text=True)
        return told.stdout.strip()


@pytest.fixture
def place(kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path) -> Place:
    segue = deployment(unique("versions"), kafka.bootstrap, valkey.redis_url, 2)
    segue.done("topics")
    folder = tmp_path / "catalogue"
    folder.mkdir()
    return Place(segue, folder)


def test_every_apply_is_listed_with_who_why_when_and_from_where(place: Place) -> None:
    segue = place.segue
    nothing = segue("catalogues")
    assert (nothing.status, nothing.err) == (1, "no catalogue is in force: run `segue apply DIR`\n")
    place.write(FIRST)
    revision = place.commit()
    first = segue.done("apply", place.folder, "--by", "ada", "--note", "the first", "--json").json
    place.write(SECOND)
    second = segue.done("apply", place.folder, "--by", "grace", "--json").json
    # applied again: compaction keeps one record of the catalogue, and the list keeps both applies
    segue.done("apply", place.folder, "--again", "--note", "once more")
    listed = segue.done("catalogues", "--json").json["catalogues"]
    assert [each["catalogue"] for each in listed] == [second["catalogue"], second["catalogue"], first["catalogue"]]
    assert [each["in_force"] for each in listed] == [True, False, False]
    assert [each["before"] for each in listed] == [second["catalogue"], first["catalogue"], None]
    assert [each["until"] for each in listed] == [None, listed[0]["since"], listed[1]["since"]]
    hows = [each["how"] for each in listed]
    assert [each["note"] for each in hows] == ["once more", None, "the first"]
    assert [each["by"] for each in hows[1:]] == ["grace", "ada"]
    assert [each["git"] for each in hows[1:]] == [
        {"revision": revision, "clean": False},
        {"revision": revision, "clean": True},
    ]
    shown = segue.on_terminal("catalogues")
    assert max(map(len, shown)) <= 80
    assert any("grace" in line and f"{revision[:7]}+" in line for line in shown)


def test_a_change_without_a_higher_version_is_refused_with_the_number_to_write(place: Place) -> None:
    segue = place.segue
    segue.done("apply", place.write(FIRST))
    place.write({**FIRST, "segments/visitors.yaml": VISITORS.replace("at_least: 2", "at_least: 3")})
    refused = segue("apply", place.folder)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == (
        "segments/visitors.yaml:3:1: segment 'visitors' differs from what is in force as version 1; write version: 2\n"
    )
    assert len(segue.done("catalogues", "--json").json["catalogues"]) == 1
    segue.done("apply", place.write(SECOND))
    refused = segue("apply", place.write(FIRST))
    assert (refused.status, refused.out) == (1, "")
    assert "version 1 of segment 'visitors' is lower than 2, in force; write version: 3" in refused.err
    assert "`segue apply --back`" in refused.err


def test_back_returns_to_the_catalogue_before_and_the_next_number_is_above_all(place: Place) -> None:
    segue = place.segue
    first = segue.done("apply", place.write(FIRST), "--json").json["catalogue"]
    nowhere = segue("apply", "--back")
    assert (nowhere.status, nowhere.err) == (
        1,
        "no other catalogue was in force before this one\n",
    )
    segue.done("apply", place.write(SECOND))
    third = {**SECOND, "segments/other.yaml": SECOND["segments/everybody.yaml"].replace("everybody", "other")}
    segue.done("apply", place.write(third))
    # two steps back, not back and forth
    assert "changed" in segue.done("apply", "--back", "--note", "too many").out
    back = segue.done("apply", "--back", "--by", "ada", "--json").json
    assert (back["catalogue"], back["how"]["back"]) == (first, True)
    assert back["differences"]["segment"] == {"changed": ["visitors"], "gone": ["everybody"]}
    assert segue("apply", "--back").status == 1
    # the text of version 2 is known still: an edit needs a number above it, that text again does not
    edited = VISITORS.replace("version: 1", "version: 2").replace("at_least: 2", "at_least: 4")
    refused = segue("apply", place.write({**FIRST, "segments/visitors.yaml": edited}))
    assert "version 2 of segment 'visitors' was in force before with another text; write version: 3" in refused.err
    segue.done("apply", place.write(SECOND))


def test_a_segment_that_comes_back_unchanged_keeps_its_version(place: Place) -> None:
    segue = place.segue
    segue.done("apply", place.write(SECOND))
    without = {name: text for name, text in SECOND.items() if "everybody" not in name}
    retired = {**SECOND, "segments/everybody.yaml": SECOND["segments/everybody.yaml"].replace("approved", "retired")}
    for files in (without, SECOND, retired, SECOND):
        segue.done("apply", place.write(files))


def test_a_catalogue_is_written_out_byte_for_byte(place: Place, tmp_path: Path) -> None:
    segue = place.segue
    odd = {**FIRST, "segments/visitors.yaml": "\ufeff" + VISITORS.replace("\n", "\r\n") + "# é\r\n"}
    for name, text in odd.items():
        (place.folder / name).parent.mkdir(exist_ok=True)
        (place.folder / name).write_bytes(text.encode())
    first = segue.done("apply", place.folder, "--json").json["catalogue"]
    again = tmp_path / "again"
    ended = segue.done("catalogue", first[:8], "-o", again, "--json").json
    assert ended == {"catalogue": first, "files": sorted(odd), "as_applied": True, "key_left_out": False}
    for name in odd:
        assert (again / name).read_bytes() == (place.folder / name).read_bytes()
    assert segue.done("check", again, "--json").json["ok"]
    full = segue("catalogue", first, "-o", again)
    assert (full.status, full.err) == (
        1,
        f"{again} is not empty, and nothing was written: give a folder that is new or empty\n",
    )
    unknown = segue("catalogue", "0000000000", "-o", tmp_path / "new")
    assert unknown.status == 1
    assert "'0000000000' is no catalogue that was applied" in unknown.err
    assert not (tmp_path / "new").exists()
    segue.done("catalogue", "in force", "-o", tmp_path / "new")


def test_diff_says_which_condition_changed_from_what_to_what(place: Place) -> None:
    segue = place.segue
    segue.done("apply", place.write(FIRST))
    place.write(SECOND)
    # a folder alone: what it would change
    shown = segue.done("diff", place.folder).out
    assert "segment visitors version 1 → 2: changed" in shown
    assert "was  at least 2 of portal.login within 1h" in shown or "was  2 or more of portal.login within 1h" in shown
    assert "segment everybody version 1: new" in shown
    segue.done("apply", place.folder)
    # nothing: what the last apply changed
    found = segue.done("diff", "--json").json
    assert [(each["name"], each["way"]) for each in found["changes"]] == [("everybody", "new"), ("visitors", "changed")]
    [change] = found["changes"][1]["changes"]
    assert (change["at"], change["way"]) == ("enter", "changed")
    assert segue.done("diff", "in force", place.folder).out.endswith("They mean the same: nothing would change.\n")
    markdown = segue.done("diff", "before", "in force", "--markdown").out
    assert "## segment `visitors` version 1 → 2: changed" in markdown
    early = segue("diff", "a week ago")
    assert early.status == 1
    assert "no catalogue was in force at" in early.err
    since = segue.done("catalogues", "--json").json["catalogues"][-1]["since"]
    assert len(segue.done("diff", since, "--json").json["changes"]) == 2
