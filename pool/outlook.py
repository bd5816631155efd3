"""What settings lead to, in sentences: who is paid and how, fees, the window, the odds of a reserve.

Numbers here are for people to read: no money is reckoned with them.
"""

from collections.abc import Iterator

import msgspec

from config.payout_schema import PayoutSettings
from config.schema import Settings
from payouts.plan import WHOLE_BASIS_POINTS
from payouts.ruin import ruin_probability
from pool.wording import coins_text, hashrate_text, span_text

DAY_SECONDS = 86_400
PAYING_PER_SHARE = ("pps", "fpps")
UNFILLED = {
    "normalise": "those who are in it divide the whole block",
    "operator": "the rest of the block is the operator's",
}


class NextBlock(msgspec.Struct, frozen=True):
    """What is being mined: the expected hashes of it, and what it brings; `subsidy_sats` of that is new
    money, the rest its transactions' fees."""

    network_work: int
    reward_sats: int
    subsidy_sats: int


def outlook_lines(settings: Settings, block: NextBlock, hashrate: float) -> Iterator[str]:
    """One sentence a line, for a hashrate in hashes a second."""
    scheme = settings.payout.scheme
    yield _payment_line(settings)
    yield _fee_line(settings.payout)
    if scheme in PAYING_PER_SHARE:
        yield _reserve_line(settings, block)
    if scheme in ("pplns", *PAYING_PER_SHARE):
        yield _window_line(settings, block.network_work, hashrate)
    if scheme == "proportional":
        yield f"round: since the block before, {span_text(block.network_work / hashrate)} on average"


def _payment_line(settings: Settings) -> str:
    payout = settings.payout
    if payout.scheme == "solo":
        return "scheme solo: a block pays the miner that finds it"
    start = f"scheme {payout.scheme}, method {payout.method}: "
    if payout.method == "coinbase":
        return (
            f"{start}blocks pay the miners themselves as soon as there is work to divide by, and "
            f"{payout.address} what finds no room"
        )
    return f"{start}blocks pay {payout.address}, {_wallet_text(settings)}"


def _wallet_text(settings: Settings) -> str:
    payout, wallet = settings.payout, settings.payout.wallet
    if wallet is None:
        return "and nothing is paid from there: without payout.wallet credits add up"
    name = "its only wallet" if wallet.name is None else f"its wallet {wallet.name}"
    return (
        f"and node {wallet.node or settings.nodes[0].name} pays from {name} every {wallet.interval_minutes} "
        f"minutes whoever is owed {coins_text(payout.minimum_sats)} {settings.coin}"
    )


def _fee_line(payout: PayoutSettings) -> str:
    if not payout.fees:
        return "fees: none"
    each = ", ".join(f"{_percent(fee.basis_points)} to {fee.address}" for fee in payout.fees)
    total = _percent(_fee_basis_points(payout))
    if payout.scheme in PAYING_PER_SHARE:
        return f"fees: {total} off the price of every share for the pool; of what pplns divides: {each}"
    return f"fees: {total} of each block: {each}"


def _fee_basis_points(payout: PayoutSettings) -> int:
    return sum(fee.basis_points for fee in payout.fees)


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"


def _reserve_line(settings: Settings, block: NextBlock) -> str:
    """The odds at the next block's value; with `fpps` its own fees stand for the mean that is paid for."""
    payout = settings.payout
    reserve_sats = payout.pps.reserve_sats or 0
    priced_sats = block.reward_sats if payout.scheme == "fpps" else block.subsidy_sats
    paid_sats = priced_sats * (WHOLE_BASIS_POINTS - _fee_basis_points(payout)) // WHOLE_BASIS_POINTS
    ruin = ruin_probability(reserve_sats, block.reward_sats, paid_sats)
    blocks = reserve_sats / block.reward_sats
    return (
        f"reserve: {coins_text(reserve_sats)} {settings.coin}, {blocks:.3g} blocks; "
        f"shares cost {coins_text(paid_sats)} for each block of {coins_text(block.reward_sats)}: "
        f"the reserve is used up one day with a probability of {100 * ruin:.3g} %"
    )


def _window_line(settings: Settings, network_work: int, hashrate: float) -> str:
    window = settings.payout.window
    size = window.multiple * network_work
    seconds = size / hashrate
    line = (
        f"window: {window.multiple} times the network's work for a block, {float(size):.3g} hashes, at most "
        f"{window.max_days} days; at {hashrate_text(hashrate)} it takes {span_text(seconds)} to fill"
    )
    part = window.max_days * DAY_SECONDS / seconds
    if part >= 1:
        return line
    return f"{line}, so that it never holds more than {100 * part:.2g} % of that: {UNFILLED[window.unfilled]}"
