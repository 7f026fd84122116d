"""What stands in deploy/prometheus and docs/runbooks, and Debian's Prometheus, which reads it.

`apt-get install prometheus` brings both programs; `.ci/run` does so. Tests that need them skip where they are absent.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULES: Final = PROMETHEUS / "rules" / "segue.rules.yaml"
CASES: Final = Path(__file__).parent / "alerts"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
RUNBOOK_URL: Final = "https://segue.example/docs/runbooks/"
"""What each runbook_url begins with: a name that stands for a copy of docs/runbooks."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus"
)


@dataclass(frozen=True)
class Alert:
    """One alert rule."""

    name: str
    group: str
    expr: str
    severity: str
    annotations: dict[str, str]


def read_yaml(path: Path) -> Any:
    """Read a YAML file."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def alerts() -> list[Alert]:
    """Return the alerts in the order of the file."""
    return [
        Alert(rule["alert"], group["name"], rule["expr"], rule["labels"]["severity"], rule["annotations"])
        for group in read_yaml(RULES)["groups"]
        for rule in group["rules"]
    ]


def runbook(name: str) -> str:
    """Return the text of an alert's runbook."""
    return (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")


def shell_lines(page: str) -> list[str]:
    """Return the lines of the page's shell blocks, those within lists too."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```$", page, re.DOTALL | re.MULTILINE)
    return [line.strip() for block in found for line in block.splitlines() if line.strip()]


def promtool(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run promtool to its end."""
    command: Sequence[str] = ["promtool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
