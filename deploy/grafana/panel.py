"""Panel: what one panel of a dashboard shows, and its JSON for Grafana 11; it knows nothing of its place.

The kinds are those that the three dashboards use: a figure, lines, bars, states over time, a table. Units are
Grafana's own ids.
"""

import string
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HASHES_PER_SECOND = "Hs"  # shown as kH/s, TH/s …
SECONDS = "s"
BYTES = "bytes"
RATIO = "percentunit"
COUNT = "short"
PLAIN = "none"  # coins and currencies: their names are the settings'
PER_SECOND = "ops"
WATTS = "watt"
HASHES = "sci"
FROM_NOW = "dateTimeFromNow"  # of milliseconds
UNITS = (
    *(HASHES_PER_SECOND, SECONDS, BYTES, RATIO, COUNT, PLAIN, PER_SECOND, WATTS),
    *(HASHES, FROM_NOW),
)

Steps = tuple[tuple[float | None, str], ...]  # from which value on which colour; the first from nowhere on
NEUTRAL: Steps = ((None, "text"),)


def worse_above(warning: float, bad: float) -> Steps:
    return ((None, "green"), (warning, "orange"), (bad, "red"))


def worse_below(bad: float, warning: float) -> Steps:
    return ((None, "red"), (bad, "orange"), (warning, "green"))


def bad_from(value: float) -> Steps:
    return ((None, "green"), (value, "red"))


def good_from(value: float) -> Steps:
    return ((None, "red"), (value, "green"))


class Query(msgspec.Struct, frozen=True):
    """PromQL, and what its lines are called: {{label}} stands for a label's value."""

    expression: str
    legend: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """`width` is in Grafana's grid, 24 to the screen; `height` in its units of some 38 pixels."""

    kind: str
    title: str
    description: str
    queries: tuple[Query, ...]
    width: int
    height: int
    defaults: dict[str, Any]
    overrides: list[dict[str, Any]] = []
    options: dict[str, Any]
    transformations: list[dict[str, Any]] = []

    def as_json(self) -> dict[str, Any]:
        """Everything but its id and its place."""
        shown: dict[str, Any] = {
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "targets": [self._target(query, letter) for query, letter in self._lettered()],
            "fieldConfig": {"defaults": self.defaults, "overrides": self.overrides},
            "options": self.options,
        }
        return {**shown, "transformations": self.transformations} if self.transformations else shown

    def _lettered(self) -> Sequence[tuple[Query, str]]:
        return list(zip(self.queries, string.ascii_uppercase, strict=False))

    def _target(self, query: Query, letter: str) -> dict[str, Any]:
        is_table = self.kind == "table"
        return {
            "refId": letter,
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": query.expression,
            "legendFormat": query.legend or "__auto",
            "format": "table" if is_table else "time_series",
            "instant": is_table,
            "range": not is_table,
        }


def figure(
    title: str,
    description: str,
    *queries: Query | str,
    unit: str = COUNT,
    decimals: int | None = None,
    steps: Steps = NEUTRAL,
    names: Mapping[int, tuple[str, str]] | None = None,
    width: int = 3,
    height: int = 4,
) -> Panel:
    """The newest value, large, over its course. `names` are words and colours in place of values."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none" if names else "area",
        "textMode": "auto",
    }
    return Panel(
        kind="stat",
        title=title,
        description=description,
        queries=_queries(queries),
        width=width,
        height=height,
        defaults=_defaults(unit, decimals, steps) | {"mappings": _mappings(names or {})},
        options=options,
    )


def lines(
    title: str,
    description: str,
    *queries: Query | str,
    unit: str = COUNT,
    decimals: int | None = None,
    steps: Steps = NEUTRAL,
    stacked: bool = False,
    band: tuple[str, str] | None = None,
    width: int = 8,
    height: int = 8,
) -> Panel:
    """Values over time. `band` names the legends of the lower and the upper edge of what is filled."""
    custom = {
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 5,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off" if steps is NEUTRAL else "dashed"},
    }
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        queries=_queries(queries),
        width=width,
        height=height,
        defaults=_defaults(unit, decimals, steps) | {"custom": custom, "color": {"mode": "palette-classic"}},
        overrides=_band(*band) if band else [],
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def bars(title: str, description: str, query: Query, *, width: int = 6, height: int = 8) -> Panel:
    """The newest values side by side, named by their legends."""
    return Panel(
        kind="bargauge",
        title=title,
        description=description,
        queries=(query,),
        width=width,
        height=height,
        defaults=_defaults(COUNT, 0, NEUTRAL) | {"min": 0},
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "orientation": "horizontal",
            "displayMode": "basic",
            "showUnfilled": True,
        },
    )


def states(
    title: str, description: str, *queries: Query, good: int, width: int = 12, height: int = 8
) -> Panel:
    """Zeros and ones as coloured bars over time; `good` says which of them is green."""
    names = {good: ("", "green"), 1 - good: ("", "red")}
    return Panel(
        kind="state-timeline",
        title=title,
        description=description,
        queries=queries,
        width=width,
        height=height,
        defaults=_defaults(COUNT, 0, NEUTRAL)
        | {"mappings": _mappings(names), "custom": {"fillOpacity": 70, "lineWidth": 0}},
        options={
            "mergeValues": True,
            "showValue": "never",
            "rowHeight": 0.8,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def _queries(given: Sequence[Query | str]) -> tuple[Query, ...]:
    return tuple(Query(one) if isinstance(one, str) else one for one in given)


def _defaults(unit: str, decimals: int | None, steps: Steps) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": unit,
        "color": {"mode": "thresholds"},
        "thresholds": thresholds_of(steps),
    }
    return defaults if decimals is None else {**defaults, "decimals": decimals}


def thresholds_of(steps: Steps) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def _mappings(names: Mapping[int, tuple[str, str]]) -> list[dict[str, Any]]:
    options = {
        str(value): {"text": text, "color": colour, "index": place}
        if text
        else {"color": colour, "index": place}
        for place, (value, (text, colour)) in enumerate(names.items())
    }
    return [{"type": "value", "options": options}] if options else []


def _band(lower: str, upper: str) -> list[dict[str, Any]]:
    edge: dict[str, Any] = {"id": "custom.lineWidth", "value": 0}
    colour: dict[str, Any] = {"id": "color", "value": {"mode": "fixed", "fixedColor": "semi-dark-blue"}}
    bare: dict[str, Any] = {"id": "custom.fillOpacity", "value": 0}
    filled: list[dict[str, Any]] = [
        {"id": "custom.fillBelowTo", "value": lower},
        {"id": "custom.fillOpacity", "value": 20},
    ]
    return [override_of(lower, [edge, colour, bare]), override_of(upper, [edge, colour, *filled])]


def override_of(name: str, properties: list[dict[str, Any]]) -> dict[str, Any]:
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}
