"""What the mempool holds and what it answers: an entry, a refusal, and amounts as Core writes them."""

import msgspec

from pool.devnode.parsing import Transaction

SATS = 100_000_000


class Refusal(msgspec.Struct, frozen=True):
    """Why a transaction is not taken: Core's RPC code, its reason, and what it adds for debugging."""

    code: int
    reason: str
    details: str = ""

    @property
    def text(self) -> str:
        """Both, as sendrawtransaction gives them."""
        return f"{self.reason}, {self.details}" if self.details else self.reason


class Waiting(msgspec.Struct, frozen=True):
    """A transaction in the pool. `sigop_cost` is BIP 141's. `entered_at` is unix seconds, `height` the tip's
    when it came. `is_replaceable`: it says so itself, or something unconfirmed that it spends does."""

    transaction: Transaction
    fee_sats: int
    sigop_cost: int
    entered_at: int = 0
    height: int = 0
    is_replaceable: bool = True


def coins_text(sats: int) -> str:
    """Coins with eight decimals, as Core's answers have them."""
    sign = "-" if sats < 0 else ""
    return f"{sign}{abs(sats) // SATS}.{abs(sats) % SATS:08d}"
