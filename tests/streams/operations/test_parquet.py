"""Rows as a Parquet file and as CSV, read back."""

import builtins
import csv
import io
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rules.ground.instants import parse_instant
from streams.cli.render.rows import CsvRows
from streams.operations.member_columns import Column
from streams.operations.parquet import NoParquet, parquet_file

COLUMNS = (
    Column("profile", "string"),
    Column("since", "datetime"),
    Column("version", "integer"),
    Column("score", "number", "score"),
    Column("backfill", "boolean"),
    Column('a "quoted" name', "list", 'a "quoted" name'),
)
SINCE = parse_instant("2026-03-01T14:05:00.012Z")
ROWS = [("hcp:1", SINCE, 3, 1.5, True, ["a", "b;c"]), ("hcp:2", SINCE, 3, 2.0, False, []), ("hcp:3", *[None] * 5)]


def read(query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    found: list[tuple[Any, ...]] = duckdb.connect().execute(query).fetchall()
    return found


def test_a_parquet_file_has_the_values_and_the_types_of_the_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    with parquet_file(file, COLUMNS) as rows:
        rows.write(ROWS[:1])
        rows.write(ROWS[1:])
    assert sorted(read(f"SELECT * REPLACE (epoch_ms(since) AS since) FROM '{file}'")) == sorted(ROWS)
    described = read(f"DESCRIBE SELECT * FROM '{file}'")
    assert [each[0] for each in described] == [each.name for each in COLUMNS]
    assert [each[1] for each in described] == [
        "VARCHAR",
        "TIMESTAMP WITH TIME ZONE",
        "BIGINT",
        "DOUBLE",
        "BOOLEAN",
        "VARCHAR[]",
    ]


def test_a_list_without_members_is_a_file_without_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    with parquet_file(file, COLUMNS):
        pass
    assert read(f"SELECT count(*) FROM '{file}'") == [(0,)]


def test_a_failure_leaves_the_file_of_before_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    file.write_text("before")
    with pytest.raises(TypeError), parquet_file(file, COLUMNS) as rows:
        rows.write([*ROWS, (object(), *ROWS[0][1:])])
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_without_duckdb_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name == "duckdb":
            raise ImportError(name)
        return imported(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NoParquet, match="pip install duckdb"), parquet_file(tmp_path / "rows.parquet", COLUMNS):
        pass
    assert list(tmp_path.iterdir()) == []


def test_csv_has_a_line_of_names_and_instants_as_text() -> None:
    file = io.StringIO()
    CsvRows(file, COLUMNS).write(ROWS)
    header, first, second, third = csv.reader(io.StringIO(file.getvalue()))
    assert header == [each.name for each in COLUMNS]
    assert first == ["hcp:1", "2026-03-01T14:05:00.012Z", "3", "1.5", "true", '["a","b;c"]']
    assert second[-1] == "[]"
    assert third == ["hcp:3", "", "", "", "", ""]
