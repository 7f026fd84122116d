"""What a rule sees of a profile: made once for one rule and one instant."""

from rules.conditions.view import Mark, View, enter_view, exit_view
from rules.engine.profile import Profile

PROFILE = Profile("hcp:1", 1, 5, 7)
MARK = Mark(5, 1, 1)


def parts(view: View) -> tuple[object, ...]:
    """What it says."""
    return view.t_ms, view.facts, view.entry_mark, view.exit_mark, view.observed_since_ms


def test_an_entry_rule_counts_from_the_last_exit_and_an_exit_rule_from_the_entry() -> None:
    assert parts(enter_view(9, PROFILE, MARK)) == (9, PROFILE, None, MARK, PROFILE.known_since_ms)
    assert parts(exit_view(9, PROFILE, MARK, 6)) == (9, PROFILE, MARK, None, 6)
