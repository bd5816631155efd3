"""Checks of settings that need two leaves: the address on its network, the tag in the script. No I/O."""

from config.problems import Problem
from config.schema import Settings
from pool.gateway.work_source import EPOCH_BYTES, EXTRANONCE1_BYTES, SALT_BYTES
from stratum.work.address import AddressError, parse_address
from stratum.work.coin import COINS, Network, network
from stratum.work.coinbase import MAXIMUM_SCRIPT_BYTES, longest_script_bytes


def offline_problems(settings: Settings) -> list[Problem]:
    """Everything that is wrong with settings that loaded, as far as can be told without asking a node."""
    if settings.network not in COINS[settings.coin]:
        return []  # config.rules says so
    coin_network = network(settings.coin, settings.network)
    return _address_problems(settings, coin_network) + _tag_problems(settings, coin_network)


def extranonce_bytes(coin_network: Network) -> int:
    """What extranonce1 and extranonce2 take of the coinbase script."""
    return EXTRANONCE1_BYTES + coin_network.proof_of_work.extranonce2_size


def _address_problems(settings: Settings, coin_network: Network) -> list[Problem]:
    if settings.payout.address is None:
        return []
    try:
        parse_address(settings.payout.address, coin_network)
    except AddressError as error:
        return [Problem("payout.address", None, str(error))]
    return []


def _tag_problems(settings: Settings, coin_network: Network) -> list[Problem]:
    tag = settings.coinbase.tag.encode("ascii")
    length = longest_script_bytes(tag, EPOCH_BYTES + SALT_BYTES, extranonce_bytes(coin_network))
    if length <= MAXIMUM_SCRIPT_BYTES:
        return []
    over = length - MAXIMUM_SCRIPT_BYTES
    return [Problem("coinbase.tag", None, f"makes the coinbase script {over} bytes too long; shorten it")]
