"""Metrics as Prometheus reads them: readings by name in, the text of a scrape out; it alone knows its client.

It knows no figure of its own. What metrics there are, and what they mean, is in the catalogues of
`pool.instruments`; a reading that no catalogue names is a bug.

Gauges are written here, line by line as the client writes them: machines and groups are gauges by the ten
thousand (docs/decisions/0024).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from pool.gateway.readings import HIGHEST, SUM, Reading
from pool.instruments.metric import Kind, Metric

PREFIX = "engineroom_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_UNKNOWN_TO_JSON = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}

Figures = dict[tuple[str, ...], float]  # of one metric, by the values of its labels


class UnknownMetric(Exception):
    """A reading has a name that no catalogue knows: a bug."""


class Exposition:
    """One page of metrics. `read` gives all readings of the moment; it is called in the renderer's thread."""

    def __init__(self, metrics: Sequence[Metric], read: Callable[[], Iterable[Reading]]) -> None:
        self._names = [metric.name for metric in metrics]
        self._read = read
        self._gauges = [_Gauge(metric) for metric in metrics if metric.kind is Kind.GAUGE]
        self._others = _Others([metric for metric in metrics if metric.kind is not Kind.GAUGE])
        self._registry = CollectorRegistry()
        self._registry.register(self._others)
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """The page, in Prometheus's text format."""
        figures: dict[str, Figures] = {name: {} for name in self._names}
        sums: dict[str, Figures] = {}
        for (name, labels), value in self._read():
            known = figures.get(name)
            if known is not None:
                known[labels] = value
            elif name.endswith(SUM) and name.removesuffix(SUM) in figures:
                sums.setdefault(name.removesuffix(SUM), {})[labels] = value
            else:
                raise UnknownMetric(name)
        gauges = "".join(gauge.text(figures.pop(gauge.name)) for gauge in self._gauges)
        self._others.figures, self._others.sums = figures, sums
        return generate_latest(self._registry) + gauges.encode()


class _Gauge:
    """One gauge's lines. What they begin with is kept from page to page, while the series is there."""

    def __init__(self, metric: Metric) -> None:
        self.name = metric.name
        self._metric = metric
        name, meaning = PREFIX + metric.name, _escaped(metric.meaning)
        self._about = f"# HELP {name} {meaning}\n# TYPE {name} gauge\n"
        self._series: list[tuple[str, ...]] = []
        self._heads: list[str] = []

    def text(self, figures: Figures) -> str:
        series = list(figures)
        if series != self._series:
            known = dict(zip(self._series, self._heads, strict=True))
            self._heads = [known.get(labels) or self._head(labels) for labels in series]
            self._series = series
        lines = zip(self._heads, _texts(list(figures.values())), itertools.repeat("\n"), strict=False)
        return self._about + "".join(itertools.chain.from_iterable(lines))

    def _head(self, labels: tuple[str, ...]) -> str:
        named = sorted(zip(self._metric.label_names, labels, strict=True))
        shown = ",".join(f'{name}="{_escaped(value, quoted=True)}"' for name, value in named)
        return f"{PREFIX}{self.name}{{{shown}}} " if shown else f"{PREFIX}{self.name} "


def _texts(values: list[float]) -> list[str]:
    """Each as JSON has it, all at once; but JSON knows neither infinity nor what is no number."""
    texts = msgspec.json.encode(values)[1:-1].decode().split(",")
    if "null" in texts:
        texts = [_UNKNOWN_TO_JSON.get(str(value), text) for value, text in zip(values, texts, strict=True)]
    return texts


def _escaped(text: str, *, quoted: bool = False) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quoted else escaped


class _Others(Collector):
    """Counters and histograms, which the client writes."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self.figures: dict[str, Figures] = {}
        self.sums: dict[str, Figures] = {}

    def collect(self) -> Iterator[Family]:
        for metric in self._metrics:
            figures = self.figures[metric.name]
            if metric.kind is Kind.HISTOGRAM:
                yield _histogram(metric, figures, self.sums.get(metric.name, {}))
            else:
                yield _counter(metric, figures)

    def describe(self) -> Iterator[Family]:
        """Nothing is read at registration."""
        return iter(())


def _counter(metric: Metric, figures: Figures) -> Family:
    family = CounterMetricFamily(PREFIX + metric.name, metric.meaning, labels=metric.label_names)
    for zero in metric.every_series():
        figures.setdefault(zero, 0.0)
    for labels, value in figures.items():
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, figures: Figures, sums: Figures) -> Family:
    """Readings count each bucket for itself; Prometheus wants everything up to its bound."""
    family = HistogramMetricFamily(PREFIX + metric.name, metric.meaning, labels=metric.label_names)
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
