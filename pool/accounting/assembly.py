"""Settings → the rules of the accountant's parts. It opens and decides nothing."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from config.payout_schema import WalletSettings
from config.schema import NodeSettings, Settings
from payouts import maturity, payment
from payouts.node_call import CallFailed, CallRefused, NodeCall
from payouts.settlement import Fee, Terms
from pool.accounting.agreements import Agreement, Since
from pool.accounting.daily_digests import DAY_US, DigestRules
from pool.accounting.directories import PLANS
from pool.accounting.keeping import KeepRules
from pool.accounting.ledger import OPERATOR
from pool.accounting.needed import NeedRules
from pool.accounting.plan_maker import PlanRules
from pool.accounting.pricing import PriceRules
from pool.accounting.rewards import RewardRules
from pool.accounting.signer import PayerRules
from pool.accounting.statements import StatementRules
from pool.node.endpoint import NodeEndpoint
from pool.node.rpc import NodeError, NodeRpc, RpcError
from pool.translation import endpoint_of
from stratum.work.address import parse_address
from stratum.work.coin import Network

T = TypeVar("T")
MINUTE_US = 60 * 1_000_000
WALLET_SECONDS = 120.0
# Signing a thousand inputs, or unlocking a wallet on a small machine, takes far longer than a question.


class Past(msgspec.Struct, frozen=True):
    """All agreements that ever held, the oldest first; the last one is in force."""

    agreements: tuple[Since, ...]

    def rules(self, build: Callable[[Agreement, tuple[tuple[int, T], ...]], T]) -> T:
        """`build` for each agreement; the rules in force, which know those before them."""
        earlier: list[tuple[int, T]] = []
        for one, following in pairwise(self.agreements):
            earlier.append((following.since_us, build(one.agreement, ())))
        return build(self.agreements[-1].agreement, tuple(earlier))


def reward_rules(settings: Settings, network: Network, past: Past) -> RewardRules:
    """How rewards are divided, now and before."""

    def build(agreed: Agreement, earlier: tuple[tuple[int, RewardRules], ...]) -> RewardRules:
        return RewardRules(
            scheme=agreed.scheme,
            method=agreed.method,
            terms=Terms(
                operator=OPERATOR,
                fees=tuple(Fee(address, points) for address, points in agreed.fees),
                unfilled="operator" if agreed.unfilled == "operator" else "normalise",
            ),
            fee_scripts=tuple(parse_address(address, network).script for address, _ in agreed.fees),
            multiple=agreed.multiple,
            max_days=agreed.max_days,
            slot_seconds=settings.accounting.slot_seconds,
            window_wait_us=settings.accounting.window_wait_minutes * MINUTE_US,
            plans=Path(settings.data_directory) / PLANS,
            earlier=earlier,
        )

    return past.rules(build)


def price_rules(settings: Settings, past: Past) -> PriceRules:
    """What work is bought at, now and before."""

    def build(agreed: Agreement, earlier: tuple[tuple[int, PriceRules], ...]) -> PriceRules:
        return PriceRules(
            scheme=agreed.scheme,
            fee_basis_points=sum(points for _, points in agreed.fees),
            reserve_sats=settings.payout.pps.reserve_sats or 0,
            slot_seconds=settings.accounting.slot_seconds,
            window_wait_us=settings.accounting.window_wait_minutes * MINUTE_US,
            earlier=earlier,
        )

    return past.rules(build)


def statement_rules(settings: Settings, past: Past) -> StatementRules:
    """What statements say of the rules, now and before."""

    def build(agreed: Agreement, earlier: tuple[tuple[int, StatementRules], ...]) -> StatementRules:
        return StatementRules(
            network=network_name(settings),
            scheme=agreed.scheme,
            method=agreed.method,
            unfilled=agreed.unfilled,
            multiple=agreed.multiple,
            max_days=agreed.max_days,
            slot_seconds=settings.accounting.slot_seconds,
            operator=OPERATOR,
            fees=agreed.fees,
            earlier=earlier,
        )

    return past.rules(build)


def keep_rules(settings: Settings, past: Past) -> KeepRules:
    """How long things are kept, and what blocks that are not settled yet need."""

    def build(agreed: Agreement, earlier: tuple[tuple[int, NeedRules], ...]) -> NeedRules:
        return NeedRules(
            scheme=agreed.scheme,
            max_days=agreed.max_days,
            slot_seconds=settings.accounting.slot_seconds,
            maturity_confirmations=settings.payout.maturity_confirmations,
            earlier=earlier,
        )

    return KeepRules(
        digests=DigestRules(
            network=network_name(settings),
            need=past.rules(build),
            retention_us=settings.accounting.retention_days * DAY_US,
        ),
        plan_age_us=settings.payout.coinbase.plan_age_minutes * MINUTE_US,
    )


def custody_script(settings: Settings, network: Network) -> bytes | None:
    """Where a coinbase pays what it holds for others."""
    address = settings.payout.address
    return None if address is None else parse_address(address, network).script


def pays_by_coinbase(settings: Settings) -> bool:
    """Whether blocks carry over and pay what is owed; a wallet is only watched then, for what it paid before.
    A solo block pays its finder and nobody else: what is owed from before is a wallet's to pay."""
    return settings.payout.method == "coinbase" and settings.payout.scheme != "solo"


def plan_rules(settings: Settings, network: Network, dust_sats_per_kvb: int) -> PlanRules:
    """For method `coinbase`, whose rules demand an address."""
    payout = settings.payout
    if payout.address is None:
        raise ValueError("method coinbase without payout.address: refused when settings are read")
    return PlanRules(
        scheme=payout.scheme,
        custody=parse_address(payout.address, network).script,
        fees=tuple(
            (fee.address, parse_address(fee.address, network).script, fee.basis_points) for fee in payout.fees
        ),
        multiple=payout.window.multiple,
        max_days=payout.window.max_days,
        unfilled=payout.window.unfilled,
        slot_seconds=settings.accounting.slot_seconds,
        remainder=payout.coinbase.remainder,
        minimum_output_sats=payout.coinbase.minimum_output_sats,
        most_outputs=payout.coinbase.most_outputs,
        dust_sats_per_kvb=dust_sats_per_kvb,
    )


def payer_rules(settings: Settings, wallet: WalletSettings) -> PayerRules:
    fallback = wallet.fallback_fee_sats_per_vbyte
    return PayerRules(
        minimum_sats=settings.payout.minimum_sats,
        fee_paid_by=wallet.fee_paid_by,
        max_fee_percent=wallet.max_fee_percent,
        most_outputs=wallet.most_outputs,
        input_confirmations=wallet.input_confirmations,
        confirmation_target_blocks=wallet.confirmation_target_blocks,
        fallback_sats_per_kvb=None if fallback is None else fallback * 1000,
        daily_limit_sats=wallet.daily_limit_sats,
        rules=payment.Rules(bump_after_blocks=wallet.bump_after_blocks),
        reserve_sats=settings.payout.pps.reserve_sats or 0,
    )


def maturity_rules(settings: Settings) -> maturity.Rules:
    return maturity.Rules(maturity_confirmations=settings.payout.maturity_confirmations)


def network_name(settings: Settings) -> str:
    """Coin and network as one text, as it stands in spools, files and statements."""
    return f"{settings.coin} {settings.network}"


def wallet_node(settings: Settings, wallet: WalletSettings) -> NodeSettings:
    """The node whose wallet pays."""
    if wallet.name is None and wallet.node is None:
        return settings.nodes[0]
    return next(
        (node for node in settings.nodes if wallet.node is None or node.name == wallet.node),
        settings.nodes[0],
    )


def wallet_endpoint(settings: Settings, wallet: WalletSettings) -> NodeEndpoint:
    """Where the wallet answers: a named one has an address of its own on its node."""
    endpoint = endpoint_of(wallet_node(settings, wallet))
    if wallet.name is None:
        return endpoint
    return msgspec.structs.replace(endpoint, url=f"{endpoint.url.rstrip('/')}/wallet/{wallet.name}")


def node_call(rpc: NodeRpc) -> NodeCall:
    """A node's RPC with the errors that payouts knows."""

    async def call(method: str, *params: object) -> Any:
        try:
            return await rpc.call(method, *params, result=Any, timeout_seconds=WALLET_SECONDS)
        except RpcError as error:
            raise CallRefused(error.code, error.message) from error
        except NodeError as error:
            raise CallFailed(str(error)) from error

    return call
