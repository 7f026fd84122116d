"""A kind of condition is one module and one row: a toy kind works everywhere, and nothing else knows of it."""

from typing import Any

import orjson
import pytest

from rules.catalogue.mentions import mentions
from rules.conditions import kinds
from rules.conditions.mention import Mention
from rules.engine.profile import unpack
from rules.engine.replay import Replay, Then, replay
from rules.explain.segments import explain
from rules.ground.instants import parse_instant
from rules.language.problems import CatalogueErrors
from rules.lint.check import lint
from rules.lint.footprint import state_size
from rules.reports.lineage import lineage
from tests.rules.conditions.toy_kind import KIND
from tests.transcripts.implementations import compiled

TOPIC = {"first": "portal.viewed", "where": {"npi": {"equals": "1234567893"}}, "within": "2d"}
SENTENCE = "the first portal.viewed where npi equals 1234567893 within 2d"


@pytest.fixture(autouse=True)
def _one_more_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, KIND))


def files(**rules: Any) -> dict[str, Any]:
    """A catalogue with one segment for each rule."""
    events = {
        "portal.login": {"definition": "In"},
        "portal.viewed": {
            "definition": "Seen",
            "data": {"npi": {"type": "string"}, "gene": {"type": "string", "restricted": "genome"}},
        },
    }
    found: dict[str, Any] = {"dictionary.yaml": {"events": events}}
    for name, rule in rules.items():
        found[f"segments/{name}.yaml"] = {"segment": name, "version": 1, "status": "approved", "enter": rule}
    return found


def line(day: int, name: str, npi: str = "1234567893") -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": name,
            "source": "/s",
            "type": "portal.viewed",
            "subject": "hcp:1",
            "time": f"2026-03-0{day}T00:00:00Z",
            "data": {"npi": npi},
        }
    )


LINES = [line(1, "a", "other"), line(2, "b"), line(3, "c")]


def codes(**rules: Any) -> list[tuple[str, str]]:
    """What lint finds in the segments of a catalogue."""
    found = lint(compiled(files(**rules)))
    return [(each.code, each.message) for each in found if each.code not in ("undocumented", "unused-event")]


def test_it_is_read_with_places_and_nearest_names() -> None:
    with pytest.raises(CatalogueErrors) as caught:
        compiled(files(s={**TOPIC, "first": "portal.vieved"}))
    assert "unknown event 'portal.vieved'; did you mean 'portal.viewed'?" in str(caught.value)
    with pytest.raises(CatalogueErrors) as caught:
        compiled(files(s={"frist": "portal.viewed", "within": "2d"}))
    assert "did you mean 'first'?" in str(caught.value)


def test_it_says_what_it_mentions() -> None:
    assert list(mentions({"any": [TOPIC, {"first": 3}]}, ("enter",))) == [
        Mention("event", "portal.viewed", ("enter", "any", 0, "first")),
        Mention("field", "portal.viewed", ("enter", "any", 0, "where", "npi"), "npi"),
    ]


def test_restricted_data_is_traced_through_it() -> None:
    genome = {**TOPIC, "where": {"gene": {"equals": "x"}}}
    given = files(s=genome, t=TOPIC) | {"policy.yaml": {"restrictions": {"genome": {}}}}
    catalogue = compiled(given)
    assert catalogue.restricted == {"s": {"genome"}, "t": frozenset()}
    reaches = {reach.field.name: reach.segments for reach in lineage(catalogue).reaches}
    assert reaches["portal.viewed: npi"] == ("t",)
    assert reaches["portal.viewed: gene"] == ("s",)


def test_it_is_evaluated_event_by_event_and_by_time() -> None:
    changes, refused = replay(compiled(files(s=TOPIC)), LINES, until_ms=parse_instant("2026-03-09"))
    assert not refused
    told = [(each["change"], each["effective_at"][:10], each["reason"]) for each in map(orjson.loads, changes)]
    assert told == [
        ("entered", "2026-03-02", {"kind": "entry_rule", "conditions": ["enter"], "events": ["/s b"]}),
        ("exited", "2026-03-04", {"kind": "entry_lost", "conditions": ["enter"], "events": []}),
    ]


def test_its_state_is_packed_and_read_back() -> None:
    run = Replay(compiled(files(s=TOPIC)))
    list(run.run(LINES))
    profile = run.partition.profiles["hcp:1"]
    again = unpack("hcp:1", profile.pack())
    assert again.states == profile.states
    assert [state[2] for state in again.states.values()] == ["b"]


def test_it_is_pending_after_a_cut_without_its_history() -> None:
    then = Then(parse_instant("2026-03-03"), compiled(files(s=TOPIC)))
    assert replay(compiled(files()), LINES, then=[then], as_live=True) == ([], [])
    assert len(replay(compiled(files()), LINES, then=[then])[0]) == 1


def test_it_is_explained_in_a_sentence_with_its_evidence() -> None:
    run = Replay(compiled(files(s=TOPIC)))
    list(run.run(LINES))
    plan = run.partition.current
    assert plan is not None
    [told] = explain(run.partition.profiles["hcp:1"], plan, parse_instant("2026-03-03"), "g1")
    [leaf] = told.enter
    assert (leaf.text, leaf.holds, leaf.until_ms) == (SENTENCE, True, parse_instant("2026-03-04"))
    assert [name for _, _, name in leaf.evidence] == ["b"]


def test_its_state_is_bounded() -> None:
    [contributor] = state_size(compiled(files(s=TOPIC, t={"all": [TOPIC]}))).contributors
    assert (contributor.description, contributor.segments) == (SENTENCE, ("s", "t"))
    assert contributor.bytes_max < 100


def test_lint_reasons_about_it() -> None:
    unlikely = {**TOPIC, "where": {"npi": {"equals": "1234567893", "starts_with": "2"}}}
    for impossible in ({"all": [TOPIC, {"none": [TOPIC]}]}, unlikely):
        assert {code for code, _ in codes(s=impossible)} == {"never-enters", "never-holds"}
    assert codes(s=TOPIC) == []
    assert codes(s=TOPIC, t={**TOPIC, "first": ["portal.viewed"]}) == [
        ("duplicate", "has the same rules as segment 's'")
    ]


def test_lint_checks_the_codes_that_it_compares() -> None:
    assert codes(s={**TOPIC, "where": {"npi": {"in": ["12"]}}}) == [
        ("code", "'12' is not an NPI (10 digits with their check digit)")
    ]
