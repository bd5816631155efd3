"""Whom coinbases pay by the settings: the pool, the miner and the fees, or whom the current plan says."""

from typing import Any

import pytest

from config.payout_schema import FeeSettings, PayoutSettings
from config.schema import NodeSettings, Settings, StratumSettings
from payouts.coinbase import Room, dues, outputs_of
from payouts.plan import Fee, Payee, Plan, sole
from pool.gateway.work_source import Variant
from pool.translation import listener, plans, pool_plan
from stratum.work.address import parse_address
from tests.builders import ADDRESS, OTHER_ADDRESS, REGTEST

MINER = b"\x51\x20" + bytes(32)
POOL_SCRIPT, OTHER_SCRIPT = (parse_address(one, REGTEST).script for one in (ADDRESS, OTHER_ADDRESS))
POOL, SOLO = Variant(None, 700), Variant(MINER, 700)


def settings(*, stratum: StratumSettings | None = None, **payout: Any) -> Settings:
    return Settings(
        coin="bitcoin",
        network="regtest",
        payout=PayoutSettings(**payout),
        nodes=(NodeSettings(name="a", url="http://127.0.0.1:1"),),
        stratum=stratum or StratumSettings(),
    )


def test_with_the_method_wallet_blocks_pay_the_pools_address_whole_whatever_the_fees() -> None:
    fees = (FeeSettings(address=OTHER_ADDRESS, basis_points=100),)
    plan_of = plans(settings(address=ADDRESS, fees=fees), REGTEST)
    assert plan_of(POOL) == sole(POOL_SCRIPT)


def test_a_solo_block_pays_its_miner_and_the_fees() -> None:
    fees = (FeeSettings(address=OTHER_ADDRESS, basis_points=250),)
    plan = plans(settings(scheme="solo", fees=fees), REGTEST)(SOLO)
    assert plan == sole(MINER, (Fee(OTHER_SCRIPT, 250, OTHER_ADDRESS),))
    # 2.5 % of 1,001 is 25.025
    paid = outputs_of(plan, dues(plan, 1_001), Room(1000, 4000, 400), lambda _: 0)
    assert paid == ((OTHER_SCRIPT, 25), (MINER, 976))
    without_room = outputs_of(plan, dues(plan, 1_001), Room(60, 4000, 400), lambda _: 0)
    assert without_room == ((MINER, 1_001),)


def test_nobody_mines_solo_for_nobody() -> None:
    with pytest.raises(ValueError, match="without a payee"):
        plans(settings(scheme="solo"), REGTEST)(POOL)


def test_with_the_method_coinbase_blocks_pay_by_the_plan_of_the_moment() -> None:
    current = [Plan(payees=(Payee(MINER, 1, "m"),), custody=POOL_SCRIPT, generation=n) for n in (1, 2)]
    chosen = settings(method="coinbase", address=ADDRESS)
    plan_of = plans(chosen, REGTEST, lambda: current[0])
    assert plan_of(POOL) is current[0]
    current.pop(0)
    assert plan_of(POOL).generation == 2
    assert pool_plan(chosen, REGTEST) == sole(POOL_SCRIPT)


@pytest.mark.parametrize(
    ("scheme", "set_to", "seconds"),
    [
        ("pplns", None, 1.0),
        ("pplns", 250, 0.25),
        ("pps", None, 0.0),
        ("fpps", None, 0.0),
        ("solo", None, 1.0),
    ],
)
def test_late_shares_are_counted_for_a_second_and_not_where_they_have_a_price(
    scheme: str, set_to: int | None, seconds: float
) -> None:
    stratum = StratumSettings(late_share_grace_milliseconds=set_to)
    chosen = settings(scheme=scheme, address=ADDRESS, stratum=stratum)
    assert listener(chosen, chosen.stratum.listeners[0], REGTEST).rules.late_share_grace_seconds == seconds
