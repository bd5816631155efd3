"""The farm's dashboard: which machines do not do what they should, and what they have in common."""

from deploy.grafana.dashboard import Choice, Dashboard, Fixed, Row
from deploy.grafana.panel import (
    COUNT,
    FROM_NOW,
    HASHES,
    HASHES_PER_SECOND,
    RATIO,
    SECONDS,
    Query,
    figure,
    lines,
    worse_above,
    worse_below,
)
from deploy.grafana.table import Column, table

# A group and all below it: hall-a is chosen, hall-a/row-3 is shown too.
HERE = '{group=~"$group(/.*)?"}'
MACHINE = "account, worker, group"
MISSING = (
    f"max by ({MACHINE}) (engineroom_worker_expected_hashes_per_second{HERE}) - "
    f"max by ({MACHINE}) (engineroom_worker_hashrate_hashes_per_second{HERE})"
)
WORST = f"topk(20, {MISSING})"
LAST_SHARE = f"max by ({MACHINE}) (engineroom_worker_last_share_timestamp_seconds{HERE})"


def of_a_group(metric: str) -> str:
    return f"max by (group) (engineroom_group_{metric}{HERE})"


GROUP_MEASURED = of_a_group("hashrate_hashes_per_second")
GROUP_EXPECTED = of_a_group("expected_hashes_per_second")


def of_the_worst(metric: str) -> str:
    return f"max by ({MACHINE}) (engineroom_worker_{metric}{HERE}) and {WORST}"


def of_an_incident(metric: str) -> str:
    return f"max by (incident, kind, name) (engineroom_incident_{metric})"


AT_A_GLANCE = Row(
    "At a glance",
    (
        figure(
            "Hashrate",
            "Of the farm's machines, over ten minutes.",
            'engineroom_farm_hashrate_hashes_per_second{window="10m"}',
            unit=HASHES_PER_SECOND,
        ),
        figure(
            "Of what is expected",
            "Hashrate as a part of what the machines should do that are not paused.",
            'engineroom_farm_hashrate_hashes_per_second{window="10m"} / on (job, instance) '
            "engineroom_farm_expected_hashes_per_second",
            unit=RATIO,
            decimals=1,
            steps=worse_below(0.9, 0.97),
        ),
        figure(
            "Machines well",
            "Machines that do what they should.",
            'engineroom_farm_machines{state="ok"}',
        ),
        figure(
            "Machines not well",
            "Machines that are silent, low or rejecting.",
            'sum(engineroom_farm_machines{state=~"silent|low|rejecting"})',
            steps=worse_above(1, 25),
        ),
        figure(
            "Incidents",
            "Causes that are going on: a rack, a row, a firmware whose machines fail together.",
            "engineroom_incidents",
            steps=worse_above(1, 3),
        ),
        figure(
            "Machines paused",
            "Machines that are paused on purpose.",
            'engineroom_farm_machines{state="paused"}',
        ),
        figure(
            "Connected",
            "Connections of miners, at all gateways.",
            "sum(engineroom_connections)",
        ),
        figure(
            "Machines not shown",
            "Machines without series of their own, beyond metrics.workers_limit. Groups and sums have them.",
            "engineroom_workers_cut",
            steps=worse_above(1, 1_000),
        ),
    ),
)

FARM = Row(
    "The whole farm",
    (
        lines(
            "Expected and measured",
            "What the machines should do that are not paused, and what they do.",
            Query('engineroom_farm_hashrate_hashes_per_second{window="$window"}', "measured"),
            Query("engineroom_farm_expected_hashes_per_second", "expected"),
            Query("engineroom_farm_paused_hashes_per_second", "paused"),
            unit=HASHES_PER_SECOND,
            width=12,
        ),
        lines(
            "Machines by state",
            "Every machine is in one state: ok, new, low, silent, rejecting or paused.",
            Query("sum by (state) (engineroom_farm_machines)", "{{state}}"),
            stacked=True,
            width=12,
        ),
        table(
            "Incidents, worst first",
            "What is going on, worst first: machines that fail together, by what they have in common.",
            {"kind": "Kind", "name": "Name", "incident": "Id"},
            Column("Machines", of_an_incident("machines"), COUNT, 0),
            Column("Missing", of_an_incident("missing_hashes_per_second"), HASHES_PER_SECOND),
            Column("Since", f"1000 * {of_an_incident('start_timestamp_seconds')}", FROM_NOW),
            sort_by="Missing",
        ),
    ),
)

GROUPS = Row(
    "Groups",
    (
        table(
            "Groups, worst first",
            "By what is missing of the expected hashrate, over ten minutes.",
            {"group": "Group"},
            Column(
                "Missing",
                f"{GROUP_EXPECTED} - {GROUP_MEASURED}",
                HASHES_PER_SECOND,
            ),
            Column(
                "Of what is expected",
                f"{GROUP_MEASURED} / ({GROUP_EXPECTED} > 0)",
                RATIO,
                1,
                worse_below(0.9, 0.97),
            ),
            Column("Measured", GROUP_MEASURED, HASHES_PER_SECOND),
            Column("Expected", GROUP_EXPECTED, HASHES_PER_SECOND),
            Column("Machines", of_a_group("machines"), COUNT, 0),
            Column("Faulty", of_a_group("faulty_machines"), COUNT, 0, worse_above(1, 10)),
            Column("Paused", of_a_group("paused_machines"), COUNT, 0),
            Column("Refused", of_a_group("rejected_ratio"), RATIO, 2, worse_above(0.01, 0.03)),
            sort_by="Missing",
        ),
        lines(
            "Missing in the ten worst groups",
            "Expected less measured hashrate, by group.",
            Query(
                f"topk(10, {GROUP_EXPECTED} - {GROUP_MEASURED})",
                "{{group}}",
            ),
            unit=HASHES_PER_SECOND,
            width=12,
        ),
        lines(
            "Refused in the ten worst groups",
            "Refused part of a group's work over ten minutes.",
            Query(f"topk(10, {of_a_group('rejected_ratio')})", "{{group}}"),
            unit=RATIO,
            decimals=2,
            width=12,
        ),
    ),
)

MACHINES = Row(
    "Machines",
    (
        table(
            "The twenty worst machines",
            "By what is missing of the expected hashrate, over ten minutes.",
            {"worker": "Machine", "group": "Group", "account": "Account", "state": "State"},
            Column("Missing", WORST, HASHES_PER_SECOND),
            Column("Measured", of_the_worst("hashrate_hashes_per_second"), HASHES_PER_SECOND),
            Column("Expected", of_the_worst("expected_hashes_per_second"), HASHES_PER_SECOND),
            Column("Refused", of_the_worst("rejected_ratio"), RATIO, 2, worse_above(0.01, 0.03)),
            Column(
                "Last share",
                f"1000 * {LAST_SHARE} and {WORST}",
                FROM_NOW,
            ),
            Column("Best share", of_the_worst("best_share_difficulty"), COUNT, 0),
            Column(
                "In that state",
                f"max by ({MACHINE}, state) (engineroom_worker_state{HERE} == 1) and on ({MACHINE}) {WORST}",
                COUNT,
                0,
            ),
            sort_by="Missing",
            height=12,
        ),
        lines(
            "Refused at the ten worst machines",
            "Refused part of a machine's work over ten minutes.",
            Query(f"topk(10, max by ({MACHINE}) (engineroom_worker_rejected_ratio{HERE}))", "{{worker}}"),
            unit=RATIO,
            decimals=2,
        ),
        lines(
            "Longest without a share",
            "Time since a machine's last credited share, of the ten that are the longest without one.",
            Query(
                f"topk(10, time() - {LAST_SHARE})",
                "{{worker}}",
            ),
            unit=SECONDS,
        ),
        lines(
            "Machines with series of their own",
            "The rest, beyond metrics.workers_limit and groups_limit, is in sums only.",
            Query("engineroom_workers_shown", "shown"),
            Query("engineroom_workers_cut", "not shown"),
            Query("engineroom_groups_cut", "groups not shown"),
            stacked=True,
        ),
    ),
)

STALE = Row(
    "Work that a new block made worthless",
    (
        lines(
            "Stale work, by cause",
            "Hashes a second that were refused after block changes: node, gateway or miner was late.",
            Query("sum by (cause) (rate(engineroom_stale_loss_hashes_total[$__rate_interval]))", "{{cause}}"),
            unit=HASHES_PER_SECOND,
            stacked=True,
            width=12,
        ),
        lines(
            "Stale work by the hour",
            "Hashes that were lost within an hour, by cause.",
            Query("sum by (cause) (increase(engineroom_stale_loss_hashes_total[1h]))", "{{cause}}"),
            unit=HASHES,
            stacked=True,
            width=12,
        ),
    ),
)

FARM_BOARD = Dashboard(
    name="farm",
    title="Engineroom: farm",
    description="Which machines do not do what they should, and what they have in common?",
    variables=(
        Choice("group", "Group", "engineroom_group_machines", "group"),
        Fixed("window", "Window of hashrates", ("10m", "1m", "1h", "24h")),
    ),
    rows=(AT_A_GLANCE, FARM, GROUPS, MACHINES, STALE),
)
