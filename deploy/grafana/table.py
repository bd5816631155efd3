"""Table: a panel with a row for each set of labels and a column for each expression, merged by Grafana."""

import string
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.grafana.panel import COUNT, NEUTRAL, Panel, Query, Steps, override_of, thresholds_of


class Column(msgspec.Struct, frozen=True):
    """One figure of each row of a table. Its expression has the table's labels and no other."""

    title: str
    expression: str
    unit: str = COUNT
    decimals: int | None = None
    steps: Steps = NEUTRAL


def table(
    title: str,
    description: str,
    labels: Mapping[str, str],
    *columns: Column,
    sort_by: str,
    descending: bool = True,
    width: int = 24,
    height: int = 9,
) -> Panel:
    """A row for each set of labels, under the headings that `labels` gives them; sorted by one heading."""
    names = {
        "Value" if len(columns) == 1 else f"Value #{letter}": column.title
        for letter, column in zip(string.ascii_uppercase, columns, strict=False)
    }
    headings = {**labels, **names}
    organize = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate(headings)},
        "renameByName": headings,
    }
    return Panel(
        kind="table",
        title=title,
        description=description,
        queries=tuple(Query(column.expression) for column in columns),
        width=width,
        height=height,
        defaults={"custom": {"align": "auto", "filterable": True}},
        overrides=[_column_override(column) for column in columns],
        options={"showHeader": True, "sortBy": [{"displayName": sort_by, "desc": descending}]},
        transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": organize}],
    )


def _column_override(column: Column) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [{"id": "unit", "value": column.unit}]
    if column.decimals is not None:
        properties.append({"id": "decimals", "value": column.decimals})
    if column.steps is not NEUTRAL:
        properties += [
            {"id": "thresholds", "value": thresholds_of(column.steps)},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
            {"id": "color", "value": {"mode": "thresholds"}},
        ]
    return override_of(column.title, properties)
