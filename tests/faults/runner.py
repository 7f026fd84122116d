"""Run faults: one seed after the other, each on a deployment of its own, and say how to repeat what failed."""

import asyncio
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tests.faults.fault import Context, Fault, Report, Size
from tests.faults.stage import Servers

SizeName = Literal["ci", "full"]


@dataclass(frozen=True)
class Result:
    """What came of one seed of one fault."""

    fault: str
    name: str
    seed: int
    size: SizeName
    seconds: float
    error: str = ""
    """What was broken, or went wrong; "": nothing."""
    counted: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What repeats it."""
        more = " SIZE=full" if self.size == "full" else ""
        return f"make faults FAULT={self.fault} SEED={self.seed}{more}"


def size_of(fault: Fault, size: SizeName) -> Size:
    """How much of a fault."""
    return fault.full if size == "full" else fault.ci


async def run_seed(servers: Servers, fault: Fault, seed: int, size: SizeName, say: Callable[[str], None]) -> Result:
    """Run one seed of one fault to its end, whatever comes of it."""
    began_s = time.monotonic()
    error, report = "", None
    try:
        report = await run_fault(servers, fault, seed, size_of(fault, size), say)
    except Exception as failed:
        error = f"{type(failed).__name__}: {failed}"
        if not isinstance(failed, AssertionError):
            error += "\n" + "".join(traceback.format_tb(failed.__traceback__)[-3:])
    return Result(
        fault.number,
        fault.name,
        seed,
        size,
        round(time.monotonic() - began_s, 1),
        error,
        {} if report is None else asdict(report.counted),
        {} if report is None else report.notes,
    )


async def run_fault(
    servers: Servers,
    fault: Fault,
    seed: int,
    size: Size,
    say: Callable[[str], None] = lambda _: None,
    mutation: str = "",
) -> Report:
    """Run one seed of one fault. Raises Violated, or what went wrong."""
    async with AsyncExitStack() as stack:
        return await fault.run(Context(servers, seed, size, stack, say, mutation))


def run_all(
    servers: Servers,
    faults: Sequence[Fault],
    size: SizeName,
    first_seed: int,
    one_seed: bool,
    say: Callable[[str], None],
    on_result: Callable[[Result], None],
) -> list[Result]:
    """Run every seed of every fault."""
    results = []
    for fault in faults:
        count = 1 if one_seed else size_of(fault, size).seeds
        for seed in range(first_seed, first_seed + count):
            result = asyncio.run(run_seed(servers, fault, seed, size, say))
            results.append(result)
            on_result(result)
            if not servers.kafka.running():
                servers.kafka.restart()
    return results
