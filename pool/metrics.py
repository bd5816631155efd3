"""Metrics as Prometheus reads them: readings by name in, the text of a scrape out; it alone knows its client.

It knows no figure of its own. What metrics there are, and what they mean, is in the catalogues of
`pool.instruments`; a reading that no catalogue names is a bug.
"""

import importlib.metadata
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from pool.gateway.readings import HIGHEST, SUM, Reading
from pool.instruments.metric import Kind, Metric

PREFIX = "engineroom_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Figures = dict[tuple[str, ...], float]  # of one metric, by the values of its labels


class UnknownMetric(Exception):
    """A reading has a name that no catalogue knows: a bug."""


class Exposition:
    """One page of metrics. `read` gives all readings of the moment; it is called in the renderer's thread."""

    def __init__(self, metrics: Sequence[Metric], read: Callable[[], Iterable[Reading]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(metrics, read))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """The page, in Prometheus's text format."""
        return generate_latest(self._registry)


class _Collector(Collector):
    def __init__(self, metrics: Sequence[Metric], read: Callable[[], Iterable[Reading]]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._read = read

    def collect(self) -> Iterator[Family]:
        by_name: dict[str, Figures] = {name: {} for name in self._metrics}
        sums: dict[str, Figures] = {}
        for (name, labels), value in self._read():
            figures = by_name.get(name)
            if figures is not None:
                figures[labels] = value
            elif name.endswith(SUM) and name.removesuffix(SUM) in by_name:
                sums.setdefault(name.removesuffix(SUM), {})[labels] = value
            else:
                raise UnknownMetric(name)
        for metric in self._metrics.values():
            yield _family(metric, by_name[metric.name], sums.get(metric.name, {}))
        yield _build()

    def describe(self) -> Iterator[Family]:
        """Nothing is read at registration."""
        return iter(())


def _family(metric: Metric, figures: Figures, sums: Figures) -> Family:
    name, names = PREFIX + metric.name, metric.label_names
    if metric.kind is Kind.HISTOGRAM:
        return _histogram(HistogramMetricFamily(name, metric.meaning, labels=names), figures, sums)
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind is Kind.COUNTER:
        family = CounterMetricFamily(name, metric.meaning, labels=names)
        for zero in metric.every_series():
            figures.setdefault(zero, 0.0)
    else:
        family = GaugeMetricFamily(name, metric.meaning, labels=names)
    for labels, value in figures.items():
        family.add_metric(labels, value)
    return family


def _histogram(family: HistogramMetricFamily, figures: Figures, sums: Figures) -> Family:
    """Readings count each bucket for itself; Prometheus wants everything up to its bound."""
    rows: dict[tuple[str, ...], list[tuple[str, float]]] = {}
    for series, count in figures.items():
        rows.setdefault(series[:-1], []).append((series[-1], count))
    for labels, counts in rows.items():
        cumulative, buckets = 0.0, []
        for bound, count in sorted(counts, key=lambda one: float(one[0])):
            cumulative += count
            buckets.append((bound, cumulative))
        if buckets[-1][0] == HIGHEST:  # else a part of it has not come yet
            family.add_metric(labels, buckets, sums.get(labels, 0.0))
    return family


def _build() -> Family:
    info = GaugeMetricFamily(
        PREFIX + "build_info", "1; what is running.", labels=("version", "python_version")
    )
    info.add_metric((importlib.metadata.version("engineroom"), platform.python_version()), 1.0)
    return info
