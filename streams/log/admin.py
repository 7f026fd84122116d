"""The Kafka cluster as `segue topics` sees it: describe topics and brokers, create topics."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.protocol.admin import ApiVersionRequest

from streams.errors import NotReachable
from streams.finding import Finding
from streams.log.connection import KafkaConnection
from streams.log.features import feature_levels
from streams.log.refusals import not_reachable, right_missing
from streams.log.rights import missing_rights, unseen_topics
from streams.wire.requirements import Resource
from streams.wire.rights import Right
from streams.wire.topics import Topic

FETCH: Final = (1, 16)
"""A broker tells no version of its own, only the requests that it speaks: Fetch (1) in version 16 came with 3.7."""
SETTLE_POLLS: Final = 300
SETTLE_POLL_S: Final = 0.1
"""New topics may take half a minute until each partition has a leader."""
_REACHING: Final = (errors.KafkaError, OSError, TimeoutError)
_FORBIDDEN: Final = (errors.TopicAuthorizationFailedError.errno, errors.ClusterAuthorizationFailedError.errno)
_UNKNOWN: Final = errors.UnknownTopicOrPartitionError.errno
_EXISTS: Final = errors.TopicAlreadyExistsError.errno


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group, as its coordinator knows it: a member that is silent for the session's time-out is out."""

    members: int
    stable: bool
    """Whether every member knows its partitions; False: they are being shared out, or there is no member."""
    assigned: frozenset[int]
    """The partitions of the topic that a member has."""


class Cluster:
    """An admin connection. Every method raises NotReachable."""

    def __init__(self, admin: Any, connection: KafkaConnection) -> None:
        """`admin`: a started AIOKafkaAdminClient of that connection."""
        self._admin: Final = admin
        self._connection: Final = connection

    async def existing(self, names: Sequence[str]) -> dict[str, Resource]:
        """Describe the topics that exist, by name. Creates none, whatever the brokers' settings.

        Raises Refused where this client may not even see one of them.
        """
        for _ in range(SETTLE_POLLS):
            with _reaching("describe topics", self._connection):
                # asks for all topics: a request that names one may create it
                found = {each["topic"]: each for each in await self._admin.describe_topics()}
            there = [name for name in names if name in found and found[name]["partitions"]]
            await self._see([name for name in names if name not in found])
            configs = await self._configs(ConfigResourceType.TOPIC, there)
            if configs is not None:
                return {name: _resource(name, found[name]["partitions"], configs[name]) for name in there}
            # a topic is being created or deleted: one part of the broker knows it, another does not. Look again.
            await asyncio.sleep(SETTLE_POLL_S)
        raise NotReachable("the brokers do not agree which topics exist; run the command again")

    async def _see(self, names: Sequence[str]) -> None:
        """Tell topics that are not there from topics that this client may not see. Raises Refused."""
        if not names:
            return
        with _reaching("describe topics", self._connection):
            unseen = await unseen_topics(self._client, names)
        if unseen:
            raise right_missing(self._connection, f"Describe topic {', '.join(unseen)}")

    async def missing_rights(self, rights: Sequence[Right]) -> list[Right]:
        """Return what this client lacks of these rights; see streams.log.rights."""
        with _reaching("ask for rights", self._connection):
            return await missing_rights(self._client, rights)

    @property
    def _client(self) -> AIOKafkaClient:
        return self._admin._client  # noqa: SLF001 - the admin client has no call for these questions

    async def brokers(self) -> list[Resource]:
        """Describe the settings of each broker."""
        names = await self._brokers()
        configs = await self._configs(ConfigResourceType.BROKER, names)
        if configs is None:
            raise NotReachable("describe settings: a broker went away; run the command again")
        return [Resource(name, configs=configs[name]) for name in names]

    async def check_versions(self) -> list[Finding]:
        """Find brokers older than Apache Kafka 3.7."""
        findings = []
        for name in await self._brokers():
            with _reaching("ask for versions", self._connection):
                answer = await self._admin._send_request(ApiVersionRequest(), int(name))  # noqa: SLF001 - there is no public call
            newest = {key: newest for key, _, newest in answer.api_versions}
            if newest.get(FETCH[0], 0) < FETCH[1]:
                what = "it is older than Apache Kafka 3.7, whose transactions let a late write join a foreign one"
                findings.append(Finding(f"broker {name}", what, "use Apache Kafka 3.7 or later"))
        return findings

    async def group(self, name: str, topic: str) -> Group | None:
        """Describe a consumer group; None: this user may not. Hosts and clients of its members are not kept."""
        with _reaching(f"describe the group {name}", self._connection):
            for poll in range(SETTLE_POLLS):
                try:
                    [answer] = await self._admin.describe_consumer_groups([name])
                    [(code, _, state, _, _, members, *_)] = answer.groups
                    if code:
                        raise errors.for_code(code)
                except errors.GroupAuthorizationFailedError:
                    return None
                except errors.KafkaError as error:
                    # the group's broker is being found: in a new cluster the topic of all groups is made first
                    if not error.retriable or poll == SETTLE_POLLS - 1:
                        raise
                    await asyncio.sleep(SETTLE_POLL_S)
                else:
                    break
        assigned = [each[4] for each in members if each[4]]
        held = (tp for each in assigned for tp in ConsumerProtocolMemberAssignment.decode(each).partitions())
        return Group(len(members), state == "Stable", frozenset(tp.partition for tp in held if tp.topic == topic))

    async def feature_levels(self) -> dict[str, dict[str, int]]:
        """Return the highest level of each feature that each broker supports, by broker and feature."""
        found = {}
        for name in await self._brokers():
            with _reaching("ask for features", self._connection):
                found[name] = await feature_levels(self._admin._send_request, int(name))  # noqa: SLF001 - there is no public call
        return found

    async def create(self, topics: Sequence[Topic], replication: int) -> list[Finding]:
        """Create topics and wait until they can be written to. Each one that could not be created is a finding."""
        if not topics:
            return []
        new = [NewTopic(each.name, each.partitions, replication, topic_configs=dict(each.configs)) for each in topics]
        with _reaching("create topics", self._connection):
            answer = await self._admin.create_topics(new)
        findings = [
            Finding(f"topic {name}", f"it cannot be created: {text or errors.for_code(code).__name__}", _remedy(code))
            for name, code, text in answer.topic_errors
            if code
        ]
        if not findings:
            await self._settled(topics)
        return findings

    async def _settled(self, topics: Sequence[Topic]) -> None:
        for _ in range(SETTLE_POLLS):
            if await self._have_leaders(topics):
                return
            await asyncio.sleep(SETTLE_POLL_S)
        raise NotReachable("the new topics have no leaders yet; run the command again")

    async def _have_leaders(self, topics: Sequence[Topic]) -> bool:
        with _reaching("describe topics", self._connection):
            found = {each["topic"]: each for each in await self._admin.describe_topics()}
        return all(
            topic.name in found
            and len(found[topic.name]["partitions"]) == topic.partitions
            and all(each["leader"] >= 0 for each in found[topic.name]["partitions"])
            for topic in topics
        )

    async def _brokers(self) -> list[str]:
        with _reaching("describe the cluster", self._connection):
            cluster = await self._admin.describe_cluster()
        return [str(each["node_id"]) for each in cluster["brokers"]]

    async def _configs(self, kind: ConfigResourceType, names: Sequence[str]) -> dict[str, dict[str, str] | None] | None:
        """Return the settings by name, None for those that this user may not read; None in all: a name is unknown."""
        if not names:
            return {}
        with _reaching("describe settings", self._connection):
            answers = await self._admin.describe_configs([ConfigResource(kind, name) for name in names])
        configs: dict[str, dict[str, str] | None] = {}
        for answer in answers:
            for code, _, _, name, entries in answer.resources:
                if code == _UNKNOWN:
                    return None
                if code in _FORBIDDEN:
                    configs[name] = None
                elif code:
                    raise NotReachable(f"describe settings: {errors.for_code(code).__name__}")
                else:
                    configs[name] = {entry[0]: entry[1] for entry in entries}
        return configs


def _resource(name: str, partitions: Sequence[Any], configs: dict[str, str] | None) -> Resource:
    return Resource(name, len(partitions), min(len(each["replicas"]) for each in partitions), configs)


def _remedy(code: int) -> str:
    if code == _EXISTS:
        return "somebody else is creating it at this moment: run the command again"
    if code in _FORBIDDEN:
        return "give this user the right to, or have it created as the reference says"
    return "put that right and run the command again"


@contextmanager
def _reaching(what: str, connection: KafkaConnection) -> Iterator[None]:
    """Turn every failure to reach Kafka into NotReachable."""
    try:
        yield
    except _REACHING as error:
        raise not_reachable(what, error, connection) from error


@asynccontextmanager
async def connected(connection: KafkaConnection, *, timeout_ms: int = 10_000) -> AsyncIterator[Cluster]:
    """Connect to a cluster. Raises NotReachable."""
    admin = AIOKafkaAdminClient(**connection.options(), request_timeout_ms=timeout_ms)
    try:
        with _reaching("connect", connection):
            await admin.start()
        yield Cluster(admin, connection)
    finally:
        await admin.close()
