"""`segue worker`: the stream processor."""

import logging
import sys
from typing import Annotated

import typer
import uvloop

from streams.cli.arguments import LogLevel
from streams.cli.running import settings
from streams.operations.provision import check_topics
from streams.operations.servers import silence_libraries
from streams.worker.worker import Worker, run_until_signal


def worker(
    log_level: Annotated[LogLevel, typer.Option(help="What to log to standard error.")] = LogLevel.INFO,
) -> None:
    """Run the stream processor until SIGTERM or Ctrl-C.

    Events in, state to Redis, every change out, once. Start as many as you like: they share the partitions. /live,
    /ready and /status answer on SEGUE_WEB_PORT. Exit status: 0 stopped as asked; 1 settings, input or a bug; 3 a server
    was not reachable within 30 s at the start.

    Example: SEGUE_WEB_PORT=6066 segue worker
    """
    deployment, found = settings()
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    silence_libraries()
    for handler in logging.getLogger().handlers:
        handler.addFilter(_says_something)

    async def main() -> int:
        checks = [lambda: check_topics(found.kafka_bootstrap_servers, deployment)]
        return await run_until_signal(Worker(deployment, found, checks=checks))

    status = uvloop.run(main())
    logging.shutdown()
    if status:
        raise typer.Exit(status)


def _says_something(record: logging.LogRecord) -> bool:
    """Leave out what Faust's services say of their coming and going, in our modules' names: `[^--App]: Starting...`."""
    return record.levelno > logging.INFO or not record.getMessage().startswith("[^")
