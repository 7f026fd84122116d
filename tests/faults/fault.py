"""What a fault is to the runner: a number, a name, how often and how large, and a function that runs one seed."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.faults.checker import Counted
from tests.faults.stage import Servers


@dataclass(frozen=True)
class Size:
    """How much of a fault."""

    seeds: int
    """Runs, each with a seed of its own."""
    times: int = 1
    """How often the fault strikes within a run (or, where traffic is the fault, nothing)."""
    events: int = 500
    """Events a run, where the fault does not say itself how long it takes."""


@dataclass
class Context:
    """What one run has: servers that are there, and its seed."""

    servers: Servers
    seed: int
    size: Size
    stack: AsyncExitStack
    say: Callable[[str], None] = lambda _: None
    mutation: str = ""
    """A safety that is switched off in the workers of the run: it must fail then."""


@dataclass
class Report:
    """What a run came to."""

    counted: Counted
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    number: str
    name: str
    run: Callable[[Context], Awaitable[Report]]
    ci: Size
    full: Size
