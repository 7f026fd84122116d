"""What this client may do in Kafka, as the brokers say. Asks only: nothing is written to find out.

aiokafka 0.14 speaks no request that asks for rights. Metadata 8 (KIP-430) and DescribeGroups 3 are spelled out here.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import errors
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.admin import DescribeGroupsRequest_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataResponse_v5
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

from streams.wire.rights import Right, lacking

OPERATIONS: Final = {3: "Read", 4: "Write", 5: "Create", 8: "Describe", 10: "DescribeConfigs"}
"""Numbers of operations (org.apache.kafka.common.acl.AclOperation); a set of them is a field of bits."""
COORDINATOR_POLLS: Final = 50
COORDINATOR_POLL_S: Final = 0.2
_LOADING: Final = (
    errors.GroupLoadInProgressError.errno,
    errors.GroupCoordinatorNotAvailableError.errno,
    errors.NotCoordinatorForGroupError.errno,
)
"""The coordinator cannot tell yet."""
_NOT_TOLD: Final = -(1 << 31)
_REFUSED: Final = (
    errors.TopicAuthorizationFailedError.errno,
    errors.GroupAuthorizationFailedError.errno,
    errors.ClusterAuthorizationFailedError.errno,
)
_TEXT: Final = String("utf-8")
_PARTITION: Final = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", Array(Int32)),
    ("isr", Array(Int32)),
    ("offline_replicas", Array(Int32)),
)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = MetadataResponse_v5.API_KEY
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT))),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", _TEXT),
                ("is_internal", Boolean),
                ("partitions", Array(*_PARTITION)),
                ("allowed", Int32),
            ),
        ),
        ("allowed", Int32),
    )


class _MetadataStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = MetadataResponse_v5.API_KEY
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(_TEXT)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster", Boolean),
        ("include_topics", Boolean),
    )


class _Metadata(Request[_MetadataStruct]):  # type: ignore[misc]
    API_KEY = MetadataResponse_v5.API_KEY

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        return request_struct_class(self._topics, False, True, True)


class _GroupsResponse(Response):  # type: ignore[misc]
    API_KEY = DescribeGroupsRequest_v3.API_KEY
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group", _TEXT),
                ("state", _TEXT),
                ("protocol_type", _TEXT),
                ("protocol", _TEXT),
                (
                    "members",
                    Array(
                        ("member_id", _TEXT),
                        ("client_id", _TEXT),
                        ("client_host", _TEXT),
                        ("metadata", Bytes),
                        ("assignment", Bytes),
                    ),
                ),
                ("allowed", Int32),
            ),
        ),
    )


class _GroupsStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = DescribeGroupsRequest_v3.API_KEY
    API_VERSION = 3
    RESPONSE_TYPE = _GroupsResponse
    SCHEMA = DescribeGroupsRequest_v3.SCHEMA


class _Groups(Request[_GroupsStruct]):  # type: ignore[misc]
    API_KEY = DescribeGroupsRequest_v3.API_KEY

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupsStruct]) -> _GroupsStruct:
        return request_struct_class([self._group], True)


async def missing_rights(client: AIOKafkaClient, rights: Iterable[Right]) -> list[Right]:
    """Return what this client lacks of these rights, in their order. Raises KafkaError.

    Of a right on names that begin so, the topics that exist are asked about; those that this client does not see count
    as lacking nothing. Whether it may write with a transactional id cannot be asked; whether it may look one up can.
    """
    wanted = list(rights)
    literal = sorted({right.name for right in wanted if right.kind == "topic" and not right.prefixed})
    topics, cluster = await _topics(client, literal)
    if any(right.kind == "topic" and right.prefixed for right in wanted):
        seen, _ = await _topics(client, None)
        topics = {**seen, **topics}
    found = []
    for right in wanted:
        if right.kind == "topic" and right.prefixed:
            begun = [allowed for name, allowed in topics.items() if name.startswith(right.name)]
            allowed = frozenset[str](right.operations).intersection(*begun) if begun else frozenset(right.operations)
        elif right.kind == "topic":
            allowed = topics.get(right.name, frozenset())
        elif right.kind == "cluster":
            allowed = cluster
        elif right.kind == "group":
            allowed = await _group(client, right.name)
        else:
            allowed = await _transactional(client, right)
        missing = lacking(right, allowed)
        if missing is not None:
            found.append(missing)
    return found


async def _topics(client: AIOKafkaClient, names: list[str] | None) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """Return what is allowed with each topic, and with the cluster. None: of all topics that this client sees."""
    answer = await client.send(_node(client), _Metadata(names))  # type: ignore[arg-type]
    found: dict[str, frozenset[str]] = {}
    for code, name, _, _, allowed in answer.topics:
        if code in (errors.NoError.errno, *_REFUSED):
            found[name] = frozenset() if code in _REFUSED else _read(allowed)
        else:
            # a topic that is not there yet: an ACL holds of names, and Kafka tells rights on those that exist only
            found[name] = frozenset(OPERATIONS.values())
    return found, _read(answer.allowed)


async def unseen_topics(client: AIOKafkaClient, names: Sequence[str]) -> list[str]:
    """Return those of these topics that this client may not even see. Creates none. Raises KafkaError."""
    answer = await client.send(_node(client), _Metadata(list(names)))
    return [name for code, name, _, _, _ in answer.topics if code in _REFUSED]


async def _group(client: AIOKafkaClient, group: str) -> frozenset[str]:
    for _ in range(COORDINATOR_POLLS):
        try:
            node = await _coordinator(client, CoordinationType.GROUP, group)
        except errors.GroupAuthorizationFailedError:
            return frozenset()
        [(code, *_, allowed)] = (await client.send(node, _Groups(group))).groups
        if code not in _LOADING:
            return frozenset() if code in _REFUSED else _read(allowed)
        await asyncio.sleep(COORDINATOR_POLL_S)
    raise errors.GroupLoadInProgressError


async def _coordinator(client: AIOKafkaClient, kind: str, name: str) -> int:
    """Return the broker that coordinates a group or a transactional id.

    A cluster in which there never was one makes the topic for it at the first question, and has none for a moment.
    """
    for _ in range(COORDINATOR_POLLS):
        with suppress(errors.GroupCoordinatorNotAvailableError):
            return int(await client.coordinator_lookup(kind, name))
        await asyncio.sleep(COORDINATOR_POLL_S)
    return int(await client.coordinator_lookup(kind, name))


async def _transactional(client: AIOKafkaClient, right: Right) -> frozenset[str]:
    try:
        await _coordinator(client, CoordinationType.TRANSACTION, right.name)
    except errors.TransactionalIdAuthorizationFailed:
        return frozenset()
    return frozenset(right.operations)


def _node(client: AIOKafkaClient) -> Any:
    return client.get_random_node()


def _read(bits: int) -> frozenset[str]:
    if bits == _NOT_TOLD:
        return frozenset(OPERATIONS.values())
    return frozenset(name for number, name in OPERATIONS.items() if bits >> number & 1)
