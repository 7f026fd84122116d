"""A fault as the runner knows it: a number, a name, sizes, and a function that runs one seed."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.faults.checker import Counted
from tests.faults.stage import Servers


@dataclass(frozen=True)
class Size:
    """The size of a fault."""

    seeds: int
    """How many runs, each with a seed of its own."""
    times: int = 1
    """How often the fault strikes within a run; unused where the traffic is the fault."""
    events: int = 500
    """Events in a run, where the fault does not set its own length."""
    seconds: float = 0
    """How long something lasts, where the length makes the fault."""


@dataclass
class Context:
    """What one run gets: servers, its seed, its size."""

    servers: Servers
    seed: int
    size: Size
    stack: AsyncExitStack
    say: Callable[[str], None] = lambda _: None
    mutation: str = ""
    """A safety that is off in the workers of the run: the run must fail then."""
    alone: bool = False
    """Whether no other run goes on: only then measurements are held to a limit."""


@dataclass
class Report:
    """The result of a run that held."""

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
    """About how long a run takes in CI; the longest begin first."""
    alone: bool = False
    """Whether it measures something: in the full size no other run goes on then."""
    mutation: str = ""
    """The safety that is off, for a row that must be noticed."""
    seldom: bool = False
    """Whether only `make faults` runs it: the suite has another of its family."""
