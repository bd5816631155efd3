"""PromQL over the gateways that are chosen on a dashboard: their gauges, rates and quantiles."""

from deploy.grafana.panel import Query

CHOSEN = '{gateway=~"$gateway"}'


def gauge(name: str) -> str:
    return f"engineroom_{name}{CHOSEN}"


def rate(name: str, by: str = "", *, window: str = "$__rate_interval") -> str:
    """Of a counter, a second, all chosen gateways together; `by` are the labels that are kept apart."""
    kept = f" by ({by}) " if by else ""
    return f"sum{kept}(rate(engineroom_{name}_total{CHOSEN}[{window}]))"


def quantiles(histogram: str, *, by: str = "", chosen: str = CHOSEN, whose: str = "") -> tuple[Query, Query]:
    """The median and the 99th of a hundred of what a histogram has seen between two points of the chart."""
    labels = f"le, {by}" if by else "le"
    whose = f"{{{{{by}}}}}, " if by else whose
    of = f"sum by ({labels}) (rate(engineroom_{histogram}_bucket{chosen}[$__rate_interval]))"
    return (
        Query(f"histogram_quantile(0.5, {of})", f"{whose}median"),
        Query(f"histogram_quantile(0.99, {of})", f"{whose}99 %"),
    )
