"""Reading exports of sources: CSV, NDJSON and Parquet, as rows of texts."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from rules.engine.decode import is_subject
from streams.operations.errors import WrongInput, WrongRequest
from streams.operations.matching.columns import Column, Mapped, columns_of
from streams.operations.parquet import NoParquet

DELIMITERS: Final = ",;\t|"
"""Between the cells of a CSV file: what spreadsheets write, by country."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an export. `place`: file and number of the row, for messages. `values`: field to text, not empty."""

    subject: str
    place: str
    values: Mapping[str, str]


def read_exports(files: Sequence[Path], mappings: Sequence[Mapped]) -> Iterator[Row]:
    """Yield the rows of all files in order. Raises WrongRequest: a file or its columns; WrongInput: a row."""
    for file in files:
        headings, rows = _table_of(file)
        _expect_export(file, headings)
        columns = columns_of(headings, file, mappings)
        for number, cells in rows:
            yield _row(file, number, cells, columns)


def _expect_export(file: Path, headings: Sequence[str]) -> None:
    """See that a file is no other file of `segue match`, given in the place of an export. Raises WrongRequest."""
    if {"decision", "subject", "other"} <= set(headings):
        raise WrongRequest(
            f"{file}: this is a table of candidates, not an export: its decisions are read where it is given as"
            f" `-o {file.name}` or `--decided {file.name}`"
        )
    if {"specversion", "type"} <= set(headings):
        raise WrongRequest(f"{file}: these are events, not an export: give rows of people with a subject in each")


def _row(file: Path, number: int, cells: Mapping[str, str], columns: Mapping[str, Column]) -> Row:
    values = {field: text for field, each in columns.items() if (text := cells.get(each.name, "").strip())}
    place = f"{file.name}, row {number}"
    name, kind = values.pop("subject", ""), columns["subject"].kind
    if not name:
        raise WrongInput(f"{place}: the subject is empty")
    subject = f"{kind}:{name}" if kind else name
    if not is_subject(subject):
        # a name without a colon is what people forget; the subject itself is not shown
        hint = f"kind:name, as crm:0031; --columns 'subject=crm:{columns['subject'].name}' puts crm: before it"
        raise WrongInput(f"{place}: the subject must be {hint}")
    return Row(subject, place, values)


def _table_of(file: Path) -> tuple[Sequence[str], Iterator[tuple[int, Mapping[str, str]]]]:
    kind = file.suffix.lower()
    if kind in (".csv", ".tsv", ".txt"):
        return csv_table(file)
    if kind in (".ndjson", ".jsonl"):
        return _ndjson(file)
    if kind in (".parquet", ".pq"):
        return _parquet(file)
    raise WrongRequest(f"{file}: give a file that ends in .csv, .ndjson or .parquet")


def csv_table(file: Path) -> tuple[Sequence[str], Iterator[tuple[int, Mapping[str, str]]]]:
    """Read a CSV file as a spreadsheet writes it: UTF-8, any of the usual delimiters. Rows are numbered from 2."""
    text = _text(file)
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=lambda each: (first.count(each), -DELIMITERS.index(each)))
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        headings = [each.strip() for each in next(reader)]
    except StopIteration:
        raise WrongInput(f"{file}: the file is empty") from None
    except csv.Error as wrong:
        raise WrongInput(f"{file}, row 1: this is no CSV: {wrong}") from None
    twice = sorted({each for each in headings if each and headings.count(each) > 1})
    if twice:
        raise WrongInput(f"{file}: two columns are called {twice[0]!r}")

    def rows() -> Iterator[tuple[int, Mapping[str, str]]]:
        number = 1
        try:
            for number, cells in enumerate(reader, start=2):
                if len(cells) > len(headings):
                    raise WrongInput(f"{file.name}, row {number}: it has more cells than the first row has headings")
                if any(cells):
                    yield number, dict(zip(headings, cells, strict=False))
        except csv.Error as wrong:
            raise WrongInput(f"{file.name}, row {number + 1}: this is no CSV: {wrong}") from None

    return headings, rows()


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WrongInput(f"{file}: the file is not UTF-8: save it as CSV UTF-8") from None
    except OSError as wrong:
        raise WrongRequest(f"{file} cannot be read: {wrong.strerror}") from None


def _ndjson(file: Path) -> tuple[Sequence[str], Iterator[tuple[int, Mapping[str, str]]]]:
    headings: dict[str, None] = {}
    rows = []
    for number, line in enumerate(_text(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise WrongInput(f"{file.name}, line {number}: write one JSON object a line")
        headings |= dict.fromkeys(value)
        rows.append((number, {name: _as_text(each) for name, each in value.items()}))
    if not rows:
        raise WrongInput(f"{file}: the file is empty")
    return list(headings), iter(rows)


def _parquet(file: Path) -> tuple[Sequence[str], Iterator[tuple[int, Mapping[str, str]]]]:
    try:
        import duckdb
    except ImportError:
        raise NoParquet from None
    alone: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(config=alone) as database:
            found = database.execute("SELECT * FROM read_parquet(?)", [str(file)])
            headings = [str(each[0]) for each in found.description or ()]
            rows = found.fetchall()
    except duckdb.Error:
        raise WrongInput(f"{file}: this is no Parquet file that can be read") from None
    texts = ((n, {h: _as_text(v) for h, v in zip(headings, row, strict=True)}) for n, row in enumerate(rows, start=1))
    return headings, texts


def _as_text(value: Any) -> str:
    """Return a cell as text. A number that is whole loses its `.0`: a program may have taken an NPI for a number."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
