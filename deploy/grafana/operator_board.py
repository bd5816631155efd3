"""The operator's dashboard: does the pool work, and if not, which part of it; its first rows."""

from deploy.grafana.dashboard import Choice, Dashboard, Fixed, Mark, Row
from deploy.grafana.gateways import gauge, rate
from deploy.grafana.node_rows import BLOCKS, NODES
from deploy.grafana.panel import (
    HASHES_PER_SECOND,
    RATIO,
    Query,
    bad_from,
    figure,
    good_from,
    lines,
    worse_above,
    worse_below,
)
from deploy.grafana.process_rows import PROCESSES
from deploy.grafana.share_rows import MINERS, SHARES

YES_OR_NO = {1: ("yes", "green"), 0: ("no", "red")}
HALF_AN_HOUR = "30m"  # of refusals: new blocks, which refusals come with, are ten minutes apart
REFUSED = rate("share_work_rejected_hashes", window=HALF_AN_HOUR)
CREDITED = rate("share_work_accepted_hashes", window=HALF_AN_HOUR)
BLOCK_MARK = Mark(
    "Block",
    'increase(engineroom_block_outcomes_total{outcome="accepted"}[1m]) > 0',
    "green",
    "accepted by a node",
)

AT_A_GLANCE = Row(
    "At a glance",
    (
        figure(
            "Hashrate",
            "By credited work, over ten minutes.",
            'engineroom_pool_hashrate_hashes_per_second{window="10m"}',
            unit=HASHES_PER_SECOND,
        ),
        figure(
            "Miners connected",
            "Connections to all gateways chosen above.",
            f"sum({gauge('connections')})",
            steps=good_from(1),
        ),
        figure(
            "Work vouched for",
            "Whether a node vouches for the work that miners are given, at every gateway. Without one they "
            "keep their connections and are given nothing new.",
            f"min({gauge('has_work')})",
            names=YES_OR_NO,
        ),
        figure(
            "Gateways up",
            "Whether the frames of every gateway come, one a second.",
            f"min({gauge('gateway_up')})",
            names=YES_OR_NO,
        ),
        figure(
            "Accounts kept",
            "Whether the database can be read and written. Shares wait in the spools while it cannot.",
            "engineroom_database_up",
            names=YES_OR_NO,
        ),
        figure(
            "Alarms",
            "Alarms of the gateways that somebody must look at; the log says what to do.",
            f"sum({gauge('alarm')})",
            steps=bad_from(1),
        ),
        figure(
            "Work refused",
            "Refused part of the work that was sent in over half an hour. Above 1 % find out why.",
            f"{REFUSED} / ({REFUSED} + {CREDITED})",
            unit=RATIO,
            decimals=2,
            steps=worse_above(0.01, 0.03),
        ),
        figure(
            "Blocks in the chain",
            "Blocks found that are in the chain, those that may still be orphaned counted too.",
            'sum(engineroom_blocks{state=~"accepted|mature"})',
        ),
    ),
)

HASHRATE = Row(
    "Hashrate and luck",
    (
        lines(
            "Hashrate and its band",
            "By credited work, with its 95 % band: the true hashrate is within it 19 times of 20. The window "
            "is chosen above; a longer one is steadier and later.",
            Query('engineroom_pool_hashrate_hashes_per_second{window="$window"}', "hashrate"),
            Query('engineroom_pool_hashrate_lower_hashes_per_second{window="$window"}', "lower 95 %"),
            Query('engineroom_pool_hashrate_upper_hashes_per_second{window="$window"}', "upper 95 %"),
            unit=HASHES_PER_SECOND,
            band=("lower 95 %", "upper 95 %"),
            width=12,
        ),
        lines(
            "Effort of the round",
            "Work since the last block as a part of what a block takes on average. One round of 20 takes "
            "300 % or more.",
            Query("engineroom_round_effort_ratio", "this round"),
            Query("engineroom_last_round_effort_ratio", "the last round"),
            unit=RATIO,
            decimals=0,
        ),
        figure(
            "Luck of this round",
            "How likely a round is at least as long as this one. Small is bad luck.",
            "engineroom_round_luck_p_value",
            unit=RATIO,
            decimals=1,
            width=2,
            height=8,
        ),
        figure(
            "Luck lately",
            "How likely so few blocks or fewer are for the work of the last 64 rounds and this one. Below "
            "1 % look whether blocks are lost.",
            "engineroom_luck_p_value",
            unit=RATIO,
            decimals=1,
            steps=worse_below(0.001, 0.01),
            width=2,
            height=8,
        ),
    ),
)

OPERATOR_BOARD = Dashboard(
    name="operator",
    title="Engineroom: operator",
    description="Does the pool work, and if not, which part of it?",
    variables=(
        Choice("gateway", "Gateway", "engineroom_gateway_up", "gateway"),
        Fixed("window", "Window of hashrates", ("10m", "1m", "1h", "24h")),
    ),
    marks=(BLOCK_MARK,),
    rows=(AT_A_GLANCE, HASHRATE, SHARES, MINERS, NODES, BLOCKS, PROCESSES),
)
