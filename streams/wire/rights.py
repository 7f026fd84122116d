"""The rights (ACLs) that each role needs in Kafka, and no more: one table for docs, `segue acls`, and the checks.

Kafka lets who may read or write a topic, group or transactional id also describe it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics
from streams.wire.topics import topics

Operation: TypeAlias = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]
Kind: TypeAlias = Literal["topic", "group", "transactional-id", "cluster"]
RoleName: TypeAlias = Literal["worker", "deliverer", "reader", "operator", "producer"]
"""A process or a person: `segue worker`; `segue deliver`; a platform that reads a channel; who runs all other commands;
who sends events.
"""
ROLE_NAMES: Final = get_args(RoleName)
OF_A_CHANNEL: Final[frozenset[RoleName]] = frozenset({"deliverer", "reader"})
"""Roles that are given a channel."""
TRANSACTIONS: Final = "segue-"
"""The transactional ids of workers, `segue apply` and `segue fill` begin so; the rest is random."""
CLUSTER: Final = "kafka-cluster"


@dataclass(frozen=True, slots=True)
class Right:
    """What one role may do with one resource, or with all whose names begin so."""

    kind: Kind
    name: str
    operations: tuple[Operation, ...]
    prefixed: bool = False
    advisable: bool = False
    """Without it, checks of settings are left out with a warning, and everything else works."""

    def __str__(self) -> str:
        what = "cluster" if self.kind == "cluster" else f"{self.kind.replace('-', ' ')} {self.name}"
        return f"{' and '.join(self.operations)} {what}{'*' if self.prefixed else ''}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose rights: the deployment, the workers' group, and for some roles a channel and the reader's group."""

    deployment: Deployment
    group: str
    channel: str = ""
    reader_group: str = ""


def _worker(asked: Asked) -> Iterator[Right]:
    deployment = asked.deployment
    restricted, restricted_current = restricted_topics(deployment)
    for name in (deployment.events_topic, deployment.progress_topic, deployment.owners_topic):
        yield Right("topic", name, ("Read", "Write"))
    for name in (deployment.catalogues_topic, deployment.fills_topic):
        yield Right("topic", name, ("Read",))
    for name in (
        deployment.dead_letter_topic,
        deployment.membership_topic,
        deployment.current_topic,
        restricted,
        restricted_current,
    ):
        yield Right("topic", name, ("Write",))
    # only the check at the start looks at it
    yield Right("topic", deployment.erasures_topic, ("Describe",))
    yield Right("topic", f"{deployment.activation_topic_prefix}.", ("Write",), prefixed=True)
    yield Right("group", asked.group, ("Read",))
    yield Right("transactional-id", TRANSACTIONS, ("Write",), prefixed=True)
    yield from _settings_of(deployment)


def _operator(asked: Asked) -> Iterator[Right]:
    deployment = asked.deployment
    written = {
        deployment.events_topic,
        deployment.catalogues_topic,
        deployment.fills_topic,
        deployment.erasures_topic,
    }
    for topic in topics(deployment):
        yield Right("topic", topic.name, ("Create", "Read", "Write") if topic.name in written else ("Create", "Read"))
    yield Right("topic", f"{deployment.activation_topic_prefix}.", ("Create", "Read"), prefixed=True)
    yield Right("group", asked.group, ("Describe",))
    yield Right("group", f"{asked.group}.deliver.", ("Describe",), prefixed=True)
    yield Right("transactional-id", TRANSACTIONS, ("Write",), prefixed=True)
    yield from _settings_of(deployment)


def _settings_of(deployment: Deployment) -> Iterator[Right]:
    """Yield what it takes to check the settings of topics and brokers."""
    for topic in topics(deployment):
        yield Right("topic", topic.name, ("DescribeConfigs",), advisable=True)
    prefix = f"{deployment.activation_topic_prefix}."
    yield Right("topic", prefix, ("DescribeConfigs",), prefixed=True, advisable=True)
    yield Right("cluster", CLUSTER, ("DescribeConfigs",), advisable=True)


def _deliverer(asked: Asked) -> Iterator[Right]:
    changes, current = channel_topics(asked.deployment, asked.channel)
    yield Right("topic", changes, ("Read",))
    yield Right("topic", f"{changes}.dlt", ("Create", "Write"))
    yield Right("topic", asked.deployment.erasures_topic, ("Create", "Read", "Write"))
    yield Right("topic", current, ("Read",))  # as the one before, for `--delete`
    yield Right("group", f"{asked.group}.deliver.{asked.channel}", ("Read",))
    for name in (f"{changes}.dlt", asked.deployment.erasures_topic):
        yield Right("topic", name, ("DescribeConfigs",), advisable=True)


def _reader(asked: Asked) -> Iterator[Right]:
    for name in channel_topics(asked.deployment, asked.channel):
        yield Right("topic", name, ("Read",))
    if asked.reader_group:
        yield Right("group", asked.reader_group, ("Read",))


def _producer(asked: Asked) -> Iterator[Right]:
    yield Right("topic", asked.deployment.events_topic, ("Write",))


_ROLES: Final[Mapping[RoleName, Callable[[Asked], Iterator[Right]]]] = {
    "worker": _worker,
    "deliverer": _deliverer,
    "reader": _reader,
    "operator": _operator,
    "producer": _producer,
}
assert set(_ROLES) == set(ROLE_NAMES)


def rights_of(role: RoleName, asked: Asked) -> tuple[Right, ...]:
    """List what a role needs, each right once, without those that Kafka gives along with others."""
    return tuple(_ROLES[role](asked))


def lacking(needed: Right, allowed: frozenset[str]) -> Right | None:
    """Return what of a right is not allowed; None: all is."""
    missing = tuple(each for each in needed.operations if each not in allowed)
    return replace(needed, operations=missing) if missing else None
