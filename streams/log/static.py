"""Static members of a consumer group (KIP-345): a process that comes back under its id gets its partitions back.

When a member with a `group_instance_id` dies, the broker keeps its partitions for it until the session's time-out, and
gives them to the process that joins with the same id, without a rebalance. A second process under the same id takes the
place of the first: the broker answers the first with FENCED_INSTANCE_ID from then on.

- aiokafka 0.14 sends the id when it joins and not with heartbeats and commits. The broker then answers the first
  process with UNKNOWN_MEMBER_ID, aiokafka joins anew, and two processes under one id take it from each other for ever.
  Here both requests carry the id, and a member that was replaced is told so once and never joins again.
- aiokafka does not leave the group at a stop in order: the partitions wait for the session's time-out. Here it leaves,
  unless it is to come back (`SEGUE_LEAVE_GROUP`): docs/operations/kubernetes.md has the figures.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetCommitResponse_v3
from aiokafka.protocol.group import HeartbeatRequest, HeartbeatResponse_v1
from aiokafka.protocol.types import Array, Int16, Int32, Int64, Schema, String

from streams.actions import told

log = logging.getLogger(__name__)

FENCED_INSTANCE_ID: Final = 82
"""The broker's code: another member has joined with this id. aiokafka does not know it."""


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


class _LeaveAnswer(Response):  # type: ignore[misc]
    API_KEY = 13
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "members",
            Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")), ("error_code", Int16)),
        ),
    )


class _LeaveOfInstance(RequestStruct):  # type: ignore[misc]
    API_KEY = 13
    API_VERSION = 3
    RESPONSE_TYPE = _LeaveAnswer
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("members", Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")))),
    )


class _Leave(Request[_LeaveOfInstance]):  # type: ignore[misc]
    API_KEY = 13

    def __init__(self, group: str, member: str, instance: str) -> None:
        self._fields = (group, [(member, instance)])

    def build(self, request_struct_class: type[_LeaveOfInstance]) -> _LeaveOfInstance:
        return request_struct_class(*self._fields)


class StaticMember:
    """What the coordinator of a static member sends, with its id in it."""

    def __init__(self, coordinator: Any, instance: str, on_replaced: Callable[[], None], *, leaves: bool) -> None:
        """Take the place of the coordinator's own ways to send and to leave. `on_replaced` is called once."""
        self._coordinator = coordinator
        self._instance = instance
        self._on_replaced = on_replaced
        self._replaced = False
        self._send = coordinator._send_req  # noqa: SLF001 - there is no other way in
        coordinator._send_req = self.send  # noqa: SLF001
        if leaves:
            coordinator._maybe_leave_group = self.leave  # noqa: SLF001

    async def leave(self) -> None:
        """Leave the group, so that the others get the partitions at once. Tried once."""
        coordinator = self._coordinator
        if coordinator.generation > 0 and not self._replaced:
            request = _Leave(coordinator.group_id, coordinator.member_id, self._instance)
            try:
                await self._send(request)
            except KafkaError as error:
                why = type(error).__name__
                log.info("the group was not left: %s", why, extra=told("group_not_left", why=why))
        coordinator.reset_generation()

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
