"""A dashboard as a table of rows and panels, and the JSON (the classic model) that Grafana reads.

In a query `{@}` stands for the selection by the variables `job` and `namespace`, `{@,more}` for that and more.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Kind = Literal["timeseries", "stat", "table", "bargauge"]
FOLDER: Final = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
COLUMNS: Final = 24
"""Grafana's grid."""
SELECTION: Final = 'job=~"$job",namespace=~"$namespace"'
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION: Final = 39
"""Of Grafana 11; later versions read it."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `steps`: from which value on it is yellow, and red."""

    title: str
    description: str
    unit: str
    """As Grafana names it: s, short, percentunit, reqps, bytes, bool_on_off, none."""
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    steps: tuple[float, float] | None = None
    width: int = 8
    height: int = 8
    stacked: bool = False
    at_least: float | None = 0
    """The lower end of the axis."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the head of a dashboard: values of a label."""

    name: str
    metric: str
    description: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    """By the title of the row."""

    @property
    def path(self) -> Path:
        """Where its JSON lies."""
        return FOLDER / f"{self.uid}.json"

    def panels(self) -> Iterator[Panel]:
        """Yield every panel in order."""
        for _, row in self.rows:
            yield from row

    def text(self) -> str:
        """Return its JSON."""
        return json.dumps(self._as_json(), indent=2, ensure_ascii=False) + "\n"

    def _as_json(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["segue"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": "now-1h", "to": "now"},
            "refresh": "30s",
            "annotations": {"list": []},
            "links": [
                {"type": "dashboards", "title": "Segue", "tags": ["segue"], "asDropdown": False, "keepTime": True}
            ],
            "templating": {"list": [_source(), *map(_variable, self.variables)]},
            "panels": list(_laid_out(self.rows)),
        }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "description": "The Prometheus that scrapes Segue.",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "refresh": 1,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.metric}, {variable.name})"
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "description": variable.description,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "values"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # also what has no such label
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _laid_out(rows: Sequence[tuple[str, Sequence[Panel]]]) -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for title, panels in rows:
        number += 1
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        y += 1
        x, height = 0, 0
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            number += 1
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            yield _panel(panel, number, place)
            x, height = x + panel.width, max(height, panel.height)
        y += height


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [_target(query, place_of, panel.kind) for place_of, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        **({"transformations": _OF_TABLE} if panel.kind == "table" else {}),
    }


def _target(query: Query, number: int, kind: Kind) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "datasource": SOURCE,
        "expr": query.expr.replace("{@", "{" + SELECTION),
        "legendFormat": query.legend or "__auto",
        "instant": kind != "timeseries",
        "range": kind == "timeseries",
        "format": "table" if kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "color": {"mode": "palette-classic"}}
    if panel.at_least is not None:
        defaults["min"] = panel.at_least
    if panel.steps is not None:
        yellow, red = panel.steps
        colours = [("green", None), ("yellow", yellow), ("red", red)]
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": colour, "value": value} for colour, value in colours],
        }
        if panel.kind != "timeseries":
            defaults["color"] = {"mode": "thresholds"}
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 30 if panel.stacked else 0,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if panel.steps else "off"},
        }
    return defaults


_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Final[dict[Kind, dict[str, Any]]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"], "sortBy": "Max"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": _LAST, "colorMode": "background", "graphMode": "none", "textMode": "auto"},
    "table": {"showHeader": True, "cellHeight": "sm"},
    "bargauge": {"reduceOptions": _LAST, "orientation": "horizontal", "displayMode": "basic"},
}
_OF_TABLE: Final = [{"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}]
