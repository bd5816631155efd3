"""Whose output makes a node refuse a whole payment: found by trying parts of it, left out for a day.

What is tried is signed and shown to the node, and neither stored nor sent. Kept in memory alone: after a
restart the next payment that is refused finds them again.
"""

from collections.abc import Sequence

from payouts.batch import Item
from payouts.wallet import FeePolicy
from pool.accounting.signer import CannotTell, Signer
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.logs.redaction import AddressText

LEFT_OUT_US = 86_400 * 1_000_000

log = Log("engineroom.payments")


class Culprits:
    """Of one wallet. An account whose payee has changed is tried again at once."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._found: dict[tuple[str, str], tuple[int, str]] = {}  # (account, address) → (since when, why)

    def reason(self, account: str, address: str, now_us: int) -> str | None:
        """Why it is left out; None where it is not."""
        since_us, reason = self._found.get((account, address), (0, ""))
        if not reason or now_us - since_us >= LEFT_OUT_US:
            return None
        return f"the node refuses a payment to {address}: {reason}"

    async def find(self, items: Sequence[Item], policy: FeePolicy, now_us: int) -> bool:
        """Look for those in a payment that was refused; whether there are any.

        Where nobody at all could be paid it is not the payees' doing, and where something else is in the way
        (a wallet that was locked, coins that are too few) nobody is marked. Raises WalletUnavailable.
        """
        if len(items) < 2:
            return False
        try:
            refused = await self._of_halves(items, policy)
        except CannotTell as error:
            log.warning(LogEvent.CULPRIT_UNKNOWN, error=error)
            return False
        if not refused or len(refused) == len(items):
            return False
        for item, reason in refused:
            self._found[item.account, item.address] = (now_us, reason)
            log.error(
                LogEvent.PAYEE_LEFT_OUT,
                account=AddressText(item.account),
                address=AddressText(item.address),
                reason=reason,
            )
        return True

    async def _refused(self, items: Sequence[Item], policy: FeePolicy) -> list[tuple[Item, str]]:
        reason = await self._signer.try_out(items, policy)
        if reason is None:
            return []
        if len(items) == 1:
            return [(items[0], reason)]
        return await self._of_halves(items, policy)

    async def _of_halves(self, items: Sequence[Item], policy: FeePolicy) -> list[tuple[Item, str]]:
        half = len(items) // 2
        return [*await self._refused(items[:half], policy), *await self._refused(items[half:], policy)]
