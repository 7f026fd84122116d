"""Commands that run a deployment: `topics`, `apply`, `worker`, `asyncapi`.

What talks to servers is imported when a command runs: the client libraries take half a second to load.
"""

import logging
import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from streams.cli.console import Json, err, out, row, table, tell, write_json
from streams.cli.definitions import Folder, load
from streams.exits import Exit
from streams.finding import Finding


class LogLevel(StrEnum):
    """What a worker logs, and what is graver."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def topics(as_json: Json = False) -> None:
    """Create the topics and each partition's state where they never were, and verify those that are there.

    Changes nothing that exists; run it as often as you like. Exit status 1: something is wrong, and nothing may start
    on it (a changed partition count, timestamps that producers set, state that is gone); the table says what to do.

    Example: SEGUE_PARTITIONS=8 segue topics
    """
    from streams.operations.provision import Provisioned, create_or_verify
    from streams.operations.servers import Servers, run
    from streams.store.redis import check_server

    async def work(servers: Servers) -> Provisioned:
        checked = await check_server(servers.settings.redis_url)
        if any(finding.fatal for finding in checked):
            return Provisioned((), (), tuple(checked))
        with err.status("Looking at topics and state"):
            async with servers.cluster() as cluster:
                done = await create_or_verify(cluster, servers.log, servers.store, servers.deployment)
        return Provisioned(done.created_topics, done.created_partitions, (*checked, *done.findings))

    done = run(work)
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
        for name in done.created_topics:
            out.print(Text(f"created  {name}", "green"))
        if done.created_partitions:
            out.print(Text(f"created  the state of {len(done.created_partitions)} partitions in Redis", "green"))
        _show(done.findings)
    if done.fatal:
        raise typer.Exit(int(Exit.WRONG_INPUT))


def _show(findings: tuple[Finding, ...]) -> None:
    if not findings:
        out.print("Everything is as it must be.")
        return
    shown = table("", "where", "what", "what to do")
    for finding in sorted(findings, key=lambda each: (not each.fatal, each)):
        mark = Text("wrong", "bold red") if finding.fatal else Text("advice", "yellow")
        shown.add_row(*row([mark, finding.where, finding.what, finding.remedy]))
    out.print(shown)


def apply(
    folder: Folder,
    again: Annotated[
        bool, typer.Option("--again", help="Put it into force again although it is: a new cut in every partition.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a catalogue and put it into force: in one transaction, for every partition of the input.

    Says what changes against the catalogue in force: segments, activations, dictionary, policy. Creates the topics of
    channels that are new, and deletes none. Warns of what begins without the history that it looks at. Already in
    force: says so and writes nothing.

    Example: segue apply catalogue
    """
    from streams.cli.applying import put_into_force, show
    from streams.operations.servers import run

    catalogue = load(folder)
    outcome = run(lambda servers: put_into_force(servers, catalogue, again=again))
    for warning in outcome.beginnings:
        tell(f"warning: {warning}")
    if as_json:
        write_json(outcome.as_json())
    else:
        show(outcome, catalogue)


def worker(
    log_level: Annotated[LogLevel, typer.Option(help="What to log to standard error.")] = LogLevel.INFO,
) -> None:
    """Run the stream processor until SIGTERM or Ctrl-C: events in, state to Redis, every change out, once.

    Start as many as you like: they share the partitions. /live, /ready and /status answer on SEGUE_WEB_PORT.
    Exit status: 0 stopped as asked; 1 settings, input or a bug; 3 a server was not reachable within 30 s at the start.

    Example: SEGUE_WEB_PORT=6066 segue worker
    """
    from streams.operations.servers import read_settings, silence_libraries

    deployment, settings = read_settings()
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    silence_libraries()
    for handler in logging.getLogger().handlers:
        handler.addFilter(_says_something)
    import uvloop

    from streams.operations.provision import check_topics
    from streams.worker.worker import Worker, run_until_signal

    async def main() -> int:
        checks = [lambda: check_topics(settings.kafka_bootstrap_servers, deployment)]
        return await run_until_signal(Worker(deployment, settings, checks=checks))

    status = uvloop.run(main())
    logging.shutdown()
    if status:
        raise typer.Exit(status)


def _says_something(record: logging.LogRecord) -> bool:
    """Leave out what Faust's services say of their coming and going, in our modules' names: `[^--App]: Starting...`."""
    return record.levelno > logging.INFO or not record.getMessage().startswith("[^")


def asyncapi() -> None:
    """Print the AsyncAPI 3 document of all topics, as deploy/asyncapi.yaml has it.

    Example: segue asyncapi > asyncapi.yaml
    """
    from streams.wire.asyncapi import render

    sys.stdout.write(render())


def add_to(app: typer.Typer) -> None:
    """Add the commands of this family."""
    for command in (topics, apply, worker, asyncapi):
        app.command()(command)
