"""`segue catalogues`: what was in force when, by whom and why."""

from typing import Final

from rich.text import Text

from rules.catalogue.applied import Applied
from streams.cli.arguments import Json
from streams.cli.render.tables import keep_whole, row, table
from streams.cli.render.terminal import out, write_json
from streams.cli.running import run
from streams.operations.errors import NoCatalogue
from streams.operations.in_force import History, as_json, history

REVISION_SHOWN: Final = 7
"""Digits of a revision of git, as git itself shows them."""


def catalogues(as_json_: Json = False) -> None:
    """List which catalogue was in force when, by whom and why.

    The newest stands first: it is in force. The revision of git has a + where the folder held changes that were not
    committed. Without a name: an older version of Segue applied it, which recorded none.

    Example: segue catalogues
    """
    known = run(history)
    if not known.applies:
        raise NoCatalogue
    if as_json_:
        write_json({"catalogues": list(as_json(known))})
    else:
        _show(known)


def _show(known: History) -> None:
    shown = table("in force since", "catalogue", "by", "git", "why")
    rows = list(as_json(known))
    for told, each in zip(rows, reversed(known.applies), strict=True):
        since = f"{told['since'][:19].replace('T', ' ')}Z"
        how = each.applied
        style = "bold" if told["in_force"] else ""
        by = None if how is None else how.by
        shown.add_row(*row([Text(since, style), Text(each.catalogue[:12], style), by, _git(how), _why(how)]))
    keep_whole(shown, "in force since", ["2026-01-01 00:00:00Z"])
    keep_whole(shown, "catalogue", ["0" * 12])
    out.print(shown)


def _git(how: Applied | None) -> str | None:
    if how is None or how.git is None:
        return None
    return how.git.revision[:REVISION_SHOWN] + ("" if how.git.clean else "+")


def _why(how: Applied | None) -> str | None:
    if how is None:
        return None
    parts = ["back to the one before"] if how.back else []
    parts += [f"break-glass: {how.break_glass}"] if how.break_glass else []
    parts += [how.note] if how.note else []
    return "; ".join(parts) or None
