"""Accepted pairs as events: `identity.linked`, and `identity.unlinked` where a link of before is taken back."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from rules.engine.decode import is_subject
from rules.ground.instants import format_instant, parse_instant
from rules.language.dictionary import LINKED, UNLINKED
from streams.operations.errors import WrongInput
from streams.operations.matching.persons import Person
from streams.operations.matching.table import Line

SOURCE: Final = "/segue/match"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One event. `canonical`: whom the subject stands for from now on; None: it stands for itself again."""

    subject: str
    canonical: str | None

    def line(self, t_ms: int, source: str = SOURCE) -> bytes:
        """Return it as a structured CloudEvent of an instant. Its id follows from what it says and when."""
        instant = format_instant(t_ms)
        said = f"{instant}|{self.subject}|{self.canonical or ''}"
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": hashlib.sha256(said.encode()).hexdigest()[:24],
            "source": source,
            "type": UNLINKED if self.canonical is None else LINKED,
            "subject": self.subject,
            "time": instant,
        }
        return orjson.dumps(event | ({} if self.canonical is None else {"data": {"canonical": self.canonical}}))


def link_events(persons: Iterable[Person], lines: Sequence[Line], linked: Mapping[str, str]) -> list[LinkEvent]:
    """Return the events that turn the links of before into those of the persons: first what is taken back.

    `linked`: alias to the subject that it stands for now. What stands already makes no event, so that the same table
    given twice says nothing new. A canonical subject that is an alias now is unlinked first: else a ring would form.
    """
    wanted = {other: person.canonical for person in persons for other in person.others}
    heads = {person.canonical for person in persons}
    refused = {line.pair for line in lines if line.decision == "refuse"}
    ended = {alias for alias, of in linked.items() if alias in heads}
    ended |= {alias for alias, of in linked.items() if alias not in wanted and tuple(sorted((alias, of))) in refused}
    unlinked = [LinkEvent(each, None) for each in sorted(ended)]
    return unlinked + [LinkEvent(each, of) for each, of in sorted(wanted.items()) if linked.get(each) != of]


def read_links(files: Sequence[Path]) -> dict[str, str]:
    """Read files of events and return which subject stands for which by their link events; others are skipped.

    Raises WrongInput: a line that is no event, a link event that is none, or a file without one.
    """
    latest: dict[str, tuple[tuple[int, str, str], str | None]] = {}
    for file in files:
        there = False
        for number, event in _events(file):
            if event.get("type") not in (LINKED, UNLINKED):
                continue
            there = True
            subject, identity, canonical = _link(f"{file.name}, line {number}", event)
            if subject not in latest or latest[subject][0] < identity:
                latest[subject] = identity, canonical
        if not there and file.stat().st_size:
            raise WrongInput(f"{file}: no line is a link event: give a file that --links wrote")
    return {subject: canonical for subject, (_, canonical) in sorted(latest.items()) if canonical is not None}


def _events(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            event = orjson.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise WrongInput(f"{file.name}, line {number}: this is no event: give a file of link events, one a line")
        yield number, event


def _link(place: str, event: Mapping[str, Any]) -> tuple[str, tuple[int, str, str], str | None]:
    subject, source, id_, data = (event.get(each) for each in ("subject", "source", "id", "data"))
    canonical = data.get("canonical") if isinstance(data, dict) else None
    try:
        t_ms = parse_instant(str(event.get("time")))
    except ValueError:
        raise WrongInput(f"{place}: the event has no time that can be read") from None
    wanted = [subject] if event["type"] == UNLINKED else [subject, canonical]
    if not all(map(is_subject, wanted)) or not isinstance(source, str) or not isinstance(id_, str):
        raise WrongInput(f"{place}: this is no link event: it lacks a subject, a source, an id or a canonical subject")
    return str(subject), (t_ms, source, id_), str(canonical) if event["type"] == LINKED else None
