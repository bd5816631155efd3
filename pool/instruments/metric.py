"""Metric: a name, what it means, and what its labels may be; values only, no figures."""

import enum
import itertools
from collections.abc import Iterator

import msgspec


class Kind(enum.Enum):
    """Prometheus's kinds, as far as they are used here."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. `name` is without the product's prefix and, for a counter, without `_total`.

    `labels` maps each label to the closed set of its values, or to what stands in place of one where the
    values are the operator's names (nodes, ports) or machines. A counter whose labels are all closed exists
    from the start, at 0. `bounds` are a histogram's.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[tuple[str, tuple[str, ...] | str], ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.labels)

    def every_series(self) -> Iterator[tuple[str, ...]]:
        """Every combination of labels; none where one of them is open."""
        closed = [values for _, values in self.labels if isinstance(values, tuple)]
        if len(closed) == len(self.labels):
            yield from itertools.product(*closed)


def counter(name: str, meaning: str, /, **labels: tuple[str, ...] | str) -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, meaning=meaning, labels=tuple(labels.items()))


def gauge(name: str, meaning: str, /, **labels: tuple[str, ...] | str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, meaning=meaning, labels=tuple(labels.items()))


def histogram(name: str, meaning: str, bounds: tuple[float, ...]) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, meaning=meaning, bounds=bounds)
