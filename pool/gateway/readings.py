"""What a gateway's instruments show at one moment, by series: gathered from its parts, which know no metric.

The names are those of `pool.instruments.gateway_metrics`. A histogram is a series of plain counts a bucket
(label: the bucket's upper bound) and one of the sum.
"""

import resource
from collections.abc import Iterator, Mapping

from pool.gateway.alarms import Alarm, Alarms
from pool.gateway.gateway import GatewayMeasures
from pool.gateway.numbers import Series
from pool.gateway.outcome import Outcome
from pool.gateway.tally import ShareTally
from pool.node.health import TroubleKind
from pool.node.nodes import Nodes
from pool.node.verdicts import Judgement
from stratum.errors import RejectReason
from stratum.measures import Histogram, ServerMeasures
from stratum.work.difficulty import work_of_target
from stratum.work.template import Template

Reading = tuple[Series, float]
SUM = "_sum"  # behind a histogram's name: the sum of all that it counts
HIGHEST = "+Inf"
MIB = 1024 * 1024  # as fine as these figures are said: they would change with every look otherwise


def share_readings(tally: ShareTally) -> Iterator[Reading]:
    yield _one("shares_accepted", tally.accepted)
    yield _one("share_work_accepted_hashes", tally.work)
    yield _one("shares_late", tally.late)
    for reason in RejectReason:
        label = (reason.label,)
        yield ("shares_rejected", label), float(tally.refused[reason.label])
        yield ("share_work_rejected_hashes", label), float(tally.refused_work[reason.label])
        yield ("authorizations_denied", label), float(tally.denied[reason.label])


def server_readings(measures: ServerMeasures) -> Iterator[Reading]:
    yield from histogram_readings("share_check_seconds", measures.check)
    yield from histogram_readings("reply_seconds", measures.reply)
    yield ("difficulty_changes", ("raised",)), float(measures.raised)
    yield ("difficulty_changes", ("lowered",)), float(measures.lowered)
    yield _one("connections_opened", measures.accepted)
    for away, count in measures.turned_away.items():
        yield ("connections_turned_away", (away.value,)), float(count)
    for cause, count in measures.closed.items():
        yield ("connections_closed", (cause.value,)), float(count)
        yield ("handshakes_failed", (cause.value,)), float(measures.unready[cause])


class ConnectionReadings:
    """Connections by port and family. One that was there once goes on at 0, as a gauge should."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], float] = {}

    def of(self, measures: ServerMeasures) -> Iterator[Reading]:
        counts = dict.fromkeys(self._known, 0.0)
        for (port, agent), count in measures.connections.items():
            key = (str(port), agent.name)
            counts[key] = counts.get(key, 0.0) + count
        self._known = counts
        for key, number in counts.items():
            yield ("connections", key), number


class TemplateReadings:
    """Of the newest template; its sizes are summed once, since it may have thousands of transactions."""

    def __init__(self) -> None:
        self._template: Template | None = None
        self._sums = (0, 0)

    def of(
        self, template: Template | None, received_unix: float, made_unix: float, *, has_work: bool
    ) -> Iterator[Reading]:
        """Times are Unix seconds; nothing but `has_work` before the first template."""
        yield _one("has_work", has_work)
        if template is None:
            return
        if template is not self._template:
            transactions = template.transactions
            size = sum(len(one.data_hex) // 2 for one in transactions)
            self._template, self._sums = template, (size, sum(one.fee_sats for one in transactions))
        size_bytes, fees_sats = self._sums
        yield _one("template_timestamp_seconds", received_unix)
        yield _one("job_timestamp_seconds", made_unix)
        yield _one("template_height", template.height)
        yield _one("template_transactions", len(template.transactions))
        yield _one("template_size_bytes", size_bytes)
        yield _one("template_fees_sats", fees_sats)
        yield _one("template_reward_sats", template.coinbase_value_sats)
        yield _one("network_work_hashes", work_of_target(template.network_target))


def node_readings(nodes: Nodes) -> Iterator[Reading]:
    yield _one("node_failovers", nodes.failovers)
    for state in nodes.states():
        label = (state.name,)
        yield ("node_healthy", label), float(state.trouble is None)
        for kind in TroubleKind:
            yield ("node_trouble", (state.name, kind.name.lower())), float(state.trouble is kind)
        yield ("node_supplies_work", label), float(state.is_source)
        yield ("node_height", label), float(state.blocks)
        yield ("node_headers", label), float(state.headers)
        if state.round_trip_seconds is not None:
            yield ("node_round_trip_seconds", label), round(state.round_trip_seconds, 4)
        for judgement in Judgement:
            count = nodes.verdicts[state.name, judgement]
            yield ("block_verdicts", (state.name, judgement.name.lower())), float(count)


def block_readings(measures: GatewayMeasures, outcomes: Mapping[Outcome, int]) -> Iterator[Reading]:
    yield _one("block_candidates", measures.candidates)
    for outcome in Outcome:
        yield ("block_outcomes", (outcome.name.lower(),)), float(outcomes.get(outcome, 0))
    yield from histogram_readings("tip_to_first_miner_seconds", measures.tip_to_first)
    yield from histogram_readings("tip_to_last_miner_seconds", measures.tip_to_last)
    yield from histogram_readings("announcement_seconds", measures.announcement)


def process_readings(
    alarms: Alarms, free_bytes: int | None, stall: Histogram, started_unix: float
) -> Iterator[Reading]:
    for alarm in Alarm:
        yield ("alarm", (alarm.value,)), float(alarm in alarms.active)
    if free_bytes is not None:
        yield _one("disk_free_bytes", free_bytes // MIB * MIB)
    yield from histogram_readings("event_loop_stall_seconds", stall)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield _one("gateway_start_time_seconds", started_unix)
    yield _one("gateway_cpu_seconds", round(usage.ru_utime + usage.ru_stime, 2))
    yield _one("gateway_memory_bytes", resident_bytes() // MIB * MIB)


def histogram_readings(name: str, histogram: Histogram) -> Iterator[Reading]:
    """One count a bucket, of that bucket alone, and the sum."""
    for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
        yield (name, (HIGHEST if bound is None else repr(bound),)), float(count)
    yield (name + SUM, ()), histogram.total


def resident_bytes() -> int:
    """Of this process, now (proc_pid_statm(5)); 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _one(name: str, value: float) -> Reading:
    return (name, ()), float(value)
