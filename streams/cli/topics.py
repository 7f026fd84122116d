"""`segue topics`: create what a deployment needs, verify what it has."""

import typer
from rich.text import Text

from rules.ground.words import count
from streams.cli.arguments import Json
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import err, out, write_json
from streams.cli.running import run
from streams.exits import Exit
from streams.finding import Finding
from streams.operations.provision import Provisioned, provision


def topics(as_json: Json = False) -> None:
    """Create the topics and the state of each partition, or verify them.

    Creates what never was and verifies what is there. Changes nothing that exists; run it as often as you like. Exit
    status 1: something is wrong, and nothing may start on it (a changed partition count, timestamps that producers set,
    state that is gone); the table says what to do.

    Example: SEGUE_PARTITIONS=8 segue topics
    """
    with err.status("Looking at topics and state"):
        done = run(provision)
    if as_json:
        write_json(
            {
                "created_topics": done.created_topics,
                "created_partitions": done.created_partitions,
                "findings": done.findings,
                "ok": not done.fatal,
            }
        )
    else:
        _show(done)
    if done.fatal:
        raise typer.Exit(int(Exit.WRONG_INPUT))


def _show(done: Provisioned) -> None:
    for name in done.created_topics:
        out.print(Text(f"created  {name}", "green"))
    if done.created_partitions:
        out.print(Text(f"created  the state of {count(len(done.created_partitions), 'partition')} in Redis", "green"))
    if done.findings:
        _show_findings(done.findings)
    else:
        out.print("Everything is as it must be.")


def _show_findings(findings: tuple[Finding, ...]) -> None:
    shown = table("", "where", "what", "what to do")
    for finding in sorted(findings, key=lambda each: (not each.fatal, each)):
        mark = Text("wrong", "bold red") if finding.fatal else Text("advice", "yellow")
        shown.add_row(*row([mark, finding.where, finding.what, finding.remedy]))
    out.print(shown)
