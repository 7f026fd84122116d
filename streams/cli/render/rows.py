"""Rows as CSV, as Parquet, as JSON lines, and as plain lines."""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EISDIR
from os import strerror
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TextIO, TypeAlias

import orjson

from rules.ground.instants import format_instant
from streams.cli.render.terminal import write_json
from streams.operations.member_columns import Column
from streams.operations.member_rows import Row
from streams.operations.parquet import parquet_file

STDOUT: Final = Path("-")
Form: TypeAlias = Literal["csv", "parquet", "json", "lines"]


class Rows(Protocol):
    """Takes rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Take some rows."""
        ...


class CsvRows:
    """Rows as CSV with a line of names first: instants as RFC 3339, lists as JSON, no value as nothing."""

    def __init__(self, file: TextIO, columns: Sequence[Column]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._columns = columns
        self._writer.writerow([each.name for each in columns])

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._writer.writerows(
            [_cell(each, value) for each, value in zip(self._columns, row, strict=True)] for row in rows
        )


class JsonRows:
    """Rows as JSON, an object a line."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        for row in rows:
            write_json({each.name: _value(each, value) for each, value in zip(self._columns, row, strict=True)})


class LineRows:
    """The first column of each row as a line."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        for row in rows:
            print(row[0])


@contextmanager
def open_rows(columns: Sequence[Column], form: Form, path: Path) -> Iterator[Rows]:
    """Have a writer of rows to a file, or to standard output (`STDOUT`). A file is replaced whole, at the end.

    Raises OSError; NoParquet.
    """
    if form in ("csv", "parquet") and path.is_dir():
        raise IsADirectoryError(EISDIR, strerror(EISDIR), str(path))
    if form == "parquet":
        with parquet_file(path, columns) as made:
            yield made
    elif form == "json":
        yield JsonRows(columns)
    elif form == "lines":
        yield LineRows()
    elif path == STDOUT:
        yield CsvRows(sys.stdout, columns)
        sys.stdout.flush()
    else:
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("w", newline="", encoding="utf-8") as file:
                yield CsvRows(file, columns)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _value(column: Column, value: Any) -> Any:
    return format_instant(value) if column.type == "datetime" and value is not None else value


def _cell(column: Column, value: Any) -> Any:
    told = _value(column, value)
    if isinstance(told, bool):
        return "true" if told else "false"
    return orjson.dumps(told).decode() if isinstance(told, list) else told
