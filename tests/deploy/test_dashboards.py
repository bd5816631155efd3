"""The dashboards that we ship: written by their generator, whole in form, of metrics that exist."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.grafana.build import BOARDS, FOLDER, path_of
from deploy.grafana.dashboard import GRID_WIDTH, TAG, Dashboard
from deploy.grafana.panel import UNITS
from pool.instruments.farm_metrics import FARM_METRICS
from pool.instruments.instruments import METRICS
from pool.instruments.metric import Kind
from pool.instruments.reference import exposed_name
from tests.deploy.grafana import dashboard_expressions
from tests.deploy.promql import metric_names

PROVISIONED = Path(__file__).parents[2] / "deploy/grafana/provisioning/datasources/prometheus.yaml"
OF_PROMETHEUS = {"ALERTS"}  # what it makes of rules that fire
OF_ANY_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "engineroom_build_info"}
FILES = sorted(FOLDER.glob("*.json"))


def shown(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def panels(path: Path) -> Iterator[dict[str, Any]]:
    return (panel for panel in shown(path)["panels"] if panel["type"] != "row")


def names_in(path: Path) -> set[str]:
    return {name for expression in dashboard_expressions(path) for name in metric_names(expression.text)}


def exposed() -> set[str]:
    """Every name that Prometheus may have of us; a histogram has three."""
    names = set(OF_ANY_PROCESS)
    for metric in (*METRICS, *FARM_METRICS):
        name = exposed_name(metric)
        if metric.kind is Kind.HISTOGRAM:
            names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
        else:
            names.add(name)
    return names


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_file_is_what_make_dashboards_writes(board: Dashboard) -> None:
    assert path_of(board).read_text() == board.as_text(), "run: make dashboards"


def test_there_are_three_and_no_file_beside_them() -> None:
    assert [path.name for path in FILES] == ["farm.json", "money.json", "operator.json"]
    assert set(FOLDER.iterdir()) == set(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_panel_says_what_it_shows_and_in_what_unit(path: Path) -> None:
    for panel in panels(path):
        assert panel["title"], panel
        assert panel["description"].endswith((".", "?")), panel["title"]
        units = {panel["fieldConfig"]["defaults"].get("unit")} | {
            one["value"]
            for override in panel["fieldConfig"]["overrides"]
            for one in override["properties"]
            if one["id"] == "unit"
        }
        assert units - {None}, f"{panel['title']} has no unit"
        assert units - {None} <= set(UNITS), panel["title"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_lie_within_the_grid_and_none_upon_another(path: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in shown(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= GRID_WIDTH, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies upon {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_and_queries_are_told_apart(path: Path) -> None:
    numbers = [panel["id"] for panel in shown(path)["panels"]]
    assert len(set(numbers)) == len(numbers)
    titles = [panel["title"] for panel in panels(path)]
    assert len(set(titles)) == len(titles)
    for panel in panels(path):
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0, panel["title"]
        legends = [target["legendFormat"] for target in panel["targets"] if panel["type"] != "table"]
        assert len(set(legends)) == len(legends), panel["title"]


def test_each_dashboard_has_an_address_of_its_own_and_links_to_the_others() -> None:
    assert {shown(path)["uid"] for path in FILES} == {f"engineroom-{path.stem}" for path in FILES}
    for path in FILES:
        assert shown(path)["tags"] == [TAG]
        assert [link["tags"] for link in shown(path)["links"]] == [[TAG]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_everything_is_asked_of_the_prometheus_that_is_chosen_at_first_the_provisioned_one(
    path: Path,
) -> None:
    [provisioned] = YAML(typ="safe").load(PROVISIONED)["datasources"]
    [source] = [one for one in shown(path)["templating"]["list"] if one["type"] == "datasource"]
    assert source["query"] == provisioned["type"]
    assert source["current"] == {"text": provisioned["name"], "value": provisioned["uid"]}
    asked = {"type": provisioned["type"], "uid": f"${{{source['name']}}}"}
    for panel in panels(path):
        assert panel["datasource"] == asked
        assert all(target["datasource"] == asked for target in panel["targets"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_metric_of_a_dashboard_is_in_the_catalogues(path: Path) -> None:
    assert names_in(path) <= exposed() | OF_PROMETHEUS


def test_every_metric_of_the_catalogues_is_on_a_dashboard() -> None:
    on_some = set().union(*(names_in(path) for path in FILES))
    missing = {
        exposed_name(metric)
        for metric in (*METRICS, *FARM_METRICS)
        if not on_some & {exposed_name(metric), f"{exposed_name(metric)}_bucket"}
    }
    assert not missing


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_expression_makes_up_a_value_where_there_is_none(path: Path) -> None:
    for where, text in dashboard_expressions(path):
        assert "vector(" not in text, where
        assert "absent(" not in text, where


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_table_hides_or_names_every_column(path: Path) -> None:
    for panel in panels(path):
        if panel["type"] != "table":
            continue
        organize = panel["transformations"][-1]["options"]
        letters = [target["refId"] for target in panel["targets"]]
        values = ["Value"] if len(letters) == 1 else [f"Value #{letter}" for letter in letters]
        assert list(organize["renameByName"])[-len(values) :] == values, panel["title"]
        headings = set(organize["renameByName"].values())
        assert {one["displayName"] for one in panel["options"]["sortBy"]} <= headings
        assert {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]} <= headings
