"""The table of candidates: a CSV file that a data steward opens in a spreadsheet, decides in, and gives back.

Columns: `decision` (empty, `accept` or `refuse`: the steward's), then what `segue match` wrote. The table is the memory
of decisions: rows with one are kept when it is written again.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

from rules.engine.decode import is_subject
from rules.language.validation import nearest
from streams.operations.errors import WrongInput
from streams.operations.matching.candidates import FIELDS, Candidate, Found, Pair
from streams.operations.matching.exports import csv_table

Decision: TypeAlias = Literal["accept", "refuse", ""]
COLUMNS: Final = ("decision", "certainty", "score", "subject", "other", *FIELDS, "subject_npi", "other_npi", "note")
REFUSED_ONE: Final = "refused, and one NPI now: look again"
ACCEPTED_TWO: Final = "accepted, and two NPIs now: look again"
_FORMULA: Final = ("=", "+", "-", "@")
"""A cell that begins so is a formula to a spreadsheet: an apostrophe stands before it in the file."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table. `place`: for messages. `cells`: as written, by COLUMNS."""

    place: str
    decision: Decision
    pair: Pair
    npis: tuple[frozenset[str], frozenset[str]]
    cells: tuple[str, ...]


def read_table(file: Path) -> list[Line]:
    """Read a table. Raises WrongInput: no table, a decision or a subject that is none, a pair decided twice."""
    headings, rows = csv_table(file)
    missing = [each for each in ("decision", "subject", "other") if each not in headings]
    if missing:
        raise WrongInput(f"{file}: this is no table of `segue match`: it has no column {missing[0]!r}")
    lines = [_line(f"{file.name}, row {number}", {**dict.fromkeys(COLUMNS, ""), **cells}) for number, cells in rows]
    expect_one_decision(lines)
    return lines


def expect_one_decision(lines: Sequence[Line]) -> None:
    """See that no pair is both accepted and refused. Raises WrongInput."""
    told: dict[Pair, Line] = {}
    for line in lines:
        if line.decision:
            before = told.setdefault(line.pair, line)
            if before.decision != line.decision:
                raise WrongInput(f"{line.place}: this pair is decided otherwise in {before.place}")


def looked_again(line: Line, found: Found) -> Line:
    """Return a decided line with a note where the exports speak against the decision now; else the very same.

    An accepted pair then bears the two NPIs in the table, so that no link is made of it.
    """
    again, npis = found.decided.get(line.pair), found.apart.get(line.pair)
    told: dict[str, str] = {}
    if line.decision == "refuse" and again is not None and again.certainty == "certain":
        if line.npis[0] & line.npis[1]:
            return line
        told, npis = {"note": REFUSED_ONE}, again.npis
    elif line.decision == "accept" and npis is not None:
        told = {"note": ACCEPTED_TWO}
    if not told or npis is None:
        return line
    cells = dict(zip(COLUMNS, line.cells, strict=True)) | told
    one, other = npis if cells["subject"] == line.pair[0] else npis[::-1]
    return replace(line, cells=tuple((cells | {"subject_npi": one, "other_npi": other}).values()))


def _line(place: str, cells: dict[str, str]) -> Line:
    texts = {name: text.strip().removeprefix("'") for name, text in cells.items()}
    decision = texts["decision"].lower()
    if decision not in ("accept", "refuse", ""):
        near = nearest(decision, ("accept", "refuse"))
        raise WrongInput(f"{place}: the decision {decision!r} is none: accept, refuse, or leave it empty{near}")
    texts["decision"] = decision
    for name in ("subject", "other"):
        if not is_subject(texts[name]):
            raise WrongInput(f"{place}: {name} must be kind:name, as the table was written")
    one, other = texts["subject"], texts["other"]
    if one == other:
        raise WrongInput(f"{place}: subject and other are the same")
    npis = frozenset(texts["subject_npi"].split()), frozenset(texts["other_npi"].split())
    if one > other:
        one, other, npis = other, one, (npis[1], npis[0])
    return Line(place, decision, (one, other), npis, tuple(texts[name] for name in COLUMNS))  # type: ignore[arg-type]


def table_text(candidates: Sequence[Candidate], kept: Sequence[Line]) -> str:
    """Return a table: the candidates without a decision, then the lines that have one, as they were."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for each in candidates:
        words = [each.words.get(name, "") for name in FIELDS]
        writer.writerow(
            map(_safe, ("", each.certainty, f"{each.score:.3f}", *each.pair, *words, *each.npis, each.note))
        )
    for line in kept:
        writer.writerow(map(_safe, line.cells))
    return text.getvalue()


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
