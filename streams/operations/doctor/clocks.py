"""How far a server's clock is from this machine's."""

from typing import Final

from streams.operations.doctor.checked import Area, Checked, Outcome

SKEW_ADVICE_MS: Final = 2_000
"""Beyond it the seconds of `segue lag`, of metrics and of alerts mislead."""
SKEW_WRONG_MS: Final = 120_000
"""A worker stops a partition whose records are stamped 5 min ahead of its own clock; this leaves room before that."""
REMEDY: Final = "let both machines take their time from one source (NTP)"


def skew(area: Area, server: str, before_ms: int, theirs_ms: int, after_ms: int) -> Checked:
    """Compare a server's instant with the instants before and after it was asked, of this machine's clock."""
    ahead = max(theirs_ms - after_ms, 0) - max(before_ms - theirs_ms, 0)
    name = f"clock of {server}"
    if abs(ahead) <= SKEW_ADVICE_MS:
        return Checked(area, name, "right", "it goes with this machine's")
    way = "ahead of" if ahead > 0 else "behind"
    outcome: Outcome = "wrong" if abs(ahead) > SKEW_WRONG_MS else "advice"
    return Checked(area, name, outcome, f"it is {abs(ahead) / 1_000:,.1f} s {way} this machine's", REMEDY)
