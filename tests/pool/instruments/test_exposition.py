"""The page that Prometheus scrapes: every metric that is promised, zeros from the start, whole histograms."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pool.gateway.readings import Reading, histogram_readings
from pool.instruments.metric import counter, gauge, histogram
from pool.metrics import Exposition, UnknownMetric
from stratum.measures import Histogram
from tests.harness.http import samples, value

METRICS = (
    counter("closed", "Sessions that have ended.", cause=("tls", "http")),
    gauge("height", "A node's best block.", node="a node's name"),
    histogram("reply_seconds", "Time to the answer.", (0.1, 1.0)),
)


def page(*readings: Reading) -> str:
    return Exposition(METRICS, lambda: readings).render().decode()


def test_counters_with_closed_labels_exist_from_the_start_at_zero() -> None:
    found = samples(page((("closed", ("tls",)), 2.0)))
    assert value(found, "engineroom_closed_total", cause="tls") == 2
    assert value(found, "engineroom_closed_total", cause="http") == 0


def test_a_gauge_shows_the_labels_that_there_are() -> None:
    text = page((("height", ("hall-a",)), 840_000.0))
    assert value(samples(text), "engineroom_height", node="hall-a") == 840_000
    assert "# HELP engineroom_height A node's best block." in text
    assert "# TYPE engineroom_height gauge" in text


def test_a_histograms_buckets_hold_everything_below_them() -> None:
    measured = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        measured.observe(seconds)
    found = samples(page(*histogram_readings("reply_seconds", measured)))
    assert value(found, "engineroom_reply_seconds_bucket", le="0.1") == 2
    assert value(found, "engineroom_reply_seconds_bucket", le="1.0") == 3
    assert value(found, "engineroom_reply_seconds_bucket", le="+Inf") == 4
    assert value(found, "engineroom_reply_seconds_count") == 4
    assert value(found, "engineroom_reply_seconds_sum") == pytest.approx(7.65)


def test_a_reading_that_no_catalogue_names_is_a_bug() -> None:
    with pytest.raises(UnknownMetric, match="depth"):
        page((("depth", ()), 1.0))


def test_label_values_are_escaped() -> None:
    assert r'node="a\"b\\c"' in page((("height", ('a"b\\c',)), 1.0))


@given(
    labels=st.lists(st.tuples(st.text(), st.text()), unique=True),
    values=st.lists(st.floats(), min_size=1),
    meaning=st.text(),
)
def test_a_gauge_is_written_as_the_client_writes_it(
    labels: list[tuple[str, str]], values: list[float], meaning: str
) -> None:
    figures = dict(zip(labels, itertools.cycle(values), strict=False))
    place = gauge("place", meaning, site="a site's name", rack="a rack's name")
    exposition = Exposition([place], lambda: [(("place", one), figure) for one, figure in figures.items()])
    exposition.render()
    family = GaugeMetricFamily("engineroom_place", meaning, labels=("site", "rack"))
    for one, figure in figures.items():
        family.add_metric(one, figure)
    registry = CollectorRegistry()
    registry.register(Given([family]))
    own = exposition.render().decode().rpartition("\n# HELP engineroom_place ")
    assert figured(own[1] + own[2]) == figured("\n" + generate_latest(registry).decode()), (
        "the second page too"
    )


def figured(text: str) -> list[str]:
    """Lines of a page, with their figures as Python writes them."""
    lines = []
    for line in text.split("\n"):
        head, _, figure = line.rpartition(" ")
        lines.append(line if not head or head.startswith("#") else f"{head} {float(figure)!r}")
    return lines


class Given(Collector):
    """Families as they were given."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def test_the_process_is_shown() -> None:
    assert "process_resident_memory_bytes" in page()
