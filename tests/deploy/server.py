"""Debian's Prometheus as a server of a test: it scrapes what it is told to every half second, and evaluates the rules.

In the copy of the rules that it loads every `for` is one second, or a test would take minutes. Everything else, the
windows within the expressions too, is as in deploy/prometheus.
"""

import json
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from streams.embedded.server import LOOPBACK, Server
from tests.deploy.prometheus import RULES

STEP: Final = "500ms"
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed: apt-get install prometheus"
)


class PrometheusServer(Server):
    """Prometheus with its folder. `jobs`: ports on loopback by the name of their job."""

    name = "Prometheus"
    started = b"Server is ready to receive web requests"

    def __init__(self, jobs: Mapping[str, Sequence[int]], *, remove: Path | None = None) -> None:
        super().__init__(remove=remove)
        self._jobs = jobs

    def _command(self) -> Sequence[str]:
        rules = re.sub(r"^( +for:) .*$", r"\1 1s", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (self.folder / "segue.rules.yaml").write_text(rules, encoding="utf-8")
        config = {
            "global": {"scrape_interval": STEP, "scrape_timeout": STEP, "evaluation_interval": STEP},
            "rule_files": ["segue.rules.yaml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}" for port in ports]}]}
                for job, ports in self._jobs.items()
            ],
        }
        path = self.folder / "prometheus.yml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return [
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return what an expression gives now: the vector of the answer. AssertionError: it was refused."""
        asked = urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/api/v1/query?{asked}", timeout=5) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expr}: {error.read().decode()}") from error
        assert found["data"]["resultType"] == "vector", expr
        vector: list[dict[str, Any]] = found["data"]["result"]
        return vector

    def firing(self) -> dict[str, list[dict[str, str]]]:
        """Return the labels of the alerts that fire now, by their name."""
        found: dict[str, list[dict[str, str]]] = {}
        for each in self.query('ALERTS{alertstate="firing"}'):
            found.setdefault(each["metric"]["alertname"], []).append(each["metric"])
        return found

    def up(self) -> int:
        """Return how many targets answer."""
        return sum(each["value"][1] == "1" for each in self.query("up"))
