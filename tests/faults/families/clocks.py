"""Fault 11c: the broker's clock steps back an hour, is right again, and then a year ahead.

A small library before libc's (`clock.c`) moves the broker's wall clock, where there is a C compiler and a loader that
takes it (Linux). Elsewhere a worker's own clock is moved: that shows the difference between the clocks, but never a log
whose timestamps go back.
"""

import asyncio
import itertools
import secrets
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streams.embedded import KafkaServer
from tests.faults.fault import Context, Report
from tests.faults.stage import Run, WorkerProcess, deployment, store
from tests.faults.traffic import Mix

MIX: Final = Mix(people=150, per_second=150)
HOUR_MS: Final = 3_600_000
YEAR_MS: Final = 365 * 24 * HOUR_MS


class ClockedKafka(KafkaServer):
    """A broker whose wall clock can be moved."""

    def __init__(self, folder: Path, library: Path, remove: Path) -> None:
        """`folder`: a new folder of its own."""
        # a year ahead every record is older than any retention, and the broker would delete it
        never = {"log.retention.check.interval.ms": str(YEAR_MS), "log.initial.task.delay.ms": str(YEAR_MS)}
        super().__init__(settings=never, remove=remove)
        self._library = library
        folder.mkdir(parents=True)
        self._file = folder / "clock"
        self.off(0)

    def off(self, ms: int) -> None:
        """Move its clock."""
        if not self._file.exists():
            self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", ms))

    def _environment(self) -> Mapping[str, str]:
        more = {"LD_PRELOAD": str(self._library), "SEGUE_TEST_CLOCK": str(self._file)}
        return {**super()._environment(), **more}


def _library(folder: Path) -> Path | None:
    """Compile the library; None: it cannot be compiled or loaded here."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    made = folder / f"clock-{secrets.token_hex(4)}.so"
    source = Path(__file__).parents[1] / "clock.c"
    done = subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"], check=False)
    return made if done.returncode == 0 else None


async def clock_off(context: Context) -> Report:
    """Fault 11c; see the module."""
    library = await asyncio.to_thread(_library, context.servers.folder)
    if library is None:
        return await _worker_clock(context)
    folder = context.servers.folder / f"clocked-{secrets.token_hex(4)}"
    kafka = ClockedKafka(folder, library, context.servers.folder)
    context.stack.callback(kafka.kill)
    await asyncio.to_thread(kafka.start, folder)
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, kafka=kafka, mix=MIX) as run:
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        await run.start_traffic()
        for n in range(context.size.times):
            context.say(f"an hour behind, {n + 1} of {context.size.times}")
            await asyncio.sleep(run.rng.uniform(2, 4))
            kafka.off(-HOUR_MS)
            await asyncio.sleep(run.rng.uniform(4, 8))
            if run.rng.random() < 0.5:
                worker.kill()
                worker = run.worker(mutation=context.mutation)
            await asyncio.sleep(run.rng.uniform(0, 2))
            kafka.off(0)
        await run.stop_traffic()
        await run.settle()
        assert _back(run), "no stamp in the log went back"
        context.say("a year ahead")
        kafka.off(YEAR_MS)
        out = _changes(run)
        await run.send(context.size.events // 3)
        await run.until(lambda: _stopped(run, worker), "the worker to stop at stamps a year ahead")
        assert _changes(run) == out, "something was published of stamps a year ahead"
        assert await worker.stop() == 0
        # years later
        run.ahead_ms += YEAR_MS
        run.worker(mutation=f"clock:{YEAR_MS}")
        run.notes |= {"an hour back": context.size.times, "a year ahead": 1}
        return Report(await run.finish(), run.notes)


def _back(run: Run) -> bool:
    """Return whether timestamps of the input go back somewhere."""
    for tp, records in run.observer.found.items():
        stamps = [record.timestamp for record in records] if tp.topic == run.names.events else []
        if any(after < before - HOUR_MS // 2 for before, after in itertools.pairwise(stamps)):
            return True
    return False


def _changes(run: Run) -> int:
    return sum(len(records) for tp, records in run.observer.found.items() if tp.topic == run.names.membership)


async def _stopped(run: Run, worker: WorkerProcess) -> bool:
    status = await worker.ask()
    return status is not None and status["incidents"] == run.names.partitions


async def _worker_clock(context: Context) -> Report:
    """Move a worker's clock a year behind the broker's (it stops and says so), then an hour ahead of it."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        late = run.worker(mutation=f"clock:{-YEAR_MS}")
        await run.send(context.size.events // 3)
        await run.until(lambda: _stopped(run, late), "the worker to stop at stamps a year ahead")
        assert not _changes(run)
        assert await late.stop() == 0
        # the worker appends ticks too early, again and again, and they decide nothing
        run.worker(mutation=f"clock:{HOUR_MS}")
        await run.send(context.size.events // 3)
        await asyncio.sleep(3)
        run.worker()
        await run.send(context.size.events // 3)
        run.notes["a worker's clock moved"] = 2
        return Report(await run.finish(), run.notes)
