"""The settings of money as typed values: who is paid for blocks, by which scheme, and how it reaches them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from config.secret import Secret

PLACEHOLDER_ADDRESS = "PUT-YOUR-ADDRESS-HERE"
MOST_SATS = 8_400_000_000_000_000  # all the litecoins there will ever be, four times as many as bitcoins
LEAST_OUTPUT_SATS = 546
# What Bitcoin Core calls dust at its default relay fee, for the dearest ordinary output (p2pkh).


class FeeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recipient of a fee."""

    address: Annotated[
        str, Meta(description="Who gets it: an ordinary address of the coin and network above, each once.")
    ]
    basis_points: Annotated[
        int, Meta(ge=0, le=9_999, description="Hundredths of a percent of the full reward: 100 is 1 %.")
    ]


class WindowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The work that a block pays with `pplns`, and with `pps` and `fpps` once the reserve is used up."""

    multiple: Annotated[
        int, Meta(ge=1, le=1_000, description="How many times the network's work for one block it holds.")
    ] = 2
    max_days: Annotated[
        int, Meta(ge=1, le=365, description="It never reaches further back, however little work there was.")
    ] = 30
    unfilled: Annotated[
        Literal["normalise", "operator"],
        Meta(
            description="What happens if it is not full. `normalise`: those in it divide all of a block. "
            "`operator`: the missing part of the block is the operator's."
        ),
    ] = "normalise"


class PpsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bank behind `pps` and `fpps`: there the pool pays for shares before it has found a block."""

    reserve_sats: Annotated[
        int | None,
        Meta(
            ge=1,
            le=MOST_SATS,
            description="What the operator has set aside for bad luck; these schemes need it. Once it is "
            "used up, new work is credited by `pplns`. `engineroom check` prints how likely that is.",
        ),
    ] = None


class CoinbasePaymentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How blocks pay miners themselves, with method `coinbase`."""

    plan_age_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=1_440,
            description="How long blocks go on paying by the last plan when the accountant is silent; then "
            "they pay `address`.",
        ),
    ] = 10
    remainder: Annotated[
        Literal["custody", "advance"],
        Meta(
            description="Where that goes which was too small for an output or found no room. `custody`: to "
            "`address`, which owes it. `advance`: to the others in proportion, who have it deducted later."
        ),
    ] = "custody"
    minimum_output_sats: Annotated[
        int,
        Meta(
            ge=LEAST_OUTPUT_SATS,
            le=MOST_SATS,
            description="Smaller parts wait for a later block.",
        ),
    ] = 10_000
    most_outputs: Annotated[
        int,
        Meta(
            ge=1,
            le=2_000,
            description="Outputs in one coinbase, the largest first. Each takes a transaction's room, "
            "and some firmware takes far fewer: it gets fewer.",
        ),
    ] = 500


class WalletSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The node's wallet that miners are paid from, with method `wallet`. Without this section nothing is
    paid: credits add up. Where blocks pay the miners themselves, it is watched for what it has paid."""

    node: Annotated[
        str | None,
        Meta(min_length=1, description="The name of its node in `nodes`; by default the first."),
    ] = None
    name: Annotated[
        str | None,
        Meta(min_length=1, description="The wallet's name on that node; by default the node's only wallet."),
    ] = None
    passphrase_file: Annotated[
        str | None,
        Meta(min_length=1, description="A file that holds the passphrase of an encrypted wallet."),
    ] = None
    passphrase_environment: Annotated[
        str | None, Meta(description="The name of an environment variable that holds the passphrase.")
    ] = None
    interval_minutes: Annotated[
        int, Meta(ge=1, le=10_080, description="How often those are paid who have reached `minimum_sats`.")
    ] = 60
    fee_paid_by: Annotated[
        Literal["pool", "payees"], Meta(description="Who bears what the network takes for a payment.")
    ] = "payees"
    max_fee_percent: Annotated[
        int,
        Meta(ge=1, le=50, description="A payment whose network fee is a larger part of it waits."),
    ] = 2
    bump_after_blocks: Annotated[
        int,
        Meta(ge=1, le=1_008, description="A payment that is not in a block by then is sent with more fee."),
    ] = 6
    confirmation_target_blocks: Annotated[
        int,
        Meta(
            ge=1,
            le=1_008,
            description="Fees are what the node estimates for one of the next so many blocks.",
        ),
    ] = 6
    fallback_fee_sats_per_vbyte: Annotated[
        int | None,
        Meta(
            ge=1,
            le=10_000,
            description="The fee where the node cannot estimate one. Not set: payments wait until it can.",
        ),
    ] = None
    daily_limit_sats: Annotated[
        int | None,
        Meta(ge=1, le=MOST_SATS, description="The most that is paid within 24 hours. Not set: no limit."),
    ] = None
    most_outputs: Annotated[
        int, Meta(ge=1, le=1_000, description="Payees in one transaction; the others are paid in the next.")
    ] = 1_000
    input_confirmations: Annotated[
        int, Meta(ge=1, le=1_000, description="Only coins that lie so deep in the chain are spent.")
    ] = 6
    passphrase: Secret | None = None


class PayoutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is paid for blocks, and how."""

    scheme: Annotated[
        Literal["pplns", "proportional", "pps", "fpps", "solo"],
        Meta(
            description="`pplns`: a block is divided by the work in its window. `proportional`: by the work "
            "since the block before, which invites hoppers. `pps`: every share has its price, whether blocks "
            "are found or not; `fpps`: transaction fees included. `solo`: a block pays the address in the "
            "user name of the miner that found it."
        ),
    ] = "pplns"
    method: Annotated[
        Literal["wallet", "coinbase"],
        Meta(
            description="`wallet`: blocks pay `address`, accounts are credited, and a wallet pays them. "
            "`coinbase`: blocks pay the miners themselves (pplns, proportional). With `solo` they always do."
        ),
    ] = "wallet"
    address: Annotated[
        str | None,
        Meta(
            description="The pool's own, an ordinary address of the coin and network above. With `wallet` "
            "blocks pay it: let it be one of that wallet's. With `coinbase` it holds what did not fit into a "
            "block. Not used with `solo`.",
        ),
    ] = None
    fees: Annotated[
        tuple[FeeSettings, ...],
        Meta(
            max_length=16,
            description="Taken from the full reward before the miners' part is divided.",
        ),
    ] = ()
    allow_hopping: Annotated[
        bool, Meta(description="Let `proportional` be used on listeners that strangers can reach.")
    ] = False
    maturity_confirmations: Annotated[
        int,
        Meta(
            ge=100,  # the consensus rule of every coin here
            le=10_000,
            description="So deep must a block lie before its money is a balance; a chain demands 100.",
        ),
    ] = 101
    minimum_sats: Annotated[
        int,
        Meta(
            ge=LEAST_OUTPUT_SATS,
            le=MOST_SATS,
            description="A balance below this is not paid yet. An account may choose another for itself.",
        ),
    ] = 100_000
    payee_change_delay_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=8_760,
            description="How long a change of where an account is paid waits: time to notice a theft.",
        ),
    ] = 48
    window: WindowSettings = WindowSettings()
    pps: PpsSettings = PpsSettings()
    coinbase: CoinbasePaymentSettings = CoinbasePaymentSettings()
    wallet: WalletSettings | None = None
