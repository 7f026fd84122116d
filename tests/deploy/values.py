"""What values.yaml says of each value: its path, its default and its comment. README and schema are drawn from it.

`python -m tests.docs.draw` writes both. A comment belongs to the key below it. The schema refuses every name that
values.yaml does not have.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from ruamel.yaml import YAML

from streams.delivery.settings import DeliverySettings
from streams.settings import Deployment, Settings

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "segue"
SCHEMA: Final = CHART / "values.schema.json"
OPAQUE: Final = frozenset({"worker.resources", "delivererDefaults.resources", "dashboards.labels"})
"""Values that are shown and given as a whole, though their defaults have keys."""
TEXT: Final[Mapping[str, Any]] = {"type": "string"}
OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
LIST_OF_OBJECTS: Final[Mapping[str, Any]] = {"type": "array", "items": OBJECT}
LIST_OF_NAMES: Final[Mapping[str, Any]] = {"type": "array", "items": {"type": "string", "minLength": 1}}
PORTS: Final[Mapping[str, Any]] = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}}
STRINGS: Final[Mapping[str, Any]] = {"type": "object", "additionalProperties": TEXT}
DELIVERY_SETS: Final = ("url", "shape", "secrets", "api_key", "site_id")
"""Likewise of `SEGUE_DELIVER_…`."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the chart."""

    path: str
    """Keys with dots between."""
    default: Any
    means: str


def defaults() -> dict[str, Any]:
    """Return values.yaml as it is read."""
    found: dict[str, Any] = YAML(typ="safe", pure=True).load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return found


def set_by_chart() -> set[str]:
    """Return the settings that the templates set by themselves, from values of their own: `settings` takes others."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((CHART / "templates").iterdir()))
    return {name.lower() for name in re.findall(r"name: SEGUE_([A-Z_]+)[,}\s]", text)}


def values() -> list[Value]:
    """Return every value, in order."""
    return list(_walk("", defaults(), comments()))


def _walk(prefix: str, tree: Mapping[str, Any], said: Mapping[str, str]) -> Iterator[Value]:
    for key, default in tree.items():
        path = f"{prefix}{key}"
        if isinstance(default, dict) and default and path not in OPAQUE:
            yield from _walk(f"{path}.", default, said)
        else:
            yield Value(path, default, said.get(path, ""))


def comments() -> dict[str, str]:
    """Return the comment above each key of values.yaml, by path."""
    found: dict[str, str] = {}
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in (CHART / "values.yaml").read_text(encoding="utf-8").splitlines():
        bare = line.strip()
        key = re.match(r"( *)([A-Za-z]+):", line)
        if bare.startswith("#"):
            above.append(bare.removeprefix("#").strip())
        elif key:
            path = [*(each for each in path if each[0] < len(key[1])), (len(key[1]), key[2])]
            found[".".join(name for _, name in path)] = " ".join(above)
            above = []
        else:
            above = []
    return found


def table() -> str:
    """Return the README's table of values."""
    rows = ["| value | default | means |", "| --- | --- | --- |"]
    for each in values():
        default = json.dumps(each.default).replace("|", "\\|")
        rows.append(f"| `{each.path}` | `{default}` | {each.means.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def of_settings(model: type[BaseModel], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a map of settings: these names, each with the type and the bounds that its field has."""
    known = model.model_json_schema()
    properties = {}
    for name in sorted(names):
        found = dict(known["properties"][name])
        for reference in [found, *found.get("anyOf", ())]:
            if "$ref" in reference:
                reference.update(known["$defs"][reference.pop("$ref").rpartition("/")[2]])
        properties[name] = _bare(found)
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _bare(schema: Any) -> Any:
    """Return a schema without titles, descriptions and defaults."""
    if isinstance(schema, dict):
        return {key: _bare(each) for key, each in schema.items() if key not in ("title", "description", "default")}
    return [_bare(each) for each in schema] if isinstance(schema, list) else schema


def _plain(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a model that hold no secret."""
    return {name: field for name, field in model.model_fields.items() if "SecretStr" not in str(field.annotation)}


def special() -> dict[str, Any]:
    """Return the schemas of values whose defaults do not say enough, by path."""
    chart = set_by_chart()
    own = {name: field for name, field in _plain(Settings).items() if name not in chart}
    deployment = Deployment.model_json_schema()["properties"]
    topics = {name: TEXT for name in Deployment.model_fields if name.endswith(("_topic", "_topic_prefix"))}
    at_least_1 = {"type": "integer", "minimum": 1}
    delivery = {name: field for name, field in _plain(DeliverySettings).items() if name not in DELIVERY_SETS}
    deliverer = {
        "url": {"type": "string", "pattern": "^https?://"},
        "shape": _bare(DeliverySettings.model_json_schema()["properties"]["shape"]),
        "secret": TEXT,
        "secretKey": TEXT,
        "siteId": TEXT,
        "settings": of_settings(DeliverySettings, delivery),
        "replicas": at_least_1,
        "resources": OBJECT,
        "nodeSelector": STRINGS,
        "tolerations": LIST_OF_OBJECTS,
        "affinity": OBJECT,
        "topologySpreadConstraints": LIST_OF_OBJECTS,
        "priorityClassName": TEXT,
    }
    key = {"setting": {"type": "string", "pattern": "^SEGUE_ASSIGNMENT_KEY(_[A-Z0-9]+)*$"}, "secret": TEXT, "key": TEXT}
    port = PORTS["items"]
    return {
        "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
        "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
        "image.pullSecrets": LIST_OF_NAMES,
        "deployment.generation": _bare(deployment["generation"]),
        "deployment.partitions": _bare(deployment["partitions"]),
        "deployment.replication": _bare(deployment["replication"]),
        "deployment.redisPrefix": _bare(deployment["redis_prefix"]),
        "deployment.topics": _closed(topics, ()),
        "kafka.securityProtocol": {"enum": ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]},
        "kafka.sasl.mechanism": {"enum": ["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"]},
        "redis.url": {"type": "string", "pattern": "^(rediss?(\\+sentinel)?://[^@]*)?$"},
        "assignmentKeys": {"type": "array", "items": _closed(key, tuple(key))},
        "settings": of_settings(Settings, own),
        "web.port": port,
        "metrics.port": port,
        "worker.replicas": at_least_1,
        "worker.sessionTimeoutMs": {"type": "integer", "minimum": 1000},
        "worker.stopDeadlineMs": {"type": "integer", "minimum": 100},
        "worker.profilesCachedMax": {"type": "integer", "minimum": 0},
        "worker.maxUnavailable": {"anyOf": [at_least_1, {"type": "string", "pattern": "^[1-9][0-9]?%$"}]},
        "worker.podAnnotations": STRINGS,
        "worker.podLabels": STRINGS,
        "worker.nodeSelector": STRINGS,
        "worker.tolerations": LIST_OF_OBJECTS,
        "worker.affinity": OBJECT,
        "worker.topologySpreadConstraints": LIST_OF_OBJECTS,
        "autoscaling.minReplicas": at_least_1,
        "autoscaling.maxReplicas": at_least_1,
        "autoscaling.lagRecords": at_least_1,
        "autoscaling.pollingSeconds": at_least_1,
        "deliverers": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z0-9][a-z0-9_-]*$"},
            "additionalProperties": _closed(deliverer, ("url",)),
        },
        "delivererDefaults.replicas": at_least_1,
        "serviceAccount.annotations": STRINGS,
        "networkPolicy.from": LIST_OF_OBJECTS,
        "networkPolicy.to": LIST_OF_OBJECTS,
        "networkPolicy.kafkaPorts": PORTS,
        "networkPolicy.redisPorts": PORTS,
        "networkPolicy.sentinelPorts": PORTS,
        "networkPolicy.otlpPorts": PORTS,
        "networkPolicy.httpsPorts": PORTS,
        "serviceMonitor.labels": STRINGS,
        "prometheusRule.labels": STRINGS,
        "dashboards.labels": STRINGS,
        "extraEnv": LIST_OF_OBJECTS,
        "extraVolumes": LIST_OF_OBJECTS,
        "extraVolumeMounts": LIST_OF_OBJECTS,
    }


def _closed(properties: Mapping[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    found = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**found, "required": list(required)} if required else found


def schema() -> dict[str, Any]:
    """Return the chart's schema of values."""
    known = special()
    root = _schema_of("", defaults(), known)
    assert not known, f"there are no such values: {sorted(known)}"
    # a chart above this one hands it on to every chart below
    root["properties"]["global"] = OBJECT
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart segue", **root}


def _schema_of(prefix: str, default: Any, known: dict[str, Any]) -> dict[str, Any]:
    path = prefix.removesuffix(".")
    if path in known:
        found: dict[str, Any] = known.pop(path)
        return found
    if isinstance(default, dict) and path not in OPAQUE:
        return _closed({key: _schema_of(f"{prefix}{key}.", each, known) for key, each in default.items()}, ())
    if path in OPAQUE:
        return dict(OBJECT)
    [kind] = [name for type_, name in _KINDS if type(default) is type_]
    return {"type": kind, **({"minimum": 0} if kind == "integer" else {})}


_KINDS: Final = ((bool, "boolean"), (int, "integer"), (str, "string"))


def schema_text() -> str:
    """Return the text of values.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def main() -> None:
    """Write the schema."""
    if SCHEMA.read_text(encoding="utf-8") != schema_text():
        SCHEMA.write_text(schema_text(), encoding="utf-8")
        sys.stdout.write(f"{SCHEMA.relative_to(ROOT)}: drawn\n")
