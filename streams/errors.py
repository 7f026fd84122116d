"""The faults of the log and the store, told apart by type: what the caller must do is in each type's docstring."""


class Doubt(Exception):
    """A transaction may or may not have been committed. The ring is over: claim again with a new one."""


class NotReachable(Exception):
    """The log cannot be reached, or did not answer in time. Ask again with back-off; conclude nothing."""


class HeldUp(NotReachable):
    """The log answers, but a transaction that is open holds up the read."""


class RecordTooLarge(Exception):
    """No broker would take this record; nothing was sent. Our bug: stop, commit nothing."""


class Gap(Exception):
    """The store went back: its token is not one that this owner wrote last or has in flight. Read `meta`, replay."""


class Fenced(Exception):
    """`meta` has a higher epoch: another owner claimed the partition. Stop."""


class Unanswered(Exception):
    """The outcome is unknown (MOVED, READONLY, OOM, LOADING, a lost connection …). Read the token, or send it again."""


class Incident(Exception):
    """State is missing, or is not this deployment's. Never guess: the partition stops and says what to do."""


class StoreBug(Exception):
    """An answer that cannot be, or an error inside an atomic write: our bug, or foreign data. Stop, commit nothing."""
