"""Random activations that load, over given segments, and their possible changes at a cut.

They give rise to every refusal. Some refusals only a cut can lift (audience, review, holdout); cuts make and lift them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.properties.drawing import Condition, Grid, chance

CHANNELS = ["email", "sms", "field"]
NAMES = ["one", "two", "three", "four", "five"]
JOURNEYS = ["j", "k", "one"]
"""The last is also the journey of an activation that names none."""
GROUPS = ["g", "g", "h"]
INTENTS = ["i", "o"]
SALTS = ["v", "w", "x"]
CLASSES = ["genetic", "trial"]
EVERYONE = "all-along"
RESTRICTED = ["read", "treated"]
"""Segments of the plain catalogues: everyone is in the first, the other two have the two restriction classes."""


def some(draw: DrawFn, values: tuple[str, ...], most: int = 2) -> list[str]:
    """Draw one or more of some values."""
    return draw(st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True))


@dataclass(frozen=True)
class Mix:
    """How likely activations have each thing, in percent; what cuts do to them; and events besides the usual ones."""

    likely: Mapping[str, int]
    fates: Sequence[str]
    events: Sequence[str] = ()

    def restoring(self) -> "Mix":
        """Give a mix that mostly undoes at a cut what another cut did."""
        return replace(self, fates=[*self.fates, *["restore"] * 3 * len(self.fates)])

    def has(self, draw: DrawFn, name: str) -> bool:
        """Throw the coin for a thing."""
        return chance(draw, self.likely[name])


FATES = ["keep", "keep", "restore", "restore", "rewrite", "version", "journey", "channel", "arms", "asset", "part"]
"""Possible changes of an activation at a cut; the fates below are those that refuse it."""
REFUSING = ["audience", "pull", "expire", "holdout", "retire", "gone"]
OPTIONAL = {
    "markets": 10,
    "journey": 60,
    "exclusive_group": 45,
    "priority": 60,
    "suppress_while": 20,
    "requires_consent": 10,
    "frequency_cap": 25,
    "holdout": 8,
    "arms": 25,
}
"""Keys that an activation may leave out."""
OFTEN = {**OPTIONAL, "another audience": 15, "expires": 10, "any segments": 100, "restricted": 0}
ANY = Mix(OFTEN, [*FATES, *REFUSING])


def about(likely: Mapping[str, int], *fates: str, events: Sequence[str] = ()) -> Mix:
    """Return a mix of activations with little else than the things named. Cuts apply one of the fates, or restore."""
    calm = {**dict.fromkeys(OFTEN, 4), "journey": 50}
    return Mix({**calm, **likely}, [*FATES, *fates * (12 // max(1, len(fates))), *["restore"] * 8], [*events] * 3)


FOCI: Mapping[str, Mix] = {
    "restricted": about({"restricted": 95}, events=["c", "c", "set"]),
    "audience": about({}, "audience"),
    "market": about({"markets": 80}, events=["set"] * 5),
    "not_member": about({"any segments": 90}, events=["a", "b", "set"]),
    "content_not_approved": about({}, "pull"),
    "content_expired": about({"expires": 12}, "expire"),
    "consent": about({"requires_consent": 90}, events=["consent.granted", "consent.granted", "consent.withdrawn"]),
    "suppressed_by": about({"suppress_while": 85}, events=["a", "b", "c"]),
    "holdout": about({}, "holdout"),
    "frequency_cap": about({"frequency_cap": 90}, events=["message.sent"]),
    "exclusive_group": about(
        {"exclusive_group": 95, "priority": 90, "journey": 60, "suppress_while": 30, "any segments": 90},
        events=["a", "b", "set"],
    ),
    "retired": about({}, "retire", "gone", "channel"),
    "definition_changed": about({"arms": 60}, "version", "journey", "arms", "asset"),
    "anything": Mix({**OFTEN, "another audience": 5, "any segments": 15}, [*FATES, *REFUSING]),
}
"""Subject of a scene → the mix that makes it likely."""


def wanted(draw: DrawFn, segments: tuple[str, ...], mix: Mix) -> Condition:
    """The memberships that an activation asks for."""
    kinds: list[tuple[str, ...]] = [("all",), ("all",), ("any",), ("all", "none"), ("any", "none"), ("all", "any")]
    found: Condition = {"all": [EVERYONE]}
    if EVERYONE not in segments or mix.has(draw, "any segments"):
        found = {kind: some(draw, segments, 1 if kind == "all" else 2) for kind in draw(st.sampled_from(kinds))}
    if set(RESTRICTED) <= set(segments) and mix.has(draw, "restricted"):
        found["none"] = [draw(st.sampled_from(RESTRICTED))]
    return found


def cap(draw: DrawFn, grid: Grid) -> Condition:
    """A frequency cap."""
    of = draw(st.sampled_from(["channel", "channel", "journey", "intent", "activation"]))
    return {"of": of, "at_most": draw(st.integers(1, 2)), "within": draw(grid.lengths(1, 6))}


def holdout(draw: DrawFn) -> Condition:
    """A holdout, often of everyone or of nobody."""
    return {"percent": draw(st.sampled_from([0, 30, 62.5, 100])), "salt": draw(st.sampled_from(SALTS))}


def arms(draw: DrawFn) -> Condition:
    """Arms of a test; one of them may be empty."""
    weights = draw(
        st.sampled_from(
            [{"full": 100}, {"full": 50, "brief": 50}, {"brief": 50, "full": 50}, {"a": 12.5, "b": 0, "c": 87.5}]
        )
    )
    return {"salt": draw(st.sampled_from(SALTS)), "weights": weights}


def content(draw: DrawFn, grid: Grid, mix: Mix) -> Condition:
    """Content that is approved, sometimes with an expiry."""
    found: Condition = {"intent": draw(st.sampled_from(INTENTS))}
    if chance(draw, 30):
        found["claims"] = draw(st.sampled_from([["CLM-1"], ["CLM-2", "CLM-1"]]))
        found["asset"] = "AC-1"
    if chance(draw, 20):
        found["depth"] = draw(st.sampled_from(["summary", "full"]))
    found["review"] = {"status": "approved"}
    if mix.has(draw, "expires"):
        found["review"]["expires"] = draw(grid.instants())
    return found


def activation(draw: DrawFn, grid: Grid, name: str, segments: tuple[str, ...], mix: Mix = ANY) -> Condition:
    """An activation over some segments."""
    found: Condition = {
        "activation": name,
        "version": draw(st.integers(1, 3)),
        "status": "approved",
        "channel": draw(st.sampled_from(CHANNELS)),
        "audience": "lab" if mix.has(draw, "another audience") else "hcp",
        "segments": wanted(draw, segments, mix),
        "content": content(draw, grid, mix),
    }
    for key in OPTIONAL:
        if mix.has(draw, key):
            found[key] = part(draw, grid, key, segments)
    return found


def part(draw: DrawFn, grid: Grid, key: str, segments: tuple[str, ...]) -> Any:
    """One of the keys that an activation may leave out."""
    made: dict[str, Any] = {
        "markets": lambda: draw(st.sampled_from([["red"], ["green"], ["red", "green"]])),
        "journey": lambda: draw(st.sampled_from(JOURNEYS)),
        "exclusive_group": lambda: draw(st.sampled_from(GROUPS)),
        "priority": lambda: draw(st.sampled_from([-1, 1, 1, 2])),
        "suppress_while": lambda: some(draw, segments),
        "requires_consent": lambda: {"purpose": "p"},
        "frequency_cap": lambda: [cap(draw, grid) for _ in range(draw(st.integers(1, 2)))],
        "holdout": lambda: holdout(draw),
        "arms": lambda: arms(draw),
    }
    return made[key]()


def policy_for(draw: DrawFn, grid: Grid) -> Condition:
    """A policy with everything that activations need, and its optional parts."""
    found: Condition = {"assignment_key": draw(st.sampled_from(["key", "key", "another"])), "market_trait": "color"}
    found["restrictions"] = {name: restriction(draw, grid) for name in CLASSES}
    groups = {group: {"preempt": draw(st.booleans())} for group in sorted({*GROUPS}) if chance(draw, 70)}
    if groups:
        found["exclusive_groups"] = groups
    if chance(draw, 35):
        channels = some(draw, tuple(CHANNELS))
        found["caps"] = [
            {"channel": each, "at_most": draw(st.integers(1, 3)), "within": draw(grid.lengths(1, 8))}
            for each in channels
        ]
    if chance(draw, 20):
        found["intents"] = {each: {"audiences": ["hcp", "lab"]} for each in INTENTS}
    return found


def restriction(draw: DrawFn, grid: Grid) -> Condition:
    """The policy of a restriction class, sometimes with a `refuse`."""
    found: Condition = {"channels": CHANNELS, "membership": draw(st.sampled_from(["public", "restricted"]))}
    refusals: list[Condition | None] = [
        None,
        {"trait": "vip", "equals": True},
        {"trait": "vip", "equals": True},
        {"consent": {"channel": "field", "purpose": "p"}, "is": "withdrawn"},
        {"trait": "due", "older_than": draw(grid.lengths(1, 2))},
    ]
    refuse = draw(st.sampled_from(refusals))
    return found if refuse is None else {**found, "refuse": refuse}


def changed(
    draw: DrawFn,
    grid: Grid,
    old: list[Condition],
    first: list[Condition],
    segments: tuple[str, ...],
    mix: Mix = ANY,
) -> list[Condition]:
    """Change activations at a cut. Each is kept, changed, refused, gone, or restored from `first`; one may be new.

    `segments` are those that may be named now. An activation that names any other segment is written anew.
    """
    was = {each["activation"]: each for each in first}
    kept: list[Condition] = []
    for one in old:
        found = become(draw, grid, one, was.get(one["activation"], one), segments, mix)
        if found is not None:
            fits = names_of(found) <= set(segments)
            kept.append(found if fits else activation(draw, grid, one["activation"], segments, mix))
    missing = [name for name in NAMES if all(each["activation"] != name for each in kept)]
    if missing and chance(draw, 50):
        back = [name for name in missing if name in was and names_of(was[name]) <= set(segments)]
        name = draw(st.sampled_from(back or missing))
        kept.append(was[name] if back else activation(draw, grid, name, segments, mix))
    return kept


def names_of(one: Condition) -> set[str]:
    """Name the segments that an activation names."""
    return {segment for group in one["segments"].values() for segment in group} | set(one.get("suppress_while", []))


def become(
    draw: DrawFn, grid: Grid, one: Condition, first: Condition, segments: tuple[str, ...], mix: Mix
) -> Condition | None:
    """Change one activation at a cut; None: it is gone."""
    fate = draw(st.sampled_from(mix.fates))
    review = {**one["content"]["review"]}
    if fate == "expire":
        review["expires"] = draw(grid.instants())
    elif fate == "pull":
        review["status"] = draw(st.sampled_from(["pending", "withdrawn"]))
    made: dict[str, Any] = {
        "keep": lambda: one,
        "restore": lambda: first,
        "rewrite": lambda: activation(draw, grid, one["activation"], segments, mix),
        "version": lambda: {**one, "version": one["version"] + 1},
        "journey": lambda: {**one, "journey": draw(st.sampled_from(JOURNEYS))},
        "channel": lambda: {**one, "channel": draw(st.sampled_from(CHANNELS))},
        "arms": lambda: {**one, "arms": arms(draw)},
        "asset": lambda: {**one, "content": {**one["content"], "asset": draw(st.sampled_from(["AC-1", "AC-2"]))}},
        "part": lambda: {**one, (key := draw(st.sampled_from(sorted(OPTIONAL)))): part(draw, grid, key, segments)},
        "audience": lambda: {**one, "audience": draw(st.sampled_from(["hcp", "lab", "lab"]))},
        "pull": lambda: {**one, "content": {**one["content"], "review": review}},
        "expire": lambda: {**one, "content": {**one["content"], "review": review}},
        "holdout": lambda: {**one, "holdout": {"percent": 100, "salt": "v"}},
        "retire": lambda: {**one, "status": draw(st.sampled_from(["retired", "in_review"]))},
        "gone": lambda: None,
    }
    found: Condition | None = made[fate]()
    return found
