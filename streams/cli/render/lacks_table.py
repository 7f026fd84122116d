"""The signatures that lack, as a table."""

from collections.abc import Sequence

from rich.table import Table

from streams.cli.render.tables import keep_whole, row, table
from streams.operations.approving.ruling import Lack


def lacks_table(lacks: Sequence[Lack]) -> Table:
    """Make the table: a row a signature; a definition is named in its first row."""
    shown = table("definition", "still to be approved by", "who may", "why")
    before = ""
    for each in lacks:
        name = str(each.demand)
        shown.add_row(*row(["" if name == before else name, each.by, ", ".join(each.people), each.why]))
        before = name
    keep_whole(shown, "definition", map(str, (each.demand for each in lacks)))
    return shown
