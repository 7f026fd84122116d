"""The transcript format. It is read strictly: an odd transcript is refused, never half understood.

A file of YAML 1.2: `about`, `cases`, and optionally `dictionary`, `segments`, `activations`, `policy`,
`only_activations` shared by its cases. A case:

    name: says the law; unique in the file
    dictionary, segments, activations, policy: as in a catalogue; `segments` and `activations` are lists.
                                       # Each replaces the file's own.
    only_activations: true | false     # true: `changes` leaves memberships out
    as_live: true | false
    until: INSTANT
    steps:                             # in arrival order; each is one line of the replayed file
    - {at: INSTANT, type: T, id: I, time: INSTANT, subject: K:N, source: S, data: {…}}
                                       # an event; defaults: time `at`, subject hcp:1, source /s, id e<its line>
    - {tick: INSTANT}                  # a record without an event
    - {history: INSTANT, of: INSTANT, subject: K:N, events: [{time: INSTANT, type: T, …}], traits: [NAME]}
                                       # a segue.history record; `of`: the cut; the events' defaults: as of an event,
                                       # id e<its line>.<its number>
    - {filled: INSTANT, of: INSTANT, since: INSTANT}    # a segue.filled record
    - {line: "any text"}               # a line, taken literally
    - {cut: INSTANT, dictionary: …, segments: …, activations: …, policy: …}    # a catalogue from then on; no line
    refused: [2 not_json]              # line and code
    changes:                           # in order
    - INSTANT SUBJECT enters SEGMENT, entry_rule [enter.all[0], enter.all[1]] on SOURCE ID, backfill
    - INSTANT SUBJECT exits SEGMENT, entry_lost [enter]
    - INSTANT SUBJECT enters SEGMENT, merged on SOURCE ID        # a stay that was taken over

    - INSTANT SUBJECT starts CHANNEL/ACTIVATION, allowed after KIND on SOURCE ID, arm ARM
    - INSTANT SUBJECT stops CHANNEL/ACTIVATION, suppressed_by [tip] on SOURCE ID, arm ARM

`after …` is `was` in the reason; `[…]` of an activation is its `by`.
`[…]` are the reason's conditions (left out: none), `on …` the evaluated event (left out: a wake or a visit).
INSTANT is RFC 3339 or a bare date. Record times (`at`, `tick`, `history`, `filled`, `cut`) must not go back,
unless the step says `back: true`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tests.naive.reading import read_file
from tests.naive.times import instant, written

CHANGE = re.compile(
    r"(?P<at>\S+) (?P<subject>\S+) (?P<change>enters|exits) (?P<segment>[a-z0-9-]+), (?P<kind>[a-z_]+)"
    r"(?: \[(?P<conditions>[^ ]+(?:, [^ ]+)*)\])?(?: on (?P<event>\S+ \S+))?(?P<backfill>, backfill)?"
)
ACTIVATION = re.compile(
    r"(?P<at>\S+) (?P<subject>\S+) (?P<change>starts|stops) (?P<channel>[A-Za-z0-9_-]+)/(?P<activation>[a-z0-9-]+),"
    r" (?P<kind>[a-z_]+)(?: after (?P<was>[a-z_]+))?(?: \[(?P<by>[^]]+)\])?(?: on (?P<event>\S+ [^\s,]+))?"
    r"(?:, arm (?P<arm>\S+))?"
)
REFUSED = re.compile(r"([1-9][0-9]*) ([a-z_]+)")


class BadTranscript(Exception):
    """The transcript has an impossible or contradictory content."""


class Strict(BaseModel):
    """Accepts no unknown field and no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EventStep(Strict):
    """An event. `time: null` leaves the time out of the line."""

    at: str
    type: str
    id: str | None = None
    time: str | None = None
    subject: str = "hcp:1"
    source: str = "/s"
    data: Any = None
    back: bool = False


class TickStep(Strict):
    """A record without an event."""

    tick: str
    back: bool = False


class HistoryStep(Strict):
    """A `segue.history` record. Its events may be invalid: the evaluator must skip them."""

    history: str
    of: str
    events: list[dict[str, Any]]
    traits: list[str] = Field(default_factory=list)
    subject: str = "hcp:1"
    back: bool = False


class FilledStep(Strict):
    """A `segue.filled` record. `since` is left out of the line unless the step gives it."""

    filled: str
    of: str
    since: str | None = None
    back: bool = False


class LineStep(Strict):
    """A line, taken literally."""

    line: str


class CutStep(Strict):
    """A catalogue that takes effect. Parts that are not given stay as they were."""

    cut: str
    dictionary: dict[str, Any] | None = None
    segments: list[dict[str, Any]] | None = None
    activations: list[dict[str, Any]] | None = None
    policy: dict[str, Any] | None = None


STEPS: Mapping[str, type[Strict]] = {
    "tick": TickStep,
    "history": HistoryStep,
    "filled": FilledStep,
    "line": LineStep,
    "cut": CutStep,
    "at": EventStep,
}


class CaseText(Strict):
    """A case as written in the file."""

    name: str
    steps: list[dict[str, Any]]
    changes: list[str]
    refused: list[str] = []
    dictionary: dict[str, Any] | None = None
    segments: list[dict[str, Any]] | None = None
    activations: list[dict[str, Any]] | None = None
    policy: dict[str, Any] | None = None
    only_activations: bool | None = None
    as_live: bool = False
    until: str | None = None


class FileText(Strict):
    """A file as written."""

    about: str
    cases: list[dict[str, Any]]
    dictionary: dict[str, Any] | None = None
    segments: list[dict[str, Any]] | None = None
    activations: list[dict[str, Any]] | None = None
    policy: dict[str, Any] | None = None
    only_activations: bool = False


Files = dict[str, Any]
"""A catalogue: file name → value."""


@dataclass(frozen=True)
class Change:
    """The parts of a membership change that a transcript writes."""

    at: int
    subject: str
    change: str
    segment: str
    kind: str
    conditions: tuple[str, ...]
    event: str | None
    backfill: bool

    def __str__(self) -> str:
        conditions = f" [{', '.join(self.conditions)}]" if self.conditions else ""
        event, backfill = f" on {self.event}" if self.event else "", ", backfill" if self.backfill else ""
        verb = {"entered": "enters", "exited": "exits"}[self.change]
        return f"{written(self.at)} {self.subject} {verb} {self.segment}, {self.kind}{conditions}{event}{backfill}"


@dataclass(frozen=True)
class ActivationChange:
    """The parts of an activation change that a transcript writes."""

    at: int
    subject: str
    change: str
    channel: str
    activation: str
    kind: str
    was: str | None
    by: tuple[str, ...]
    event: str | None
    arm: str | None

    def __str__(self) -> str:
        verb = {"activated": "starts", "deactivated": "stops"}[self.change]
        was, by = f" after {self.was}" if self.was else "", f" [{', '.join(self.by)}]" if self.by else ""
        event, arm = f" on {self.event}" if self.event else "", f", arm {self.arm}" if self.arm else ""
        return (
            f"{written(self.at)} {self.subject} {verb} {self.channel}/{self.activation}, {self.kind}"
            f"{was}{by}{event}{arm}"
        )


@dataclass(frozen=True)
class Case:
    """A case, ready to run."""

    name: str
    files: Files
    lines: tuple[bytes, ...]
    cuts: tuple[tuple[int, Files], ...]
    until: int | None
    as_live: bool
    only_activations: bool
    changes: tuple[Change | ActivationChange, ...]
    refused: tuple[tuple[int, str], ...]

    @property
    def activating(self) -> bool:
        """Whether any of its catalogues has activations."""
        catalogues = [self.files, *(files for _, files in self.cuts)]
        return any(name.startswith("activations/") for files in catalogues for name in files)


def read_cases(path: Path) -> list[Case]:
    """Read a file of transcripts. Raises BadTranscript."""
    return cases_of(read_file(path))


def cases_of(value: Any) -> list[Case]:
    """Read transcripts from a YAML value. Raises BadTranscript."""
    file = checked(FileText, value, "file")
    cases = [case_of(checked(CaseText, each, "case"), file) for each in file.cases]
    names = [case.name for case in cases]
    if len(set(names)) != len(names) or not cases:
        raise BadTranscript("every case has a name of its own, and there is at least one")
    return cases


def checked(model: Any, value: Any, what: str) -> Any:
    """Validate a value strictly."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        name = value.get("name", "") if isinstance(value, Mapping) else ""
        raise BadTranscript(f"{what} {name}: {error}") from error


def case_of(text: CaseText, file: FileText) -> Case:
    """Make a case from its text."""
    parts: dict[str, Any] = {
        "dictionary": text.dictionary or file.dictionary or {},
        "segments": text.segments or file.segments or [],
        "activations": text.activations if text.activations is not None else file.activations or [],
        "policy": text.policy or file.policy or {},
    }
    files, clock, line_ms = files_of(**parts), None, None
    lines: list[bytes] = []
    cuts: list[tuple[int, Files]] = []
    for value in text.steps:
        step = step_of(value)
        if isinstance(step, LineStep):
            lines.append(step.line.encode())
            continue
        at = moment(value[leading(value)])
        back = not isinstance(step, CutStep) and step.back
        if clock is not None and (at < clock) != back:
            raise BadTranscript(f"{text.name}: {written(at)} goes back, or does not where it says so")
        if isinstance(step, CutStep):
            if at == line_ms:
                raise BadTranscript(f"{text.name}: a cut comes before the lines of its instant")
            given = {
                "dictionary": step.dictionary,
                "segments": step.segments,
                "activations": step.activations,
                "policy": step.policy,
            }
            parts |= {name: part for name, part in given.items() if part is not None}
            cuts.append((at, files_of(**parts)))
        elif isinstance(step, TickStep):
            lines.append(line({"specversion": "1.0", "type": "segue.tick", "recordedtime": step.tick}, len(lines)))
        elif isinstance(step, HistoryStep):
            lines.append(history_line(step, len(lines)))
        elif isinstance(step, FilledStep):
            lines.append(filled_line(step, value, len(lines)))
        else:
            lines.append(event_line(step, value, len(lines)))
        clock = at if clock is None else max(clock, at)
        line_ms = line_ms if isinstance(step, CutStep) else clock
    return Case(
        text.name,
        files,
        tuple(lines),
        tuple(cuts),
        None if text.until is None else moment(text.until),
        text.as_live,
        file.only_activations if text.only_activations is None else text.only_activations,
        changes_of(text),
        tuple(refused_of(each) for each in text.refused),
    )


def files_of(dictionary: Any, segments: Sequence[Any], activations: Sequence[Any], policy: Any) -> Files:
    """Lay a catalogue out as files."""
    files: Files = {"dictionary.yaml": dictionary}
    for number, segment in enumerate(segments):
        files[f"segments/{number:02}.yaml"] = segment
    for number, activation in enumerate(activations):
        files[f"activations/{number:02}.yaml"] = activation
    if policy:
        files["policy.yaml"] = policy
    return files


def step_of(value: Any) -> Any:
    """Read a step by its leading key."""
    return checked(STEPS[leading(value)], value, "step")


def leading(value: Any) -> str:
    """Return the key of a step that says its kind."""
    found = [key for key in STEPS if key in value]
    if len(found) != 1:
        raise BadTranscript(f"a step is one of {', '.join(STEPS)}: {value}")
    return found[0]


def line(value: Mapping[str, Any], number: int) -> bytes:
    """Write a line, its id and source filled in."""
    return json.dumps({"id": f"e{number + 1}", "source": "/s", **value}, ensure_ascii=False).encode()


def event_line(step: EventStep, value: Mapping[str, Any], number: int) -> bytes:
    """Write the line of an event. Its time may be invalid: the evaluator must refuse it."""
    event: dict[str, Any] = {"specversion": "1.0", "source": step.source, "type": step.type, "subject": step.subject}
    if step.id is not None:
        event["id"] = step.id
    if "time" not in value:
        event["time"] = step.at
    elif step.time is not None:
        event["time"] = step.time
    event["recordedtime"] = step.at
    if "data" in value:
        event["data"] = step.data
    return line(event, number)


def history_line(step: HistoryStep, number: int) -> bytes:
    """Write a record of history."""
    events = [
        {"specversion": "1.0", "source": "/s", "id": f"e{number + 1}.{place}", "subject": step.subject, **event}
        for place, event in enumerate(step.events, 1)
    ]
    traits = {"traits": step.traits} if step.traits else {}
    data = {"cut": moment(step.of), "events": events, **traits}
    return own_line("history", step.history, data, number, step.subject)


def filled_line(step: FilledStep, value: Mapping[str, Any], number: int) -> bytes:
    """Write the record that says that all of a history is there."""
    since = {"since": None if step.since is None else moment(step.since)} if "since" in value else {}
    return own_line("filled", step.filled, {"cut": moment(step.of), **since}, number)


def own_line(name: str, recorded: str, data: Any, number: int, subject: str | None = None) -> bytes:
    """Write a record of Segue itself."""
    named = {} if subject is None else {"subject": subject}
    return line(
        {"specversion": "1.0", "type": f"segue.{name}", "recordedtime": recorded, **named, "data": data}, number
    )


def moment(text: str) -> int:
    """Read an instant."""
    found = instant(text)
    if found is None:
        raise BadTranscript(f"no instant: {text!r}")
    return found


def changes_of(text: CaseText) -> tuple[Change | ActivationChange, ...]:
    """Read the expected changes. They must be in order of time, because changes are published in that order."""
    changes = tuple(change_of(each) for each in text.changes)
    if any(later.at < earlier.at for earlier, later in pairwise(changes)):
        raise BadTranscript(f"{text.name}: the expected changes are not in the order of time")
    return changes


def change_of(text: str) -> Change | ActivationChange:
    """Read an expected change."""
    found = ACTIVATION.fullmatch(text)
    if found is not None:
        return activation_change_of(found)
    found = CHANGE.fullmatch(text)
    if found is None:
        raise BadTranscript(f"no change: {text!r}")
    if found["kind"] != "merged" and (found["change"] == "enters") != (found["kind"] == "entry_rule"):
        raise BadTranscript(f"entries, and they alone, have the reason entry_rule, or are merged: {text!r}")
    return Change(
        moment(found["at"]),
        found["subject"],
        {"enters": "entered", "exits": "exited"}[found["change"]],
        found["segment"],
        found["kind"],
        tuple(found["conditions"].split(", ")) if found["conditions"] else (),
        found["event"],
        found["backfill"] is not None,
    )


def activation_change_of(found: re.Match[str]) -> ActivationChange:
    """Read an expected change of an activation."""
    starts = found["change"] == "starts"
    if starts != (found["kind"] in ("allowed", "definition_changed")) or (found["was"] and not starts):
        raise BadTranscript(f"what starts is allowed, what stops is refused: {found[0]!r}")
    return ActivationChange(
        moment(found["at"]),
        found["subject"],
        "activated" if starts else "deactivated",
        found["channel"],
        found["activation"],
        found["kind"],
        found["was"],
        tuple(found["by"].split(", ")) if found["by"] else (),
        found["event"],
        found["arm"],
    )


def refused_of(text: str) -> tuple[int, str]:
    """Read an expected refusal."""
    found = REFUSED.fullmatch(text)
    if found is None:
        raise BadTranscript(f"no refusal: {text!r}")
    return int(found[1]), found[2]


def change_from_json(raw: bytes) -> Change | ActivationChange:
    """Read the parts of a published change that a transcript writes."""
    value = json.loads(raw)
    reason = value["reason"]
    events = reason["events"]
    if "activation" in value:
        return ActivationChange(
            moment(value["effective_at"]),
            value["profile"],
            value["change"],
            value["channel"],
            value["activation"],
            reason["kind"],
            reason.get("was"),
            tuple(reason["by"]),
            events[0] if events else None,
            value["arm"],
        )
    return Change(
        moment(value["effective_at"]),
        value["profile"],
        value["change"],
        value["segment"],
        reason["kind"],
        tuple(reason["conditions"]),
        events[0] if events else None,
        value["backfill"],
    )
