"""Topics as the doctor looks at them: they are there, set as they must be, and keep the input long enough."""

from typing import Final

from rules.ground.instants import MS_PER_DAY
from streams.clock import SystemClock
from streams.log.admin import Cluster
from streams.operations.doctor.checked import Checked, of_findings
from streams.operations.provision import topics_in_force
from streams.operations.servers import Servers
from streams.wire.requirements import judge_topic

USED_ADVICE: Final = 0.5
"""A state that lags by more than this share of the input's retention is told."""


async def check_topics(servers: Servers, cluster: Cluster) -> list[Checked]:
    """Hold every topic of the deployment and of its channels against the table. Raises NotReachable."""
    deployment = servers.deployment
    table = await topics_in_force(cluster, servers.log, deployment)
    existing = await cluster.existing([each.name for each in table])
    found: list[Checked] = []
    missing = [each.name for each in table if each.name not in existing]
    if missing:
        said = "it is missing" if len(missing) == 1 else f"{len(missing)} are missing: {', '.join(missing)}"
        name = f"topic {missing[0]}" if len(missing) == 1 else "topics"
        found.append(Checked("topics", name, "wrong", said, "run `segue topics`"))
    for each in table:
        name = f"topic {each.name}"
        if each.name not in existing:
            continue
        judged = of_findings("topics", judge_topic(each, existing[each.name], deployment))
        count = existing[each.name].partitions
        said = f"it has {count} partition{'' if count == 1 else 's'} and the settings that it needs"
        found += judged or [Checked("topics", name, "right", said)]
    return found


async def check_retention(servers: Servers) -> list[Checked]:
    """Compare the age of the first record that the state lacks with the time for which the input is kept.

    Raises NotReachable, Unanswered.
    """
    deployment, now_ms = servers.deployment, SystemClock().wall_ms()
    async with servers.cluster() as cluster:
        configs = (await cluster.existing([deployment.events_topic]))[deployment.events_topic].configs
    kept_ms = int((configs or {}).get("retention.ms", -1))
    name = "retention of the input"
    if kept_ms < 0:
        said = "records are kept for ever" if configs else "this user may not read for how long records are kept"
        return [Checked("topics", name, "right" if configs else "advice", said)]
    oldest_ms = now_ms

    async def look(partition: int) -> int | None:
        async with servers.stored(partition) as store:
            meta = await store.read_meta()
        if meta is None:
            return None
        record = await servers.log.record_at(deployment.events_topic, partition, meta.offset)
        return None if record is None else record.timestamp_ms

    for partition in range(deployment.partitions):
        found = await look(partition)
        oldest_ms = oldest_ms if found is None else min(oldest_ms, found)
    behind_ms = max(0, now_ms - oldest_ms)
    kept = f"{kept_ms / MS_PER_DAY:g} d"
    if behind_ms < kept_ms * USED_ADVICE:
        said = f"records are kept for {kept}: state from a backup of Redis that is younger can catch up"
        return [Checked("topics", name, "right", said)]
    said = f"records are kept for {kept}, and the state is {behind_ms / 3_600_000:.1f} h behind"
    remedy = "start workers before the log drops what the state lacks, or keep the input for longer (retention.ms)"
    return [Checked("topics", name, "wrong" if behind_ms > kept_ms * 0.9 else "advice", said, remedy)]
