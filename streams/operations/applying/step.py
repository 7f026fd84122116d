"""What a step of an apply did."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from streams.operations.applying.situation import Situation


@dataclass(frozen=True, slots=True)
class StepDone:
    """What a step did. `said`: lines for people; `as_json`: for programs, under the step's name."""

    name: str
    said: tuple[str, ...] = ()
    as_json: Mapping[str, Any] = field(default_factory=dict)


Step: TypeAlias = Callable[[Situation], Awaitable[StepDone]]
