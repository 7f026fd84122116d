"""What docker-compose.yml's profile `observe` refers to is there: files, services, ports, folders in containers.

No Docker runs here. That the containers start was not tried.
"""

from pathlib import Path
from typing import Any

import pytest

from streams.settings import WORKER_METRICS_PORT
from tests.deploy.prometheus import PROMETHEUS, ROOT, needs_promtool, promtool, read_yaml

GRAFANA = ROOT / "deploy" / "grafana"


@pytest.fixture(scope="module")
def services() -> Any:
    return read_yaml(ROOT / "docker-compose.yml")["services"]


def mounted(service: Any) -> dict[str, Path]:
    """Return what a service sees of this folder: by the path within the container."""
    found = {}
    for volume in service["volumes"]:
        source, target, *mode = volume.split(":")
        if source.startswith("./"):
            assert mode == ["ro"], volume
            found[target] = ROOT / source
    return found


@needs_promtool
def test_the_configuration_of_prometheus_is_one() -> None:
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout


def test_the_profile_has_prometheus_and_grafana_and_no_other_service_has_one(services: Any) -> None:
    assert {name for name, service in services.items() if "profiles" in service} == {"prometheus", "grafana"}
    assert all(services[name]["profiles"] == ["observe"] for name in ("prometheus", "grafana"))


def test_prometheus_scrapes_the_workers_of_the_file_where_they_answer(services: Any) -> None:
    [scraped] = read_yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    [found] = scraped["dns_sd_configs"]
    assert all(name in services for name in found["names"])
    environment = services["worker"]["environment"]
    assert environment["SEGUE_METRICS_HOST"] == "0.0.0.0"
    assert found["port"] == WORKER_METRICS_PORT
    assert "SEGUE_METRICS_PORT" not in environment
    assert "ports" not in services["worker"]


def test_prometheus_finds_its_configuration_and_the_rules(services: Any) -> None:
    command = services["prometheus"]["command"]
    [path] = [each.partition("=")[2] for each in command if each.startswith("--config.file=")]
    folder, name = path.rsplit("/", 1)
    assert (mounted(services["prometheus"])[folder] / name).is_file()
    [pattern] = read_yaml(PROMETHEUS / "prometheus.yml")["rule_files"]
    assert [each.name for each in PROMETHEUS.glob(pattern)] == ["segue.rules.yaml"]


def test_grafana_finds_its_data_source_and_the_dashboards(services: Any) -> None:
    seen = mounted(services["grafana"])
    assert seen["/etc/grafana/provisioning"] == GRAFANA / "provisioning"
    [source] = read_yaml(GRAFANA / "provisioning" / "datasources" / "prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services
    assert source["jsonData"]["timeInterval"] == read_yaml(PROMETHEUS / "prometheus.yml")["global"]["scrape_interval"]
    [provider] = read_yaml(GRAFANA / "provisioning" / "dashboards" / "segue.yaml")["providers"]
    dashboards = seen[provider["options"]["path"]]
    assert len(list(dashboards.glob("*.json"))) == 2
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (dashboards / home.rsplit("/", 1)[1]).is_file()
