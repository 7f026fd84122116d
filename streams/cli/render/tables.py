"""Tables for people."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text


def table(*columns: str, right: Iterable[str] = (), title: str | None = None) -> Table:
    """Make a table; the columns named in `right` hold numbers. A cell is shown as it is, never read as markup."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", header_style="bold", pad_edge=False)
    numbers = set(right)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def row(cells: Sequence[object]) -> list[Text]:
    """Make the cells of a row; None becomes an empty cell."""
    return [each if isinstance(each, Text) else Text("" if each is None else str(each)) for each in cells]
