"""Stop an aiokafka consumer, whole, whatever it is at; and see that one has died.

Traps of aiokafka 0.14.0 met here: `stop` lets the end of its fetcher's own tasks out as if whoever stops it had been
cancelled (aio-libs/aiokafka issue 647: after a fetch that failed, say, because the broker is away or slow), and raises
what its fetcher died of; in both cases, and where it is cut off, connections stay open and tasks go on.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

log = logging.getLogger(__name__)

END_S: Final = 0.5
"""For what is cancelled to end, and for the connections to close: what a peer may hold up no longer."""


async def stop_whole(consumer: Any, stop: Callable[[], Awaitable[None]]) -> None:
    """Stop by `stop`, aiokafka's own, and end what that leaves. Raises CancelledError only where the caller was."""
    stopping = asyncio.current_task()
    cancelled = 0 if stopping is None else stopping.cancelling()
    try:
        await stop()
    except asyncio.CancelledError:
        await _end(consumer)
    except Exception as error:
        log.warning("a consumer had died of %s", type(error).__name__)
        await _end(consumer)
    if stopping is not None and stopping.cancelling() > cancelled:
        # aiokafka takes a cancellation that comes while it waits for its own tasks for theirs
        raise asyncio.CancelledError


def has_died(consumer: Any) -> bool:
    """Tell whether tasks of a consumer that runs have ended: it brings nothing any more, or one and the same error."""
    fetcher, coordinator = consumer._fetcher, consumer._coordinator  # noqa: SLF001
    tasks = (getattr(fetcher, "_fetch_task", None), getattr(coordinator, "_coordination_task", None))
    return any(task is not None and task.done() for task in tasks)


async def _end(consumer: Any) -> None:
    fetcher, coordinator = consumer._fetcher, consumer._coordinator  # noqa: SLF001 - there is no public way
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    own = [getattr(coordinator, name, None) for name in names]
    own += [] if fetcher is None else [fetcher._fetch_task, *fetcher._pending_tasks]  # noqa: SLF001
    tasks = {task for task in own if task is not None}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=END_S)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(END_S):
            await consumer._client.close()  # noqa: SLF001
