"""See that no topic keeps records of a person for longer than an erasure allows (docs/operations/erasure.md)."""

from collections.abc import Sequence

from streams.operations.applying.situation import Situation
from streams.operations.applying.warning import ApplyWarning
from streams.operations.errors import TopicsWrong
from streams.operations.provision import topics_in_force
from streams.wire.staying import judge_backups, judge_staying


async def check(situation: Situation) -> Sequence[ApplyWarning]:
    """Hold the settings of every existing topic against SEGUE_ERASURE_DAYS_MAX. Raises TopicsWrong."""
    servers = situation.servers
    deployment = servers.deployment
    async with servers.cluster() as cluster:
        table = await topics_in_force(cluster, servers.log, deployment)
        existing = await cluster.existing([each.name for each in table])
    findings = judge_backups(deployment)
    for topic in table:
        if topic.name in existing:
            findings += judge_staying(topic, existing[topic.name].configs, deployment)
    if findings:
        raise TopicsWrong(findings)
    return ()
