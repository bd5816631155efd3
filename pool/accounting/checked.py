"""What people type → values that the accounts can take: accounts, payees, amounts, reasons; else Refused."""

from pool.accounting.control import Refused
from pool.accounting.ledger import SYSTEM_ACCOUNTS
from pool.storage.database import Reader
from stratum.work.address import Address, AddressError, parse_address
from stratum.work.coin import Network

MOST_SATS = {"bitcoin": 2_100_000_000_000_000, "litecoin": 8_400_000_000_000_000}
# All there will ever be. An amount above it is a slip of the keyboard, or worse.

LONGEST_REASON = 500  # characters: a sentence or three in a list, not a place to keep a book in


def checked_address(text: str, network: Network) -> Address:
    """An address that is paid on this network."""
    try:
        return parse_address(text, network)
    except AddressError as error:
        raise Refused(str(error)) from None


async def checked_account(reader: Reader, text: str, network: Network) -> str:
    """The name of an account that exists; one of the pool's own by its name with @."""
    name = text if text in SYSTEM_ACCOUNTS else checked_address(text, network).text
    if name not in SYSTEM_ACCOUNTS and await reader.row("SELECT 1 FROM account WHERE name = ?", name) is None:
        raise Refused(f"there is no account {name}: it has neither mined here nor been credited")
    return name


async def checked_payee_account(reader: Reader, text: str, network: Network) -> str:
    """The name of a miner's account that exists."""
    if text.startswith("@"):
        raise Refused(f"{text[:80]} is an account of the pool itself; name an address")
    return await checked_account(reader, text, network)


def checked_amount(sats: int, network: Network) -> int:
    """Satoshis above zero that can exist."""
    if sats <= 0:
        raise Refused(f"{sats} sats is no amount: it has to be above zero")
    if sats > MOST_SATS[network.coin]:
        raise Refused(f"{sats} sats are more than all there will ever be of {network.coin}")
    return sats


def checked_reason(text: str) -> str:
    """One line that somebody will read in a year."""
    reason = " ".join(text.split())
    if not reason or not reason.isprintable():
        raise Refused("say why: a reason of printable characters is kept with it")
    if len(reason) > LONGEST_REASON:
        raise Refused(f"the reason has {len(reason)} characters, it may have {LONGEST_REASON}")
    return reason
