"""The dashboards that Grafana reads are those of the tables, whole and well-formed; every query of them parses."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.dashboards.__main__ import DASHBOARDS
from tests.deploy.dashboards.panels import COLUMNS, FOLDER, Dashboard
from tests.deploy.prometheus import needs_promtool, promtool

UNITS = {"s", "short", "none", "percentunit", "cps", "reqps", "bytes"}
EACH = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)


def queries() -> Iterator[tuple[str, str]]:
    """Yield every query as Prometheus gets it, with its panel: variables are put in as Grafana does for "All"."""
    for path in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.stem}: {panel['title']}", filled_in(target["expr"])


def filled_in(expr: str) -> str:
    """Put values in place of variables."""
    for name in ("job", "namespace", "channel", "segment"):
        expr = expr.replace(f'"${name}"', '".*"')
    return expr.replace("$__rate_interval", "1m")


def read(dashboard: Dashboard) -> Any:
    """Read the file of a dashboard."""
    return json.loads(dashboard.path.read_text(encoding="utf-8"))


@EACH
def test_the_file_is_what_the_tables_make(dashboard: Dashboard) -> None:
    assert dashboard.path.read_text(encoding="utf-8") == dashboard.text(), "python -m tests.deploy.dashboards"


def test_there_are_no_other_files_and_no_uid_twice() -> None:
    assert sorted(FOLDER.glob("*")) == sorted(dashboard.path for dashboard in DASHBOARDS)
    assert [dashboard.uid for dashboard in DASHBOARDS] == ["segue-flow", "segue-audiences"]


@EACH
def test_a_dashboard_asks_for_its_data_source_once(dashboard: Dashboard) -> None:
    found = read(dashboard)
    source, *others = found["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    asked = [each["datasource"]["uid"] for each in others]
    asked += [panel["datasource"]["uid"] for panel in found["panels"] if panel["type"] != "row"]
    asked += [target["datasource"]["uid"] for panel in found["panels"] for target in panel.get("targets", [])]
    assert set(asked) == {"${datasource}"}
    named = {f"${each['name']}" for each in others}
    used = {name for name in ("$job", "$namespace", "$channel", "$segment") if name in dashboard.path.read_text()}
    assert used == named


@EACH
def test_every_panel_says_what_it_shows_and_in_which_unit(dashboard: Dashboard) -> None:
    panels = [panel for panel in read(dashboard)["panels"] if panel["type"] != "row"]
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"], panel["title"]
        several = len(panel["targets"]) > 1
        assert all(target["legendFormat"] != "__auto" for target in panel["targets"]) or not several, panel["title"]


@EACH
def test_panels_lie_side_by_side_and_have_numbers_of_their_own(dashboard: Dashboard) -> None:
    panels = read(dashboard)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= COLUMNS
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@needs_promtool
def test_every_query_parses(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": expr} for number, (_, expr) in enumerate(queries())]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", "--lint=none", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout
