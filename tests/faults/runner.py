"""Run faults, several seeds at once, each on a deployment of its own; say how to repeat a run that failed.

Runs mostly wait: for sessions to time out, for wakes to fall due. So several go on together, each in a thread with an
event loop of its own. Runs that leave the broker alone share one Kafka; runs share nothing else.
"""

import asyncio
import gc
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from tests.faults.fault import Context, Fault, Report, Size
from tests.faults.stage import Servers

SizeName = Literal["once", "ci", "full"]
MANY_TIMES: Final = 12
MANY_EVENTS: Final = 2_000
JOBS: Final = 3
"""Runs at a time on two cores; more would only wait for each other."""
LIMIT_S: Final[dict[SizeName, float]] = {"once": 600, "ci": 900, "full": 3_600}
"""A run that takes longer is stuck: it is broken off, and says where it stood."""


@dataclass(frozen=True)
class Result:
    """The result of one seed of one fault."""

    fault: str
    name: str
    seed: int
    size: SizeName
    seconds: float
    error: str = ""
    """The promise that was broken, or the error; "": none."""
    counted: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    violated: bool = False
    """Whether the checker found a broken promise."""
    not_run: bool = False
    """Whether the time was over before it began."""

    @property
    def command(self) -> str:
        """The command that repeats it."""
        more = "" if self.size == "ci" else f" SIZE={self.size}"
        return f"make faults FAULT={self.fault} SEED={self.seed}{more}"


def size_of(fault: Fault, size: SizeName) -> Size:
    """Return the size of a fault. `once`, for the suite: one seed of CI, with fewer strikes and shorter lengths."""
    if size == "full":
        return fault.full
    if size == "ci":
        return fault.ci
    ci = fault.ci
    times = ci.times // 3 if ci.times >= MANY_TIMES else ci.times
    events = ci.events // 2 if ci.events >= MANY_EVENTS else ci.events
    return Size(1, times, events, ci.seconds / 3)


def in_turn(faults: Sequence[Fault], size: SizeName, seeds: range | None) -> list[tuple[Fault, int]]:
    """Every seed of every fault, or those asked for: one whatever the size, of several those that the size has.

    Seed by seed, of each the longest first, so that none is left over at the end.
    """

    def of(fault: Fault) -> range:
        own = range(size_of(fault, size).seeds)
        if seeds is None:
            return own
        return seeds if len(seeds) == 1 else range(seeds.start, min(seeds.stop, own.stop))

    runs = [(fault, number) for fault in faults for number in of(fault)]
    return sorted(runs, key=lambda run: (run[1], -run[0].takes_s))


class Runs:
    """Runs, a few at a time. `say` and `on_result` are called from several threads, one call at a time."""

    def __init__(
        self,
        servers: Servers,
        size: SizeName,
        jobs: int = JOBS,
        on_begin: Callable[[Fault, int], None] = lambda fault, seed: None,
        say: Callable[[Fault, int, str], None] = lambda fault, seed, text: None,
        on_result: Callable[[Result], None] = lambda _: None,
    ) -> None:
        self._servers = servers
        self._size = size
        self._jobs = jobs
        self._on_begin = on_begin
        self._say = say
        self._on_result = on_result
        self._threads = ThreadPoolExecutor(jobs, "fault")
        self._permits = threading.Semaphore(jobs)
        self._all = threading.Lock()
        """Held while one run takes more than one permit."""
        self._telling = threading.Lock()
        self._going: dict[asyncio.Task[Report], asyncio.AbstractEventLoop] = {}
        self.last_begin_s: float | None = None
        """No run begins after this instant (time.monotonic())."""

    def submit(self, fault: Fault, seed: int, limits: Size | None = None) -> "Future[Result]":
        """Run one seed of one fault, in its turn."""
        return self._threads.submit(self._run, fault, seed, limits or size_of(fault, self._size))

    def close(self, *, wait: bool = True) -> None:
        """Break off all runs and begin no more. Without `wait`, runs that do not end are left."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for task, loop in list(self._going.items()):
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
        if wait:
            self._threads.shutdown()

    @contextmanager
    def _place(self, alone: bool) -> Iterator[None]:
        wanted = self._jobs if alone else 1
        if alone:
            with self._all:
                for _ in range(wanted):
                    self._permits.acquire()
        else:
            self._permits.acquire()
        try:
            yield
        finally:
            self._permits.release(wanted)

    def _run(self, fault: Fault, seed: int, size: Size) -> Result:
        alone = fault.alone and self._size == "full"
        with self._place(alone):
            if self.last_begin_s is not None and time.monotonic() > self.last_begin_s:
                result = Result(fault.number, fault.name, seed, self._size, 0, not_run=True)
                with self._telling:
                    self._on_result(result)
                return result
            with self._telling:
                self._on_begin(fault, seed)

            def say(text: str) -> None:
                with self._telling:
                    self._say(fault, seed, text)

            began_s = time.monotonic()
            error, report, violated = "", None, False
            try:
                report = asyncio.run(self._to_its_end(fault, seed, size, say, alone or self._jobs == 1))
            except Exception as failed:
                violated = isinstance(failed, AssertionError)
                error = "\n".join([f"{type(failed).__name__}: {failed}", *getattr(failed, "__notes__", [])])
                if not violated:
                    error += "\n" + "".join(traceback.format_tb(failed.__traceback__)[-3:])
            except asyncio.CancelledError:
                error = "broken off"
            # tasks that clients left behind are reported here, not in the next run
            gc.collect()
            result = Result(
                fault.number,
                fault.name,
                seed,
                self._size,
                round(time.monotonic() - began_s, 1),
                error,
                {} if report is None else asdict(report.counted),
                {} if report is None else report.notes,
                violated,
            )
            with self._telling:
                self._on_result(result)
            return result

    async def _to_its_end(self, fault: Fault, seed: int, size: Size, say: Callable[[str], None], alone: bool) -> Report:
        task = asyncio.ensure_future(run_fault(self._servers, fault, seed, size, say, alone))
        self._going[task] = asyncio.get_running_loop()
        try:
            if (await asyncio.wait({task}, timeout=LIMIT_S[self._size]))[1]:
                stood = _where_all_stand(task)
                await _break_off({task})
                raise TimeoutError(f"not done after {LIMIT_S[self._size]:.0f} s\n{stood}")
            return task.result()
        finally:
            del self._going[task]
            # asyncio.run would cancel tasks that are left once, and wait for ever
            await _break_off(asyncio.all_tasks() - {asyncio.current_task(), task})


def _where_all_stand(main: "asyncio.Task[Report]") -> str:
    """Return what each task of this loop waits for, from the outside in; the run itself comes last."""
    lines = []
    others = asyncio.all_tasks() - {asyncio.current_task(), main}
    for task in (*others, main):
        awaited: Any = task.get_coro()
        lines.append(task.get_name())
        while (frame := getattr(awaited, "cr_frame", None)) is not None:
            lines.append(f"  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
            awaited = awaited.cr_await
    return "\n".join(lines)


async def _break_off(tasks: "set[asyncio.Task[Any]]", attempts: int = 15) -> None:
    """Cancel tasks several times: a client that they wait for may swallow one cancellation."""
    left = tasks
    for _ in range(attempts):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=2)


async def run_fault(
    servers: Servers,
    fault: Fault,
    seed: int,
    size: Size,
    say: Callable[[str], None] = lambda _: None,
    alone: bool = True,
) -> Report:
    """Run one seed of one fault. Raises Violated, or the error of the run."""
    async with AsyncExitStack() as stack:
        return await fault.run(Context(servers, seed, size, stack, say, fault.mutation, alone))
