"""Static members of a consumer group (KIP-345): a process that comes back under its id gets its partitions back.

A member with a `group_instance_id` does not leave the group when it stops. The broker keeps its partitions for it until
the session's time-out, and gives them to the process that joins with the same id, without a rebalance. A second process
under the same id takes the place of the first: the broker answers the first with FENCED_INSTANCE_ID from then on.

aiokafka 0.14 sends the id when it joins and not with heartbeats and commits. The broker then answers the first process
with UNKNOWN_MEMBER_ID, aiokafka joins anew, and two processes under one id take it from each other for ever. Here both
requests carry the id, and a member that was replaced is told so once and never joins again.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetCommitResponse_v3
from aiokafka.protocol.group import HeartbeatRequest, HeartbeatResponse_v1
from aiokafka.protocol.types import Array, Int32, Int64, Schema, String

log = logging.getLogger(__name__)

FENCED_INSTANCE_ID: Final = 82
"""The broker's code: another member has joined with this id. aiokafka does not know it."""

Send = Callable[[Any], Awaitable[Any]]


class InstanceReplaced(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """Another process has joined the group with this process's id."""


class _HeartbeatAnswer(Response):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    SCHEMA = HeartbeatResponse_v1.SCHEMA


class _HeartbeatOfInstance(RequestStruct):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatAnswer
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _Heartbeat(Request[_HeartbeatOfInstance]):  # type: ignore[misc]
    API_KEY = 12

    def __init__(self, plain: HeartbeatRequest, instance: str) -> None:
        self._fields = (plain._group, plain._generation_id, plain._member_id, instance)  # noqa: SLF001

    def build(self, request_struct_class: type[_HeartbeatOfInstance]) -> _HeartbeatOfInstance:
        return request_struct_class(*self._fields)


class _CommitAnswer(Response):  # type: ignore[misc]
    API_KEY = 8
    API_VERSION = 7
    SCHEMA = OffsetCommitResponse_v3.SCHEMA


class _CommitOfInstance(RequestStruct):  # type: ignore[misc]
    API_KEY = 8
    API_VERSION = 7
    RESPONSE_TYPE = _CommitAnswer
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", String("utf-8")),
                    ),
                ),
            ),
        ),
    )


class _Commit(Request[_CommitOfInstance]):  # type: ignore[misc]
    API_KEY = 8

    def __init__(self, plain: OffsetCommitRequest, instance: str) -> None:
        topics = [
            (topic, [(partition, offset, -1, text) for partition, offset, text in partitions])
            for topic, partitions in plain._topics  # noqa: SLF001
        ]
        member = (plain._consumer_group_generation_id, plain._consumer_id)  # noqa: SLF001
        self._fields = (plain._consumer_group, *member, instance, topics)  # noqa: SLF001

    def build(self, request_struct_class: type[_CommitOfInstance]) -> _CommitOfInstance:
        return request_struct_class(*self._fields)


class StaticMember:
    """What the coordinator of a static member sends, with its id in it."""

    def __init__(self, send: Send, instance: str, on_replaced: Callable[[], None]) -> None:
        """`send`: aiokafka's own way to the coordinator. `on_replaced` is called once."""
        self._send = send
        self._instance = instance
        self._on_replaced = on_replaced
        self._replaced = False

    async def send(self, request: Any) -> Any:
        """Send a request and return its answer. Raises KafkaError; InstanceReplaced, from the first such answer on."""
        heartbeat = isinstance(request, HeartbeatRequest)
        if not self._replaced:
            answer = await self._send(self._with_instance(request))
            if not _fenced(answer):
                return answer
            self._replaced = True
            self._on_replaced()
        if heartbeat:
            # aiokafka would repeat a refused one ten times a second; nobody counts on this one
            return _HeartbeatAnswer(throttle_time_ms=0, error_code=0)
        raise InstanceReplaced

    def _with_instance(self, request: Any) -> Any:
        if isinstance(request, HeartbeatRequest):
            return _Heartbeat(request, self._instance)
        if isinstance(request, OffsetCommitRequest):
            return _Commit(request, self._instance)
        return request


def _fenced(answer: Any) -> bool:
    """Tell whether an answer to any request of a group says that the member was replaced."""
    if isinstance(answer, _CommitAnswer):
        return any(code == FENCED_INSTANCE_ID for _, partitions in answer.topics for _, code in partitions)
    return getattr(answer, "error_code", 0) == FENCED_INSTANCE_ID
