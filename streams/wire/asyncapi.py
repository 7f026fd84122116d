"""The AsyncAPI 3 document of all topics, made from the code: the table of topics and the models of the payloads.

`deploy/asyncapi.yaml` is `render()` for the default settings; a test holds the two equal. Another test validates the
records that the code writes against the schemas.
"""

import io
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue, models_json_schema
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from streams.settings import Deployment
from streams.wire.erasures import DeletionReceipt, ErasureAsked, ErasureTold
from streams.wire.fills import Fill
from streams.wire.messages import CARRIES, JSON, MESSAGES, READ, Message
from streams.wire.progress import Claim, Progress
from streams.wire.topics import CHANNEL_ROLES, DELIVERY_ROLES, Role, Topic, activation_topics, delivery_topic, topics

ASYNCAPI: Final = "3.0.0"
WIRE_VERSION: Final = "1.2.0"
"""Version of the wire, not of the program. Major: a change that breaks a consumer; minor: one that it may ignore."""
CHANNEL: Final = "{channel}"
"""Stands for the channel of an activation in the addresses of its topics."""
BINDING: Final = "0.5.0"
_REF: Final = "#/components/schemas/{model}"
_MODE: Final[JsonSchemaMode] = "validation"

DESCRIPTION: Final = """\
Segue keeps audience segments true while the facts change: engagement events in, every membership change out, once.

Read with `isolation.level=read_committed`. A reader without it sees aborted changes, too. Each of these is published
again with the same id and bytes: drop ids that you know. Changes of one profile are in one partition, in order. Records
of the input are keyed by subject, with Kafka's own partitioner (murmur2); librdkafka's default is another one: set
`partitioner=murmur2_random` there.
"""


def defaults() -> Deployment:
    """Return the default settings, whatever the environment says."""
    return Deployment.model_construct()


def document(deployment: Deployment | None = None) -> dict[str, Any]:
    """Make the document for a deployment; without one, for the default settings. Deterministic."""
    of = deployment or defaults()
    table = (*topics(of), *activation_topics(of, [CHANNEL]), delivery_topic(of, CHANNEL))
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": "Segue", "version": WIRE_VERSION, "description": LiteralScalarString(DESCRIPTION)},
        "defaultContentType": JSON,
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
    """Make the schemas of all payloads, headers and their parts, by name."""
    kinds = [kind for message in MESSAGES.values() for kind in (message.payload, message.headers)]
    models = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)}
    _, found = models_json_schema(
        [(model, _MODE) for model in sorted(models, key=lambda model: model.__name__)], ref_template=_REF
    )
    made: dict[str, JsonSchemaValue] = dict(found["$defs"])
    for kind in (Progress, Claim, Fill, ErasureAsked, ErasureTold, DeletionReceipt):
        schema = TypeAdapter(kind).json_schema(ref_template=_REF)
        made.update(schema.pop("$defs", {}))
        made[kind.__name__] = schema
    return {name: _untitled(made[name]) for name in sorted(made)}


def _untitled(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Remove the titles that pydantic derives from the names of fields."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema


def _channel(topic: Topic, deployment: Deployment) -> dict[str, Any]:
    configs: dict[str, Any] = dict(topic.configs)
    settings: dict[str, Any] = {"cleanup.policy": [configs.pop("cleanup.policy")]}
    # the Kafka binding wants these as numbers
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
