"""An event as a profile took it in, for filling the history of conditions that come later."""

from typing import NamedTuple

from rules.ground.event import Event


class Seen(NamedTuple):
    """An event as a profile took it in: for filling the history of conditions that come later."""

    event: Event
    arrival: int
    r_ms: int
