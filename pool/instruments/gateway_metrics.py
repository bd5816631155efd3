"""What gateways measure of themselves: the instruments that their frames carry. Names and meanings only.

Counts are since the start of the gateway's process, so that they go on when the accountant is started anew.
"""

import msgspec

from pool.gateway.alarms import Alarm
from pool.gateway.gateway import ANNOUNCEMENT_BOUNDS, TIP_BOUNDS
from pool.gateway.outcome import Outcome
from pool.gateway.stall import STALL_BOUNDS
from pool.instruments.metric import Metric, counter, gauge, histogram
from pool.node.health import TroubleKind
from pool.node.verdicts import Judgement
from stratum.agents import FAMILIES
from stratum.closing import CloseCause, TurnedAway
from stratum.errors import RejectReason
from stratum.measures import CHECK_BOUNDS, REPLY_BOUNDS

REASONS = tuple(reason.label for reason in RejectReason)
CLOSE_CAUSES = tuple(cause.value for cause in CloseCause)
A_GATEWAY = "a gateway's number"
A_NODE = "a node's name in the settings"

GATEWAY_METRICS: tuple[Metric, ...] = (
    # shares
    counter("shares_accepted", "Shares credited."),
    counter("share_work_accepted_hashes", "Work of the shares credited, in expected hashes."),
    counter("shares_late", "Shares credited though their tip had ended, within late_share_grace."),
    counter("shares_rejected", "Submissions refused, by reason.", reason=REASONS),
    counter(
        "share_work_rejected_hashes",
        "What refused submissions would have been worth, hashes.",
        reason=REASONS,
    ),
    histogram(
        "share_check_seconds",
        "From bytes to verdict, of the first submission in a turn.",
        CHECK_BOUNDS,
    ),
    histogram("reply_seconds", "From a request's bytes to the write of its answer, likewise.", REPLY_BOUNDS),
    counter(
        "difficulty_changes", "Difficulties that sessions were told anew.", direction=("raised", "lowered")
    ),
    # connections
    gauge("connections", "Miners connected.", port="the port they came to", firmware=FAMILIES),
    counter("connections_opened", "Connections that were let in."),
    counter(
        "connections_turned_away",
        "Connections closed before a word was said.",
        cause=tuple(one.value for one in TurnedAway),
    ),
    counter("connections_closed", "Sessions that have ended.", cause=CLOSE_CAUSES),
    counter("handshakes_failed", "Sessions that ended before they could mine.", cause=CLOSE_CAUSES),
    counter("authorizations_denied", "Names that were refused.", reason=REASONS),
    # work
    gauge("job_timestamp_seconds", "When the current jobs were made, Unix time."),
    gauge("template_timestamp_seconds", "When the newest template came, Unix time."),
    gauge("template_height", "Height of the block that is being mined."),
    gauge("template_transactions", "Transactions in the newest template, the coinbase not counted."),
    gauge("template_size_bytes", "Size of those transactions."),
    gauge("template_fees_sats", "Fees in the newest template."),
    gauge("template_reward_sats", "What the newest template's block pays, fees included."),
    gauge("network_work_hashes", "Expected hashes of a block."),
    gauge("has_work", "1 while a node vouches for the work that miners are given."),
    histogram(
        "tip_to_first_miner_seconds", "From hearing of a new tip to the first miner's new job.", TIP_BOUNDS
    ),
    histogram(
        "tip_to_last_miner_seconds", "From hearing of a new tip to the last miner's new job.", TIP_BOUNDS
    ),
    histogram("announcement_seconds", "From an announcement's first line to its last.", ANNOUNCEMENT_BOUNDS),
    # nodes
    gauge("node_healthy", "1 where a node is fit to supply work.", node=A_NODE),
    gauge(
        "node_trouble",
        "1 for what is wrong with a node.",
        node=A_NODE,
        trouble=tuple(kind.name.lower() for kind in TroubleKind),
    ),
    gauge("node_supplies_work", "1 for the node that work comes from.", node=A_NODE),
    gauge("node_height", "A node's best block.", node=A_NODE),
    gauge("node_headers", "A node's best header.", node=A_NODE),
    gauge("node_round_trip_seconds", "How long a node's last answer took.", node=A_NODE),
    counter("node_failovers", "How often work came from another node than before."),
    # blocks
    counter("block_candidates", "Hashes that met the network's target."),
    counter(
        "block_outcomes", "Blocks by what became of them.", outcome=tuple(one.name.lower() for one in Outcome)
    ),
    counter(
        "block_verdicts",
        "What nodes said of blocks. A duplicate or inconclusive is not refused.",
        node=A_NODE,
        verdict=tuple(one.name.lower() for one in Judgement),
    ),
    # the process
    gauge("alarm", "1 while somebody must look at it: see the log.", alarm=tuple(one.value for one in Alarm)),
    gauge("disk_free_bytes", "Free on the spool's disk."),
    histogram(
        "event_loop_stall_seconds",
        "How late the loop is for a timer, at 20 moments a second.",
        STALL_BOUNDS,
    ),
    gauge("gateway_start_time_seconds", "When the gateway's process began, Unix time."),
    counter("gateway_cpu_seconds", "CPU time of the gateway's process."),
    gauge("gateway_memory_bytes", "Resident memory of the gateway's process."),
)


def of_gateway(metric: Metric) -> Metric:
    """The metric as it is shown: every series says whose it is."""
    return msgspec.structs.replace(metric, labels=(("gateway", A_GATEWAY), *metric.labels))
