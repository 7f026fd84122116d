"""The Helm chart: what it renders is valid and safe, fits the code, and refuses mistakes in a sentence."""

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from ruamel.yaml import YAML

from streams.delivery.settings import DeliverySettings
from streams.partition.shared import UNWRITTEN_MIN
from streams.settings import Deployment, Settings
from streams.worker.worker import CLOSING_MS
from tests.deploy.rendering import check, helm, one, pods, refusal, render, run, variables
from tests.deploy.values import CHART, ROOT, SCHEMA, comments, defaults, schema_text, set_by_chart, values

MINIMAL: dict[str, Any] = {"kafka": {"bootstrapServers": "kafka:9092"}, "redis": {"url": "redis://valkey:6379/0"}}
SECURED: dict[str, Any] = {
    "kafka": {
        "bootstrapServers": "kafka:9093",
        "securityProtocol": "SASL_SSL",
        "tls": {"secret": "kafka-tls", "certificate": "tls.crt", "key": "tls.key", "keyPassword": "password"},
        "sasl": {"mechanism": "SCRAM-SHA-512", "username": "segue", "secret": "kafka-user"},
    },
    "redis": {
        "url": "rediss://valkey:6380/0",
        "username": "segue",
        "secret": "valkey-user",
        "tls": {"secret": "valkey-tls", "certificate": "tls.crt", "key": "tls.key", "keyPassword": "password"},
        "sentinel": {"addresses": "valkey:26379", "master": "segue", "username": "s", "secret": "valkey-sentinel"},
    },
}
EVERYTHING: dict[str, Any] = {
    **SECURED,
    "image": {"repository": "registry.example/segue", "digest": f"sha256:{'0' * 64}", "pullSecrets": ["registry"]},
    "deployment": {"partitions": 32, "topics": {"events_topic": "crm.events"}},
    "settings": {"checkpoint_every_ms": 500, "log_level": "debug", "bad_input_share_max": 0.1},
    "erasure": {"secret": "erasure"},
    "assignmentKeys": [{"setting": "SEGUE_ASSIGNMENT_KEY_2026", "secret": "assignment", "key": "key"}],
    "worker": {"replicas": 4, "stopDeadlineMs": 20_500, "podAnnotations": {"a": "b"}, "nodeSelector": {"disk": "ssd"}},
    "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 100},
    "deliverers": {
        "email": {"url": "https://crm.example/hooks", "secret": "crm", "replicas": 2, "settings": {"concurrency": 8}},
        "field_visits": {"url": "https://rest.example", "shape": "braze", "secret": "braze", "secretKey": "api-key"},
    },
    "serviceAccount": {"annotations": {"role": "segue"}},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True},
    "extraEnv": [{"name": "AWS_REGION", "value": "eu-west-1"}],
}
TOKENS: dict[str, Any] = {
    **MINIMAL,
    "kafka": {
        "bootstrapServers": "kafka:9093",
        "securityProtocol": "SASL_SSL",
        "sasl": {"mechanism": "OAUTHBEARER", "oauthbearer": {"serviceAccountAudience": "kafka"}},
    },
    "serviceAccount": {"create": False, "name": "ours"},
}
CLIENT: dict[str, Any] = {
    **MINIMAL,
    "kafka": {
        "bootstrapServers": "kafka:9093",
        "securityProtocol": "SASL_SSL",
        "sasl": {
            "mechanism": "OAUTHBEARER",
            "secret": "kafka-client",
            "oauthbearer": {"tokenEndpointUrl": "https://idp.example/token", "clientId": "segue", "scope": "kafka"},
        },
    },
    "autoscaling": {"enabled": True},
}
SETS = {"minimal": MINIMAL, "secured": SECURED, "everything": EVERYTHING, "tokens": TOKENS, "client": CLIENT}
needs_helm = pytest.mark.skipif(helm() is None, reason="helm is not here: .ci/helm builds it")


def variant(base: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return values with one of them changed or added."""
    changed = deepcopy(dict(base))
    *parents, last = path.split(".")
    inner = changed
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return changed


# --- the files say the same


def test_the_schema_of_values_is_up_to_date() -> None:
    assert schema_text() == SCHEMA.read_text(encoding="utf-8"), "run `python -m tests.docs.draw`"


def test_every_value_says_what_it_means() -> None:
    assert [each.path for each in values() if not each.means] == []
    assert {each.path for each in values()} <= set(comments())


def test_the_chart_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = dict(re.findall(r"^(\w+): \"?([\w.]+)\"?$", (CHART / "Chart.yaml").read_text(), re.MULTILINE))
    assert (told["version"], told["appVersion"]) == (version, version)


def test_the_settings_that_the_chart_sets_by_itself_exist() -> None:
    known = {*Settings.model_fields, *Deployment.model_fields}
    known |= {f"deliver_{name}" for name in DeliverySettings.model_fields}
    assert set_by_chart() - known == set()
    assert {"kafka_sasl_password_file", "redis_url", "group_instance_id"} <= set_by_chart()


def test_what_a_worker_keeps_fits_into_the_memory_that_it_is_given() -> None:
    """As many profiles may wait to be written as are kept, 13 kB each (docs/operations/scaling.md)."""
    worker = defaults()["worker"]
    [[number, unit]] = re.findall(r"^(\d+)(Gi|Mi)$", worker["resources"]["limits"]["memory"])
    limit = int(number) << {"Gi": 30, "Mi": 20}[unit]
    kept = worker["profilesCachedMax"]
    assert 110e6 + (kept + max(kept, UNWRITTEN_MIN)) * 13_000 < 0.9 * limit


def test_rules_and_dashboards_are_those_of_deploy_and_no_copies() -> None:
    linked = {path.name: path.resolve() for path in (CHART / "files").iterdir() if path.is_symlink()}
    assert linked == {
        "segue.rules.yaml": ROOT / "deploy" / "prometheus" / "rules" / "segue.rules.yaml",
        "dashboards": ROOT / "deploy" / "grafana" / "dashboards",
    }
    assert len(list((CHART / "files").iterdir())) == len(linked)


# --- what is rendered


@needs_helm
@pytest.mark.parametrize("name", SETS)
def test_helm_finds_nothing_to_say(name: str) -> None:
    done = run("lint", "--strict", str(CHART), values=SETS[name])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@needs_helm
@pytest.mark.parametrize("name", SETS)
def test_every_object_fits_its_schema(name: str) -> None:
    made = render(SETS[name])
    for each in made:
        check(each)
    assert len({(each["kind"], each["metadata"]["name"]) for each in made}) == len(made)


@needs_helm
def test_everything_holds_every_kind() -> None:
    assert {each["kind"] for each in render(EVERYTHING)} == {
        *("ConfigMap", "Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule"),
        *("ScaledObject", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet", "TriggerAuthentication"),
    }
    kinds = {each["kind"] for each in render(MINIMAL)}
    assert kinds == {"Job", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"}


@needs_helm
@pytest.mark.parametrize("name", SETS)
def test_pods_run_under_the_restricted_standard(name: str) -> None:
    for owner, template in pods(render(SETS[name])):
        spec = template["spec"]
        dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
        [user] = set(re.findall(r"^USER (\d+):", dockerfile, re.MULTILINE))
        assert spec["securityContext"]["runAsUser"] == int(user), owner
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, owner
        assert spec["automountServiceAccountToken"] is False, owner
        [container] = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }, owner
        assert "memory" in container["resources"]["limits"], owner
        volumes = {each["name"] for each in spec["volumes"]}
        assert {each["name"] for each in container["volumeMounts"]} == volumes, owner
        assert {key for each in spec["volumes"] for key in each} <= {"name", "emptyDir", "secret", "projected"}, owner


@needs_helm
@pytest.mark.parametrize("name", SETS)
def test_a_container_gets_settings_that_exist_with_values_that_they_take(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models = (Deployment, Settings, DeliverySettings)
    known = {
        f"{model.model_config['env_prefix']}{field.upper()}" for model in models for field in model.model_fields
    } | {each["setting"] for each in EVERYTHING["assignmentKeys"]}
    secret = tmp_path / "secret"
    secret.write_text("synthetic secret of 32 characters, or more")
    for owner, template in pods(render(SETS[name])):
        told = {key: value for key, value in variables(template).items() if key.startswith("SEGUE_")}
        assert told.keys() <= known, owner
        mounts = {each["mountPath"] for each in template["spec"]["containers"][0]["volumeMounts"]}
        for setting in known:
            monkeypatch.delenv(setting, raising=False)
        for setting, value in told.items():
            if isinstance(value, str) and value.startswith("/etc/segue/"):
                assert value.rpartition("/")[0] in mounts, owner
                monkeypatch.setenv(setting, str(secret))
            elif isinstance(value, str):
                monkeypatch.setenv(setting, value)
        for model in models:
            model()


@needs_helm
def test_every_mounted_file_is_one_of_the_volumes_items() -> None:
    for owner, template in pods(render(EVERYTHING)):
        paths = {
            f"/etc/segue/{volume['name']}/{item['path']}"
            for volume in template["spec"]["volumes"]
            for item in volume.get("secret", {}).get("items", ())
        }
        files = {str(value) for value in variables(template).values() if str(value).startswith("/etc/segue/")}
        assert files == paths, owner


@needs_helm
def test_no_secret_stands_in_an_object() -> None:
    made = render(EVERYTHING)
    assert [each for each in made if each["kind"] == "Secret"] == []
    for _, template in pods(made):
        for name, value in variables(template).items():
            if re.search(r"PASSWORD|SECRET|API_KEY|ASSIGNMENT_KEY", name):
                assert isinstance(value, dict) or name.endswith("_FILE"), name


@needs_helm
@pytest.mark.parametrize("name", SETS)
def test_a_pod_is_given_longer_to_stop_than_its_process_takes(name: str) -> None:
    for owner, template in pods(render(SETS[name])):
        if not owner.startswith("Job"):
            deadline_ms = int(variables(template)["SEGUE_STOP_DEADLINE_MS"])
            grace_ms = template["spec"]["terminationGracePeriodSeconds"] * 1_000
            assert grace_ms >= deadline_ms + 2 * CLOSING_MS + 5_000, owner


@needs_helm
def test_workers_join_under_their_pods_names_and_answer_probes_where_they_listen() -> None:
    made = render(MINIMAL)
    worker = one(made, "StatefulSet")
    found = variables(worker["spec"]["template"])
    assert found["SEGUE_GROUP_INSTANCE_ID"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    [container] = worker["spec"]["template"]["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert found["SEGUE_WEB_HOST"] == "0.0.0.0"
    assert str(ports["web"]) == found["SEGUE_WEB_PORT"]
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: each["path"] for name, each in asked.items()} == {
        "startup": "/live",
        "liveness": "/live",
        "readiness": "/ready",
    }
    assert {each["port"] for each in asked.values()} == {"web"}
    service = one(made, "Service", "-worker")
    assert worker["spec"]["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["selector"].items() <= worker["spec"]["template"]["metadata"]["labels"].items()
    loose = one(render(variant(MINIMAL, "worker.fixedNames", False)), "StatefulSet")
    assert "SEGUE_GROUP_INSTANCE_ID" not in variables(loose["spec"]["template"])


@needs_helm
def test_the_hook_runs_before_the_rest_and_needs_nothing_of_it() -> None:
    made = render(EVERYTHING)
    job = one(made, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["topics"]
    own = [each for each in made if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    assert {each["kind"] for each in own} == {"Job", "NetworkPolicy", "ServiceAccount"}
    account = job["spec"]["template"]["spec"]["serviceAccountName"]
    assert account in {each["metadata"]["name"] for each in own if each["kind"] == "ServiceAccount"}
    assert [each for each in own if each["metadata"]["annotations"]["helm.sh/hook-weight"] >= "0"] == [job]
    # an account of your own is there before
    assert one(render(TOKENS), "Job")["spec"]["template"]["spec"]["serviceAccountName"] == "ours"


def _open_ports(values: dict[str, Any], component: str) -> set[int]:
    policy = one(render(variant(values, "networkPolicy.enabled", True)), "NetworkPolicy", f"-{component}")
    return {each["port"] for rule in policy["spec"]["egress"] for each in rule["ports"]}


@needs_helm
def test_a_closed_pod_reaches_the_sentinels_and_the_collector_that_it_was_told_of_and_no_others() -> None:
    sentinels = variant(MINIMAL, "redis.sentinel", {"addresses": "one:26379,two:26379", "master": "segue"})
    spans = variant(MINIMAL, "settings.otel", True)
    assert _open_ports(MINIMAL, "worker") == {53, 9092, 6379, 443}
    assert _open_ports(sentinels, "worker") == {53, 9092, 6379, 443, 26379}
    assert _open_ports(sentinels, "topics") == {53, 9092, 6379, 443, 26379}
    assert _open_ports(spans, "worker") == {53, 9092, 6379, 443, 4318}
    assert _open_ports(spans, "topics") == {53, 9092, 6379, 443}
    assert _open_ports(variant(spans, "settings.otel", False), "worker") == {53, 9092, 6379, 443}


@needs_helm
def test_the_scaler_asks_for_no_more_workers_than_there_are_partitions_and_never_for_none() -> None:
    made = render(EVERYTHING)
    spec = one(made, "ScaledObject")["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 32)
    assert "replicas" not in one(made, "StatefulSet")["spec"]
    assert spec["scaleTargetRef"]["name"] == one(made, "StatefulSet")["metadata"]["name"]
    [trigger] = spec["triggers"]
    found = variables(one(made, "StatefulSet")["spec"]["template"])
    assert trigger["metadata"]["topic"] == found["SEGUE_EVENTS_TOPIC"] == "crm.events"
    assert trigger["metadata"]["consumerGroup"] == found["SEGUE_GROUP"]
    assert trigger["metadata"]["excludePersistentLag"] == "true"
    assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("scram_sha512", "enable")
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= 1_800
    references = one(made, "TriggerAuthentication")["spec"]["secretTargetRef"]
    assert {each["parameter"] for each in references} == {"ca", "cert", "key", "keyPassword", "password"}
    for values_ in (EVERYTHING, CLIENT):
        made = render(values_)
        told = variables(one(made, "StatefulSet")["spec"]["template"])
        read = one(made, "TriggerAuthentication")["spec"]["env"]
        assert "username" in {each["parameter"] for each in read}
        assert {each["name"] for each in read} <= told.keys()


@needs_helm
def test_rules_and_dashboards_come_out_as_deploy_has_them() -> None:
    rules = YAML(typ="safe", pure=True).load(
        (ROOT / "deploy" / "prometheus" / "rules" / "segue.rules.yaml").read_text()
    )
    assert one(render(EVERYTHING), "PrometheusRule")["spec"] == rules
    shown = {
        name: text for made in render(EVERYTHING) if made["kind"] == "ConfigMap" for name, text in made["data"].items()
    }
    there = (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")
    assert shown == {path.name: path.read_text(encoding="utf-8") for path in there}
    assert shown
    assert "relabelings" not in one(render(EVERYTHING), "ServiceMonitor")["spec"]["endpoints"][0]
    renamed = one(render(variant(EVERYTHING, "fullnameOverride", "audiences")), "ServiceMonitor")
    assert renamed["spec"]["endpoints"][0]["relabelings"][0]["replacement"] == "segue-$1"


@needs_helm
def test_a_deliverer_runs_its_channel_with_its_own_credentials() -> None:
    made = render(EVERYTHING)
    email, visits = one(made, "Deployment", "-email"), one(made, "Deployment", "-field-visits")
    assert email["spec"]["template"]["spec"]["containers"][0]["args"] == ["deliver", "email"]
    assert visits["spec"]["template"]["spec"]["containers"][0]["args"] == ["deliver", "field_visits"]
    assert variables(email["spec"]["template"])["SEGUE_DELIVER_SECRETS"]["secretKeyRef"]["name"] == "crm"
    assert variables(visits["spec"]["template"])["SEGUE_DELIVER_API_KEY"]["secretKeyRef"]["key"] == "api-key"
    assert variables(email["spec"]["template"])["SEGUE_DELIVER_CONCURRENCY"] == "8"
    for each in (email, visits):
        chosen = each["spec"]["selector"]["matchLabels"].items()
        others = [
            template["metadata"]["labels"]
            for owner, template in pods(made)
            if owner.rpartition(" ")[2] != each["metadata"]["name"]
        ]
        assert not any(chosen <= labels.items() for labels in others)


PAGES = (CHART / "README.md", ROOT / "docs" / "operations" / "kubernetes.md")


@needs_helm
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_values_that_a_page_shows_render(page: Path) -> None:
    [shown] = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    made = render(YAML(typ="safe", pure=True).load(dedent(shown)))
    for each in made:
        check(each)
    assert one(made, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["image"].startswith(
        "registry.example/"
    )


# --- mistakes


@needs_helm
@pytest.mark.parametrize(
    ("base", "path", "value", "said"),
    [
        (MINIMAL, "worker.replica", 2, "at '/worker': additional properties 'replica' not allowed"),
        (MINIMAL, "settings.chekpoint_every_ms", 1, "additional properties 'chekpoint_every_ms' not allowed"),
        (MINIMAL, "settings.checkpoint_every_ms", 1, "minimum: got 1, want 10"),
        (MINIMAL, "settings.kafka_sasl_password", "x", "additional properties 'kafka_sasl_password' not allowed"),
        (MINIMAL, "deployment.topics.event_topic", "x", "additional properties 'event_topic' not allowed"),
        (MINIMAL, "redis.url", "redis://user:word@valkey:6379/0", "at '/redis/url'"),
        (MINIMAL, "deliverers.email", {}, "missing property 'url'"),
        (MINIMAL, "worker.replicas", 0, "minimum: got 0, want 1"),
        (EVERYTHING, "autoscaling.minReplicas", 0, "minimum: got 0, want 1"),
        (MINIMAL, "worker.replicas", 9, "more than deployment.partitions (8) would have no work"),
        (MINIMAL, "kafka.bootstrapServers", "", "set it to your brokers"),
        (MINIMAL, "redis.url", "", "set it to your Redis or Valkey"),
        (MINIMAL, "kafka.tls.secret", "x", "kafka.securityProtocol is PLAINTEXT: set it to SSL or SASL_SSL"),
        (MINIMAL, "kafka.securityProtocol", "SASL_SSL", "set kafka.sasl.mechanism"),
        (SECURED, "kafka.sasl.username", "", "set kafka.sasl.username"),
        (SECURED, "redis.sentinel.master", "", "set redis.sentinel.master"),
        (TOKENS, "autoscaling.enabled", True, "KEDA cannot log in with the token"),
        (SECURED, "kafka.sasl.mechanism", "AWS_MSK_IAM", "set kafka.sasl.awsRegion"),
    ],
)
def test_a_mistake_is_refused_in_a_sentence(base: Mapping[str, Any], path: str, value: Any, said: str) -> None:
    told = refusal(variant(base, path, value))
    assert said in told, told
