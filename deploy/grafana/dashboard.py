"""Dashboard: rows of panels with their variables and annotations, laid out and written as Grafana's JSON."""

import json
from typing import Any

import msgspec

from deploy.grafana.panel import SOURCE, Panel

SCHEMA_VERSION = 39  # of Grafana 11.1
GRID_WIDTH = 24
ROW_HEIGHT = 1
TAG = "engineroom"  # every dashboard links to all that have it


class Choice(msgspec.Struct, frozen=True):
    """A variable whose values are a label's: all of them until somebody chooses."""

    name: str
    title: str
    metric: str
    label: str

    def as_json(self) -> dict[str, Any]:
        query = f"label_values({self.metric}, {self.label})"
        return {
            "type": "query",
            "name": self.name,
            "label": self.title,
            "datasource": SOURCE,
            "definition": query,
            "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            "refresh": 2,  # whenever the time range changes
            "sort": 3,  # by number, so that gateway 10 comes after 9
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }


class Fixed(msgspec.Struct, frozen=True):
    """A variable with a value out of a few; the first holds until somebody chooses."""

    name: str
    title: str
    values: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        first = self.values[0]
        return {
            "type": "custom",
            "name": self.name,
            "label": self.title,
            "query": ",".join(self.values),
            "options": [{"text": one, "value": one, "selected": one == first} for one in self.values],
            "current": {"text": first, "value": first},
            "multi": False,
            "includeAll": False,
        }


class Mark(msgspec.Struct, frozen=True):
    """An annotation: a line across all charts wherever the expression has a value."""

    name: str
    expression: str
    colour: str
    text: str

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "datasource": SOURCE,
            "enable": True,
            "expr": self.expression,
            "iconColor": self.colour,
            "titleFormat": self.name,
            "textFormat": self.text,
            "step": "30s",
        }


class Row(msgspec.Struct, frozen=True):
    """Panels under a heading, left to right and top to bottom."""

    title: str
    panels: tuple[Panel, ...]


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """One dashboard. Its first row is its answer at a glance: figures, in one line of the screen."""

    name: str
    title: str
    description: str
    since: str = "now-6h"
    variables: tuple[Choice | Fixed, ...]
    marks: tuple[Mark, ...] = ()
    rows: tuple[Row, ...]

    @property
    def at_a_glance(self) -> tuple[Panel, ...]:
        return self.rows[0].panels

    def as_text(self) -> str:
        """The file that Grafana reads."""
        return json.dumps(self._as_json(), indent=1, ensure_ascii=False) + "\n"

    def _as_json(self) -> dict[str, Any]:
        return {
            "uid": f"engineroom-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,  # one moment under the cursor in all charts
            "timezone": "browser",
            "time": {"from": self.since, "to": "now"},
            "refresh": "30s",
            "links": [
                {
                    "type": "dashboards",
                    "title": "Engineroom",
                    "tags": [TAG],
                    "asDropdown": False,
                    "keepTime": True,
                    "includeVars": False,
                    "targetBlank": False,
                }
            ],
            "templating": {"list": [_source_variable(), *(one.as_json() for one in self.variables)]},
            "annotations": {"list": [mark.as_json() for mark in self.marks]},
            "panels": _laid_out(self.rows),
        }


def _source_variable() -> dict[str, Any]:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Prometheus",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},  # as it is provisioned
        "multi": False,
        "includeAll": False,
    }


def _laid_out(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """All panels with their numbers and places; a line of them is as high as its highest."""
    placed: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        heading = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        placed.append(_placed(heading, len(placed), 0, top, GRID_WIDTH, ROW_HEIGHT))
        top += ROW_HEIGHT
        left = highest = 0
        for panel in row.panels:
            if left + panel.width > GRID_WIDTH:
                left, top, highest = 0, top + highest, 0
            placed.append(_placed(panel.as_json(), len(placed), left, top, panel.width, panel.height))
            left += panel.width
            highest = max(highest, panel.height)
        top += highest
    return placed


def _placed(
    shown: dict[str, Any], before: int, left: int, top: int, width: int, height: int
) -> dict[str, Any]:
    return {"id": before + 1, "gridPos": {"x": left, "y": top, "w": width, "h": height}, **shown}
