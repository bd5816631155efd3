"""What is shown of the farm: machines, groups, incidents, money. Names and meanings only.

A machine and a group have six series each at most; `metrics.workers_limit` cuts the machines, and the cut is
counted.
"""

from pool.farm.pauses import By
from pool.farm.rate_windows import WINDOWS
from pool.farm.summary import STATE_RANK
from pool.instruments.metric import Metric, counter, gauge

STATES = tuple(reversed(STATE_RANK))
BASES = ("measured", "nameplate")
PAUSED_BY: tuple[By, ...] = ("hand", "price")
_WINDOW = tuple(WINDOWS)
_MACHINE = {"account": "its address", "worker": "its name", "group": "where it stands"}
_GROUP = {"group": "a path like hall-a/row-3"}
_INCIDENT = {"incident": "its id", "kind": "rack, row, firmware …", "name": "which"}

FARM_METRICS: tuple[Metric, ...] = (
    # the whole farm
    gauge("farm_hashrate_hashes_per_second", "Hashrate of the farm's machines.", window=_WINDOW),
    gauge("farm_expected_hashes_per_second", "What the farm's machines should do, paused ones left out."),
    gauge("farm_machines", "Machines by state.", state=STATES),
    gauge("farm_paused_hashes_per_second", "What paused machines would do."),
    gauge("incidents", "Incidents that are going on."),
    gauge("incident_machines", "Machines of an incident that are not well.", **_INCIDENT),
    gauge(
        "incident_missing_hashes_per_second", "What an incident's machines should do and do not.", **_INCIDENT
    ),
    gauge("incident_start_timestamp_seconds", "When an incident began.", **_INCIDENT),
    # groups
    gauge("group_hashrate_hashes_per_second", "A group's hashrate over ten minutes.", **_GROUP),
    gauge(
        "group_expected_hashes_per_second",
        "What a group's machines should do, paused ones left out.",
        **_GROUP,
    ),
    gauge("group_machines", "Machines of a group, those listed and never seen too.", **_GROUP),
    gauge("group_faulty_machines", "Machines of a group that are silent, low or rejecting.", **_GROUP),
    gauge("group_paused_machines", "Machines of a group that are paused.", **_GROUP),
    gauge("group_rejected_ratio", "Refused part of a group's work over ten minutes.", **_GROUP),
    # machines
    gauge("worker_hashrate_hashes_per_second", "A machine's hashrate over ten minutes.", **_MACHINE),
    gauge("worker_expected_hashes_per_second", "What a machine should do, where that is known.", **_MACHINE),
    gauge("worker_state", "1, with the state that a machine is in.", **_MACHINE, state=STATES),
    gauge("worker_rejected_ratio", "Refused part of a machine's work over ten minutes.", **_MACHINE),
    gauge("worker_last_share_timestamp_seconds", "Time of a machine's last credited share.", **_MACHINE),
    gauge("worker_best_share_difficulty", "A machine's best share.", **_MACHINE),
    gauge("workers_shown", "Machines with series of their own."),
    gauge("groups_cut", "Groups without series, beyond metrics.groups_limit."),
    gauge("workers_cut", "Machines without series, beyond metrics.workers_limit."),
    # money
    gauge("power_watts", "What the machines draw, cooling not counted.", basis=BASES),
    gauge("power_price_per_kwh", "Price of power now, in the currency of the settings."),
    gauge("power_cost_per_day", "Power and fixed cost of a day, in that currency.", basis=BASES),
    gauge("expected_coin_sats_per_day", "What the hashrate is expected to earn in a day.", basis=BASES),
    gauge("revenue_per_day", "The same in the currency.", basis=BASES),
    gauge("profit_per_day", "Revenue less all cost; negative is a loss.", basis=BASES),
    gauge("break_even_power_price", "Price of a kWh at which the profit is 0.", basis=BASES),
    gauge("break_even_coin_price", "Price of a coin at which the profit is 0.", basis=BASES),
    gauge("coin_price", "Price of a coin, in the currency."),
    gauge("pause_saved_per_day", "What the pauses in force save in a day, in the currency."),
    gauge(
        "pause_saved_30_days",
        "What pauses have saved in 30 days, in the currency; negative: they cost it.",
        by=PAUSED_BY,
    ),
    gauge(
        "pause_unspent_kwh_30_days", "Energy at the meter that pauses left unspent in 30 days.", by=PAUSED_BY
    ),
    gauge("solo_block_wait_seconds", "Expected time to a block of one's own at this hashrate."),
    gauge("solo_block_chance_30_days_ratio", "Chance of a block within 30 days."),
    gauge("solo_block_chance_year_ratio", "Chance of a block within 365 days."),
    # work that a new block made worthless
    counter(
        "stale_loss_hashes", "Work refused after block changes, by cause.", cause=("node", "gateway", "miner")
    ),
    gauge(
        "stale_loss_sats_per_day",
        "What such work would have earned, per day.",
        cause=("node", "gateway", "miner"),
    ),
)
