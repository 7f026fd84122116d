"""Kafka as the doctor looks at it: brokers, their settings and releases, one transaction, their clocks."""

from collections.abc import Mapping
from typing import Final

from streams.clock import SystemClock
from streams.log.admin import Cluster
from streams.log.features import METADATA_VERSION
from streams.operations.doctor.checked import Checked, of_findings, or_right
from streams.operations.doctor.clocks import skew
from streams.operations.provision import verify_brokers
from streams.operations.servers import Servers
from streams.records import OutRecord
from streams.settings import Settings
from streams.wire.requirements import Requirement, Resource, judge_configs

LOSING_LEVELS: Final = range(30, 34)
"""Highest levels of metadata.version that Apache Kafka 4.3.0 to 4.4.0 support: read off MetadataVersion of their jars
(4.2.1 has 29, 4.3.0 and 4.3.1 have 30, 4.4.0 has 33)."""
PROBE_KEY: Final = b"doctor"
"""The key of the record that the doctor takes back."""


async def check_brokers(servers: Servers, cluster: Cluster) -> list[Checked]:
    """Look at the brokers' releases and settings. Raises NotReachable."""
    found = of_findings("kafka", await verify_brokers(cluster, servers.deployment))
    for broker in await cluster.brokers():
        found += of_findings("kafka", judge_configs(f"broker {broker.name}", broker, _limits(servers.settings, broker)))
    found = or_right(found, "kafka", "brokers", "their releases and settings are as publishing needs them")
    return [*found, *losing(await cluster.feature_levels())]


def losing(levels: Mapping[str, Mapping[str, int]]) -> list[Checked]:
    """Find releases that may lose the end of a transaction (docs/decisions/04-kafka-4-2-1.md)."""
    return [
        Checked(
            "kafka",
            f"broker {name}",
            "advice",
            "it is Apache Kafka 4.3 or 4.4: 4.3.0, 4.3.1 and 4.4.0 may lose the end of a transaction (KAFKA-20734), and"
            " its partition then stands still",
            "see that its release has the mend, or use 4.2.1",
        )
        for name, each in sorted(levels.items())
        if each.get(METADATA_VERSION, 0) in LOSING_LEVELS
    ]


def _limits(settings: Settings, broker: Resource) -> tuple[Requirement, ...]:
    """Return what the brokers' limits must leave room for; a limit that a broker does not tell is not judged."""
    transaction_ms, session_ms = settings.transaction_timeout_ms, settings.session_timeout_ms
    wanted = (
        Requirement(
            "transaction.max.timeout.ms",
            lambda value: int(value) >= transaction_ms,
            f"{transaction_ms} or more",
            "SEGUE_TRANSACTION_TIMEOUT_MS asks for so much",
        ),
        Requirement(
            "group.max.session.timeout.ms",
            lambda value: int(value) >= session_ms,
            f"{session_ms} or more",
            "SEGUE_SESSION_TIMEOUT_MS asks for so much",
        ),
        Requirement(
            "group.min.session.timeout.ms",
            lambda value: int(value) <= session_ms,
            f"{session_ms} or less",
            "SEGUE_SESSION_TIMEOUT_MS asks for so little",
        ),
    )
    return tuple(each for each in wanted if each.config in (broker.configs or {}))


async def check_transaction(servers: Servers) -> list[Checked]:
    """Begin a transaction as a worker does, send one record to the input, and take it back: nobody reads it.

    The broker's answer has its clock. Raises NotReachable.
    """
    clock = SystemClock()
    began_ms, before_ms = clock.now_ms(), clock.wall_ms()
    theirs_ms = await servers.log.try_transaction(OutRecord(servers.deployment.events_topic, 0, PROBE_KEY, None))
    after_ms = clock.wall_ms()
    took = f"one was begun and taken back, in {clock.now_ms() - began_ms:.0f} ms"
    found = [Checked("kafka", "transactions", "right", took)]
    return found if theirs_ms is None else [*found, skew("kafka", "Kafka", before_ms, theirs_ms, after_ms)]
