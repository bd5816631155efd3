"""What `check` says of the money to come: the sentences, and the arithmetic in them."""

from typing import Literal

from config.payout_schema import (
    FeeSettings,
    PayoutSettings,
    PpsSettings,
    WalletSettings,
    WindowSettings,
)
from config.schema import NodeSettings, Settings
from pool.outlook import NextBlock, outlook_lines

NODES = tuple(NodeSettings(name=name, url="http://127.0.0.1:1", cookie_file="/x") for name in ("near", "far"))


def outlook(payout: PayoutSettings, network_work: int = 10**6, hashrate: float = 1_000) -> list[str]:
    settings = Settings(coin="bitcoin", network="regtest", payout=payout, nodes=NODES)
    block = NextBlock(network_work, reward_sats=320_000_000, subsidy_sats=312_500_000)
    return list(outlook_lines(settings, block, hashrate))


def test_a_pool_without_a_wallet_says_that_it_pays_nothing() -> None:
    line, fees, _ = outlook(PayoutSettings(address="A"))
    assert line == (
        "scheme pplns, method wallet: blocks pay A, and nothing is paid from there: "
        "without payout.wallet credits add up"
    )
    assert fees == "fees: none"


def test_a_wallet_is_named_with_what_it_does() -> None:
    wallet = WalletSettings(node="far", name="payouts", interval_minutes=90)
    line = outlook(PayoutSettings(address="A", minimum_sats=1_000_000, wallet=wallet))[0]
    assert line == (
        "scheme pplns, method wallet: blocks pay A, and node far pays from its wallet payouts every 90 "
        "minutes whoever is owed 0.01000000 bitcoin"
    )
    line = outlook(PayoutSettings(address="A", wallet=WalletSettings()))[0]
    assert "node near pays from its only wallet every 60 minutes" in line


def test_a_coinbase_pays_miners_and_says_where_the_rest_goes() -> None:
    line = outlook(PayoutSettings(address="A", method="coinbase"))[0]
    assert line == (
        "scheme pplns, method coinbase: blocks pay the miners themselves as soon as there is work to divide "
        "by, and A what finds no room"
    )


def test_a_solo_pool_has_a_payee_and_fees_and_no_window() -> None:
    fees = (FeeSettings(address="B", basis_points=100), FeeSettings(address="C", basis_points=50))
    assert outlook(PayoutSettings(scheme="solo", fees=fees)) == [
        "scheme solo: a block pays the miner that finds it",
        "fees: 1.5 % of each block: 1 % to B, 0.5 % to C",
    ]


def test_a_window_is_told_with_the_time_that_it_takes_to_fill() -> None:
    # 3 × 10^6 hashes at 1,000 a second are 3,000 seconds: 50 minutes
    window = WindowSettings(multiple=3, max_days=7)
    assert outlook(PayoutSettings(address="A", window=window))[-1] == (
        "window: 3 times the network's work for a block, 3e+06 hashes, at most 7 days; "
        "at 1 kH/s it takes 50 minutes to fill"
    )


def test_a_window_that_never_fills_says_what_becomes_of_the_rest() -> None:
    # 2 × 86,400,000 × 10^5 hashes at 1,000 a second are 200,000 days: 547.6 years; 30 days are 0.015 % of it
    line = outlook(PayoutSettings(address="A"), network_work=8_640_000_000_000)[-1]
    assert line.endswith(
        "it takes 548 years to fill, so that it never holds more than 0.015 % of that: "
        "those who are in it divide the whole block"
    )
    operator = WindowSettings(unfilled="operator")
    line = outlook(PayoutSettings(address="A", window=operator), network_work=8_640_000_000_000)[-1]
    assert line.endswith("the rest of the block is the operator's")


def test_a_round_lasts_as_long_as_a_block_takes() -> None:
    # 10^6 hashes at 1,000 a second: 1,000 seconds, 16 minutes and 40 seconds
    assert outlook(PayoutSettings(scheme="proportional", address="A"))[-1] == (
        "round: since the block before, 16.7 minutes on average"
    )


def per_share(scheme: Literal["pps", "fpps"], reserve_sats: int, basis_points: int) -> list[str]:
    fees = (FeeSettings(address="B", basis_points=basis_points),)
    pps = PpsSettings(reserve_sats=reserve_sats)
    return outlook(PayoutSettings(scheme=scheme, address="A", fees=fees, pps=pps))


def test_paying_per_share_has_the_window_that_it_falls_back_to() -> None:
    _, fees, reserve, window = per_share("fpps", 1, 100)
    assert fees == "fees: 1 % off the price of every share for the pool; of what pplns divides: 1 % to B"
    assert reserve.startswith("reserve: ")
    assert window.startswith("window: 2 times ")


def test_a_reserve_is_told_with_its_odds() -> None:
    """320,000,000 a block, of which `fpps` pays 97 %: with y = 0.06123, 1 - exp(-y) = 0.05939 = 0.97 y.

    100 blocks in reserve: exp(-6.123) = 0.00219. The well-known exp(-2 f u) says 0.0025.
    """
    line = per_share("fpps", 32_000_000_000, 300)[2]
    assert line == (
        "reserve: 320.00000000 bitcoin, 100 blocks; shares cost 3.10400000 for each block of 3.20000000: "
        "the reserve is used up one day with a probability of 0.219 %"
    )


def test_pps_keeps_the_transaction_fees_and_pays_for_the_subsidy() -> None:
    # 99 % of 312,500,000; with nothing kept and no fees in it, fpps is certain to use its reserve up
    assert "shares cost 3.09375000 for each block of 3.20000000" in per_share("pps", 1, 100)[2]
    assert per_share("fpps", 32_000_000_000, 0)[2].endswith("with a probability of 100 %")
