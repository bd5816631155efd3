"""Checks of settings that need two leaves: addresses on their network, the tag in the script. No I/O."""

from collections.abc import Iterator

from config.draft import as_far_as_known, known
from config.payout_schema import FeeSettings
from config.problems import Problem
from config.schema import Settings
from pool.gateway.work_source import EPOCH_BYTES, SALT_BYTES
from stratum.extranonce import EXTRANONCE1_BYTES
from stratum.work.address import Address, AddressError, parse_address
from stratum.work.coin import COINS, Network, network
from stratum.work.coinbase import MAXIMUM_SCRIPT_BYTES, longest_script_bytes


def offline_problems(settings: Settings) -> list[Problem]:
    """Everything that is wrong with settings as far as can be told without asking a node."""
    return list(
        as_far_as_known(
            _address(settings), _fee_addresses(settings), _farm_accounts(settings), _tag(settings)
        )
    )


def extranonce_bytes(coin_network: Network) -> int:
    """What extranonce1 and extranonce2 take of the coinbase script."""
    return EXTRANONCE1_BYTES + coin_network.proof_of_work.extranonce2_size


def _address(settings: Settings) -> Iterator[Problem]:
    coin_network, address = _coin_network(settings), settings.payout.address
    if coin_network is not None and address is not None:
        _, problems = _parsed(address, coin_network, "payout.address")
        yield from problems


def _fee_addresses(settings: Settings) -> Iterator[Problem]:
    coin_network = _coin_network(settings)
    if coin_network is None:
        return
    seen: set[str] = set()
    for position, fee in enumerate(settings.payout.fees):
        text, key = _recipient(fee), f"payout.fees.{position}.address"
        if text is None:
            continue
        address, problems = _parsed(text, coin_network, key)
        yield from problems
        if address is not None and address.text in seen:
            yield Problem(key, None, f"{text} is there twice; give each its own")
        seen |= {address.text} if address is not None else set()


def _farm_accounts(settings: Settings) -> Iterator[Problem]:
    coin_network = _coin_network(settings)
    if coin_network is None:
        return
    for position, text in enumerate(settings.farm.accounts):
        yield from _parsed(text, coin_network, f"farm.accounts.{position}")[1]


def _recipient(fee: FeeSettings) -> str | None:
    return known(lambda: fee.address)


def _parsed(text: str, coin_network: Network, key: str) -> tuple[Address | None, list[Problem]]:
    try:
        return parse_address(text, coin_network), []
    except AddressError as error:
        return None, [Problem(key, None, str(error))]


def _tag(settings: Settings) -> Iterator[Problem]:
    coin_network = _coin_network(settings)
    if coin_network is None:
        return
    tag = settings.coinbase.tag.encode("ascii")
    length = longest_script_bytes(tag, EPOCH_BYTES + SALT_BYTES, extranonce_bytes(coin_network))
    over = length - MAXIMUM_SCRIPT_BYTES
    if over > 0:
        yield Problem("coinbase.tag", None, f"makes the coinbase script {over} bytes too long; shorten it")


def _coin_network(settings: Settings) -> Network | None:
    """None where the coin has no such network, which config.rules tells."""
    if settings.network not in COINS[settings.coin]:
        return None
    return network(settings.coin, settings.network)
