"""Every alert has its texts, unit tests in which it fires and does not, and a runbook whose commands exist."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from tests.deploy.prometheus import (
    CASES,
    ROOT,
    RULES,
    RUNBOOK_URL,
    RUNBOOKS,
    Alert,
    alerts,
    needs_promtool,
    promtool,
    read_yaml,
    runbook,
    shell_lines,
)

ALERTS = alerts()
NAMES = [alert.name for alert in ALERTS]
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Is a restart safe?"]
TOOLS = {
    "curl",
    "redis-cli",
    "kafka-configs.sh",
    "kafka-topics.sh",
    "kafka-consumer-groups.sh",
    "kafka-transactions.sh",
}
"""Commands of runbooks that are not Segue's: of Apache Kafka, of Redis, and curl."""


@needs_promtool
def test_the_rules_are_rules() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


@needs_promtool
def test_every_alert_does_what_its_cases_say() -> None:
    done = promtool("test", "rules", *sorted(CASES.glob("*.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_a_case_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    """Otherwise the test above would show nothing."""
    text = (CASES / "SegueInputLag.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("../../../deploy", f"{ROOT}/deploy").replace("100x10", "50x10"), encoding="utf-8")
    done = promtool("test", "rules", wrong)
    assert done.returncode == 1
    assert "alertname: SegueInputLag" in done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_cases_in_which_it_fires_and_does_not(name: str) -> None:
    fires, quiet = 0, 0
    for case in read_yaml(CASES / f"{name}.yaml")["tests"]:
        expected = [test for test in case["alert_rule_test"] if test["alertname"] == name]
        assert expected, case["name"]
        fires += any(test["exp_alerts"] for test in expected)
        # a case of its own: an alert that is only late to come is no alert that does not fire
        quiet += not any(test["exp_alerts"] for test in expected)
    assert fires
    assert quiet


def test_every_file_belongs_to_an_alert() -> None:
    assert sorted(path.stem for path in CASES.glob("*.yaml")) == sorted(NAMES)
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md") if path.name != "README.md") == sorted(NAMES)


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_every_alert_says_what_it_is_and_where_its_runbook_is(alert: Alert) -> None:
    assert re.fullmatch(r"Segue([A-Z][a-z]+)+", alert.name)
    assert alert.severity in {"critical", "warning"}
    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
    assert len(alert.annotations["summary"]) <= 80
    assert alert.annotations["description"].endswith(".")
    assert alert.annotations["runbook_url"] == f"{RUNBOOK_URL}{alert.name}.md"


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_every_runbook_has_the_five_parts(alert: Alert) -> None:
    text = runbook(alert.name)
    assert text.startswith(f"# {alert.name}\n\nSeverity: {alert.severity}, ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert f"[{alert.name}]({alert.name}.md) | {alert.severity} |" in (RUNBOOKS / "README.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_a_runbook_exists(name: str) -> None:
    for line in shell_lines(runbook(name)):
        program, *arguments = line.partition("#")[0].split()
        if program != "segue":
            assert program in TOOLS, line
            continue
        done = CliRunner().invoke(app, [arguments[0], "--help"])
        assert done.exit_code == 0, line
        for option in (each for each in arguments if each.startswith("--")):
            assert option in done.output, line
