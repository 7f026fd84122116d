"""A table at 80 columns loses no text."""

import io

import pytest
from rich.console import Console

from streams.cli.render.tables import keep_whole, row, table

MEANS = "its texts differ, its rules do not: nobody moves"


@pytest.mark.parametrize("length", [10, 28, 40, 41, 64])
def test_names_kept_whole_cost_no_other_column_its_end(length: int) -> None:
    made = table("", " ", "name", "what it means")
    made.add_row(*row(["reworded", "activation", "n" * length, MEANS]))
    keep_whole(made, "name", ["n" * length])
    written = io.StringIO()
    Console(width=80, file=written).print(made)
    lines = written.getvalue().splitlines()
    assert "moves" in written.getvalue()
    assert written.getvalue().count("n" * length) == (1 if length <= 40 else 0)
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("length", [10, 30, 36, 40, 64])
def test_no_number_is_cut(length: int) -> None:
    columns = ("activation", "contact", "begin", "end", "told anew", "after", "held back")
    made = table(*columns, right=columns[1:])
    made.add_row(*row(["n" * length, 14, 12, 0, 0, 26, 123456]))
    keep_whole(made, "activation", ["n" * length])
    written = io.StringIO()
    Console(width=80, file=written).print(made)
    assert "123456" in written.getvalue()
