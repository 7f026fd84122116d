"""A profile explained: its state read from Redis, the rules in force on it, and what they say.

The state is read under its token, so that `meta` (which catalogues, how far their cuts have come) and the profile are
of one moment; where a checkpoint came between, both are read again.
"""

from dataclasses import dataclass
from typing import Any, Final

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.partition import Partition
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.explain.activations import ActivationExplanation, explain_activations
from rules.explain.segments import Explanation, Leaf, explain
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.errors import Gap, Unanswered
from streams.intake.decoding import decoder_of
from streams.operations.errors import WrongInput
from streams.operations.naming import resolve
from streams.operations.servers import Servers
from streams.store.redis import RedisStore
from streams.store.terms import Meta

ATTEMPTS: Final = 20
"""Reads of one profile: a checkpoint comes between two calls at most once a second."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that is said of one profile."""

    profile: Profile
    plan: Plan
    at_ms: int
    applied_ms: int
    """The clock of the state that was read."""
    offset: int
    """Up to where records are in it."""
    expected: tuple[AnyChange, ...]
    """Changes due by `at_ms` that the state does not have yet: wakes and cuts on their way."""
    segments: tuple[Explanation, ...]
    activations: tuple[ActivationExplanation, ...]
    """Empty where a segment was asked for by name; as `segments` is where it was an activation."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "profile": self.profile.subject,
            "at": format_instant(self.at_ms),
            "applied_to": {"clock": format_instant(self.applied_ms), "offset": self.offset},
            "catalogue": self.plan.catalogue.hash,
            "known_since": format_instant(self.profile.known_since_ms),
            "evaluated_at": format_instant(self.profile.evaluated_ms),
            "traits": traits_of(self.profile, self.plan),
            "on_its_way": [_expected_json(each) for each in self.expected],
            "segments": [_segment_json(each) for each in self.segments],
            "activations": [_activation_json(each) for each in self.activations],
        }


async def explain_profile(servers: Servers, subject: str, name: str | None, at_ms: int | None) -> Told:
    """Explain a profile at an instant (now): all of it, or the segment and the activation of a name.

    Raises OperationError where the profile or the name is not known.
    """
    deployment = servers.deployment
    partition = partition_of(subject.encode(), deployment.partitions)
    async with servers.stored(partition) as store:
        meta, blob = await _read(store, subject, partition)
    if not meta.cuts:
        raise WrongInput("no catalogue has taken effect yet: run `segue apply DIR` and a worker")
    engine = Partition(deployment.generation, decoder_of(partition, deployment.partitions), clock_ms=meta.clock_ms)
    for cut in meta.cuts:
        engine.know(cut.catalogue, await servers.catalogue_of(cut.catalogue))
    engine.resume(meta.cuts)
    plan = engine.current
    if plan is None:
        raise AssertionError("a cut without a plan")
    named = None if name is None else resolve(plan.catalogue, name)
    if blob is None:
        raise WrongInput(f"the profile is not known: partition {partition} has applied no event of it")
    try:
        engine.add(subject, blob)
    except (KeyError, ValueError):
        what = "the profile's state was written by another version of Segue: explain it with that one"
        raise WrongInput(what) from None
    profile = engine.profiles[subject]
    wanted_ms = SystemClock().wall_ms() if at_ms is None else at_ms
    # a cut that has not come to this profile yet comes with the next records
    asked_ms = max(wanted_ms, profile.evaluated_ms, plan.t_ms)
    expected: list[AnyChange] = []
    engine.pass_wakes(asked_ms + 1, expected, limit=None)
    asked = (profile, plan, asked_ms, deployment.generation, name)
    segments = explain(*asked) if named is None or named.segment else []
    activations = explain_activations(*asked) if named is None or named.activation else []
    return Told(
        profile, plan, asked_ms, meta.clock_ms, meta.offset, tuple(expected), tuple(segments), tuple(activations)
    )


async def _read(store: RedisStore, subject: str, partition: int) -> tuple[Meta, bytes | None]:
    for _ in range(ATTEMPTS):
        meta = await store.read_meta()
        if meta is None:
            raise WrongInput(f"partition {partition} has no state: run `segue topics`")
        try:
            [blob] = await store.profiles([subject], [meta.token])
        except Gap:
            continue
        return meta, blob
    raise Unanswered("the state keeps moving")


def traits_of(profile: Profile, plan: Plan) -> dict[str, Any]:
    """Tell the traits that have a value; instants as people write them."""
    declared = plan.catalogue.dictionary.traits
    shown: dict[str, Any] = {}
    for name, each in sorted(profile.traits.items()):
        value: Any = each.value
        if isinstance(value, int) and name in declared and declared[name].type == "datetime":
            value = format_instant(value).removesuffix("T00:00:00.000Z")
        if value is not None:
            shown[name] = value
    return shown


def _expected_json(change: AnyChange) -> dict[str, Any]:
    """In the words of `next`."""
    told = {"at": format_instant(change.effective_ms), "kind": change.kind}
    if isinstance(change, ActivationChange):
        done = "activated" if change.activated else "deactivated"
        return {"activation": change.activation, "channel": change.channel, "change": done, **told}
    return {"segment": change.segment, "change": "entered" if change.entered else "exited", **told}


def _activation_json(each: ActivationExplanation) -> dict[str, Any]:
    following = each.next
    return {
        "activation": each.activation,
        "channel": each.channel,
        "journey": each.journey,
        "exclusive_group": each.group,
        "arm": each.arm,
        "active": each.active,
        "was": each.was,
        "because": each.because,
        "refusals": [
            {
                "code": refusal.code,
                "by": refusal.by,
                "text": refusal.text,
                "until": _instant(refusal.until_ms),
                "changes_it": refusal.changes_it,
            }
            for refusal in each.refusals
        ],
        "ends": [{"text": end.text, "at": _instant(end.at_ms)} for end in each.ends],
        "next": None
        if following is None
        else {
            "at": format_instant(following.at_ms),
            "change": "activated" if following.activated else "deactivated",
            "kind": following.kind,
            "by": following.by,
        },
    }


def _instant(instant_ms: int | None) -> str | None:
    return None if instant_ms is None else format_instant(instant_ms)


def _segment_json(each: Explanation) -> dict[str, Any]:
    following = each.next
    return {
        "segment": each.segment,
        "member": each.member,
        "since": _instant(each.since_ms),
        "because": each.because,
        "enter": [_leaf_json(leaf) for leaf in each.enter],
        "exit": [_leaf_json(leaf) for leaf in each.exit],
        "next": None
        if following is None
        else {
            "at": format_instant(following.at_ms),
            "change": "entered" if following.entered else "exited",
            "kind": following.kind,
        },
    }


def _leaf_json(leaf: Leaf) -> dict[str, Any]:
    return {
        "path": leaf.path,
        "text": leaf.text,
        "holds": leaf.holds,
        "until": _instant(leaf.until_ms),
        "evidence": [{"time": format_instant(t), "source": s, "id": i} for t, s, i in leaf.evidence],
        "capped": leaf.capped,
        "pending": leaf.pending,
    }
