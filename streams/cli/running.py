"""Running a command's work beside the servers of the settings."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streams.operations.servers import Servers, serving, silence_libraries
from streams.operations.settings import misspelt, read_settings
from streams.settings import Deployment, Settings

T = TypeVar("T")


def settings() -> tuple[Deployment, Settings]:
    """Read the settings from the environment, warning of variables that look like settings and are none."""
    for variable in misspelt():
        from streams.cli.render.terminal import tell  # here, for start-up time: it brings Rich

        tell(f"warning: {variable}")
    return read_settings()


def run(work: Callable[[Servers], Awaitable[T]]) -> T:
    """Run a command's work to its end and return what it returns. Raises OperationError."""
    silence_libraries()
    deployment, found = settings()

    async def within() -> T:
        async with serving(deployment, found) as servers:
            return await work(servers)

    return asyncio.run(within())
