"""States that a part lacks: its facts came from a partition whose catalogue does not keep them, or not from all facts.

The subject of a link lives in another partition than the one that it stands for, and the two may stand before and after
a cut. A state is named by what it depends on, so a state of one name is the same on both. What the target keeps and the
origin does not is *lacking* from the instant of arrival on: facts that come later are folded by the target itself. What
the origin began to keep at a cut, without the facts from before, is lacking from that cut on.

Conditions on a state that lacks facts have no verdict for that profile, as after a cut at that instant
(`rules.engine.pending.Lacking`). Held and changed know the setting that stood.
"""

from collections.abc import Iterable

from rules.engine.persons.part import Part
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.ground.instants import AHEAD_LIMIT_MS


def kept_by(plan: Plan) -> str:
    """Name the states that a plan keeps, for a contribution: their keys, with spaces between."""
    return " ".join(sorted(plan.states))


def note_origin(profile: Profile, part: Part, plan: Plan) -> None:
    """Note in a part that leaves a profile: states that began at a cut, while it had facts from before."""
    for key, (cut, since_ms) in plan.begun.items():
        if profile.born_cut < cut and profile.born_ms < since_ms:
            part.lacking[key] = max(since_ms, part.lacking.get(key, since_ms))


def note_target(part: Part, plan: Plan, kept: str, r_ms: int) -> None:
    """Note in a part that arrives at R what it lacks under the target's plan. `kept`: as `kept_by` says of the origin.

    Call it before the facts are taken in. What is noted of states that the plan does not keep is dropped.
    """
    known = {*kept.split()}
    # the facts that came so far may be a little ahead, and R of two partitions differ
    since_ms = max(r_ms, part.latest_ms - AHEAD_LIMIT_MS)
    part.lacking = {key: ms for key, ms in part.lacking.items() if key in plan.states and key in known}
    for key, memory in plan.states.items():
        if key in known:
            continue
        part.lacking[key] = since_ms
        for register in (part.traits[trait] for trait in memory.traits if trait in part.traits):
            part.states[key] = memory.standing(register)


def joined_lacking(parts: Iterable[Part]) -> dict[str, int] | None:
    """Join what parts lack: a state knows all from the latest instant on. None: nothing lacks."""
    found: dict[str, int] = {}
    for part in parts:
        for key, since_ms in part.lacking.items():
            found[key] = max(since_ms, found.get(key, since_ms))
    return found or None
