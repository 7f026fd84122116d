"""Putting a catalogue into force: what it changes, and the one transaction that does it.

The topic of catalogues has one partition, and every apply appends its catalogue there again, under its hash, in the
transaction that writes the cuts: so the last record is the catalogue applied last; compaction never takes the last one.

1. The producer of all applies of this deployment is initialised (one fixed transactional id): an apply that another
   machine is in the middle of is aborted or completed, and cannot go on.
2. The catalogue in force is read: it is final now.
3. The checks are asked in order (`applying.checks`). One that refuses ends it here: nothing was written.
4. The topics of new channels are created. A crash here: the next apply finds them.
5. One transaction: the record of the apply, the catalogue, and for every input partition a cut and a record that the
   cut is not filled. A crash before its end: nothing was applied.
   Two at once therefore come one after the other, in the same order in every partition; the one that lost says so.
6. The steps are taken in order (`applying.steps`). A crash here: the catalogue is in force, and each step says which
   command continues it.
"""

import getpass
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from rules.catalogue.applied import Applied
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import WAYS, WHATS, Difference, differences
from rules.catalogue.stored import catalogue_json
from rules.catalogue.versions import definitions_of, extend
from streams.clock import SystemClock
from streams.errors import Doubt, NotReachable, RecordTooLarge
from streams.log.producer import Tuning
from streams.log.ring import KafkaRing
from streams.operations.applying import pilots, previewed, versions, without_history
from streams.operations.applying.checks import run_checks
from streams.operations.applying.filling import fills_of, wants
from streams.operations.applying.options import Options
from streams.operations.applying.situation import Situation, read_in_force
from streams.operations.applying.step import StepDone
from streams.operations.applying.steps import run_steps
from streams.operations.applying.warning import ApplyWarning
from streams.operations.errors import CatalogueTooLarge, NotApplied, TopicsWrong
from streams.operations.naming import channels_of
from streams.operations.provision import have_topics
from streams.operations.servers import Servers
from streams.records import OutRecord
from streams.wire.applies import apply_record
from streams.wire.maker import RecordMaker
from streams.wire.topics import activation_topics, topics


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """What an apply did."""

    hash: str
    applied: bool
    """False: it was in force already."""
    partitions: int
    before: str | None
    """Hash of the catalogue in force before; None: there was none."""
    differences: tuple[Difference, ...]
    unchanged: tuple[int, int]
    """Segments and activations that are as they were."""
    how: Applied
    """Who applied it, why and when."""
    warnings: tuple[ApplyWarning, ...] = ()
    created_topics: tuple[str, ...] = ()
    steps: tuple[StepDone, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "catalogue": self.hash,
            "applied": self.applied,
            "partitions": self.partitions,
            "before": self.before,
            "how": self.how.as_json(),
            "differences": {
                what: {
                    way: [each.name for each in self.differences if (each.what, each.way) == (what, way)]
                    for way in WAYS
                    if any((each.what, each.way) == (what, way) for each in self.differences)
                }
                for what in WHATS
            },
            "unchanged": {"segments": self.unchanged[0], "activations": self.unchanged[1]},
            "created_topics": self.created_topics,
            "without_history": [each.said for each in self.warnings if each.kind == without_history.KIND],
            "warnings": [each._asdict() for each in self.warnings],
            **{step.name: step.as_json for step in self.steps},
        }


async def put_into_force(servers: Servers, catalogue: Catalogue, options: Options | None = None) -> ApplyOutcome:
    """Put a catalogue into force; see the module. Raises NotReachable, what a check or a step raises, and these:

    CatalogueTooLarge; NotApplied; TopicsWrong, TopicMissing, WrongPartitionCount.
    """
    deployment, settings = servers.deployment, servers.settings
    await servers.expect_topics(deployment.events_topic, deployment.catalogues_topic)
    tuning = Tuning(settings.transaction_timeout_ms, settings.request_timeout_ms)
    ring = KafkaRing(servers.connection, f"segue-apply-{deployment.catalogues_topic}", 1, tuning)
    await ring.open()
    try:
        situation = await look(servers, catalogue, options or Options())
        outcome = outcome_of(situation)
        if outcome.applied:
            outcome = replace(outcome, warnings=await run_checks(situation))
        else:
            await previewed.check(situation)
        outcome = replace(outcome, created_topics=tuple(await _have_topics(servers, situation.catalogue)))
        if outcome.applied:
            await _write(ring, situation)
    finally:
        await ring.close()
    return replace(outcome, steps=await run_steps(situation)) if outcome.applied else outcome


async def look(servers: Servers, catalogue: Catalogue, options: Options) -> Situation:
    """Read what an apply of a catalogue finds, and give its pilots the versions before them; writes nothing."""
    applied = Applied(
        by=options.by or login(),
        at_ms=SystemClock().wall_ms(),
        note=options.note,
        git=options.git,
        preview=options.preview,
        break_glass=options.break_glass,
        back=options.back,
    )
    in_force = read_in_force(await servers.latest_catalogue())
    old = None if in_force is None else in_force.catalogue
    catalogue = pilots.complete(catalogue, old, readable=in_force is None or old is not None)
    ledger = await versions.ledger_of(servers, in_force)
    return Situation(servers, in_force, catalogue, options, applied, ledger)


def outcome_of(situation: Situation) -> ApplyOutcome:
    """Say what an apply changes, before its checks and its transaction."""
    in_force, catalogue = situation.in_force, situation.catalogue
    found = differences(situation.old, catalogue)
    return ApplyOutcome(
        catalogue.hash,
        situation.options.again or in_force is None or in_force.hash != catalogue.hash,
        situation.servers.deployment.partitions,
        None if in_force is None else in_force.hash,
        tuple(found),
        _unchanged(catalogue, found),
        situation.applied,
    )


def login() -> str:
    """Return the name that this process runs under; "unknown" where the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


async def _write(ring: KafkaRing, situation: Situation) -> None:
    servers, catalogue, before = situation.servers, situation.catalogue, situation.in_force
    deployment = servers.deployment
    wire = RecordMaker(deployment)
    texts = situation.options.texts or {each.file: each.text for each in situation.options.sources if each.text}
    if situation.options.signed is not None:
        texts = {**texts, **situation.options.signed.texts}
    ledger = extend(situation.ledger, definitions_of(catalogue))
    value = catalogue_json(catalogue, situation.applied, versions=ledger, texts=texts)
    record = OutRecord(deployment.catalogues_topic, 0, catalogue.hash.encode(), value)
    # the catalogue last: the last record of the topic is the catalogue in force
    told = apply_record(
        deployment.catalogues_topic, catalogue.hash, None if before is None else before.hash, situation.applied
    )
    cuts = [wire.catalogue(partition, catalogue.hash) for partition in range(deployment.partitions)]
    wanting = cuts if wants(situation) else []
    try:
        offsets = await ring.transaction([told, record, *cuts, *fills_of(situation, wanting)])
    except RecordTooLarge:
        raise CatalogueTooLarge(len(value)) from None
    except Doubt as doubt:
        await servers.log.fence(ring.ids[0])
        found = await servers.latest_catalogue()
        if found is None or found.key != record.key or (before is not None and found.offset <= before.offset):
            raise NotApplied(str(doubt)) from None
    else:
        # a filler that does not find the offsets here searches for the cuts
        with suppress(NotReachable):
            for fill in fills_of(situation, wanting, offsets[2 : 2 + len(wanting)]):
                await servers.log.append(fill)


async def _have_topics(servers: Servers, catalogue: Catalogue) -> list[str]:
    """Create the missing topics of this catalogue, verify the existing ones, delete none; return the names created.

    Those of the channels of approved activations, and those of restricted segments and of fills where `segue topics`
    was older. Returns the names of those created.
    """
    roles = {"fills"}
    if any(each.membership == "restricted" for each in catalogue.policy.restrictions.values()):
        roles |= {"restricted", "restricted_current"}
    wanted = [topic for topic in topics(servers.deployment) if topic.role in roles]
    wanted += activation_topics(servers.deployment, channels_of(catalogue))
    async with servers.cluster() as cluster:
        created, findings = await have_topics(cluster, wanted, servers.deployment)
    if any(finding.fatal for finding in findings):
        raise TopicsWrong([finding for finding in findings if finding.fatal])
    return created


def _unchanged(catalogue: Catalogue, found: Sequence[Difference]) -> tuple[int, int]:
    differ = {(each.what, each.name) for each in found}
    activations = catalogue.approved_activations
    return (
        sum(("segment", name) not in differ for name in catalogue.approved),
        sum(("activation", name) not in differ for name in activations),
    )
