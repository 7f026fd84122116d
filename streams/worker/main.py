"""A worker as a process, from the settings to the exit status: what `segue worker` runs.

Tests, faults, demo and benchmarks start the same command, so what they test is what ships.
"""

import asyncio
import signal
from typing import Final

import uvloop

from streams import logs
from streams.exits import Exit
from streams.finding import Finding
from streams.log.connection import KafkaConnection
from streams.logs import LogLevel
from streams.operations.provision import check_topics
from streams.operations.rights import check_rights
from streams.settings import Deployment, Settings
from streams.wire.rights import Asked, rights_of
from streams.worker.worker import Worker

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def main(deployment: Deployment, settings: Settings, log_level: LogLevel | None = None) -> Exit:
    """Run a worker to its end and return the exit status. `log_level` wins over the setting.

    SIGTERM and SIGINT stop the worker cleanly.
    """
    logs.configure(settings.log_format, log_level or settings.log_level)
    return uvloop.run(_run(deployment, settings))


async def _run(deployment: Deployment, settings: Settings) -> Exit:
    connection = KafkaConnection.of(settings)
    rights = rights_of("worker", Asked(deployment, settings.group))

    async def check_acls() -> list[Finding]:
        await check_rights(connection, "worker", rights)
        return []

    checks = [check_acls, lambda: check_topics(connection, deployment)]
    worker = Worker(deployment, settings, connection=connection, checks=checks)
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, worker.stop)
    try:
        return await worker.run()
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
