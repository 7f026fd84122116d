"""A worker of a fault run, as a process: asked over HTTP, stopped, frozen, killed."""

import asyncio
import contextlib
import json
import signal
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.zygote import Forked


@dataclass
class WorkerProcess:
    """A worker in a process of its own."""

    process: Forked
    port: int
    log: Path

    def status(self) -> dict[str, Any] | None:
        """Return what /status says; None: nobody answers."""
        if not self.alive:
            return None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError):
            return None

    async def ask(self) -> dict[str, Any] | None:
        """Return what /status says, without holding up the loop."""
        return await asyncio.to_thread(self.status)

    @property
    def alive(self) -> bool:
        """Whether it runs (standing still counts)."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def send(self, number: int) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def stop(self, limit_s: float = 60) -> int:
        """Stop it in order; its exit status."""
        self.send(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, limit_s)

    def stands_still(self) -> bool:
        """Whether it is stopped by a signal."""
        with contextlib.suppress(OSError):
            return (Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split())[0] == "T"
        return False

    def said(self) -> str:
        """Return the end of its log."""
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-3_000:]
        return ""


def resident_mb(pid: int) -> int:
    """Return the most memory that a process ever had resident; 0: it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
        return next((int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM")), 0)
    return 0
