"""The naive evaluator and the engine both satisfy every transcript, and bad transcripts are refused."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.naive.templates import made_of
from tests.transcripts.implementations import ACTIVATING, IMPLEMENTATIONS, compiled
from tests.transcripts.transcript import BadTranscript, Case, Change, Files, cases_of, change_from_json, read_cases

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))


def implementations_of(case: Case) -> tuple[str, ...]:
    """Name the implementations that run a case."""
    return ACTIVATING if case.activating else tuple(IMPLEMENTATIONS)


NAMED = [(f"{path.stem}: {case.name}", case) for path in FILES for case in read_cases(path)]
CASES = [pytest.param(case, id=name) for name, case in NAMED]


@pytest.mark.parametrize(
    ("case", "implementation"),
    [
        pytest.param(case, implementation, id=f"{name}-{implementation}")
        for name, case in NAMED
        for implementation in implementations_of(case)
    ],
)
def test_transcript_holds(case: Case, implementation: str) -> None:
    changes, refused = IMPLEMENTATIONS[implementation](case.files, case.lines, case.cuts, case.until, case.as_live)
    told = [change_from_json(raw) for raw in changes]
    if case.only_activations:
        told = [change for change in told if not isinstance(change, Change)]
    assert [str(change) for change in told] == [str(change) for change in case.changes]
    assert refused == list(case.refused)
    whole(changes, [case.files, *(files for _, files in case.cuts)])


@pytest.mark.parametrize("case", CASES)
def test_transcript_gives_the_same_bytes_everywhere(case: Case) -> None:
    outputs = [
        IMPLEMENTATIONS[each](case.files, case.lines, case.cuts, case.until, case.as_live)
        for each in implementations_of(case)
    ]
    for one, other in pairwise(outputs):
        assert one == other


@pytest.mark.parametrize("case", CASES)
def test_transcript_has_catalogues_that_load(case: Case) -> None:
    for files in (case.files, *(each for _, each in case.cuts)):
        compiled(files)


def whole(changes: list[bytes], catalogues: list[Files]) -> None:
    """Check what transcripts do not write: ids, sequences, versions, layers, content, compactness."""
    counts: dict[str, int] = {}
    written = [
        (value["segment"], value["version"], value.get("layers", {}))
        for files in catalogues
        for name, file in files.items()
        if name.startswith("segments/")
        for value in made_of(file)
    ]
    activations = [
        (value["activation"], value["version"], value["channel"], value.get("journey"), content_of(value))
        for files in catalogues
        for name, file in files.items()
        if name.startswith("activations/")
        for value in made_of(file)
    ]
    for raw in changes:
        change = json.loads(raw)
        name = change["profile"] if "segment" in change else f"{change['profile']}/{change['channel']}"
        counts[name] = counts.get(name, 0) + 1
        assert change["sequence"] == counts[name]
        assert change["id"] == f"g1/{name}/{change['sequence']}"
        if "segment" in change:
            assert (change["segment"], change["segment_version"], change["layers"]) in written
        else:
            told = [change[key] for key in ("activation", "activation_version", "channel", "journey", "content")]
            assert tuple(told) in activations
            assert list(change) == ACTIVATION_KEYS
        assert json.dumps(change, ensure_ascii=False, separators=(",", ":")).encode() == raw


ACTIVATION_KEYS = [
    *("id", "profile", "activation", "activation_version", "channel", "change"),
    *("sequence", "effective_at", "reason", "journey", "content", "arm"),
]
CONTENT_KEYS = ("asset", "intent", "depth", "topic", "evidence", "call_to_action", "claims")


def content_of(activation: dict[str, Any]) -> dict[str, Any]:
    """The content in a change of an activation."""
    return {key: activation["content"][key] for key in CONTENT_KEYS if key in activation["content"]}


def a_case(**given: Any) -> dict[str, Any]:
    """Give a good file with one case. `given` replaces parts of the case."""
    segment = {"segment": "s", "version": 1, "status": "approved", "enter": {"everyone": True}}
    case: dict[str, Any] = {
        "name": "everyone is in",
        "segments": [segment],
        "steps": [{"at": "2026-03-01", "type": "message.sent"}, {"at": "2026-03-02", "type": "message.sent"}],
        "changes": ["2026-03-01 hcp:1 enters s, entry_rule [enter] on /s e1"],
    }
    return {"about": "a law", "cases": [case | given]}


def test_a_good_transcript_is_read() -> None:
    assert cases_of(a_case())[0].name == "everyone is in"


BAD: dict[str, dict[str, Any]] = {
    "an unknown key of a case": {"expect": []},
    "no steps": {"steps": None},
    "a step of no kind": {"steps": [{"wait": "1d"}]},
    "a step of two kinds": {"steps": [{"at": "2026-03-01", "tick": "2026-03-01"}]},
    "an unknown key of a step": {"steps": [{"at": "2026-03-01", "type": "message.sent", "topic": "x"}]},
    "a history without its cut": {"steps": [{"history": "2026-03-01", "events": []}]},
    "a filling since no instant": {"steps": [{"filled": "2026-03-01", "of": "2026-03-01", "since": "ever"}]},
    "an event without a type": {"steps": [{"at": "2026-03-01"}]},
    "an instant that is no instant": {"steps": [{"tick": "2026-02-30"}]},
    "an instant with no offset": {"steps": [{"tick": "2026-03-01T10:00:00"}]},
    "an until that is no instant": {"until": "tomorrow"},
    "an expected instant that is no instant": {"changes": ["2026-13-01 hcp:1 enters s, entry_rule"]},
    "time going wrong": {"steps": [{"tick": "2026-03-02"}, {"tick": "2026-03-01"}]},
    "time said to go back that does not": {"steps": [{"tick": "2026-03-01"}, {"tick": "2026-03-02", "back": True}]},
    "a cut behind a line of its instant": {"steps": [{"tick": "2026-03-01"}, {"cut": "2026-03-01"}]},
    "a cut that goes back": {"steps": [{"tick": "2026-03-02"}, {"cut": "2026-03-01"}]},
    "expectations not in order": {
        "changes": ["2026-03-02 hcp:1 exits s, max_stay", "2026-03-01 hcp:1 exits s, max_stay"]
    },
    "a change that cannot be read": {"changes": ["2026-03-01 hcp:1 joins s"]},
    "an entry with the reason of an exit": {"changes": ["2026-03-01 hcp:1 enters s, max_stay"]},
    "an exit with the reason of an entry": {"changes": ["2026-03-01 hcp:1 exits s, entry_rule"]},
    "an activation that starts refused": {"changes": ["2026-03-01 hcp:1 starts email/a, consent"]},
    "an activation that stops allowed": {"changes": ["2026-03-01 hcp:1 stops email/a, allowed"]},
    "an activation that stops after something": {"changes": ["2026-03-01 hcp:1 stops email/a, market after consent"]},
    "an activation without its channel": {"changes": ["2026-03-01 hcp:1 starts a, allowed"]},
    "a refusal without a code": {"refused": ["2"]},
    "a refusal of line 0": {"refused": ["0 not_json"]},
    "a flag that is a text": {"as_live": "yes"},
}


@pytest.mark.parametrize("given", BAD.values(), ids=BAD)
def test_a_bad_transcript_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadTranscript):
        cases_of(a_case(**given))


def test_two_cases_of_one_name_are_refused() -> None:
    file = a_case()
    with pytest.raises(BadTranscript):
        cases_of({**file, "cases": file["cases"] * 2})


def test_an_unknown_key_of_a_file_is_refused() -> None:
    with pytest.raises(BadTranscript):
        cases_of({**a_case(), "notes": "none"})


def test_a_file_without_cases_is_refused() -> None:
    with pytest.raises(BadTranscript):
        cases_of({"about": "nothing", "cases": []})
