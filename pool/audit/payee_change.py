"""The text that an address signs to move its payments, or its minimum, elsewhere; it checks no signature.

One line of printable ASCII, because a wallet's text field, a hardware wallet's screen and a terminal disagree
about everything else:

    Engineroom payee change 1 on bitcoin mainnet: account bc1qold… is paid to bc1qnew… from 100000 satoshis
    on, asked 2026-05-01

(in one line). Everything that takes effect is named in it: a signature made for one pool's network,
account, payee or minimum says nothing about another. It cannot be used twice: `number` is one more than the
changes that the account has had, so that an old message is never the next one, whoever kept a copy.
"""

import datetime

import msgspec

from stratum.work.address import Address
from stratum.work.coin import Network

SIGNED_FOR_DAYS = 7
# Between asking for the text and handing in the signature: a hardware wallet may be in another town.


class PayeeChange(msgspec.Struct, frozen=True, kw_only=True):
    """A wish, not yet a right. `minimum_sats` None: the pool's own minimum. `number` counts from 1."""

    network: Network
    account: Address
    payee: Address
    minimum_sats: int | None
    number: int
    asked_on: datetime.date


def message_for(change: PayeeChange) -> str:
    """Exactly what the account's address signs, to the character; no line end.

    Raises ValueError for a number below 1 or a negative minimum.
    """
    if change.number < 1 or (change.minimum_sats is not None and change.minimum_sats < 0):
        raise ValueError("a change is numbered from 1, and its minimum is not negative")
    minimum = "the pool's minimum" if change.minimum_sats is None else f"{change.minimum_sats} satoshis"
    return (
        f"Engineroom payee change {change.number} on {change.network.coin} {change.network.name}: "
        f"account {change.account.text} is paid to {change.payee.text} from {minimum} on, "
        f"asked {change.asked_on.isoformat()}"
    )


def is_in_time(change: PayeeChange, today: datetime.date) -> bool:
    """Whether the text was asked for at most `SIGNED_FOR_DAYS` ago, and not later than tomorrow."""
    return -1 <= (today - change.asked_on).days <= SIGNED_FOR_DAYS
