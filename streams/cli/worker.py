"""`segue worker`: the stream processor."""

from typing import Annotated

import typer

from streams.cli.running import settings
from streams.logs import LogLevel
from streams.worker.main import main


def worker(
    log_level: Annotated[
        LogLevel | None, typer.Option(help="What to log to standard error; without: SEGUE_LOG_LEVEL.")
    ] = None,
) -> None:
    """Run the stream processor until SIGTERM or Ctrl-C.

    Events in, state to Redis, every change out, once. Start as many as you like: they share the partitions. /live,
    /ready and /status answer on port 6066 of loopback, or where SEGUE_WEB_HOST and SEGUE_WEB_PORT say; on one machine
    each needs a port of its own. Exit status: 0 stopped as asked; 1 settings, input or a bug; 3 a server was not
    reachable within 30 s at the start.

    Example: SEGUE_WEB_HOST=0.0.0.0 segue worker
    """
    deployment, found = settings()
    status = main(deployment, found, log_level)
    if status:
        raise typer.Exit(status)
