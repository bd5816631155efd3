"""The alerts that we ship: promtool runs their cases, and they agree with metrics and runbook."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from pool.gateway.alarms import Alarm
from pool.instruments.instruments import METRICS
from pool.instruments.metric import Kind, Metric
from pool.instruments.reference import exposed_name
from pool.node.health import TroubleKind
from tests.deploy.promql import Matcher, matchers, metric_names
from tests.deploy.rule_files import alerts, recordings, rule_expressions
from tests.harness.unpacked import check_rules, run_rule_tests

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/alerts.yml"
RUNBOOK = ROOT / "docs/runbook.md"
CASE_FILES = sorted((Path(__file__).parent / "alerts").glob("*.test.yml"))
ALERTS = alerts(RULES)
RECORDINGS = recordings(RULES)
ALWAYS_FIRES = "EngineroomWatchdog"
SEVERITIES = {"critical", "warning", "info", "none"}
SCOPES = {"pool", "node", "gateway", "machine", "money"}
PARTS = ["What it means.", "How to see why.", "What to do."]
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds to everything it scrapes


def _series_names(metric: Metric) -> Iterator[str]:
    name = exposed_name(metric)
    if metric.kind is Kind.HISTOGRAM:
        yield from (f"{name}_bucket", f"{name}_sum", f"{name}_count")
    else:
        yield name


SERIES = {name: metric for metric in METRICS for name in _series_names(metric)}


class Case(NamedTuple):
    """What one alert is to do at one moment of a unit test, and the metrics that the test has."""

    where: str
    alert: str
    fires: bool
    metrics: set[str]


def _cases() -> Iterator[Case]:
    for path in CASE_FILES:
        for test in YAML(typ="safe").load(path)["tests"]:
            metrics = set(chain.from_iterable(metric_names(one["series"]) for one in test["input_series"]))
            for case in test["alert_rule_test"]:
                where = f"{path.name}: {test['name']}"
                yield Case(where, case["alertname"], bool(case["exp_alerts"]), metrics)


CASES = list(_cases())


def metrics_of(expression: str) -> set[str]:
    """The scraped metrics behind an expression, through recordings."""
    names = metric_names(expression)
    return set().union(*(metrics_of(RECORDINGS[name]) if name in RECORDINGS else {name} for name in names))


# ------------------------------------------------------------------ what promtool says


def test_promtool_accepts_the_rules() -> None:
    check_rules(RULES)


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_alerts_fire_and_are_silent_as_their_cases_say(path: Path) -> None:
    assert YAML(typ="safe").load(path)["rule_files"] == ["../../../deploy/prometheus/alerts.yml"]
    run_rule_tests(path)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(name: str) -> None:
    cases = Counter(case.fires for case in CASES if case.alert == name)
    assert cases[True], f"{name} fires in no case"
    if name != ALWAYS_FIRES:
        assert cases[False], f"{name} is silent in no case"


def test_a_silent_case_has_metrics_that_could_make_a_noise() -> None:
    for case in CASES:
        assert case.alert in ALERTS, f"{case.where} is about {case.alert}, which there is not"
        if not case.fires:
            assert case.metrics & metrics_of(str(ALERTS[case.alert]["expr"])), f"{case.where}: {case.alert}"


# ------------------------------------------------------------------ what every alert has


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_what_alertmanager_and_people_need(name: str) -> None:
    rule = ALERTS[name]
    assert "for" in rule
    assert rule["labels"].keys() == {"severity", "scope"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["labels"]["scope"] in SCOPES
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


def test_no_alert_is_one_for_each_machine() -> None:
    """2,500 alerts would be 2,500 lines: no expression keeps a label that tells machines apart."""
    for name in ALERTS:
        used = metrics_of(str(ALERTS[name]["expr"]))
        assert not {metric for metric in used if metric.startswith("engineroom_worker_")}, name


def test_no_alert_asks_how_long_ago_the_last_block_was() -> None:
    for expression in rule_expressions(RULES):
        assert "engineroom_last_block_timestamp_seconds" not in metric_names(expression.text)


# ------------------------------------------------------------------ alerts and metrics


def _expressions_of_the_runbook() -> Iterator[tuple[str, str]]:
    for block in re.findall(r"^```promql\n(.*?)^```", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            yield f"docs/runbook.md: {line}", line


EXPRESSIONS = [*((one.where, one.text) for one in rule_expressions(RULES)), *_expressions_of_the_runbook()]


def test_every_metric_of_an_alert_or_the_runbook_is_in_the_catalogue() -> None:
    known = SERIES.keys() | RECORDINGS.keys() | {"up"}
    for where, text in EXPRESSIONS:
        assert metric_names(text) <= known, where
    named = set(re.findall(r"\bengineroom[_:][a-z0-9_:]+", RUNBOOK.read_text()))
    assert named <= known


def test_every_case_is_made_of_metrics_that_there_are() -> None:
    for path in CASE_FILES:
        for test in YAML(typ="safe").load(path)["tests"]:
            for one in test["input_series"]:
                assert metric_names(one["series"]) <= SERIES.keys() | {"up"}, f"{path.name}: {one['series']}"
                for matcher in matchers(one["series"]):
                    must_be_possible(matcher, f"{path.name}: {one['series']}")


def test_every_label_and_value_that_is_asked_for_can_occur() -> None:
    for where, text in EXPRESSIONS:
        for matcher in matchers(text):
            must_be_possible(matcher, where)


def must_be_possible(matcher: Matcher, where: str) -> None:
    """Fails for a label that the metric does not have, or a value that is not of the label's closed set."""
    if matcher.metric not in SERIES or matcher.label in OF_PROMETHEUS:
        return
    metric = SERIES[matcher.metric]
    if metric.kind is Kind.HISTOGRAM and matcher.label == "le":
        assert matcher.value == "+Inf" or float(matcher.value) in metric.bounds, f"{where}: {matcher}"
        return
    labels = dict(metric.labels)
    assert matcher.label in labels, f"{where}: {matcher.metric} has no label {matcher.label}"
    possible = labels[matcher.label]
    if isinstance(possible, tuple):
        asked = matcher.value.split("|") if matcher.operator in ("=~", "!~") else [matcher.value]
        assert set(asked) <= set(possible), f"{where}: {matcher.label} is one of {possible}"


def _values_asked(expression: str, label: str) -> list[str]:
    return [value for one in matchers(expression) if one.label == label for value in one.value.split("|")]


def test_every_alarm_of_a_gateway_is_told_by_one_alert() -> None:
    asked = [
        value
        for name in ("EngineroomSpoolFails", "EngineroomGatewayAlarm")
        for value in _values_asked(str(ALERTS[name]["expr"]), "alarm")
    ]
    assert sorted(asked) == sorted(alarm.value for alarm in Alarm)


def test_every_trouble_of_a_node_makes_it_down_or_is_told_in_blocks() -> None:
    told_in_blocks = ["initial_download", "catching_up", "behind"]  # EngineroomNodeBehind
    asked = _values_asked(RECORDINGS["engineroom:node_is_down"], "trouble")
    assert sorted(asked + told_in_blocks) == sorted(kind.name.lower() for kind in TroubleKind)


# ------------------------------------------------------------------ alerts and runbook


def _sections() -> dict[str, str]:
    """The text below each heading of an alert."""
    parts = re.split(r"^### (\w+)\n", RUNBOOK.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_runbook_has_a_section_for_every_alert_in_their_order_and_no_other() -> None:
    assert list(_sections()) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_section_says_what_it_means_how_to_see_why_and_what_to_do(name: str) -> None:
    section = _sections()[name].partition("\n## ")[0]
    assert re.findall(r"^\*\*(.+?)\*\*", section, re.MULTILINE) == PARTS


def test_links_into_a_document_lead_to_a_heading_of_it() -> None:
    urls = [str(rule["annotations"]["runbook_url"]) for rule in ALERTS.values()]
    links = [(ROOT, url) for url in urls]
    links += [(RUNBOOK.parent, link) for link in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", RUNBOOK.read_text())]
    for folder, link in links:
        path, _, anchor = link.partition("#")
        document = folder / path if path else RUNBOOK
        assert anchor in _anchors(document), link


def _anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, no punctuation, blanks to hyphens."""
    headings: list[Any] = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
