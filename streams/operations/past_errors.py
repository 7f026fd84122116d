"""Why the past cannot be told. No text holds personal data."""

from rules.ground.instants import format_instant
from streams.operations.errors import WrongInput


class PastGone(WrongInput):
    """Retention has dropped the beginning of a log, and the state has changed since the instant asked about."""

    def __init__(self, partition: int, start: int, known_from_ms: int | None = None) -> None:
        since = "" if known_from_ms is None else f"; the earliest instant that can is {format_instant(known_from_ms)}"
        super().__init__(
            f"how it was then cannot be told: partition {partition} has lost its log before offset {start:,}"
            f" to retention{since}"
        )
        self.partition = partition
        self.start = start
        self.known_from_ms = known_from_ms


class NoCutThen(WrongInput):
    """No catalogue was in force in a partition at an instant."""

    def __init__(self, partition: int, t_ms: int) -> None:
        super().__init__(
            f"no catalogue was in force at {format_instant(t_ms)} in partition {partition}:"
            " `segue catalogues` lists what was in force when"
        )
        self.partition = partition
        self.t_ms = t_ms


class UnknownThen(WrongInput):
    """No event of a profile had been applied at an instant. The profile is not named: a subject is personal data."""

    def __init__(self, partition: int, t_ms: int) -> None:
        super().__init__(
            f"the profile was not known at {format_instant(t_ms)}: partition {partition} had applied no event of it"
        )
        self.partition = partition
        self.t_ms = t_ms


class OtherRulesThen(WrongInput):
    """The log holds a catalogue that this version of Segue does not evaluate as the version then did."""

    def __init__(self, known_from_ms: int | None = None) -> None:
        since = "" if known_from_ms is None else f"; the earliest instant that can is {format_instant(known_from_ms)}"
        super().__init__(
            "how it was then cannot be told: the log holds a catalogue that was applied under other rules than this"
            f" version of Segue has{since}"
        )
        self.known_from_ms = known_from_ms
