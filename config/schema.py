"""The settings as typed values: units in names, bounds and prose on every field; it reads and checks nothing.

The prose is written once, here: `config.reference` prints it as the commented reference file,
`config.loading` quotes the bounds in its errors. Fields of type Secret are never read from the file itself.
What concerns money is in `config.payout_schema`, what concerns machines in `config.farm_schema`.
What concerns money is in `config.payout_schema`, what concerns a farm in `config.farm_schema`.
What concerns money is in `config.payout_schema`, notifications are in `config.notice_schema`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from config.farm_schema import FarmSettings
from config.metrics_schema import MetricsSettings
from config.notice_schema import NotificationSettings
from config.payout_schema import PayoutSettings
from config.secret import Secret


class CoinbaseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What your blocks say."""

    tag: Annotated[
        str,
        Meta(
            max_length=40,
            pattern=r"^[ -~]*\Z",
            description="Text in the coinbase of every block: how explorers name your pool. Printable ASCII.",
        ),
    ] = "/engineroom/"


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One full node. The first one is preferred; a node that knows more work supplies templates at once."""

    name: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z", description="What logs call it: letters, digits, - and _."),
    ]
    url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^@/\s]+/?\Z",
            description="Where its RPC listens, without credentials: http://127.0.0.1:8332",
        ),
    ]
    cookie_file: Annotated[
        str | None,
        Meta(
            min_length=1,
            description="The node's .cookie file. Either this, or `user` and one of the two passwords.",
        ),
    ] = None
    user: Annotated[str | None, Meta(description="RPC user name, where there is no cookie.")] = None
    password_file: Annotated[
        str | None, Meta(min_length=1, description="A file that holds the RPC password and nothing else.")
    ] = None
    password_environment: Annotated[
        str | None, Meta(description="The name of an environment variable that holds the RPC password.")
    ] = None
    zmq_hashblock: Annotated[
        str | None,
        Meta(
            pattern=r"^(tcp|ipc)://\S+\Z",
            description="The node's -zmqpubhashblock address: new blocks are heard of at once. "
            "Debian's litecoind accepts that option and ignores it; use blocknotify there.",
        ),
    ] = None
    longpoll: Annotated[
        bool,
        Meta(
            description="Keep one long-poll pending. It holds one of the node's RPC threads: "
            "give the node -rpcthreads=8 or more."
        ),
    ] = False
    password: Secret | None = None


class DifficultySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Share difficulty on one port, in units of difficulty 1."""

    start: Annotated[
        float, Meta(gt=0, le=1e15, description="Where a miner starts that the pool has not seen before.")
    ] = 16384
    minimum: Annotated[
        float, Meta(gt=0, le=1e15, description="Never below this. 0.0001 lets ESP32 miners in.")
    ] = 1
    maximum: Annotated[float, Meta(gt=0, le=1e15, description="Never above this.")] = 1e12


class ListenerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A port that miners connect to."""

    address: Annotated[
        str,
        Meta(description="The IPv4 or IPv6 address to listen on; 0.0.0.0 or :: for all of a family."),
    ] = "0.0.0.0"  # noqa: S104  miners come from other machines
    port: Annotated[int, Meta(ge=0, le=65535, description="The TCP port; 0 takes any free one.")] = 3333
    difficulty: DifficultySettings = DifficultySettings()


class StratumSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How miners are served."""

    listeners: Annotated[
        tuple[ListenerSettings, ...],
        Meta(
            min_length=1,
            max_length=16,
            description="One entry a port. Large machines and small ones are best kept apart.",
        ),
    ] = (ListenerSettings(),)
    share_interval_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=120,
            description="How often a machine should send a share. Difficulty is adjusted to this.",
        ),
    ] = 10
    version_rolling_mask: Annotated[
        str,
        Meta(
            pattern=r"^[0-9a-fA-F]{8}\Z",
            description="Version bits that miners may roll (BIP 320), 8 hex digits; 00000000 forbids it.",
        ),
    ] = "1fffe000"
    send_version_mask: Annotated[
        bool,
        Meta(description="Push the granted mask with the first job. Bitaxe before 2.0.6 crashes on it."),
    ] = True
    late_share_grace_milliseconds: Annotated[
        int | None,
        Meta(
            ge=0,
            le=10_000,
            description="How long after a new block shares for the old one are still counted; by default "
            "1000. With `pps` and `fpps` it is 0, since such a share would be paid for and can find nothing.",
        ),
    ] = None
    maximum_connections: Annotated[
        int, Meta(ge=1, le=1_000_000, description="All ports together; needs as many open files.")
    ] = 18_000
    maximum_connections_per_address: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="From one IP address; 0 is no limit. A farm behind a router is one address.",
        ),
    ] = 0
    maximum_names_per_connection: Annotated[
        int, Meta(ge=1, le=1024, description="Worker names that one connection (a proxy) may authorise.")
    ] = 256
    maximum_shares_per_second: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            description="On one connection, before even a fixed difficulty (d=) is raised; 0 is never.",
        ),
    ] = 50
    nicehash_minimum_difficulty: Annotated[
        float,
        Meta(
            ge=0,
            le=1e15,
            description="NiceHash refuses pools that send it less, ever; 0 treats it like any.",
        ),
    ] = 524288


class AccountingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How accounts of the miners' work are kept."""

    slot_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=3_600,
            description="Work is summed up in slots of this length; once there are accounts it stays so.",
        ),
    ] = 10
    retention_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_650,
            description="How long every single share is kept, so that accounts can be rebuilt from them.",
        ),
    ] = 30
    window_wait_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=1_440,
            description="How long a block waits at most for the shares of a gateway that has fallen silent.",
        ),
    ] = 60


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to stderr."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="debug also tells why each connection ended."),
    ] = "info"
    format: Annotated[
        Literal["console", "json"],
        Meta(description="console: sentences for people; json: one object a line (docs/logs.md)."),
    ] = "console"
    full_addresses: Annotated[
        bool,
        Meta(description="Write addresses of miners whole, not their first and last six characters."),
    ] = False


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    coin: Annotated[Literal["bitcoin", "litecoin"], Meta(description="What is mined.")]
    network: Annotated[
        Literal["mainnet", "testnet", "testnet4", "signet", "regtest"],
        Meta(description="bitcoin: mainnet, testnet4, signet, regtest. litecoin: mainnet, testnet, regtest."),
    ]
    data_directory: Annotated[
        str,
        Meta(
            min_length=1,
            description="Where shares, found blocks, the accounts and the journal of payments are kept. "
            "Created if missing.",
        ),
    ] = "/var/lib/engineroom"
    database: Annotated[
        str | None,
        Meta(
            pattern=r"^postgresql://\S+\Z",
            description="Where the accounts are kept; by default in the file DATA_DIRECTORY/accounts.sqlite. "
            "In PostgreSQL: postgresql://USER@HOST/DATABASE, without a password.",
        ),
    ] = None
    database_password_file: Annotated[
        str | None, Meta(min_length=1, description="A file that holds the password of PostgreSQL's user.")
    ] = None
    database_password_environment: Annotated[
        str | None,
        Meta(description="The name of an environment variable that holds the password of PostgreSQL's user."),
    ] = None
    payout: PayoutSettings
    coinbase: CoinbaseSettings = CoinbaseSettings()
    nodes: Annotated[
        tuple[NodeSettings, ...],
        Meta(min_length=1, max_length=8, description="Full nodes of your own, the preferred one first."),
    ]
    notify_socket: Annotated[
        str | None,
        Meta(
            min_length=1,
            description="Where `engineroom notify` tells of blocks; by default DATA_DIRECTORY/notify.sock. "
            'In the node: blocknotify=engineroom notify /var/lib/engineroom/notify.sock "%s"',
        ),
    ] = None
    template_refresh_seconds: Annotated[
        float, Meta(ge=1, le=60, description="How often new transactions are picked up between blocks.")
    ] = 20
    trust_stricter_target: Annotated[
        bool,
        Meta(
            description="On regtest only: let the node's own stricter `target` decide what a block is, "
            "as `engineroom devnode` offers it."
        ),
    ] = False
    stratum: StratumSettings = StratumSettings()
    accounting: AccountingSettings = AccountingSettings()
    farm: FarmSettings = FarmSettings()
    notifications: Annotated[
        tuple[NotificationSettings, ...],
        Meta(
            max_length=16,
            description="Who is told of blocks, payments, incidents: see docs/notifications.md.",
        ),
    ] = ()
    drain_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="Over how long connections are closed when the pool stops.")
    ] = 10
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    database_password: Secret | None = None
