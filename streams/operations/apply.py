"""Putting a catalogue into force: what it changes, and the one transaction that does it.

The topic of catalogues has one partition, and every apply appends its catalogue there again, under its hash, in the
transaction that writes the cuts: so the last record is the catalogue applied last; compaction never takes the last one.

1. The producer of all applies of this deployment is initialised (one fixed transactional id): an apply that another
   machine is in the middle of is aborted or completed, and cannot go on.
2. The catalogue in force is read: it is final now.
3. One transaction: the catalogue, and a cut for every input partition. A crash before its end: nothing was applied.
   Two at once therefore come one after the other, in the same order in every partition; the one that lost says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import WAYS, WHATS, Difference, differences
from rules.catalogue.loading import load_catalogue
from rules.catalogue.stored import catalogue_json
from rules.language.problems import CatalogueErrors, Source
from rules.reports.beginnings import beginnings
from streams.clock import SystemClock
from streams.errors import Doubt, RecordTooLarge
from streams.log.producer import Tuning
from streams.log.ring import KafkaRing
from streams.operations.errors import CatalogueTooLarge, NotApplied, TopicsWrong
from streams.operations.naming import channels_of
from streams.operations.provision import have_topics
from streams.operations.servers import Servers
from streams.records import OutRecord, Stored
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
    created_topics: tuple[str, ...] = ()
    beginnings: tuple[str, ...] = ()
    """What begins without the history that it looks at."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "catalogue": self.hash,
            "applied": self.applied,
            "partitions": self.partitions,
            "before": self.before,
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
            "without_history": self.beginnings,
        }


async def put_into_force(servers: Servers, catalogue: Catalogue, *, again: bool) -> ApplyOutcome:
    """Put a catalogue into force; see the module. Raises NotReachable and these:

    CatalogueTooLarge; NotApplied; TopicsWrong, TopicMissing, WrongPartitionCount.
    """
    deployment, settings = servers.deployment, servers.settings
    await servers.expect_topics(deployment.events_topic, deployment.catalogues_topic)
    created = await _have_topics(servers, catalogue)
    tuning = Tuning(settings.transaction_timeout_ms, settings.request_timeout_ms)
    ring = KafkaRing(settings.kafka_bootstrap_servers, f"segue-apply-{deployment.catalogues_topic}", 1, tuning)
    await ring.open()
    try:
        stored = await servers.latest_catalogue()
        before = None if stored is None or stored.key is None else stored.key.decode()
        old = _old(stored)
        found = differences(old, catalogue)
        outcome = ApplyOutcome(
            catalogue.hash,
            again or before != catalogue.hash,
            deployment.partitions,
            before,
            tuple(found),
            _unchanged(catalogue, found),
            tuple(created),
            tuple(beginnings(old, catalogue, SystemClock().wall_ms())),
        )
        if outcome.applied:
            await _write(servers, ring, catalogue, stored)
    finally:
        await ring.close()
    return outcome


async def _write(servers: Servers, ring: KafkaRing, catalogue: Catalogue, before: Stored | None) -> None:
    deployment = servers.deployment
    wire = RecordMaker(deployment)
    record = OutRecord(deployment.catalogues_topic, 0, catalogue.hash.encode(), catalogue_json(catalogue))
    cuts = [wire.catalogue(partition, catalogue.hash) for partition in range(deployment.partitions)]
    try:
        await ring.transaction([record, *cuts])
    except RecordTooLarge:
        raise CatalogueTooLarge(len(record.value or b"")) from None
    except Doubt as doubt:
        await servers.log.fence(ring.ids[0])
        found = await servers.latest_catalogue()
        if found is None or found.key != record.key or (before is not None and found.offset <= before.offset):
            raise NotApplied(str(doubt)) from None


async def _have_topics(servers: Servers, catalogue: Catalogue) -> list[str]:
    """Create the missing topics of this catalogue, verify the existing ones, delete none; return the names created.

    Those of the channels of approved activations, and those of restricted segments where `segue topics` was older.
    Returns the names of those created.
    """
    wanted = list(activation_topics(servers.deployment, channels_of(catalogue)))
    if any(each.membership == "restricted" for each in catalogue.policy.restrictions.values()):
        wanted += [topic for topic in topics(servers.deployment) if topic.role in ("restricted", "restricted_current")]
    if not wanted:
        return []
    async with servers.cluster() as cluster:
        created, findings = await have_topics(cluster, wanted, servers.deployment)
    if any(finding.fatal for finding in findings):
        raise TopicsWrong([finding for finding in findings if finding.fatal])
    return created


def _old(stored: Stored | None) -> Catalogue | None:
    """Compile the catalogue in force, of any rules version; None where there is none, or it does not load."""
    if stored is None or stored.value is None:
        return None
    try:
        files = orjson.loads(stored.value)["files"]
        return load_catalogue([Source(file, value) for file, value in files.items()])
    except (CatalogueErrors, ValueError, KeyError, TypeError, AttributeError):
        return None


def _unchanged(catalogue: Catalogue, found: Sequence[Difference]) -> tuple[int, int]:
    differ = {(each.what, each.name) for each in found}
    activations = [each.id for each in catalogue.activations.values() if each.status == "approved"]
    return (
        sum(("segment", name) not in differ for name in catalogue.approved),
        sum(("activation", name) not in differ for name in activations),
    )
