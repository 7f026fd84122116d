"""Create what a deployment needs and verify what it has: topics, and the `meta` of each partition. For `segue topics`.

1. Brokers and existing topics, those of the channels in force too, are held against the table; anything fatal ends it
   here, nothing was created.
2. Missing topics are created. A crash here: the next run creates the rest.
3. Each partition's `meta` is created where it never was, or held against the log. A crash here: likewise.

Running it again changes nothing and finds the same.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import orjson

from rules.ground.digest import DIGEST_START
from streams.errors import Incident
from streams.finding import Finding
from streams.log.admin import Cluster, connected
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.terms import Log
from streams.operations.servers import Servers
from streams.settings import Deployment
from streams.store.server import check_server
from streams.store.terms import Meta, PartitionStore, Token
from streams.wire.progress import MalformedRecord, Progress, read_progress
from streams.wire.requirements import judge_broker, judge_topic
from streams.wire.staying import judge_backups
from streams.wire.topics import Topic, activation_topics, topics

AT_ONCE: Final = 16
"""Partitions looked at at the same time."""
NEW_GENERATION: Final = "or begin a new generation with new topics"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was done and found. A fatal finding: workers must not start."""

    created_topics: tuple[str, ...]
    created_partitions: tuple[int, ...]
    """Partitions whose `meta` was created."""
    findings: tuple[Finding, ...]

    @property
    def fatal(self) -> bool:
        """Whether something must be put right first."""
        return any(finding.fatal for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Log:
    """One partition as the log has it."""

    start: int
    end: int
    owners_end: int
    published: Progress | None


async def provision(servers: Servers) -> Provisioned:
    """Create and verify what a deployment needs, Redis first; see the module. Raises NotReachable, Unanswered."""
    checked = await check_server(servers.redis, servers.deployment.redis_prefix)
    if any(finding.fatal for finding in checked):
        return Provisioned((), (), tuple(checked))
    async with servers.cluster() as cluster:
        done = await create_or_verify(cluster, servers.log, servers.store, servers.deployment)
    return replace(done, findings=(*checked, *done.findings))


async def create_or_verify(
    cluster: Cluster, log: Log, open_store: Callable[[int], PartitionStore], deployment: Deployment
) -> Provisioned:
    """Create what is missing, verify the rest; see the module. Raises NotReachable, Unanswered."""
    findings = judge_backups(deployment) + await verify_brokers(cluster, deployment)
    if any(finding.fatal for finding in findings):
        return Provisioned((), (), tuple(findings))
    table = await topics_in_force(cluster, log, deployment)
    created, found = await have_topics(cluster, table, deployment)
    findings += found
    if any(finding.fatal for finding in findings):
        return Provisioned(tuple(created), (), tuple(findings))
    # before the first catalogue nothing in the log has a meaning
    untouched = (await log.offsets(deployment.catalogues_topic, 0))[1] == 0
    few = asyncio.Semaphore(AT_ONCE)

    async def each(partition: int) -> tuple[bool, list[Finding]]:
        async with few, _opened(open_store, partition) as store:
            return await _partition(partition, log, store, deployment, untouched)

    done = await asyncio.gather(*map(each, range(deployment.partitions)))
    return Provisioned(
        tuple(created),
        tuple(partition for partition, (created, _) in enumerate(done) if created),
        tuple(findings + [finding for _, found in done for finding in found]),
    )


async def have_topics(
    cluster: Cluster, wanted: Sequence[Topic], deployment: Deployment
) -> tuple[list[str], list[Finding]]:
    """Verify the existing topics, then create the missing ones; return (names created, findings).

    Where anything is fatally wrong nothing is created.
    """
    findings, missing = await _verify(cluster, wanted, deployment)
    if not missing or any(finding.fatal for finding in findings):
        return [], findings
    failed = await cluster.create(missing, deployment.replication)
    return [] if failed else [topic.name for topic in missing], findings + failed


async def verify_brokers(cluster: Cluster, deployment: Deployment) -> list[Finding]:
    """Hold the brokers against what publishing needs."""
    findings = await cluster.check_versions()
    for broker in await cluster.brokers():
        findings += judge_broker(broker, deployment)
    return findings


async def _verify(
    cluster: Cluster, wanted: Sequence[Topic], deployment: Deployment
) -> tuple[list[Finding], list[Topic]]:
    """Compare the existing topics with the table; return (findings, missing topics)."""
    existing = await cluster.existing([topic.name for topic in wanted])
    here = [topic for topic in wanted if topic.name in existing]
    findings = [finding for topic in here for finding in judge_topic(topic, existing[topic.name], deployment)]
    return findings, [topic for topic in wanted if topic.name not in existing]


async def topics_in_force(cluster: Cluster, log: Log, deployment: Deployment) -> tuple[Topic, ...]:
    """List every topic of a deployment, those of the channels in force too. Raises NotReachable."""
    channels = await channels_in_force(cluster, log, deployment)
    return (*topics(deployment), *activation_topics(deployment, channels))


async def channels_in_force(cluster: Cluster, log: Log, deployment: Deployment) -> list[str]:
    """Name the channels of the catalogue applied last; none where there is none.

    Read off the stored files, not compiled: a catalogue of another version of the rules has channels, too.
    """
    if not await cluster.existing([deployment.catalogues_topic]):
        return []
    stored = await log.last(deployment.catalogues_topic, 0)
    if stored is None or stored.value is None:
        return []
    files = orjson.loads(stored.value).get("files", {})
    definitions = [value for file, value in files.items() if file.startswith("activations/")]
    return sorted({each["channel"] for each in definitions if each["status"] == "approved"})


async def check_topics(connection: KafkaConnection, deployment: Deployment) -> list[Finding]:
    """Verify brokers and topics for a worker about to start, its channels' too: a missing one is fatal.

    Raises NotReachable.
    """
    log = KafkaLog(connection)
    try:
        async with connected(connection) as cluster:
            findings = judge_backups(deployment) + await verify_brokers(cluster, deployment)
            table = await topics_in_force(cluster, log, deployment)
            found, missing = await _verify(cluster, table, deployment)
    finally:
        await log.close()
    absent = [Finding(f"topic {topic.name}", "it is missing", "run `segue topics`") for topic in missing]
    return [*findings, *found, *absent]


async def _partition(
    partition: int, log: Log, store: PartitionStore, deployment: Deployment, untouched: bool
) -> tuple[bool, list[Finding]]:
    """Create or verify one partition's `meta`: (created, what is wrong)."""
    findings = await state_findings(partition, log, store, deployment, absent_is_wrong=False)
    if findings or await store.read_meta() is not None:
        return False, findings
    found = await _look(partition, log, deployment)
    created = await store.create(_beginning(deployment, found.end if untouched else found.start))
    return created, []


async def state_findings(
    partition: int, log: Log, store: PartitionStore, deployment: Deployment, *, absent_is_wrong: bool = True
) -> list[Finding]:
    """Hold one partition's `meta` against the log; writes nothing. Raises NotReachable, Unanswered.

    `absent_is_wrong` False: a `meta` that never was is no finding; one that is gone always is.
    """
    where = f"partition {partition}"
    rebuild = f"run `segue rebuild {partition}`"
    try:
        found = await _look(partition, log, deployment)
        meta = await store.read_meta()
    except (Incident, MalformedRecord) as error:
        return [Finding(where, str(error), f"restore it from a backup, or {rebuild}")]
    if meta is not None:
        return [Finding(where, *problem) for problem in await _problems(partition, meta, found, log, deployment)]
    if found.owners_end or found.published is not None:
        what = "its state is gone from Redis: workers have owned it, and there is no meta"
        return [Finding(where, what, f"restore Redis from a backup, or {rebuild}")]
    return [Finding(where, "it has no state yet", "run `segue topics`")] if absent_is_wrong else []


def _beginning(deployment: Deployment, offset: int) -> Meta:
    """`meta` of a partition that nobody has worked on yet."""
    return Meta(
        generation=deployment.generation,
        token=Token(0, 0),
        offset=offset,
        clock_ms=-1,
        catalogue="",
        partitions=deployment.partitions,
        digest=DIGEST_START,
        last_ms=-1,
        active=(),
    )


async def _look(partition: int, log: Log, deployment: Deployment) -> _Log:
    start, end = await log.offsets(deployment.events_topic, partition)
    _, owners_end = await log.offsets(deployment.owners_topic, partition)
    last = await log.last(deployment.progress_topic, partition)
    return _Log(start, end, owners_end, None if last is None else read_progress(last.value))


async def _problems(partition: int, meta: Meta, found: _Log, log: Log, deployment: Deployment) -> list[tuple[str, str]]:
    """What is wrong with a `meta`, given the log: (what, what to do)."""
    rebuild = f"run `segue rebuild {partition}`"
    published = found.published.offset if found.published is not None else 0
    ours = f"is {deployment.generation}"
    table: list[tuple[bool, str, str]] = [
        (
            meta.generation != deployment.generation,
            f"its state is of generation {meta.generation}, SEGUE_GENERATION {ours}",
            "set it back; a new generation takes new topics and another SEGUE_REDIS_PREFIX",
        ),
        (
            found.published is not None and found.published.generation != deployment.generation,
            f"its changes were published for another generation, SEGUE_GENERATION {ours}",
            "set it back; a new generation takes new topics and another SEGUE_REDIS_PREFIX",
        ),
        (
            meta.partitions != deployment.partitions,
            f"its state is of {meta.partitions} partitions, SEGUE_PARTITIONS is {deployment.partitions}",
            f"the count is fixed for a deployment's life: set it back, {NEW_GENERATION}",
        ),
        (
            meta.offset < found.start,
            f"its state is at offset {meta.offset}, but the input begins at {found.start}: records in between are gone",
            f"restore a newer backup of Redis, {NEW_GENERATION}",
        ),
        (
            max(meta.offset, published) > found.end,
            f"records were applied or published up to {max(meta.offset, published)}, but the input ends at"
            f" {found.end}: it was made anew, or lost records",
            f"restore the topic, {NEW_GENERATION}",
        ),
        (
            meta.token != Token(0, 0) and meta.token.epoch >= found.owners_end,
            f"its state was claimed at epoch {meta.token.epoch}, but the owners' topic ends at {found.owners_end}:"
            " that topic was made anew",
            f"restore the topic, or {rebuild}",
        ),
    ]
    problems = [(what, remedy) for wrong, what, remedy in table if wrong]
    if not problems and meta.last_ms >= 0 and meta.offset > found.start:
        last = await log.record_at(deployment.events_topic, partition, meta.offset - 1)
        if last is None or last.timestamp_ms != meta.last_ms:
            what = f"the record at {meta.offset - 1} is not the one that was applied: the input topic was made anew"
            problems.append((what, f"restore the topic, {NEW_GENERATION}"))
    return problems


@asynccontextmanager
async def _opened(open_store: Callable[[int], PartitionStore], partition: int) -> AsyncIterator[PartitionStore]:
    store = open_store(partition)
    try:
        yield store
    finally:
        await store.close()
