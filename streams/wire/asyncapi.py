"""The AsyncAPI 3 document of all topics, made from the code: the table of topics and the models of the payloads.

`deploy/asyncapi.yaml` is `render()` for the default settings; a test holds the two equal, and another validates what
the code really writes against the schemas.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue, models_json_schema
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from streams.settings import Deployment
from streams.wire import payloads
from streams.wire.progress import PROGRESS_KEY, Claim, Progress
from streams.wire.topics import (
    CHANNEL_ROLES,
    DELIVERY_ROLES,
    ROLES,
    Role,
    Topic,
    activation_topics,
    delivery_topic,
    topics,
)

ASYNCAPI: Final = "3.0.0"
WIRE_VERSION: Final = "1.0.0"
"""Of what is on the wire, not of the program: major, what breaks a consumer; minor, what it may ignore."""
CHANNEL: Final = "{channel}"
"""Stands for the channel of an activation in the addresses of its topics."""
BINDING: Final = "0.5.0"
_REF: Final = "#/components/schemas/{model}"
_MODE: Final[JsonSchemaMode] = "validation"

_SUBJECT: Final[JsonSchemaValue] = {"type": "string", "description": "The subject, in UTF-8: `hcp:1234567893`."}
_CURRENT_KEY: Final[JsonSchemaValue] = {
    "type": "string",
    "description": "`subject|segment`, in UTF-8; a subject has no `|`.",
}
_ACTIVE_KEY: Final[JsonSchemaValue] = {
    "type": "string",
    "description": "`subject|activation`, in UTF-8; a subject has no `|`.",
}
_ANYTHING: Final[JsonSchemaValue] = {"description": "Whatever was sent: untouched, any bytes."}
_NULL: Final[JsonSchemaValue] = {"type": "null", "description": "No value: a tombstone."}
_JSON: Final = "application/json"
_CLOUDEVENT: Final = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of record. `payload`, `headers`: a model, or a schema."""

    summary: str
    payload: type | JsonSchemaValue
    key: JsonSchemaValue | None = None
    headers: type[BaseModel] | None = None
    content_type: str = _JSON


def _changed(what: str) -> Message:
    return Message(f"A profile {what} a segment.", payloads.MembershipChange, _SUBJECT, payloads.ChangeHeaders)


MESSAGES: Final[Mapping[str, Message]] = {
    "engagementEvent": Message("An event in structured mode.", payloads.EngagementEvent, _SUBJECT, None, _CLOUDEVENT),
    "engagementEventBinary": Message(
        "An event in binary mode: the value is its data.",
        {"type": ["object", "null"], "description": "Its attributes, as the dictionary declares them."},
        _SUBJECT,
        payloads.EventHeaders,
    ),
    "catalogueTakesEffect": Message(
        "Segue's own: from here on the partition goes by another catalogue. Skip it.",
        payloads.CatalogueRecord,
        content_type=_CLOUDEVENT,
    ),
    "tick": Message("Segue's own: only moves the clock. Skip it.", payloads.TickRecord, content_type=_CLOUDEVENT),
    "deadLetter": Message(
        "A refused record, as it was.", _ANYTHING, _ANYTHING, payloads.DeadLetterHeaders, "application/octet-stream"
    ),
    "deadLetterPointer": Message(
        "A refused record that was too large: where it stands in the input.",
        payloads.DeadLetterPointer,
        _ANYTHING,
        payloads.DeadLetterHeaders,
    ),
    "segmentEntered": _changed("entered"),
    "segmentExited": _changed("left"),
    "standingMembership": Message(
        "The profile is in the segment; the value is that of its entry.",
        payloads.MembershipChange,
        _CURRENT_KEY,
        payloads.ChangeHeaders,
    ),
    "membershipEnded": Message(
        "The profile is no longer in the segment.", _NULL, _CURRENT_KEY, payloads.TombstoneHeaders
    ),
    "membershipMoved": Message(
        "The segment's changes go to other topics from a cut on: the profile stands here no more, and may be in it.",
        _NULL,
        _CURRENT_KEY,
        payloads.NoHeaders,
    ),
    "activated": Message(
        "The channel may contact the profile.", payloads.ActivatedChange, _SUBJECT, payloads.ActivationHeaders
    ),
    "deactivated": Message(
        "The channel may no longer contact the profile.",
        payloads.DeactivatedChange,
        _SUBJECT,
        payloads.ActivationHeaders,
    ),
    "active": Message(
        "The channel may contact the profile now; the value is that of its activation.",
        payloads.ActivatedChange,
        _ACTIVE_KEY,
        payloads.ActivationHeaders,
    ),
    "activationEnded": Message(
        "The channel may no longer contact the profile.", _NULL, _ACTIVE_KEY, payloads.ActivationTombstoneHeaders
    ),
    "undelivered": Message(
        "A change that the channel's platform refused for good, as it was published.",
        _ANYTHING,
        _ANYTHING,
        payloads.UndeliveredHeaders,
        "application/octet-stream",
    ),
    "undeliveredPointer": Message(
        "A refused change that was too large: where it stands in the channel's topic.",
        payloads.DeadLetterPointer,
        _ANYTHING,
        payloads.UndeliveredHeaders,
    ),
    "progress": Message(
        "Up to where the changes of the partition are out.", Progress, {"const": PROGRESS_KEY.decode()}
    ),
    "claim": Message(
        "A worker claims the partition.", Claim, {"type": "string", "description": "The name of its ring."}
    ),
    "claimEnded": Message("A claim is over.", _NULL, {"type": "string", "description": "The name of its ring."}),
    "catalogue": Message("A catalogue.", payloads.StoredCatalogue, {"type": "string", "description": "Its hash."}),
}

_CHANGES: Final = ("segmentEntered", "segmentExited")
_STANDING: Final = ("standingMembership", "membershipEnded", "membershipMoved")
CARRIES: Final[Mapping[Role, Sequence[str]]] = {
    "events": ("engagementEvent", "engagementEventBinary", "catalogueTakesEffect", "tick"),
    "dead_letters": ("deadLetter", "deadLetterPointer"),
    "membership": _CHANGES,
    "current": _STANDING,
    "restricted": _CHANGES,
    "restricted_current": _STANDING,
    "progress": ("progress",),
    "owners": ("claim", "claimEnded"),
    "catalogues": ("catalogue",),
    "activation": ("activated", "deactivated"),
    "activation_current": ("active", "activationEnded"),
    "activation_dead_letters": ("undelivered", "undeliveredPointer"),
}
"""What each topic carries."""
READ: Final[frozenset[Role]] = frozenset({"events"})
"""The topics that Segue reads for others; all others it writes."""

_CARRIED: Final = {name for names in CARRIES.values() for name in names}
if set(CARRIES) != {*ROLES, *CHANNEL_ROLES, *DELIVERY_ROLES} or set(MESSAGES) != _CARRIED:
    raise AssertionError("every topic carries something, and every message is carried")

DESCRIPTION: Final = """\
Segue keeps audience segments true while the facts change: engagement events in, every membership change out, once.

Read with `isolation.level=read_committed`. A reader that does not sees aborted changes too, which are always
published again with the same id and bytes: drop the ids that you have seen. Changes of one profile are in one
partition, in order. Records of the input are keyed by subject, with Kafka's own partitioner (murmur2): librdkafka's
default is another (say `partitioner=murmur2_random`).
"""


def defaults() -> Deployment:
    """Return the default settings, whatever the environment says."""
    return Deployment.model_construct()


def document(deployment: Deployment | None = None) -> dict[str, Any]:
    """Make the document for a deployment (the default settings without one). Deterministic."""
    of = deployment or defaults()
    table = (*topics(of), *activation_topics(of, [CHANNEL]), delivery_topic(of, CHANNEL))
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": "Segue", "version": WIRE_VERSION, "description": LiteralScalarString(DESCRIPTION)},
        "defaultContentType": _JSON,
        "channels": {_camel(topic.role): _channel(topic, deployment or defaults()) for topic in table},
        "operations": {_operation_name(topic): _operation(topic) for topic in table},
        "components": {
            "messages": {name: _message(name, message) for name, message in MESSAGES.items()},
            "schemas": schemas(),
        },
    }


def render(deployment: Deployment | None = None) -> str:
    """Write the document as YAML."""
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda data: True
    yaml.width = 1_000_000
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(document(deployment), text)
    return text.getvalue()


def schemas() -> dict[str, JsonSchemaValue]:
    """Make the schemas of all payloads and headers, by name, with their parts."""
    kinds = [kind for message in MESSAGES.values() for kind in (message.payload, message.headers)]
    models = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)}
    _, found = models_json_schema(
        [(model, _MODE) for model in sorted(models, key=lambda model: model.__name__)], ref_template=_REF
    )
    made: dict[str, JsonSchemaValue] = dict(found["$defs"])
    for kind in (Progress, Claim):
        made[kind.__name__] = TypeAdapter(kind).json_schema(ref_template=_REF)
    return {name: _untitled(made[name]) for name in sorted(made)}


def _untitled(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Leave out the titles that pydantic makes of the fields' names."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema


def _channel(topic: Topic, deployment: Deployment) -> dict[str, Any]:
    configs: dict[str, Any] = dict(topic.configs)
    settings: dict[str, Any] = {"cleanup.policy": [configs.pop("cleanup.policy")]}
    # the binding knows these as numbers
    settings |= {name: int(value) for name, value in configs.items() if name in ("retention.ms", "delete.retention.ms")}
    parameters = {"channel": {"description": "The channel of an activation: `email`."}}
    return {
        "address": topic.name,
        "summary": topic.summary,
        **({"parameters": parameters} if topic.role in (*CHANNEL_ROLES, *DELIVERY_ROLES) else {}),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in CARRIES[topic.role]},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": deployment.replication,
                "topicConfiguration": settings,
                "bindingVersion": BINDING,
            }
        },
    }


def _operation_name(topic: Topic) -> str:
    verb = "receive" if topic.role in READ else "send"
    name = _camel(topic.role)
    return f"{verb}{name[0].upper()}{name[1:]}"


def _operation(topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{_camel(topic.role)}"
    return {
        "action": "receive" if topic.role in READ else "send",
        "channel": {"$ref": channel},
        "summary": topic.summary,
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in CARRIES[topic.role]],
    }


def _message(name: str, message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "summary": message.summary,
        "contentType": message.content_type,
        "payload": _schema(message.payload),
    }
    if message.headers is not None:
        made["headers"] = _schema(message.headers)
    if message.key is not None:
        made["bindings"] = {"kafka": {"key": message.key, "bindingVersion": BINDING}}
    return made


def _schema(kind: type | JsonSchemaValue) -> JsonSchemaValue:
    return {"$ref": _REF.format(model=kind.__name__)} if isinstance(kind, type) else dict(kind)


def _camel(role: Role) -> str:
    first, *rest = role.split("_")
    return first + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    print(render(), end="")
