"""A story of docs/language.md: definitions, then what happens and what comes of it, line by line; read strictly.

One or more `yaml` blocks, then a `story` block. A `yaml` block is a part of a segment (`enter: …`, …), a whole segment
or a whole activation. The first block is in force from the beginning; each row `cut` puts the next one into force.
A row of a story:

    2026-03-01 10:00      viewed {topic: dosing}      enters
    └ record's instant    └ event and its data        └ what changes at that instant, else nothing

A row without an event stands for that instant alone. Nothing may change that no row says, and the story ends at the
instant of its last row. `cut` and `cut live` are catalogues; `live`: as a worker does it, with no history.
An event may say `@ 2026-02-01` for a time of its own, and `from patient:7` for another subject than `hcp:1`.
`cut history` is a record for each subject, with its events from before the last cut; `cut filled` says that all of that
cut's history is there (`@ 2026-02-01`: from that instant on).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rules.catalogue.loading import load_catalogue
from rules.engine.replay import Then, replay
from rules.ground.instants import format_instant, parse_instant
from rules.language.problems import Source
from streams.operations.yaml_files import read_yaml
from tests.docs.markdown import FENCE
from tests.naive import reading
from tests.naive.replay import Cut
from tests.naive.replay import replay as replay_naively

_ROW: Final = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)?)"
    r"(?:  +(?P<what>cut live|cut history|cut filled|cut|[a-z_]+(?:\.[a-z_]+)+|[a-z]+)(?P<data> \{.*\})?"
    r"(?: @ (?P<time>\S+))?(?: from (?P<subject>\S+))?(?=  |$))?"
    r"(?:  +(?P<changes>(?:enters|leaves|starts|stops|refused)\b.*))?"
)


def value_of(text: str) -> Any:
    """Read YAML as a catalogue's files are read."""
    source = read_yaml(text.encode(), "x.yaml")
    assert not source.syntax, source.syntax
    return source.value


@dataclass(frozen=True, slots=True)
class Story:
    """Definitions in the order in which they come into force, and the rows."""

    definitions: Sequence[str]
    rows: Sequence[str]


@dataclass(slots=True)
class _Script:
    lines: list[bytes] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    live: bool = False
    expected: list[str] = field(default_factory=list)
    until_ms: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    past: list[dict[str, Any]] = field(default_factory=list)
    """The events before the last cut."""


def read_stories(text: str) -> list[Story]:
    """Cut the stories out of a page: each `story` block with the `yaml` blocks right before it."""
    stories: list[Story] = []
    definitions: list[str] = []
    end = 0
    for match in FENCE.finditer(text):
        if text[end : match.start()].strip():
            definitions = []
        end = match.end()
        if match["language"] == "yaml":
            definitions.append(match["text"])
        elif match["language"] == "story" and definitions:
            stories.append(Story(tuple(definitions), tuple(match["text"].splitlines())))
            definitions = []
    return stories


def run(story: Story, world: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return (what came of the story, what its rows say), as lines to compare. `world`: the files it stands in."""
    first, *others = (
        load_catalogue([Source(name, part) for name, part in _files(text, world).items()]) for text in story.definitions
    )
    script = _read(story)
    then = [Then(at, catalogue) for at, catalogue in zip(script.cuts, others, strict=True)]
    changes, refused = replay(first, script.lines, until_ms=script.until_ms, then=then, as_live=script.live)
    return _lines(changes, [(each.line, each.code) for each in refused]), script.expected


def run_naively(story: Story, world: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the same, but told by the naive evaluator."""
    first, *others = (naive_catalogue(_files(text, world)) for text in story.definitions)
    script = _read(story)
    then = [Cut(at, catalogue) for at, catalogue in zip(script.cuts, others, strict=True)]
    replayed = replay_naively(first, script.lines, script.until_ms, then, script.live)
    return _lines(replayed.changes, replayed.refusals), script.expected


def naive_catalogue(files: Mapping[str, Any]) -> reading.Catalogue:
    """Put a catalogue of the naive evaluator together from the values of its files."""
    return reading.catalogue(
        files["dictionary.yaml"],
        [value for name, value in files.items() if name.startswith("segments/")],
        files.get("policy.yaml"),
        [value for name, value in files.items() if name.startswith("activations/")],
    )


def _lines(changes: Iterable[bytes], refused: Iterable[tuple[int, str]]) -> list[str]:
    told = [line for change in map(json.loads, changes) if (line := _told(change))]
    return sorted(told) + [f"line {line} refused: {code}" for line, code in refused]


def _files(text: str, world: Mapping[str, Any]) -> Mapping[str, Any]:
    definition = value_of(text)
    files = dict(world)
    if "activation" in definition:
        files["activations/example.yaml"] = definition
    elif "segment" in definition:
        files["segments/example.yaml"] = {**definition, "segment": "example"}
    else:
        files["segments/example.yaml"] = {"segment": "example", "version": 1, "status": "approved", **definition}
    return files


def _read(story: Story) -> _Script:
    script = _Script()
    refused: list[str] = []
    for row in story.rows:
        match = _ROW.fullmatch(row.rstrip())
        assert match is not None, f"unreadable row: {row}"
        at_ms = _instant_ms(match["at"])
        assert at_ms >= script.until_ms, f"goes back: {row}"
        script.until_ms = at_ms
        what = match["what"]
        if what in ("cut", "cut live"):
            script.cuts.append(at_ms)
            script.live = script.live or what == "cut live"
            script.past = list(script.events)
        elif what == "cut history":
            script.lines += _history(script, at_ms)
        elif what == "cut filled":
            data = {"cut": script.cuts[-1], "since": match["time"]}
            script.lines.append(_line("segue.filled", at_ms, data=data))
        elif what is not None:
            script.events.append(_event(match, at_ms, len(script.lines) + 1))
            script.lines.append(json.dumps(script.events[-1]).encode())
        for change in filter(None, (match["changes"] or "").split("; ")):
            if change.startswith("refused"):
                refused.append(f"line {len(script.lines)} {change}")
            else:
                script.expected.append(f"{format_instant(at_ms)} {change}")
    script.expected = sorted(script.expected) + refused
    assert len(script.cuts) == len(story.definitions) - 1, "one row `cut` for each further definition"
    return script


def _history(script: _Script, at_ms: int) -> list[bytes]:
    """Write a record of history for each subject."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in script.past:
        found.setdefault(event["subject"], []).append(event)
    return [
        _line("segue.history", at_ms, subject=subject, data={"cut": script.cuts[-1], "events": events})
        for subject, events in found.items()
    ]


def _line(kind: str, at_ms: int, **more: Any) -> bytes:
    return json.dumps({"type": kind, "recordedtime": format_instant(at_ms), **more}).encode()


def _event(match: re.Match[str], at_ms: int, number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/docs",
        "type": match["what"],
        "subject": match["subject"] or "hcp:1",
        "time": match["time"] or format_instant(at_ms),
        "recordedtime": format_instant(at_ms),
        "data": value_of(match["data"]) if match["data"] else {},
    }


def _instant_ms(text: str) -> int:
    date, _, time = text.partition(" ")
    return parse_instant(date if not time else f"{date}T{time}{'' if time.count(':') == 2 else ':00'}Z")


def _told(change: Mapping[str, Any]) -> str:
    """Return a change as a story tells it; "" for what only sets the scene (segments that the page gives)."""
    reason = change["reason"]
    if "segment" in change:
        if change["segment"] != "example":
            return ""
        verb = "enters" if change["change"] == "entered" else "leaves"
    else:
        verb = "starts" if change["change"] == "activated" else "stops"
    by = f" by {', '.join(reason['by'])}" if reason.get("by") else ""
    backfill = ", backfill" if change.get("backfill") else ""
    whose = "" if change["profile"] == "hcp:1" else f" {change['profile']}"
    return f"{change['effective_at']} {verb}{whose}: {reason['kind']}{by}{backfill}"
