"""Fault 14: a store that refuses to write."""

import asyncio
import resource
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from streams.embedded import ValkeyServer
from tests.faults.families.stores import MIX, connect, well
from tests.faults.fault import Context, Report
from tests.faults.stage import WorkerProcess, deployment, store


class FullableValkey(ValkeyServer):
    """A Valkey whose disk can be full: from a moment on its files may not grow."""

    def _command(self) -> Sequence[str]:
        # beyond the limit a write fails, as on a full disk, and no signal ends the process
        return ["/bin/sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", *super()._command()]

    def fill(self) -> None:
        """Let none of its files grow any more."""
        [path] = (self.folder / "appendonlydir").glob("*.incr.aof")
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))

    def empty(self) -> None:
        """Let them grow again."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def refuses(context: Context) -> Report:
    """Fault 14: out of memory, disk full, read-only, without replicas: checkpoints stop, it says so, and it resumes."""
    valkey = context.stack.enter_context(store(context.servers.folder, kind=FullableValkey))
    assert isinstance(valkey, FullableValkey)
    client = connect(valkey)

    def command(*words: str) -> Callable[[], Awaitable[Any]]:
        return lambda: client.execute_command(*words)

    kinds: dict[str, tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]] = {
        "OOM": (command("CONFIG", "SET", "maxmemory", "1mb"), command("CONFIG", "SET", "maxmemory", "0")),
        "MISCONF": (lambda: asyncio.to_thread(valkey.fill), lambda: asyncio.to_thread(valkey.empty)),
        "READONLY": (command("REPLICAOF", "127.0.0.1", "1"), command("REPLICAOF", "NO", "ONE")),
        "NOREPLICAS": (
            command("CONFIG", "SET", "min-replicas-to-write", "1"),
            command("CONFIG", "SET", "min-replicas-to-write", "0"),
        ),
    }
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        await run.start_traffic()
        for code, (ill, cured) in kinds.items():
            context.say(code)
            await ill()
            await run.until(lambda code=code: _says(worker, code), f"the worker to say {code}")  # type: ignore[misc]
            await asyncio.sleep(2)
            await cured()
            await run.until(lambda: well(run), "the worker to resume")
        await client.aclose()
        await run.stop_traffic()
        run.notes["refused with"] = " ".join(kinds)
        return Report(await run.finish(), run.notes)


async def _says(worker: WorkerProcess, code: str) -> bool:
    status = await worker.ask()
    assert status is not None
    return not status["ready"] and any(code in one["waiting_for"] for one in status["partitions"])
