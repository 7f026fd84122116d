"""What is known of one partition. Its parts write it and the web pages read it; nothing is decided by it."""

from dataclasses import dataclass, field
from typing import Final

from streams.partition.states import TENURE, State

COUNTERS: Final = ("events", "changes", "dead_letters", "ticks", "replays", "gaps", "checkpoints")
"""Counted for each partition, and summed over all that this worker ever held. A record applied again counts again."""
READING: Final[frozenset[State]] = frozenset({"replaying", "running", "held", "releasing"})
"""The states in which the end of the log is known."""
HEARD_MS_MAX: Final = 5_000
"""An end that was told longer ago is not known any more. The consumer asks every 25 ms."""


@dataclass(slots=True)
class PartitionStatus:
    """What is known of one assigned partition. Offsets are next records; instants UTC epoch ms; -1: not known yet."""

    partition: int
    state: State = TENURE.first
    """Changed by `move` only."""
    epoch: int = -1
    applied_offset: int = -1
    submitted_offset: int = -1
    published_offset: int = -1
    written_offset: int = -1
    """Of the last checkpoint."""
    end_offset: int = -1
    """The high watermark as last heard of."""
    oldest_unapplied_ms: int = -1
    """The timestamp of the oldest record that was read and not applied; -1: there is none."""
    heard_ms: int = -1
    """When the broker last told the end of the log."""
    caught_up_ms: int = -1
    """When it was last told that every record was applied."""
    last_record_ms: int = -1
    """The timestamp of the last record that was applied; -1: none was since the claim."""
    clock_ms: int = -1
    catalogue: str = ""
    checkpoint_at_ms: int = -1
    """The wall clock at the last checkpoint."""
    store_heard_ms: int = -1
    """When Redis last answered this partition. Its owner asks every second at least."""
    next_due_ms: int = -1
    profiles: int = 0
    """In memory."""
    history_share: float = -1
    """How much of the history that cuts of this partition wait for is read, from 0 to 1; -1: none waits."""
    incident: str = ""
    held: str = ""
    """Why the partition is held, with reasons and sources; "": it is not held."""
    held_since_ms: int = -1
    """The wall clock at the beginning of the hold, as this worker saw it; -1: it is not held."""
    refused_reasons: dict[str, int] = field(default_factory=dict)
    """Of the newest `bad_input_window` records, how many were refused, by reason code."""
    refused_sources: dict[str, int] = field(default_factory=dict)
    """The same by source; at most 20 sources."""
    waiting_for: str = ""
    """What cannot be reached; "": everything can."""
    events: int = 0
    changes: int = 0
    dead_letters: int = 0
    ticks: int = 0
    replays: int = 0
    """Silent replays begun."""
    gaps: int = 0
    checkpoints: int = 0

    def move(self, state: State) -> None:
        """Go to another state, in which nothing is waited for yet. Raises IllegalMove; then nothing has changed."""
        self.state = TENURE.move(self.state, state)
        self.waiting_for = ""
        if state not in READING:
            # the input is shut: what was known of its end grows old
            self.end_offset = self.oldest_unapplied_ms = -1
            self.heard_ms = self.caught_up_ms = self.last_record_ms = self.store_heard_ms = -1

    @property
    def shown(self) -> str:
        """The state for people and programs: "retrying" while something is tried again, else the tenure's state."""
        return "retrying" if self.waiting_for and self.state in READING else self.state

    def lag_records(self, wall_ms: int) -> int:
        """Return how many records are between the applied offset and the end of the log; -1: not known."""
        if self.end_offset < 0 or self.applied_offset < 0 or not self._hears(wall_ms):
            return -1
        return max(0, self.end_offset - self.applied_offset)

    def lag_ms(self, wall_ms: int) -> int | None:
        """Return the age of the oldest record that is not applied; 0: every record is applied; None: not known.

        Exact where that record was read. Until it is read, it is younger than the last record that was applied, and
        than the last moment at which all were: the lag is at most the time since then.
        """
        if self.oldest_unapplied_ms >= 0:
            return max(0, wall_ms - self.oldest_unapplied_ms)
        if not self._hears(wall_ms):
            return None
        if self.end_offset <= self.applied_offset:
            return 0
        known_ms = max(self.caught_up_ms, self.last_record_ms)
        return max(0, wall_ms - known_ms) if known_ms >= 0 else None

    def _hears(self, wall_ms: int) -> bool:
        """Whether the broker has told the end lately, or the input is held because records wait."""
        return self.heard_ms >= 0 and (wall_ms - self.heard_ms <= HEARD_MS_MAX or self.oldest_unapplied_ms >= 0)
