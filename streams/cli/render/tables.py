"""Tables for people."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from rich import box
from rich.table import Column, Table
from rich.text import Text

WHOLE_MAX: Final = 40
"""Characters of the longest name up to which all of a column may stand on one line at 80 columns."""

WIDTH: Final = 80
GAP: Final = 3
"""Characters between two columns."""


def table(*columns: str, right: Iterable[str] = (), title: str | None = None) -> Table:
    """Make a table; the columns named in `right` hold numbers. A cell is shown as it is, never read as markup."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", header_style="bold", pad_edge=False)
    numbers = set(right)
    for column in columns:
        # no word of a heading is broken
        width = max(map(len, column.split()), default=0)
        justify: Literal["right", "left"] = "right" if column in numbers else "left"
        made.add_column(column, justify=justify, overflow="fold", min_width=width)
    return made


def keep_whole(made: Table, column: str, names: Iterable[str]) -> None:
    """Keep names in a column on one line each, so that people can copy them, where that cuts off no other column.

    For a table that has its rows. Wider than the terminal, Rich would cut off the end of the last column, numbers too.
    """
    [found] = [each for each in made.columns if each.header == column]
    longest = max(map(len, names), default=0)
    others = sum(_least(each) + GAP for each in made.columns if each is not found)
    if longest <= min(WHOLE_MAX, WIDTH - others - GAP):
        found.min_width = max(found.min_width or 0, longest)
        found.no_wrap = True


def _least(column: Column) -> int:
    """Tell how narrow a column may be: a number is never folded."""
    least = column.min_width or 0
    return max([least, *(len(str(each)) for each in column.cells)]) if column.justify == "right" else least


def row(cells: Sequence[object]) -> list[Text]:
    """Make the cells of a row; None becomes an empty cell."""
    return [each if isinstance(each, Text) else Text("" if each is None else str(each)) for each in cells]
