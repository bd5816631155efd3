"""The PromQL in Grafana dashboards: of panels, variables and annotations, their variables filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.promql import Expression

# $1 and ${1} are no variables: label_replace means a group of its pattern by them
VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?::\w+)?\}|\$([A-Za-z_]\w*)")
BUILT_IN = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__interval_ms": "60000",
    "__range": "1h",
    "__range_s": "3600",
    "__range_ms": "3600000",
}
STRING = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)""")
DURATION = re.compile(r"\[[^\]]*\]|\boffset\s+-?\$\{?\w+\}?")
LABEL_VALUES = re.compile(r"label_values\((?:(?P<selector>.+),\s*)?\s*(?P<label>\w+)\s*\)", re.DOTALL)
QUERY_RESULT = re.compile(r"query_result\((?P<expression>.+)\)", re.DOTALL)
NO_EXPRESSION = re.compile(r"label_names\(.*\)|metrics\(.*\)", re.DOTALL)


def dashboard_expressions(path: Path, values: Mapping[str, str] | None = None) -> list[Expression]:
    """All PromQL of one dashboard, ready for Prometheus.

    A variable stands for what `values` says; else for `.*` in a string, 5m as a duration, 1 elsewhere.
    """
    dashboard = json.loads(path.read_text())
    found = [
        *_of_panels(dashboard["panels"]),
        *_of_variables(dashboard.get("templating", {}).get("list", [])),
        *_of_annotations(dashboard.get("annotations", {}).get("list", [])),
    ]
    return [Expression(f"{path.name}: {where}", fill_in(text, values or {})) for where, text in found]


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """The text without variables; which value stands in is a matter of where the variable stands."""
    parts = STRING.split(text)  # every second one is a string
    filled = []
    for number, part in enumerate(parts):
        if number % 2:
            filled.append(_replace(part, ".*", values))
            continue
        durations = DURATION.sub(lambda match: _replace(match[0], "5m", values), part)
        filled.append(_replace(durations, "1", values))
    return "".join(filled)


def _replace(text: str, otherwise: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return values.get(name, BUILT_IN.get(name, otherwise))

    return VARIABLE.sub(value, text)


def _of_panels(panels: list[dict[str, Any]], above: str = "") -> Iterator[tuple[str, str]]:
    for panel in panels:
        where = f"{above}{panel.get('title') or panel['type']}"
        for target in panel.get("targets", []):
            if target.get("expr"):
                yield f"{where}, query {target['refId']}", target["expr"]
        yield from _of_panels(panel.get("panels", []), f"{where} / ")  # of a row that is folded


def _of_variables(variables: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for variable in variables:
        if variable["type"] != "query":
            continue
        query = variable["query"]
        text = query if isinstance(query, str) else query["query"]
        for expression in _of_variable_query(text.strip()):
            yield f"variable {variable['name']}", expression


def _of_variable_query(text: str) -> list[str]:
    """The language of Grafana's Prometheus source; ValueError for what is not of it."""
    if match := LABEL_VALUES.fullmatch(text):
        return [match["selector"]] if match["selector"] else []
    if match := QUERY_RESULT.fullmatch(text):
        return [match["expression"]]
    if NO_EXPRESSION.fullmatch(text):
        return []
    raise ValueError(f"not a query of a variable: {text!r}")


def _of_annotations(annotations: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for annotation in annotations:
        expression = annotation.get("expr") or annotation.get("target", {}).get("expr")
        if expression:
            yield f"annotation {annotation['name']}", expression
