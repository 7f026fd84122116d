"""An event loop without a clock or operating system: time jumps to the next callback, so waiting costs nothing.

One unit of its time is a turn; the simulation decides how many turns each thing takes. Waits that end at the same turn
end in the order in which they began, so a run is the same every time.

A simulation mostly waits, so waiting is cheap: `rest` needs no cancellable timer and looks at no clock or files. All
callbacks of a turn run in one go.
"""

import asyncio
import heapq
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class NothingHappens(AssertionError):
    """Every task waits for another task."""


class TurnLoop(asyncio.BaseEventLoop):
    """Runs coroutines; `time` is in turns. No files, sockets, signals or threads."""

    _ready: deque[Handle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self._turn = 0.0
        self._waiting: list[tuple[float, int, asyncio.Future[None] | Handle]] = []
        """A heap of waits by turn; waits of one turn are ordered by their numbers."""
        self._begun = 0

    def time(self) -> float:
        """Turns since the start."""
        return self._turn

    def rest(self, turns: float) -> "asyncio.Future[None]":
        """Return a future that is done so many turns from now. It may be cancelled."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self._wait(self._turn + turns, future)
        return future

    def call_soon(self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None) -> Handle:
        """Call in this turn, after the callbacks that are already queued."""
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """Call at a turn."""
        handle = TimerHandle(when, callback, args, self, context)
        self._wait(when, handle)
        return handle

    def _wait(self, when: float, who: "asyncio.Future[None] | Handle") -> None:
        self._begun += 1
        heapq.heappush(self._waiting, (when, self._begun, who))

    def _run_once(self) -> None:
        """Run the queued callbacks, turn by turn, until the loop is stopped. Raises NothingHappens."""
        ready = self._ready
        while not self._stopping:
            if not ready:
                self._next_turn()
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001

    def _next_turn(self) -> None:
        waiting = self._waiting
        while not self._ready:
            if not waiting:
                raise NothingHappens("nothing will ever happen")
            self._turn = max(self._turn, waiting[0][0])
            while waiting and waiting[0][0] <= self._turn:
                who = heapq.heappop(waiting)[2]
                if isinstance(who, Handle):
                    self._ready.append(who)
                elif not who.done():
                    who.set_result(None)

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """Leave the handle in the heap: it is skipped when its turn comes."""

    def _write_to_self(self) -> None:
        """Do nothing: no other thread has to be woken."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, as asyncio.run does."""
    with asyncio.Runner(loop_factory=TurnLoop) as runner:
        return runner.run(work)
