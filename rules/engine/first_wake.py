"""The wakes of a profile, and the first of them.

A profile that much happens to has hundreds of wakes. An evaluation moves few of them, and mostly not the first. So the
first is found anew only where it moved itself.
"""

from collections.abc import Mapping
from typing import Final

from rules.engine.profile import Profile
from rules.ground.instants import FOREVER

_UNKNOWN_MS: Final = -FOREVER
"""Stands for the first wake from when it moved to a later instant until `find_first`."""


def set_wake(profile: Profile, name: str, next_ms: int) -> None:
    """Set when to look again at a segment or an activation with no event; FOREVER: never.

    After the last of them `find_first` must be called, before anybody asks for the profile's first wake.
    """
    wakes = profile.wakes
    before_ms = wakes.get(name, FOREVER)
    if next_ms == before_ms:
        return
    if next_ms < FOREVER:
        wakes[name] = next_ms
    else:
        wakes.pop(name, None)
    if next_ms < profile.wake_ms:
        profile.wake_ms = next_ms
    elif before_ms == profile.wake_ms:
        profile.wake_ms = _UNKNOWN_MS


def set_wakes(profile: Profile, wakes: Mapping[str, int]) -> None:
    """Set many wakes at once, each before FOREVER, after those that stand. The contract is that of `set_wake`."""
    profile.wakes.update(wakes)
    profile.wake_ms = _UNKNOWN_MS


def find_first(profile: Profile) -> None:
    """Find the first wake of a profile, if it is not known."""
    if profile.wake_ms == _UNKNOWN_MS:
        profile.wake_ms = min(profile.wakes.values(), default=FOREVER)
