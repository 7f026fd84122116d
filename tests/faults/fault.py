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
    seconds: float = 0
    """How long something lasts, where that is what makes the fault."""


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
    alone: bool = False
    """Whether nothing else runs beside: what is measured may be held to a limit."""


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
    takes_s: int = 40
    """About how long a run takes in CI: the longest begin first."""
    alone: bool = False
    """Whether it measures something, and so runs with nothing beside it in the full size."""
    mutation: str = ""
    """For a row that is to be noticed: the safety that is off."""
