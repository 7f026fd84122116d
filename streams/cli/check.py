"""`segue check`: compile and lint a catalogue; its lineage."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from rules.lint.check import LintWarning
from streams.cli.arguments import Folder, Json
from streams.cli.render.catalogue_summary import show_summary
from streams.cli.render.lineage_list import show_lineage
from streams.cli.render.lineage_mermaid import mermaid as draw_mermaid
from streams.cli.render.terminal import tell, write_json
from streams.exits import Exit
from streams.operations.check import check_folder, checked_json, refused_json
from streams.operations.errors import CatalogueRefused
from streams.operations.expanded import as_yaml, expanded
from streams.operations.lineage import trace_lineage
from streams.settings import Deployment

COUNTED: Final = frozenset({"undocumented", "not-approved"})
"""Codes whose warnings come in crowds and hide the others: they are counted, not listed."""


def check(
    folder: Folder,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is any warning.")] = False,
    list_all: Annotated[
        bool, typer.Option("--all", help="List every warning; otherwise many alike are one line.")
    ] = False,
    as_json: Json = False,
    lineage: Annotated[
        bool, typer.Option("--lineage", help="Print which fields reach which segment, activation and topic.")
    ] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print the lineage as a Mermaid picture.")] = False,
    expand: Annotated[
        bool, typer.Option("--expand", help="Print the definitions that the templates make, as YAML.")
    ] = False,
) -> None:
    """Compile and lint a catalogue: every error at its place.

    Needs no servers. Errors and warnings go to standard error as `file:line:col: …`; what the catalogue has, and the
    largest possible size of a profile's state, to standard output. Exit status 1: it does not load.

    Example: segue check catalogue --strict
    """
    try:
        checked = check_folder(folder)
    except CatalogueRefused as refused:
        if as_json:
            write_json(refused_json(refused.problems))
        raise
    tell(*warning_lines(checked.warnings, folder, list_all=list_all or strict))
    if expand:
        definitions = expanded(checked.catalogue)
        if as_json:
            write_json([{"file": e.file, "parameters": e.parameters, "definition": e.definition} for e in definitions])
        elif definitions:
            print(as_yaml(definitions), end="")
        else:
            tell(f"{folder} has no templates: no definition says for_each")
    elif mermaid:
        print(draw_mermaid(trace_lineage(checked.catalogue, Deployment())), end="")
    elif lineage:
        traced = trace_lineage(checked.catalogue, Deployment())
        if as_json:
            write_json(traced.as_json())
        else:
            show_lineage(traced)
    elif as_json:
        write_json(checked_json(checked))
    else:
        show_summary(checked)
    if strict and checked.warnings:
        raise typer.Exit(int(Exit.WRONG_INPUT))


def warning_lines(warnings: Sequence[LintWarning], folder: Path, *, list_all: bool) -> list[str]:
    """Return a line for each warning; warnings of one code in COUNTED share one line at the end."""
    counts = Counter(each.code for each in warnings if each.code in COUNTED and not list_all)
    many = {code: count for code, count in counts.items() if count > 1}
    lines = [str(each) for each in warnings if each.code not in many]
    return lines + [f"{count} warnings [{code}]: segue check {folder} --all lists them" for code, count in many.items()]
