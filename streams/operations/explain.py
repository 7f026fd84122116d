"""Explain one profile: its state as Redis has it, judged by the rules in force there.

The profile and `meta` (which catalogues have taken effect, up to which offset) are read under one token, so both are of
one moment. A checkpoint between the two reads moves the token: then both are read again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import Partition
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.explain.activations import ActivationExplanation, explain_activations
from rules.explain.segments import Explanation, explain
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.errors import Gap, Unanswered
from streams.intake.decoding import decoder_of
from streams.operations.errors import NoCutYet, NoState, OtherState, UnknownProfile
from streams.operations.naming import resolve
from streams.operations.servers import Servers
from streams.store.redis import RedisStore
from streams.store.terms import Meta

ATTEMPTS: Final = 20
"""Reads of one profile: a checkpoint comes between two calls at most once a second."""


@dataclass(frozen=True, slots=True)
class ProfileExplanation:
    """What is known of one profile at an instant."""

    subject: str
    known_since_ms: int
    evaluated_ms: int
    """The profile's last evaluation."""
    at_ms: int
    """The instant asked about, or the profile's last evaluation if that is later."""
    applied_ms: int
    """The partition's clock in the state that was read."""
    offset: int
    """The next record of the partition that the state does not hold yet."""
    catalogue: Catalogue
    """The catalogue in force at this state."""
    traits: Mapping[str, Any]
    """Traits that have a value, by name; a trait of type datetime as RFC 3339 text."""
    expected: tuple[AnyChange, ...]
    """Changes due by `at_ms` that the state lacks, in order: no record with a later timestamp was applied."""
    segments: tuple[Explanation, ...]
    """All approved segments in evaluation order; only the named one, or none, where a name was asked for."""
    activations: tuple[ActivationExplanation, ...]
    """All approved activations; only the named one, or none, where a name was asked for."""

    @property
    def kind(self) -> str:
        """The kind of the profile, as audiences name it: `hcp`."""
        return self.subject.partition(":")[0]


async def explain_profile(
    servers: Servers, subject: str, name: str | None = None, at_ms: int | None = None
) -> ProfileExplanation:
    """Explain a profile at an instant, epoch milliseconds (None: now).

    `name` asks for the segment and the activation of that name only. Raises UnknownProfile, UnknownName, NoState,
    NoCutYet, OtherState; Unreachable.
    """
    deployment = servers.deployment
    partition = partition_of(subject.encode(), deployment.partitions)
    async with servers.stored(partition) as store:
        meta, blob = await _read(store, subject, partition)
    engine, plan = await _engine(servers, partition, meta)
    named = None if name is None else resolve(plan.catalogue, name)
    if blob is None:
        raise UnknownProfile(partition)
    try:
        engine.give_profile(subject, blob)
    except (KeyError, ValueError):
        raise OtherState from None
    profile = engine.profiles[subject]
    wanted_ms = SystemClock().wall_ms() if at_ms is None else at_ms
    # the newest cut may not have visited this profile yet: the next records bring it there
    asked_ms = max(wanted_ms, profile.evaluated_ms, plan.t_ms)
    expected = changes_of(whole(engine.pass_time(asked_ms + 1)).items)
    asked = (profile, plan, asked_ms, deployment.generation, name)
    return ProfileExplanation(
        subject=subject,
        known_since_ms=profile.known_since_ms,
        evaluated_ms=profile.evaluated_ms,
        at_ms=asked_ms,
        applied_ms=meta.clock_ms,
        offset=meta.offset,
        catalogue=plan.catalogue,
        traits=_traits(profile, plan),
        expected=tuple(expected),
        segments=tuple(explain(*asked)) if named is None or named.segment else (),
        activations=tuple(explain_activations(*asked)) if named is None or named.activation else (),
    )


async def _read(store: RedisStore, subject: str, partition: int) -> tuple[Meta, bytes | None]:
    """Return a partition's `meta` and one profile of it, both of one moment."""
    for _ in range(ATTEMPTS):
        meta = await store.read_meta()
        if meta is None:
            raise NoState(partition)
        try:
            [blob] = await store.profiles([subject], [meta.token])
        except Gap:
            continue
        return meta, blob
    raise Unanswered("the state keeps moving")


async def _engine(servers: Servers, partition: int, meta: Meta) -> tuple[Partition, Plan]:
    """Return an engine without profiles that stands where a partition's state stands, and its newest plan."""
    deployment = servers.deployment
    engine = Partition(deployment.generation, decoder_of(partition, deployment.partitions), clock_ms=meta.clock_ms)
    for cut in meta.cuts:
        engine.give_catalogue(cut.catalogue, await servers.catalogue_of(cut.catalogue))
    engine.resume(meta.cuts)
    if engine.current is None:
        raise NoCutYet(partition)
    return engine, engine.current


def _traits(profile: Profile, plan: Plan) -> dict[str, Any]:
    declared = plan.catalogue.dictionary.traits
    shown: dict[str, Any] = {}
    for name, each in sorted(profile.traits.items()):
        value: Any = each.value
        if isinstance(value, int) and name in declared and declared[name].type == "datetime":
            value = format_instant(value).removesuffix("T00:00:00.000Z")
        if value is not None:
            shown[name] = value
    return shown
