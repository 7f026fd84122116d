"""What can go wrong with the log and the store, told apart by type."""


class Doubt(Exception):
    """An error, a fence, an EndTxn without an answer or sent twice: the whole ring is at its end (design section 5)."""


class NotReachable(Exception):
    """The log cannot be reached, or did not answer in time. Try again with back-off; nothing may be concluded."""


class HeldUp(NotReachable):
    """The log answers; somebody's open transaction holds up what was asked for."""


class RecordTooLarge(Exception):
    """A record that no broker would take, found before anything was sent. Our bug: stop, commit nothing."""


class Gap(Exception):
    """Redis went back: the token is none that this owner wrote last or has in flight. Read `meta`, replay."""


class Fenced(Exception):
    """A higher epoch stands in `meta`: another owner claimed the partition. Stop."""


class Unanswered(Exception):
    """Outcome unknown (MOVED, READONLY, OOM, LOADING, lost connection …): read the token, or send the same again."""


class Incident(Exception):
    """State that must not be guessed at: missing or foreign `meta`. The partition stops and says what to do."""


class StoreBug(Exception):
    """An error inside the atomic write, an answer that cannot be: our bug, or foreign data. Stop, commit nothing."""
