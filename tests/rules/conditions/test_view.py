"""What a rule sees of a profile: made once for one rule and one instant, and never turned to another."""

from dataclasses import FrozenInstanceError, fields

import pytest

from rules.conditions.view import Mark, View, enter_view, exit_view
from rules.engine.profile import Profile

PROFILE = Profile("hcp:1", 1, 5, 7)
MARK = Mark(5, 1, 1)


def test_a_view_that_is_made_fast_is_a_view_like_any_other() -> None:
    assert enter_view(9, PROFILE, MARK) == View(9, PROFILE, None, MARK, PROFILE.known_since_ms)
    assert exit_view(9, PROFILE, MARK, 6) == View(9, PROFILE, MARK, None, 6)


@pytest.mark.parametrize("view", [View(9, PROFILE), enter_view(9, PROFILE, MARK), exit_view(9, PROFILE, MARK, None)])
def test_nothing_of_a_view_can_be_set(view: View) -> None:
    for field in fields(View):
        with pytest.raises(FrozenInstanceError):
            setattr(view, field.name, None)
