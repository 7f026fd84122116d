"""A deployment to which things happen, and the instants between them."""

import time
from dataclasses import dataclass, field

from rules.ground.instants import format_instant
from tests.acceptance.command import Segue


@dataclass
class Told:
    """A deployment, and instants between the things that happened in it."""

    segue: Segue
    at: dict[str, str] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        """Remember an instant that no record has."""
        time.sleep(0.05)
        self.at[name] = format_instant(time.time_ns() // 1_000_000)
        time.sleep(0.05)
