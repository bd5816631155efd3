"""Where work comes from and where blocks go: two rows of the operator's dashboard."""

from deploy.grafana.dashboard import Row
from deploy.grafana.gateways import CHOSEN, gauge, quantiles
from deploy.grafana.panel import (
    BYTES,
    HASHES,
    PLAIN,
    SECONDS,
    Query,
    bars,
    figure,
    good_from,
    lines,
    states,
    worse_above,
)
from deploy.grafana.table import Column, table


def of_a_node(metric: str) -> str:
    return f"max by (gateway, node) ({gauge(metric)})"


NODES = Row(
    "Templates and nodes",
    (
        lines(
            "Age of the template",
            "A template is fetched every template_refresh_seconds, jobs are renewed every 28 s.",
            Query(f"time() - {gauge('template_timestamp_seconds')}", "template {{gateway}}"),
            Query(f"time() - {gauge('job_timestamp_seconds')}", "job {{gateway}}"),
            unit=SECONDS,
            steps=worse_above(60, 120),
        ),
        lines(
            "Height",
            "What is mined, and each node's best block: one less where all is well.",
            Query(gauge("template_height"), "template {{gateway}}"),
            Query(f"max by (node) ({gauge('node_height')})", "{{node}}"),
            unit=PLAIN,
            decimals=0,
        ),
        lines(
            "Round trip to a node",
            "How long a node's last answer took. Two seconds are two seconds of stale work at each block.",
            Query(f"max by (node) ({gauge('node_round_trip_seconds')})", "{{node}}"),
            unit=SECONDS,
            steps=worse_above(0.5, 2),
        ),
        lines(
            "A new tip to the last miner",
            "From hearing of a new tip until the last miner has its job: until then it mines for nothing.",
            *quantiles("tip_to_last_miner_seconds"),
            unit=SECONDS,
        ),
        lines(
            "A new tip to the first miner",
            "From hearing of a new tip until the first miner has its job: the node's time for a template.",
            *quantiles("tip_to_first_miner_seconds"),
            unit=SECONDS,
        ),
        lines(
            "Announcing",
            "From an announcement's first line to its last.",
            *quantiles("announcement_seconds"),
            unit=SECONDS,
        ),
        table(
            "Nodes",
            "Each node as each gateway sees it: 1 is yes. Troubles are counted; the chart beside names them.",
            {"gateway": "Gateway", "node": "Node"},
            Column("Healthy", of_a_node("node_healthy"), steps=good_from(1)),
            Column("Supplies work", of_a_node("node_supplies_work")),
            Column("Troubles", f"sum by (gateway, node) ({gauge('node_trouble')})"),
            Column("Blocks", of_a_node("node_height"), PLAIN, 0),
            Column("Headers", of_a_node("node_headers"), PLAIN, 0),
            Column("Round trip", of_a_node("node_round_trip_seconds"), SECONDS),
            sort_by="Node",
            descending=False,
            width=12,
            height=8,
        ),
        states(
            "What is wrong with a node",
            "Red while a node has a trouble; one that it has not had in this time has no bar.",
            Query(
                f"max by (node, trouble) ({gauge('node_trouble')}) and "
                f"max by (node, trouble) (max_over_time(engineroom_node_trouble{CHOSEN}[$__range])) > 0",
                "{{node}}: {{trouble}}",
            ),
            good=0,
            width=8,
        ),
        figure(
            "Failovers",
            "How often work came from another node than before, in the time that is shown.",
            f"sum(increase(engineroom_node_failovers_total{CHOSEN}[$__range]))",
            decimals=0,
            width=4,
            height=8,
        ),
        lines(
            "Fees and reward",
            "What the newest template's block pays, in coin.",
            Query(f"max({gauge('template_reward_sats')}) / 1e8", "reward with fees"),
            Query(f"max({gauge('template_fees_sats')}) / 1e8", "fees"),
            unit=PLAIN,
            decimals=8,
        ),
        lines(
            "Size of the template",
            "Size of the newest template's transactions.",
            Query(f"max({gauge('template_size_bytes')})", "size"),
            unit=BYTES,
        ),
        lines(
            "Transactions in the template",
            "Transactions in the newest template, the coinbase not counted.",
            Query(f"max({gauge('template_transactions')})", "transactions"),
            width=4,
        ),
        lines(
            "What a block takes",
            "Expected hashes of a block: the network's difficulty times 2³².",
            Query(f"max({gauge('network_work_hashes')})", "hashes"),
            unit=HASHES,
            width=4,
        ),
    ),
)

BLOCKS = Row(
    "Blocks",
    (
        bars(
            "Blocks by state",
            "From the accounts: a candidate has no verdict yet, an accepted block may still be orphaned.",
            Query("sum by (state) (engineroom_blocks)", "{{state}}"),
        ),
        bars(
            "Blocks by outcome",
            "What became of the blocks that the gateways have found since their start.",
            Query(f"sum by (outcome) ({gauge('block_outcomes_total')})", "{{outcome}}"),
        ),
        bars(
            "What nodes said of blocks",
            "A block goes to every node, so that one block has several verdicts.",
            Query(
                f"sum by (node, verdict) ({gauge('block_verdicts_total')}) > 0",
                "{{node}}: {{verdict}}",
            ),
        ),
        figure(
            "Candidates",
            "Hashes that met the network's target since the gateways' start. Each becomes an outcome.",
            f"sum({gauge('block_candidates_total')})",
            height=8,
        ),
        figure(
            "Since the last block",
            "Age of the newest block that the pool found. Before the first one there is no data here.",
            "time() - engineroom_last_block_timestamp_seconds",
            unit=SECONDS,
            height=8,
        ),
    ),
)
