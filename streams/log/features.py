"""The features of a broker: which release it is of.

aiokafka has no call for it. The request is the public one of Kafka's protocol, ApiVersions 3 (KIP-584).
"""

from io import BytesIO
from typing import Any, ClassVar, Final

from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

METADATA_VERSION: Final = "metadata.version"
"""The feature whose highest level tells which release a broker is of."""


class _Features(Response):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "api_versions",
            CompactArray(("api_key", Int16), ("min_version", Int16), ("max_version", Int16), ("tags", TaggedFields)),
        ),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )


class _FeaturesOfVersion3(RequestStruct):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    RESPONSE_TYPE = _Features
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(("name", CompactString("utf-8")), ("version", CompactString("utf-8")), ("tags", TaggedFields))

    def parse_response_header(self, read_buffer: BytesIO | bytes) -> ResponseHeader_v0:
        """Read the header that this one request always answers with, whatever its version."""
        return ResponseHeader_v0.decode(read_buffer)


class _FeaturesRequest(Request[_FeaturesOfVersion3]):  # type: ignore[misc]
    API_KEY: ClassVar[int] = 18

    def build(self, request_struct_class: type[_FeaturesOfVersion3]) -> _FeaturesOfVersion3:
        return request_struct_class("segue", "1", {})


async def feature_levels(send: Any, node: int) -> dict[str, int]:
    """Return the highest level of each feature that a broker supports, by name; `send(request, node)` asks it."""
    answer = await send(_FeaturesRequest(), node)
    data = answer.tags.get(0)
    if data is None:
        return {}
    schema = CompactArray(("name", CompactString("utf-8")), ("min", Int16), ("max", Int16), ("tags", TaggedFields))
    return {name: highest for name, _, highest, _ in schema.decode(BytesIO(data))}
