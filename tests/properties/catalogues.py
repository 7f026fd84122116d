"""Random catalogues that load: segments over random conditions, activations, a policy, and their changes at a cut.

Identifiers are dealt at random over the order of reference, so the order by id differs from the order by rank.
"""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.properties import activations
from tests.properties.conditions import Place, condition, rule
from tests.properties.drawing import COUNTED, DICTIONARY, Condition, Grid, chance
from tests.transcripts.transcript import Files

__all__ = [
    "DICTIONARY",
    "Condition",
    "Grid",
    "Place",
    "catalogues",
    "changed_catalogues",
    "changed_contacts",
    "condition",
    "contacts",
]


def leaving(draw: DrawFn, place: Place) -> Condition:
    """An exit rule, often one that a member satisfies in the end."""
    if chance(draw, 40):
        return rule(draw, place)
    event = draw(st.sampled_from(COUNTED))
    return {"event": event, **count_some(draw), "since": "entry"} | (
        {"within": "3" + place.grid.unit} if chance(draw, 30) else {}
    )


def count_some(draw: DrawFn) -> Condition:
    """One or two."""
    return draw(st.sampled_from([{}, {"count": {"at_least": 2}}]))


def segment(draw: DrawFn, grid: Grid, name: str, below: tuple[str, ...]) -> Condition:
    """A segment that may refer to those below it."""
    found: Condition = {"segment": name, "version": draw(st.integers(1, 3)), "status": "approved"}
    with_exit, with_max = chance(draw, 45), chance(draw, 30)
    found["enter"] = rule(draw, Place(grid, "enter", with_exit or with_max, below))
    if with_exit:
        found["exit"] = leaving(draw, Place(grid, "exit", True, below))
    if with_max:
        found["max_stay"] = draw(grid.lengths(3, 8))
    if chance(draw, 25):
        found["min_stay"] = draw(grid.lengths(1, 3))
    if chance(draw, 25):
        found["reenter_after"] = draw(st.one_of(grid.lengths(1, 4), st.just("never")))
    if chance(draw, 20):
        found["layers"] = {"audience": draw(st.sampled_from(["hcp", "hcp", "lab"])), "stage": "s"}
    if chance(draw, 15):
        found["markets"] = draw(st.sampled_from([["red"], ["green"], ["red", "green"]]))
    if below and chance(draw, 35):
        found["parent"] = draw(st.sampled_from(below))
    if chance(draw, 5):
        found["enter"] = {"all": [found["enter"], {"none": [{"trait": "secret", "equals": "x"}]}]}
    return found


def policy(draw: DrawFn) -> Condition:
    """A policy: the market trait, and the `refuse` of restriction classes."""
    found: Condition = {}
    if chance(draw, 70):
        found["market_trait"] = "color"
    if chance(draw, 30):
        refuse = draw(
            st.sampled_from([{"trait": "vip", "equals": True}, {"consent": {"channel": "sms", "purpose": "p"}}])
        )
        restricted = {"channels": [], "membership": "public", "refuse": refuse}
        found["restrictions"] = {draw(st.sampled_from(["genetic", "trial"])): restricted}
    return found


def files_of(segments: list[Condition], of: Condition, given: list[Condition]) -> Files:
    """Lay a catalogue out as files."""
    files: Files = {"dictionary.yaml": DICTIONARY}
    files |= {f"segments/{one['segment']}.yaml": one for one in segments}
    files |= {f"activations/{one['activation']}.yaml": one for one in given}
    return files | ({"policy.yaml": of} if of else {})


def values_of(files: Files, folder: str) -> list[Condition]:
    """List the definitions in a folder of a catalogue."""
    return [dict(value) for name, value in files.items() if name.startswith(f"{folder}/")]


def approved(segments: list[Condition]) -> tuple[str, ...]:
    """Name the approved segments."""
    return tuple(one["segment"] for one in segments if one["status"] == "approved")


def some_activations(
    draw: DrawFn, grid: Grid, segments: list[Condition], most: int, mix: activations.Mix = activations.ANY
) -> list[Condition]:
    """Up to `most` activations over some segments."""
    names = draw(st.permutations(activations.NAMES))[: draw(st.integers(min(most, 2), most))]
    return [activations.activation(draw, grid, name, approved(segments), mix) for name in names]


@st.composite
def catalogues(draw: DrawFn, grid: Grid, most: int = 4) -> Files:
    """A catalogue of one to `most` segments, perhaps with activations over them."""
    names = draw(st.permutations(["s", "t", "u", "v"][:most]))[: draw(st.integers(1, most))]
    segments = [segment(draw, grid, name, tuple(names[:index])) for index, name in enumerate(names)]
    if not chance(draw, 50):
        return files_of(segments, policy(draw), [])
    return files_of(segments, activations.policy_for(draw, grid), some_activations(draw, grid, segments, 3))


@st.composite
def changed_catalogues(draw: DrawFn, grid: Grid, old: Files) -> Files:
    """A changed catalogue: each definition is kept, changed, retired or gone, and one may be new."""
    kept: list[Condition] = []
    for one in values_of(old, "segments"):
        below = approved(kept)
        fate = draw(st.sampled_from(["keep", "keep", "version", "rules", "limits", "retire", "gone"]))
        if fate == "gone":
            continue
        if fate == "rules" or not refers_within(one, below):
            one = segment(draw, grid, one["segment"], below)
        elif fate == "version":
            one["version"] += 1
        elif fate == "limits":
            one["min_stay"] = draw(grid.lengths(1, 3))
        elif fate == "retire":
            one["status"] = draw(st.sampled_from(["retired", "draft"]))
        kept.append(one)
    if not approved(kept) or chance(draw, 40):
        new = next(name for name in ("w", "x", "y", "z") if all(other["segment"] != name for other in kept))
        kept.append(segment(draw, grid, new, approved(kept)))
    of = old.get("policy.yaml", {})
    activating = "assignment_key" in of
    if chance(draw, 20):
        of = activations.policy_for(draw, grid) if activating else policy(draw)
    had = values_of(old, "activations")
    return files_of(kept, of, activations.changed(draw, grid, had, had, approved(kept)) if activating else [])


CONTACTED: list[Condition] = [
    {"segment": activations.EVERYONE, "version": 1, "status": "approved", "enter": {"everyone": True}},
    {"segment": "liked", "version": 1, "status": "approved", "enter": {"trait": "color", "equals": "red"}},
    {"segment": "lately", "version": 1, "status": "approved", "enter": {"event": "a", "within": "2h"}},
    {"segment": "quiet", "version": 1, "status": "approved", "enter": {"absent": "b", "within": "2h"}},
    {
        "segment": "dropped",
        "version": 1,
        "status": "approved",
        "enter": {"event": "b"},
        "exit": {"absent": "b", "within": "3h"},
    },
    {"segment": "treated", "version": 1, "status": "approved", "enter": {"event": "c", "within": "4h"}},
    {"segment": "read", "version": 1, "status": "approved", "enter": {"trait": "secret", "equals": "x"}},
]
"""Plain segments, so that activations are active from time to time; the last two are restricted."""


@st.composite
def contacts(draw: DrawFn, grid: Grid, mix: activations.Mix) -> Files:
    """A catalogue of activations over plain segments."""
    return files_of(CONTACTED, activations.policy_for(draw, grid), some_activations(draw, grid, CONTACTED, 4, mix))


@st.composite
def changed_contacts(draw: DrawFn, grid: Grid, old: Files, first: Files, mix: activations.Mix) -> Files:
    """A changed catalogue of contacts; much of it returns to its first form."""
    segments = [one for one in CONTACTED if not chance(draw, 6)] or CONTACTED
    of = (
        draw(st.sampled_from([old, old, first]))["policy.yaml"]
        if chance(draw, 80)
        else activations.policy_for(draw, grid)
    )
    had, was = values_of(old, "activations"), values_of(first, "activations")
    return files_of(segments, of, activations.changed(draw, grid, had, was, approved(segments), mix))


def refers_within(one: Condition, below: tuple[str, ...]) -> bool:
    """Tell whether a segment refers only to segments that stay."""
    text = str([one["enter"], one.get("exit")])
    named = {name for name in ("s", "t", "u", "v", "w", "x", "y", "z") if f"'segment': '{name}'" in text}
    return (named | ({one["parent"]} if "parent" in one else set())) <= set(below)
