"""What is taken out of a file of rules."""

from pathlib import Path

import pytest

from tests.deploy.promql import Expression
from tests.deploy.rule_files import alerts, recorded_names, recordings, rule_expressions
from tests.harness.unpacked import check_rules

RULES = """\
groups:
  - name: farm
    rules:
      - record: site:hashrate:sum
        expr: sum by (site) (machine_hashrate)
      - alert: SiteLow
        expr: |
          site:hashrate:sum
            < 0.9 * site:expected:sum
        annotations:
          summary: 'of {{ query "sum(machines)" | first | value | printf "%.0f" }} machines'
          worst: '{{ range printf "bottomk(3, watts{site=%q})" $labels.site | query }}{{ .Value }}{{ end }}'
          raw: '{{ range query `machines{state="silent"}` }}{{ .Labels.worker }}{{ end }}'
          plain: 'This query is answered at {{ $labels.site }}'
  - name: pool
    rules:
      - {alert: Always, expr: vector(1)}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


def test_rules_give_their_expressions_and_the_queries_in_their_texts(rules: Path) -> None:
    check_rules(rules)
    assert rule_expressions(rules) == [
        Expression("rules.yml: farm / site:hashrate:sum", "sum by (site) (machine_hashrate)"),
        Expression("rules.yml: farm / SiteLow", "site:hashrate:sum\n  < 0.9 * site:expected:sum\n"),
        Expression("rules.yml: farm / SiteLow, in a text of it", "sum(machines)"),
        Expression("rules.yml: farm / SiteLow, in a text of it", 'bottomk(3, watts{site=".*"})'),
        Expression("rules.yml: farm / SiteLow, in a text of it", 'machines{state="silent"}'),
        Expression("rules.yml: pool / Always", "vector(1)"),
    ]


def test_recorded_metrics_are_told_apart(rules: Path) -> None:
    assert recorded_names(rules) == {"site:hashrate:sum"}
    assert recordings(rules) == {"site:hashrate:sum": "sum by (site) (machine_hashrate)"}
    assert list(alerts(rules)) == ["SiteLow", "Always"]
    assert alerts(rules)["Always"]["expr"] == "vector(1)"


def test_a_query_whose_text_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(
        "groups: [{name: g, rules: [{alert: A, expr: up, annotations: {a: '{{ query $value }}'}}]}]"
    )
    with pytest.raises(ValueError, match="which query is this"):
        rule_expressions(path)
