"""States that a part lacks: its facts came from a partition whose catalogue does not keep them, or not from all facts.

The subject of a link lives in another partition than the one that it stands for, and the two may stand before and after
a cut. A state is named by what it depends on, so a state of one name is the same on both. What the target keeps and the
origin does not is *lacking* from the instant of arrival on: facts that come later are folded by the target itself. What
the origin began to keep at a cut, without the facts from before, is lacking from that cut on.

What lacks because a fill is under way is *awaited*: the filler brings the history to the origin, which passes it on to
the target. The filler ends the fill of every partition after that (`streams.operations.filling`). So the end of the
target's fill says from when on the state knows all, also of facts that a link brings later.

Partitions count the ends of their fills among their cuts, and a state that came in at a cut is named by it. So effects
name it by the number of its catalogue (`Plan.foreign`), which is the same in all partitions.

Conditions on a state that lacks facts have no verdict for that profile, as after a cut at that instant
(`rules.engine.pending.Lacking`). Held and changed know the setting that stood.
"""

from collections.abc import Iterable, Mapping, Set

from rules.engine.persons.part import Part
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.ground.instants import AHEAD_LIMIT_MS


def name_for_others(part: Part, plan: Plan) -> None:
    """Name the states of a part as effects do."""
    _rename(part, plan.foreign)


def _name_here(part: Part, plan: Plan) -> None:
    """Name the states of a part, which came with an effect, as a plan does."""
    _rename(part, {foreign: key for key, foreign in plan.foreign.items()})


def _rename(part: Part, names: Mapping[str, str]) -> None:
    if names:
        part.states = {names.get(key, key): state for key, state in part.states.items()}
        part.lacking = dict(sorted((names.get(key, key), since_ms) for key, since_ms in part.lacking.items()))
        part.awaited = tuple(sorted(names.get(key, key) for key in part.awaited))


def note_origin(profile: Profile, part: Part, plan: Plan) -> None:
    """Note in a part that leaves a profile: states that began at a cut, while it had facts from before."""
    for key, (cut, since_ms) in plan.begun.items():
        if profile.born_cut < cut and profile.born_ms < since_ms:
            if cut not in plan.fills and (key not in part.lacking or key in part.awaited):
                part.awaited = tuple(sorted({*part.awaited, key}))
            part.lacking[key] = max(since_ms, part.lacking.get(key, since_ms))


def note_target(part: Part, plan: Plan, kept: str, r_ms: int) -> None:
    """Note in a part that arrives at R what it lacks under the target's plan. `kept`: `Plan.kept` of the origin's.

    Call it before the facts are taken in. What is noted of states that the plan does not keep is dropped.
    """
    _name_here(part, plan)
    if kept == plan.kept:  # usual: both partitions stand under one catalogue
        part.lacking = {key: ms for key, ms in part.lacking.items() if key in plan.states}
        filled(part, plan)
        return
    names = {foreign: key for key, foreign in plan.foreign.items()}
    known = {names.get(key, key) for key in kept.split()}
    # the facts that came so far may be a little ahead, and R of two partitions differ
    since_ms = max(r_ms, part.latest_ms - AHEAD_LIMIT_MS)
    part.lacking = {key: ms for key, ms in part.lacking.items() if key in plan.states and key in known}
    filled(part, plan)
    for key, memory in plan.states.items():
        if key in known:
            continue
        part.lacking[key] = since_ms
        if memory.cut:
            part.awaited = tuple(sorted({*part.awaited, key}))
        for register in (part.traits[trait] for trait in memory.traits if trait in part.traits):
            part.states[key] = memory.standing(register)


def filled(part: Part, plan: Plan) -> None:
    """Note in a part what the ends of the fills say that a plan knows."""
    if not part.lacking:
        part.awaited = ()
        return
    ended = {key for key in part.awaited if key in part.lacking and plan.states[key].cut in plan.fills}
    for key in ended:
        since_ms = plan.fills[plan.states[key].cut]
        if since_ms is None:
            del part.lacking[key]
        else:
            part.lacking[key] = min(since_ms, part.lacking[key])
    part.awaited = tuple(key for key in part.awaited if key in part.lacking and key not in ended)


def joined_lacking(parts: Iterable[Part]) -> dict[str, int] | None:
    """Join what parts lack: a state knows all from the latest instant on. None: nothing lacks."""
    found: dict[str, int] = {}
    for part in parts:
        for key, since_ms in part.lacking.items():
            found[key] = max(since_ms, found.get(key, since_ms))
    return found or None


def joined_awaited(parts: Iterable[Part], lacking: Set[str]) -> tuple[str, ...]:
    """Join what parts await: of what is lacking, the states that nothing else than a fill under way makes lacking."""
    known = [*parts]
    return tuple(sorted(key for key in lacking if all(key in part.awaited for part in known if key in part.lacking)))
