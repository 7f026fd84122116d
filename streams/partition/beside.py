"""A task beside an owner's own task: it writes a checkpoint, or appends a tick. There is at most one of each."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """Runs one piece of work at a time, and sets `poke` when it ends."""

    def __init__(self, poke: asyncio.Event) -> None:
        self._poke = poke
        self._task: asyncio.Task[T] | None = None

    @property
    def busy(self) -> bool:
        """Whether work is under way, or its result was not taken yet."""
        return self._task is not None

    def start(self, work: Coroutine[Any, Any, T]) -> None:
        """Begin a piece of work. None may be under way."""
        if self._task is not None:
            raise AssertionError("the work before it has not ended")
        self._task = asyncio.ensure_future(work)
        self._task.add_done_callback(lambda task: self._poke.set())

    def ended(self) -> "asyncio.Task[T] | None":
        """Take the task that ended; its `result` raises what the work raised. None: it goes on, or there is none."""
        if self._task is None or not self._task.done():
            return None
        task, self._task = self._task, None
        return task

    def cancel(self) -> None:
        """Cancel the work and forget it; do not wait for its end."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def abandon(self) -> None:
        """Cancel the work and wait for its end. What it has sent may still happen."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            # the task itself is not awaited: its cancellation must not be taken for ours
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()
