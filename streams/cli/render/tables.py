"""Tables for people."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from rich import box
from rich.table import Table
from rich.text import Text

WHOLE_MAX: Final = 40
"""Characters of a name up to which it stands on one line at 80 columns."""


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
    """Keep names in a column on one line each, up to `WHOLE_MAX`, so that people can copy them."""
    [found] = [each for each in made.columns if each.header == column]
    found.min_width = min(WHOLE_MAX, max(map(len, names), default=0))


def row(cells: Sequence[object]) -> list[Text]:
    """Make the cells of a row; None becomes an empty cell."""
    return [each if isinstance(each, Text) else Text("" if each is None else str(each)) for each in cells]
