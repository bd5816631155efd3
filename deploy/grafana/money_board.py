"""The money's dashboard: who is owed what, what was paid, and whether mining pays. Its panels.

Coins are shown as coins, made of satoshis here; a currency is the one that the settings name.
"""

from deploy.grafana.dashboard import Dashboard, Row
from deploy.grafana.operator_board import BLOCK_MARK
from deploy.grafana.panel import (
    PLAIN,
    RATIO,
    SECONDS,
    WATTS,
    Query,
    bad_from,
    bars,
    figure,
    good_from,
    lines,
    worse_above,
)

COIN_DECIMALS = 8
NO_LOSS = good_from(0)

AT_A_GLANCE = Row(
    "At a glance",
    (
        figure(
            "Owed and mature",
            "What accounts are owed and may be paid, in coin.",
            "engineroom_balances_owed_sats / 1e8",
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            width=4,
        ),
        figure(
            "Owed and immature",
            "What accounts are owed from blocks that may still be orphaned, in coin.",
            "engineroom_immature_owed_sats / 1e8",
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            width=4,
        ),
        figure(
            "Paid",
            "What has been paid to accounts since the beginning, in coin.",
            "engineroom_paid_sats / 1e8",
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            width=4,
        ),
        figure(
            "Wallet beyond what is owed",
            "The wallet's spendable money less what is owed and mature, in coin. Below 0 payments are held.",
            'engineroom_wallet_balance_sats{kind="trusted"} / 1e8 - on (job, instance) '
            "engineroom_balances_owed_sats / 1e8",
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            steps=NO_LOSS,
            width=4,
        ),
        figure(
            "Payouts held",
            "Holds in force: of everything, of payments, of accounts. `engineroom payouts holds` says why.",
            "sum(engineroom_payout_holds)",
            decimals=0,
            steps=bad_from(1),
            width=4,
        ),
        figure(
            "Profit of a day",
            "By the measured hashrate: revenue less all cost, in the currency of the settings.",
            'engineroom_profit_per_day{basis="measured"}',
            unit=PLAIN,
            decimals=2,
            steps=NO_LOSS,
            width=4,
        ),
    ),
)

ACCOUNTS = Row(
    "Accounts",
    (
        lines(
            "Owed",
            "What accounts are owed, in coin: mature, immature, and in payments that are not confirmed.",
            Query("engineroom_balances_owed_sats / 1e8", "mature"),
            Query("engineroom_immature_owed_sats / 1e8", "immature"),
            Query("engineroom_payments_on_their_way_sats / 1e8", "on its way"),
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            stacked=True,
            width=7,
        ),
        lines(
            "The wallet against what is owed",
            "What the wallet has, and what of it belongs to accounts, in coin. A wallet that does not answer "
            "has what it had.",
            Query("engineroom_wallet_balance_sats / 1e8", "wallet, {{kind}}"),
            Query("engineroom_balances_owed_sats / 1e8", "owed and mature"),
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            width=7,
        ),
        figure(
            "Wallet answers",
            "1 while it does. Without it nothing is paid.",
            "engineroom_wallet_up",
            decimals=0,
            steps=good_from(1),
            width=3,
            height=8,
        ),
        lines(
            "Mined and paid",
            "Since the beginning, in coin: what blocks brought in, what was paid, what is the operator's.",
            Query("engineroom_mined_sats / 1e8", "mined"),
            Query("engineroom_paid_sats / 1e8", "paid"),
            Query("engineroom_operator_sats / 1e8", "operator"),
            Query("engineroom_payment_fees_sats / 1e8", "network fees"),
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            width=7,
        ),
    ),
)

PAYMENTS = Row(
    "Payments",
    (
        bars(
            "Payments by state",
            "A payment is planned, signed and stored, then broadcast until it is confirmed.",
            Query("sum by (state) (engineroom_payments)", "{{state}}"),
            width=8,
        ),
        bars(
            "Holds",
            "What stops payments: of everything, of single payments, of single accounts.",
            Query("sum by (scope) (engineroom_payout_holds)", "{{scope}}"),
        ),
        figure(
            "Oldest open payment",
            "Age of the oldest payment that is not confirmed. Without one there is no data here.",
            "time() - engineroom_oldest_open_payment_timestamp_seconds",
            unit=SECONDS,
            steps=worse_above(21_600, 86_400),
            width=4,
            height=8,
        ),
        figure(
            "Accounts",
            "Accounts, the pool's own not counted.",
            "engineroom_accounts",
            decimals=0,
            height=8,
        ),
        bars(
            "Blocks by state",
            "What money comes from: an accepted block may still be orphaned, a mature one cannot.",
            Query("sum by (state) (engineroom_blocks)", "{{state}}"),
            width=3,
        ),
    ),
)

EARNINGS = Row(
    "What mining brings and costs",
    (
        lines(
            "Profit of a day over time",
            "Revenue less all cost, in the currency of the settings: by the measured hashrate, and as the "
            "machines' nameplates promise. Below 0 is a loss.",
            Query("engineroom_profit_per_day", "{{basis}}"),
            unit=PLAIN,
            decimals=2,
            steps=NO_LOSS,
        ),
        lines(
            "Revenue and cost of a day",
            "In the currency of the settings; cost is power and fixed cost.",
            Query("engineroom_revenue_per_day", "revenue, {{basis}}"),
            Query("engineroom_power_cost_per_day", "cost, {{basis}}"),
            unit=PLAIN,
            decimals=2,
        ),
        lines(
            "Expected coin of a day",
            "What the hashrate is expected to earn in a day, in coin.",
            Query("engineroom_expected_coin_sats_per_day / 1e8", "{{basis}}"),
            unit=PLAIN,
            decimals=COIN_DECIMALS,
        ),
        lines(
            "Price of power, and where profit ends",
            "Of a kWh, in the currency of the settings. Above its break-even price mining is a loss.",
            Query("engineroom_power_price_per_kwh", "now"),
            Query("engineroom_break_even_power_price", "break-even, {{basis}}"),
            unit=PLAIN,
            decimals=4,
        ),
        lines(
            "Price of a coin, and where profit begins",
            "In the currency of the settings. Below its break-even price mining is a loss.",
            Query("engineroom_coin_price", "now"),
            Query("engineroom_break_even_coin_price", "break-even, {{basis}}"),
            unit=PLAIN,
            decimals=2,
        ),
        lines(
            "Power",
            "What the machines draw, cooling not counted.",
            Query("engineroom_power_watts", "{{basis}}"),
            unit=WATTS,
        ),
        lines(
            "Saved by pauses in 30 days",
            "What pauses by hand and for the price of power have saved, in the currency of the settings: "
            "power unspent less coin unearned. Below 0 they have cost it.",
            Query("engineroom_pause_saved_30_days", "{{by}}"),
            unit=PLAIN,
            decimals=2,
            steps=NO_LOSS,
            width=12,
        ),
        lines(
            "Power unspent by pauses in 30 days",
            "What the meter did not count, in kWh.",
            Query("engineroom_pause_unspent_kwh_30_days", "{{by}}"),
            unit=PLAIN,
            decimals=0,
            width=12,
        ),
        figure(
            "Saved by pauses",
            "What the pauses in force save in a day, in the currency of the settings.",
            "engineroom_pause_saved_per_day",
            unit=PLAIN,
            decimals=2,
            width=4,
        ),
        figure(
            "Wait for a block of one's own",
            "Expected time to a block at this hashrate, mined solo.",
            "engineroom_solo_block_wait_seconds",
            unit=SECONDS,
            width=4,
        ),
        figure(
            "Solo block within a month",
            "Chance of a block of one's own within 30 days.",
            "engineroom_solo_block_chance_30_days_ratio",
            unit=RATIO,
            decimals=2,
            width=4,
        ),
        figure(
            "Solo block within a year",
            "Chance of a block of one's own within 365 days.",
            "engineroom_solo_block_chance_year_ratio",
            unit=RATIO,
            decimals=2,
            width=4,
        ),
        lines(
            "Lost to stale work",
            "What work that came after block changes would have earned in a day, in coin, by who was late.",
            Query("engineroom_stale_loss_sats_per_day / 1e8", "{{cause}}"),
            unit=PLAIN,
            decimals=COIN_DECIMALS,
            stacked=True,
            width=8,
        ),
    ),
)

MONEY_BOARD = Dashboard(
    name="money",
    title="Engineroom: money",
    description="Who is owed what, what was paid, and does mining pay?",
    since="now-7d",
    variables=(),
    marks=(BLOCK_MARK,),
    rows=(AT_A_GLANCE, ACCOUNTS, PAYMENTS, EARNINGS),
)
