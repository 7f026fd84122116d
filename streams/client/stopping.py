"""Stop an aiokafka consumer whole, in any state; and tell whether it has died.

Three traps of aiokafka 0.14.0: after a fetch that failed, `stop` raises the CancelledError of its own tasks, as if the
caller had been cancelled (aio-libs/aiokafka issue 647); it raises the error that its fetcher died of; and in both
cases, and when it is cut off, connections stay open and tasks go on.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

log = logging.getLogger(__name__)

END_S: Final = 0.5
"""How long cancelled tasks may take to end, and connections to close: a peer can hold them up no longer."""


async def stop_whole(consumer: Any, stop: Callable[[], Awaitable[None]]) -> None:
    """Call aiokafka's own `stop`, then end the tasks that it leaves.

    Raises CancelledError only if the caller was cancelled.
    """
    stopping = asyncio.current_task()
    cancelled = 0 if stopping is None else stopping.cancelling()
    try:
        await stop()
    except asyncio.CancelledError:
        await _end(consumer)
    except Exception as error:
        log.warning("a consumer had died of %s", type(error).__name__, extra={"action": "consumer_died"})
        await _end(consumer)
    if stopping is not None and stopping.cancelling() > cancelled:
        # aiokafka swallows a cancellation of the caller that comes while it waits for its own tasks
        raise asyncio.CancelledError


def has_died(consumer: Any) -> bool:
    """Tell whether a running consumer's tasks have ended: it brings nothing any more, or the same error for ever."""
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
