"""Which metrics an expression uses; that the examples are PromQL is for the real Prometheus to say."""

from pathlib import Path

import pytest

from tests.deploy.promql import Matcher, PromqlError, matchers, metric_names
from tests.harness.prometheus import Prometheus

EXPRESSIONS = {
    "up": {"up"},
    "vector(1)": set(),
    "1 + 2e3 * 0x1f - .5 / Inf": set(),
    "engineroom:shares:rate5m > bool 0": {"engineroom:shares:rate5m"},
    "rate(shares_total[5m])": {"shares_total"},
    'sum by (site, rack) (machines{state!="ok", site=~"a|b"})': {"machines"},
    "sum(machines) without (instance)": {"machines"},
    "SUM BY (up) (machines) AND ON (site) up": {"machines", "up"},
    "hashrate / ignoring(state) group_left(model, site) expected_hashrate": {"hashrate", "expected_hashrate"},
    "hashrate * on (site) group_left price_info": {"hashrate", "price_info"},
    "node_up == 0 unless on (node) paused or absent(node_up)": {"node_up", "paused"},
    "histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[1m])))": {"seconds_bucket"},
    "max_over_time(rate(shares_total[5m])[1h30m:1m] offset -5m)": {"shares_total"},
    "height offset 1d - height @ 1700000000 + blocks @ end()": {"height", "blocks"},
    "{__name__=\"work_total\", job='engineroom'}": {"work_total"},
    r"""label_replace(up{path="a{b}\"c"}, "site", "$1", "instance", `(.*):\d+`)""": {"up"},
    "topk(5, machines) # by (hashrate)\n + 0 * watts": {"machines", "watts"},
    'count_values("version", build_info)': {"build_info"},
    "time() - last_block_timestamp_seconds > 3600": {"last_block_timestamp_seconds"},
    "quantile(0.5, silent_seconds) atan2 watts": {"silent_seconds", "watts"},
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_metrics_are_told_from_functions_words_and_labels(expression: str) -> None:
    assert metric_names(expression) == EXPRESSIONS[expression]


async def test_the_expressions_above_are_promql(tmp_path: Path) -> None:
    async with Prometheus(tmp_path) as prometheus:
        for expression in EXPRESSIONS:
            await prometheus.query(expression)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ('{__name__=~"engineroom_.*"}', "may be any metric"),
        ("up{site='a'", "} is missing"),
        ("sum by (site", r"\) is missing"),
        ('up{site="a}', "not PromQL from here on"),
        ("rate(up[$__rate_interval]) ? 1", "not PromQL from here on: '\\? 1'"),
    ],
)
def test_what_cannot_be_told_is_refused(expression: str, complaint: str) -> None:
    with pytest.raises(PromqlError, match=complaint):
        metric_names(expression)


def test_conditions_on_labels_are_told_with_their_metric() -> None:
    expression = (
        """sum by (site) (rate(shares_total{reason!="stale", site=~'a|b'}[5m])) / on (site) up{job="x"} > 0"""
    )
    assert matchers(expression) == [
        Matcher("shares_total", "reason", "!=", "stale"),
        Matcher("shares_total", "site", "=~", "a|b"),
        Matcher("up", "job", "=", "x"),
    ]
    assert (
        matchers('up == 0 and max_over_time(up{}[5m]) == 1 or label_replace(up, "a", "$1", "b", "(.*)")')
        == []
    )
