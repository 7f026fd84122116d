"""Which segments sleep: they cannot move before an event comes, so nobody visits them.

A segment *sleeps* for a profile that was never in it and has no wake for it, while a state that its entry rule needs is
inert (`rules.conditions.memory`): the rule is false then, whatever the instant. What an event moved is mostly few
segments, so each is asked when it is moved. Nothing of this is remembered with a profile.
"""

from typing import Final

from rules.engine.plan import Plan
from rules.engine.profile import Profile

FEW: Final = 32
"""Of more segments than so many, those of which the profile has nothing are found first, all at once."""


def awake(profile: Profile, plan: Plan, mask: int) -> int:
    """Return a mask without the segments that sleep."""
    asked = mask & plan.needing_mask
    if not asked:
        return mask
    if asked.bit_count() > FEW:
        nothing = asked & ~_begun(profile, plan)
        asked ^= nothing
        mask ^= nothing
    states, stays, wakes, needs = profile.states, profile.stays, profile.wakes, plan.needs
    while asked:
        lowest = asked & -asked
        asked ^= lowest
        segment, needed = needs[lowest.bit_length() - 1]
        if segment not in stays and segment not in wakes:
            for key, memory in needed:
                if memory.inert(states.get(key)):
                    mask ^= lowest
                    break
    return mask


def _begun(profile: Profile, plan: Plan) -> int:
    """Return the segments that a profile was in, has a wake for, or needs a state for that is not inert."""
    bit_of, needed_masks = plan.wake_bits.get, plan.needed_masks
    mask = 0
    for names in (profile.stays, profile.wakes):
        for name in names:
            mask |= bit_of(name, 0)
    for key in profile.states.keys() & needed_masks.keys():
        if not plan.states[key].inert(profile.states[key]):
            mask |= needed_masks[key]
    return mask
