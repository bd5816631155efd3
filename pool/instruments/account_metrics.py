"""What the accountant's process measures: the pool, the accounts, itself. Names and meanings only."""

from payouts.maturity import BlockState
from payouts.payment import PaymentState
from pool.farm.rate_windows import WINDOWS
from pool.gateway.stall import STALL_BOUNDS
from pool.instruments.gateway_metrics import A_GATEWAY
from pool.instruments.metric import Metric, counter, gauge, histogram

# The accountant's duties, by the names that its log has for them.
DUTIES = (
    "counting shares",
    "watching blocks",
    "keeping",
    "measuring",
    "noticing",
    "planning coinbases",
    "watching payments",
    "paying",
)
# Seconds. A transaction of a second's frames takes some 5 ms on a good disk, a bad one's sync half a second.
COMMIT_BOUNDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_WINDOW = tuple(WINDOWS)

ACCOUNT_METRICS: tuple[Metric, ...] = (
    # the pool, from all gateways' frames
    gauge(
        "pool_hashrate_hashes_per_second", "Hashrate by credited work, exponential window.", window=_WINDOW
    ),
    gauge("pool_hashrate_lower_hashes_per_second", "Lower 95 % bound of the hashrate.", window=_WINDOW),
    gauge("pool_hashrate_upper_hashes_per_second", "Upper 95 % bound of the hashrate.", window=_WINDOW),
    gauge("round_effort_ratio", "Work since the last block candidate, 1 is what a block takes on average."),
    gauge("last_round_effort_ratio", "What the last round took; absent before the first block."),
    gauge("round_luck_p_value", "How likely a round is at least as long as this one."),
    gauge(
        "luck_p_value", "How likely so few blocks or fewer are for the work of this and the last 64 rounds."
    ),
    gauge("gateway_up", "1 while a gateway's frames come.", gateway=A_GATEWAY),
    gauge("gateway_last_frame_timestamp_seconds", "Time of a gateway's newest frame.", gateway=A_GATEWAY),
    # from the spools to the accounts
    gauge("spool_bytes", "Size of a gateway's segments that are not archived yet.", gateway=A_GATEWAY),
    gauge("spool_age_seconds", "Age of the oldest of those segments.", gateway=A_GATEWAY),
    gauge("frame_lag_seconds", "How far the accounts are behind a gateway's frames.", gateway=A_GATEWAY),
    gauge(
        "sources_stopped",
        "Spools of a gateway, one for each epoch, that cannot be counted and wait for a person.",
        gateway=A_GATEWAY,
    ),
    counter("frames_applied", "Frames counted since the accountant's start."),
    counter("shares_applied", "Shares counted since the accountant's start."),
    histogram("commit_seconds", "Time of a transaction that counts frames.", COMMIT_BOUNDS),
    gauge("database_up", "1 while the accounts can be read and written: no duty waits for the database."),
    counter("duty_failures", "Duties that met trouble and wait, by duty.", duty=DUTIES),
    counter("database_errors", "Failures of the database: each duty has one at each try while it is away."),
    counter("database_outages", "How often the database could no longer be used."),
    # money
    gauge("accounts", "Accounts, the pool's own not counted."),
    gauge("balances_owed_sats", "Owed to accounts and mature."),
    gauge("immature_owed_sats", "Owed to accounts from blocks that may still be orphaned."),
    gauge("operator_sats", "The operator's own account."),
    gauge("mined_sats", "What blocks have brought in."),
    gauge("paid_sats", "What has been paid to accounts."),
    gauge("payments_on_their_way_sats", "Planned or sent, and not confirmed."),
    gauge("payment_fees_sats", "What payments have cost in network fees."),
    gauge("payments", "Payments by state.", state=tuple(one.value for one in PaymentState)),
    gauge(
        "oldest_open_payment_timestamp_seconds",
        "When the oldest payment was planned that is not confirmed; absent where none is open.",
    ),
    gauge("payout_holds", "Holds in force: what stops payments.", scope=("all", "payment", "account")),
    gauge("wallet_up", "1 while the wallet answers; absent where none is set."),
    gauge(
        "wallet_balance_sats",
        "The wallet's money, when it last answered.",
        kind=("trusted", "pending", "immature"),
    ),
    gauge("blocks", "Blocks by state.", state=tuple(one.value for one in BlockState)),
    gauge("last_block_timestamp_seconds", "When the newest block was found; absent before the first."),
    # the process
    histogram(
        "accountant_stall_seconds",
        "How late the accountant's loop is for a timer, at 20 moments a second.",
        STALL_BOUNDS,
    ),
    gauge("accountant_start_time_seconds", "When the accountant's process began, Unix time."),
    gauge("metrics_render_seconds", "How long the page before this one took to render."),
    gauge("build_info", "1; what is running.", version="the version", python_version="Python's"),
)
