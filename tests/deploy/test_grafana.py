"""What is taken out of a dashboard, and what stands in for Grafana's variables."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.grafana import dashboard_expressions, fill_in
from tests.deploy.promql import Expression


def target(expression: str, letter: str = "A") -> dict[str, Any]:
    return {"refId": letter, "expr": expression}


def variable(name: str, query: Any, kind: str = "query") -> dict[str, Any]:
    return {"name": name, "type": kind, "query": query}


def dashboard(directory: Path, **parts: Any) -> Path:
    path = directory / "farm.json"
    path.write_text(json.dumps({"panels": [], **parts}))
    return path


def test_panels_give_all_their_queries_and_folded_rows_those_of_their_panels(tmp_path: Path) -> None:
    panels = [
        {"type": "row", "title": "Now", "collapsed": False, "panels": []},
        {"type": "stat", "title": "Hashrate", "targets": [target("hashrate"), target("expected", "B")]},
        {"type": "text", "title": "Read me"},
        {
            "type": "row",
            "title": "Nodes",
            "collapsed": True,
            "panels": [{"type": "table", "targets": [target("node_up"), {"refId": "B", "hide": True}]}],
        },
    ]
    assert dashboard_expressions(dashboard(tmp_path, panels=panels)) == [
        Expression("farm.json: Hashrate, query A", "hashrate"),
        Expression("farm.json: Hashrate, query B", "expected"),
        Expression("farm.json: Nodes / table, query A", "node_up"),
    ]


def test_variables_give_what_they_select_from(tmp_path: Path) -> None:
    variables = [
        variable("site", "label_values(machines, site)"),
        variable("rack", {"query": 'label_values(machines{site=~"$site", state!="ok"},rack)', "refId": "R"}),
        variable("job", "label_values(job)"),
        variable("busy", "query_result(topk(3, sum(machines) by (site)))"),
        variable("names", "metrics(engineroom_.*)"),
        variable("window", "5m,1h", "interval"),
    ]
    assert dashboard_expressions(dashboard(tmp_path, templating={"list": variables})) == [
        Expression("farm.json: variable site", "machines"),
        Expression("farm.json: variable rack", 'machines{site=~".*", state!="ok"}'),
        Expression("farm.json: variable busy", "topk(3, sum(machines) by (site))"),
    ]


def test_a_variable_in_another_language_is_refused(tmp_path: Path) -> None:
    path = dashboard(tmp_path, templating={"list": [variable("site", "SELECT site FROM machines")]})
    with pytest.raises(ValueError, match="not a query of a variable"):
        dashboard_expressions(path)


def test_annotations_give_their_expressions_old_form_and_new(tmp_path: Path) -> None:
    annotations = [
        {"name": "Annotations & Alerts", "builtIn": 1, "datasource": {"type": "grafana"}},
        {"name": "Blocks", "expr": "changes(blocks_total[$__interval]) > 0"},
        {"name": "Starts", "target": {"expr": "changes(start_time[1m]) > 0", "refId": "A"}},
    ]
    assert dashboard_expressions(dashboard(tmp_path, annotations={"list": annotations})) == [
        Expression("farm.json: annotation Blocks", "changes(blocks_total[1m]) > 0"),
        Expression("farm.json: annotation Starts", "changes(start_time[1m]) > 0"),
    ]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("rate(a_total[$__rate_interval])", "rate(a_total[5m])"),
        ("rate(a_total[${__range}]) * $__range_s", "rate(a_total[1h]) * 3600"),
        ('a{site=~"$site", rack=~"${rack:regex}-[0-9]+"}', 'a{site=~".*", rack=~".*-[0-9]+"}'),
        ("max_over_time(a[$window:${step}])", "max_over_time(a[5m:5m])"),
        ("a - a offset $back", "a - a offset 5m"),
        ("topk($count, a) > ${limit}", "topk(1, a) > 1"),
        ('label_replace(a, "site", "$1-${2}", "rack", "(.*)-(.*)$")',) * 2,
    ],
)
def test_a_variable_becomes_what_its_place_calls_for(text: str, filled: str) -> None:
    assert fill_in(text, {}) == filled


def test_a_variable_with_a_given_value_has_it_everywhere() -> None:
    text = 'topk($n, a{site="$site"}) + rate(b[$__rate_interval])'
    given = {"n": "7", "site": "north", "__rate_interval": "10s"}
    assert fill_in(text, given) == 'topk(7, a{site="north"}) + rate(b[10s])'
