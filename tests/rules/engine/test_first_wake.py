"""The first wake of a profile is always the smallest."""

from hypothesis import given
from hypothesis import strategies as st

from rules.engine.first_wake import find_first, set_wake, set_wakes
from rules.engine.profile import Profile
from rules.ground.instants import FOREVER

NAMES = st.sampled_from(["a", "b", "c", "@d"])
INSTANTS = st.integers(min_value=1, max_value=6)
SETTINGS = st.lists(st.tuples(NAMES, INSTANTS | st.just(FOREVER)), max_size=6)


@given(rounds=st.lists(st.tuples(SETTINGS, st.dictionaries(NAMES, INSTANTS, max_size=3)), max_size=6))
def test_the_first_wake_is_the_smallest_after_any_settings(
    rounds: list[tuple[list[tuple[str, int]], dict[str, int]]],
) -> None:
    profile, wanted = Profile("hcp:1", 1, 0, 0), dict[str, int]()
    for settings, many in rounds:
        for name, next_ms in settings:
            set_wake(profile, name, next_ms)
            wanted[name] = next_ms
        if many:
            set_wakes(profile, many)
            wanted |= many
        find_first(profile)
        wanted = {name: next_ms for name, next_ms in wanted.items() if next_ms < FOREVER}
        assert profile.wakes == wanted
        assert profile.wake_ms == min(wanted.values(), default=FOREVER)
