"""docs/metrics.md says what there is, and names follow Prometheus's conventions."""

import re
from pathlib import Path

import pytest

from pool.instruments.instruments import METRICS
from pool.instruments.metric import Kind, Metric
from pool.instruments.reference import metrics_markdown

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
UNITS = ("seconds", "bytes", "hashes", "hashes_per_second", "sats", "ratio")


def test_the_page_is_the_one_that_the_catalogues_give() -> None:
    assert PAGE.read_text() == metrics_markdown(), "run: make reference"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_has_a_name_of_its_own_a_meaning_and_conventional_labels(metric: Metric) -> None:
    assert [one.name for one in METRICS].count(metric.name) == 1
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert not metric.name.endswith("_total"), "the exposition adds it"
    assert metric.meaning.endswith("."), "a sentence"
    assert all(re.fullmatch(r"[a-z_]+", name) for name in metric.label_names)
    if metric.kind is Kind.HISTOGRAM:
        assert metric.name.endswith(UNITS)
        assert list(metric.bounds) == sorted(metric.bounds)
