"""`check` and `replay`: definitions, with no servers."""

import json
import re
from pathlib import Path
from typing import Any

from tests.acceptance.command import EXAMPLE, Segue

SMALL = {
    "dictionary.yaml": "events:\n  portal.login: {definition: Logged in}\n",
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\n"
        "enter: {event: portal.login, count: {at_least: 2}, within: 1h}\n"
    ),
}

LATER = SMALL["segments/visitors.yaml"].replace("at_least: 2", "at_least: 9")


def write_catalogue(folder: Any, files: dict[str, str]) -> Path:
    """Write a catalogue into a folder."""
    for name, text in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Path(folder)


def login(id_: int, time: str, **more: Any) -> str:
    """Write a login as a line."""
    value = {"specversion": "1.0", "id": str(id_), "source": "/p", "type": "portal.login", "subject": "hcp:1"}
    return json.dumps({**value, "time": time, **more}) + "\n"


def test_check_passes_the_example_and_says_how_large_a_profile_gets() -> None:
    ended = Segue().done("check", EXAMPLE)
    assert "approved" in ended.out
    assert "A profile takes at most" in ended.out
    assert "approved activations by channel: email 4, field 2, sms 3." in ended.out
    found = Segue().done("check", EXAMPLE, "--json").json
    assert found["ok"]
    assert len(found["segments"]) >= 18
    restricted = {each["activation"]: each["restricted"] for each in found["activations"]}
    assert restricted["supply-reminder-sms"] == ["patient-level"]
    assert found["profile_bytes_max"]["total"] > 0


def test_check_tells_every_error_at_its_place_and_is_1(tmp_path: Path) -> None:
    broken = SMALL["segments/visitors.yaml"].replace("within: 1h", "witin: 1h").replace("version: 1", "version: one")
    folder = write_catalogue(tmp_path, {**SMALL, "segments/visitors.yaml": broken})
    ended = Segue()("check", folder)
    assert (ended.status, ended.out) == (1, "")
    assert "segments/visitors.yaml:2:1: " in ended.err
    assert "did you mean 'within'?" in ended.err
    refused = Segue()("check", folder, "--json")
    assert refused.status == 1
    assert not refused.json["ok"]
    assert {(each["line"], each["file"]) for each in refused.json["errors"]} == {
        (2, "segments/visitors.yaml"),
        (4, "segments/visitors.yaml"),
    }


def test_lineage_tells_which_fields_reach_which_topics_and_marks_the_restricted_ones() -> None:
    traced = Segue().done("check", EXAMPLE, "--lineage", "--json").json
    fields = {(each["kind"], each["field"]): each for each in traced["fields"]}
    therapy = fields["attribute", "therapy.started: product"]
    assert (therapy["traits"], therapy["restricted"]) == (["therapy"], ["patient-level"])
    assert "supply-lapsed" in therapy["segments"]
    assert therapy["activations"] == ["preparation-checklist-sms", "supply-reminder-sms"]
    assert therapy["topics"] == ["activation.sms", "segment.membership"]
    # no fact about a patient reaches any channel except the programme's own
    for each in traced["fields"]:
        if "patient-level" in each["restricted"]:
            assert {topic for topic in each["topics"] if topic.startswith("activation")} <= {"activation.sms"}
    marked = {(each["kind"], each["name"]): each["classes"] for each in traced["restricted"]}
    assert marked["segment", "supply-lapsed"] == marked["activation", "supply-reminder-sms"] == ["patient-level"]
    assert ("activation", "access-resources-email") not in marked
    shown = Segue().done("check", EXAMPLE, "--lineage").out
    [line] = [each for each in shown.splitlines() if each.startswith("trait therapy ")]
    assert line == "trait therapy  restricted: patient-level"
    # links and erasures move whole profiles
    assert traced["everything"] == ["identity.linked", "identity.unlinked", "privacy.erased"]
    every = "identity.linked, identity.unlinked, privacy.erased reach every segment, activation and topic."
    assert shown.splitlines()[-1] == every


def test_lineage_is_a_mermaid_picture_whose_edges_lead_from_node_to_node(tmp_path: Path) -> None:
    picture = Segue().done("check", EXAMPLE, "--mermaid").out.splitlines()
    assert picture[0] == "flowchart LR"
    shapes = (re.match(r"  (n\d+)\W+\"(.*?)\"", line) for line in picture)
    nodes = {found[1]: found[2] for found in shapes if found is not None}
    edges = [line.split() for line in picture if " --> " in line]
    assert len(edges) > 100
    told = {(nodes[source], nodes[target]) for source, _, target in edges}
    assert ("therapy<br/>patient-level", "active-treatment<br/>patient-level") in told
    assert ("supply-reminder-sms<br/>patient-level", "activation.sms") in told
    [marked] = [line.split()[1].split(",") for line in picture if line.endswith(" restricted")]
    assert {nodes[each] for each in marked} == {name for name in nodes.values() if "-level" in name}
    odd = write_catalogue(tmp_path, {**SMALL, "dictionary.yaml": "events: {portal.login: {restricted: 'a\"<b'}}\n"})
    (odd / "policy.yaml").write_text("restrictions: {'a\"<b': {channels: [email]}}\n")
    assert "portal.login<br/>a#quot;#lt;b" in Segue().done("check", odd, "--mermaid").out


def test_check_strict_makes_warnings_1(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path, SMALL)
    assert Segue()("check", folder).status == 0
    ended = Segue()("check", folder, "--strict")
    assert ended.status == 1
    assert ": warning: " in ended.err


def test_many_undocumented_names_are_one_line_and_all_lists_them(tmp_path: Path) -> None:
    events = "".join(f"  e{n}: {{}}\n" for n in range(8))
    folder = write_catalogue(tmp_path, {**SMALL, "dictionary.yaml": SMALL["dictionary.yaml"] + events})
    told = Segue().done("check", folder, "--json")
    undocumented = [each for each in told.json["warnings"] if each["code"] == "undocumented"]
    assert len(undocumented) >= 8
    lines = told.err.splitlines()
    assert lines[-1] == f"{len(undocumented)} warnings [undocumented]: segue check {folder} --all lists them"
    assert len(lines) == len(told.json["warnings"]) - len(undocumented) + 1
    for option in ("--all", "--strict"):
        assert len(Segue()("check", folder, option).err.splitlines()) == len(told.json["warnings"])


def test_replay_writes_changes_to_stdout_and_refused_lines_to_stderr(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "catalogue", SMALL)
    own = {"specversion": "1.0", "id": "c", "source": "/segue/g1", "type": "segue.catalogue"}
    lines = (
        login(1, "2026-03-01T10:00:00Z")
        + json.dumps({**own, "recordedtime": "2026-03-01T10:01:00Z", "data": {"catalogue": "of a dump"}})
        + "\n\nnot json\n"
        + login(2, "2026-03-01T10:05:00Z")
    )
    ended = Segue().done("replay", folder, "-", "--until", "2026-03-01T12:00:00Z", stdin=lines)
    assert [(change["change"], change["effective_at"]) for change in ended.lines] == [
        ("entered", "2026-03-01T10:05:00.000Z"),
        ("exited", "2026-03-01T11:00:00.000Z"),
    ]
    assert ended.err == "line 4: not_json\n"
    assert Segue()("replay", folder, "-", "--strict", stdin=lines).status == 1


def test_the_events_of_the_readme_start_and_stop_an_activation() -> None:
    ended = Segue().done("replay", EXAMPLE, EXAMPLE.parent / "events.ndjson", "--strict")
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [each["reason"]["kind"] for each in found if "activation" in each] == [
        "allowed",
        "consent",
        "allowed",
        "not_member",
    ]


def test_replay_as_live_waits_for_the_history_that_the_file_brings(tmp_path: Path) -> None:
    before = write_catalogue(tmp_path / "before", {**SMALL, "segments/visitors.yaml": LATER})
    after = write_catalogue(tmp_path / "after", SMALL)
    visits = [login(each, f"2026-03-01T10:0{each}:00Z") for each in (1, 2)]
    cut = {"cut": 1_772_361_000_000}
    own: dict[str, Any] = {"recordedtime": "2026-03-01T10:31:00Z", "data": cut}
    history = {**own, "data": {**cut, "events": [json.loads(each) for each in visits]}}
    lines = [
        *visits,
        json.dumps({"type": "segue.history", "subject": "hcp:1", **history}) + "\n",
        json.dumps({"type": "segue.filled", **own}) + "\n",
    ]
    then = ("--then", "2026-03-01T10:30:00Z", after, "--until", "2026-03-01T12:00:00Z")
    ended = Segue().done("replay", before, "-", *then, "--as-live", stdin="".join(lines))
    told = [
        (each["change"], each["effective_at"], each["backfill"]) for each in map(json.loads, ended.out.splitlines())
    ]
    assert told == [("entered", "2026-03-01T10:31:00.000Z", True), ("exited", "2026-03-01T11:01:00.000Z", False)]


def test_replay_of_a_broken_catalogue_writes_nothing_and_is_1(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path, {"segments/a.yaml": "segment: a\n"})
    ended = Segue()("replay", folder, "-", stdin=login(1, "2026-03-01T10:00:00Z"))
    assert (ended.status, ended.out) == (1, "")
    assert "dictionary.yaml: missing" in ended.err
