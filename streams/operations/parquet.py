"""Write rows as a Parquet file, through DuckDB: one wheel of 25 MB that needs no other package.

The rows go through a file of JSON lines beside the target, so that memory stays bounded. DuckDB is an extra of this
distribution (`segue[parquet]`): only a reader of lists needs it, no worker.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import orjson

from streams.operations.errors import WrongRequest
from streams.operations.member_columns import Column, ColumnType
from streams.operations.member_rows import Row

_TYPES: Final[Mapping[ColumnType, str]] = {
    "string": "VARCHAR",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "datetime": "BIGINT",
    "list": "VARCHAR[]",
}
"""As read from JSON; an instant becomes a TIMESTAMP WITH TIME ZONE after that."""


class NoParquet(WrongRequest):
    """DuckDB is not installed."""

    def __init__(self) -> None:
        super().__init__("--parquet needs DuckDB, which is not installed: run `pip install duckdb`")


class ParquetFile:
    """A Parquet file in the making."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        """Begin a file of these columns. Raises NoParquet, OSError."""
        try:
            import duckdb
        except ImportError:
            raise NoParquet from None
        self._duckdb = duckdb
        self._path = path
        self._columns = columns
        handle, self._lines = tempfile.mkstemp(suffix=".ndjson", dir=path.parent)
        self._file = os.fdopen(handle, "wb")

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        for row in rows:
            self._file.write(orjson.dumps({f"c{number}": value for number, value in enumerate(row)}) + b"\n")

    def finish(self) -> None:
        """Make the file; one that was there before is replaced whole."""
        self._file.flush()
        made = Path(f"{self._lines}.parquet")
        types = ", ".join(f"c{n}: '{_TYPES[each.type]}'" for n, each in enumerate(self._columns))
        shown = ", ".join(_shown(n, each) for n, each in enumerate(self._columns))
        # no extension is looked for on the network: JSON and Parquet are in the wheel
        alone: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            with self._duckdb.connect(config=alone) as database:
                database.execute(
                    f"COPY (SELECT {shown} FROM read_json(?, format = 'newline_delimited', columns = {{{types}}}))"
                    " TO ? (FORMAT parquet)",
                    [self._lines, str(made)],
                )
            made.replace(self._path)
        finally:
            with suppress(FileNotFoundError):
                made.unlink()

    def close(self) -> None:
        """Remove what was written on the way."""
        self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self._lines)


@contextmanager
def parquet_file(path: Path, columns: Sequence[Column]) -> Iterator[ParquetFile]:
    """Have a Parquet file that is made at the end of the context, unless it fails."""
    made = ParquetFile(path, columns)
    try:
        yield made
        made.finish()
    finally:
        made.close()


def _shown(number: int, column: Column) -> str:
    value = f"make_timestamptz(c{number} * 1000)" if column.type == "datetime" else f"c{number}"
    name = column.name.replace('"', '""')
    return f'{value} AS "{name}"'
