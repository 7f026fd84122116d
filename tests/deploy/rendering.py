"""Run helm on the chart, and hold what it renders to the schemas of Kubernetes and of the operators' own kinds.

schemas/ holds the kinds that Kubernetes does not have: of KEDA and of the Prometheus operator, from the files that each
project publishes. A name that a schema does not have is refused, as with `kubectl apply --validate=strict`.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
from ruamel.yaml import YAML

from streams.embedded.jars import cache_folder
from tests.deploy.values import CHART, ROOT

RELEASE: Final = "seg"
OLDEST: Final = "1.27"
"""The oldest Kubernetes that Chart.yaml allows; the newest is the newest that the schemas know."""
_SCHEMAS: Final = Path(__file__).parent / "schemas"


def helm() -> str | None:
    """Return where helm is: on the path, or where .ci/helm has put it. None: nowhere."""
    version = re.search(r"^VERSION=(\S+)", (ROOT / ".ci" / "helm").read_text(), re.MULTILINE)
    assert version is not None
    built = cache_folder() / f"helm-{version[1]}" / "helm"
    return shutil.which("helm") or (str(built) if os.access(built, os.X_OK) else None)


def run(*arguments: str, values: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
    """Run helm with these values, as JSON on standard input."""
    where = helm()
    assert where is not None
    # a helm that was built by itself takes the cluster for an old one
    command = [where, *arguments, "--kube-version", f"{OLDEST}.0", "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False, timeout=60)


def render(values: Mapping[str, Any], *options: str) -> list[dict[str, Any]]:
    """Return the objects that the chart makes of values, hooks too."""
    return deepcopy(_rendered(json.dumps(values), options))


@lru_cache
def _rendered(values: str, options: tuple[str, ...]) -> list[dict[str, Any]]:
    done = run("template", RELEASE, str(CHART), *options, values=json.loads(values))
    assert done.returncode == 0, done.stderr
    return [each for each in YAML(typ="safe", pure=True).load_all(done.stdout) if each]


def refusal(values: Mapping[str, Any]) -> str:
    """Return what helm says when the chart refuses values."""
    done = run("template", RELEASE, str(CHART), values=values)
    assert done.returncode != 0, "the chart took them"
    return done.stderr


def check(made: Mapping[str, Any]) -> None:
    """Raise an AssertionError where an object does not fit its schema, in the oldest and the newest Kubernetes."""
    name = f"{made['kind']} {made['metadata']['name']}"
    own = _SCHEMAS / f"{made['kind']}.json"
    try:
        if own.exists():
            known = json.loads(own.read_text())
            assert made["apiVersion"] == known["apiVersion"]
            jsonschema.validate(made, closed(known["schema"]))
            return
        for version in (OLDEST, kubernetes_validate.latest_version()):
            kubernetes_validate.validate(dict(made), version, strict=True)
    except jsonschema.ValidationError as wrong:
        raise AssertionError(f"{name}: {'.'.join(map(str, wrong.path))}: {wrong.message}") from None


def closed(schema: Any) -> Any:
    """Return the schema of a custom kind, taking no names but its own; `metadata` is Kubernetes' own."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(each) for key, each in schema.items()}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    if str(found.get("pattern")).startswith("^(?i)"):
        # Python takes such a flag at the beginning only
        found["pattern"] = "(?i)" + found["pattern"].replace("(?i)", "", 1)
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
    return found


def pods(made: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pod templates, each with kind and name of its owner."""
    for each in made:
        template = each.get("spec", {}).get("template")
        if template is not None:
            yield f"{each['kind']} {each['metadata']['name']}", template


def one(made: list[dict[str, Any]], kind: str, ending: str = "") -> dict[str, Any]:
    """Return the only object of a kind whose name ends so."""
    [found] = [each for each in made if each["kind"] == kind and each["metadata"]["name"].endswith(ending)]
    return found


def variables(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment of a pod's container: a value, or where it comes from."""
    [container] = template["spec"]["containers"]
    names = [each["name"] for each in container["env"]]
    assert len(set(names)) == len(names), f"set twice: {sorted(name for name in names if names.count(name) > 1)}"
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
