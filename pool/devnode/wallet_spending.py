"""A wallet's own payments, for sendtoaddress: coins chosen, change given back, signed. It sends nothing."""

from payouts.transaction import KEY_BYTES, SIGNATURE_BYTES, dust_sats, fee_for, transaction_weight
from pool.devnode.failures import INSUFFICIENT_FUNDS, RpcFailure
from pool.devnode.mempool import DUST_SATS_PER_KVB
from pool.devnode.parsing import TransactionOutput, parse_transaction
from pool.devnode.spending import REPLACEABLE, signed, unsigned
from pool.devnode.wallet import Wallet, WalletCoin
from stratum.work.transaction import Output

SATS_PER_KVB = 20_000
# A chain without a market knows no rate; twenty satoshis a byte is what tests give Core as its -fallbackfee.

_INPUT_WEIGHT = 4 * (36 + 4 + 1) + 1 + 1 + SIGNATURE_BYTES + 1 + KEY_BYTES  # P2WPKH, as all the wallet's keys
_CHANGE_SCRIPT = b"\x00\x14" + bytes(20)  # of the right length


def payment(wallet: Wallet, script: bytes, sats: int, *, is_fee_subtracted: bool = False) -> bytes:
    """A signed, replaceable transaction to one script, from the fewest coins. RpcFailure where the coins do
    not reach. The fee goes on top, or is kept back from the amount."""
    usable = [
        coin
        for coin in wallet.coins()
        if coin.is_trusted and not coin.is_immature and coin.outpoint not in wallet.locked
    ]
    chosen: list[WalletCoin] = []
    for coin in sorted(usable, key=lambda coin: -coin.output.value_sats):
        chosen.append(coin)
        fee_sats = _fee_sats(chosen, [script, _CHANGE_SCRIPT])
        kept_back_sats = fee_sats if is_fee_subtracted else 0
        drawn_sats = sum(one.output.value_sats for one in chosen)
        change_sats = drawn_sats - sats - fee_sats + kept_back_sats
        if change_sats >= 0:
            return _signed(wallet, chosen, Output(sats - kept_back_sats, script), change_sats)
    raise RpcFailure(INSUFFICIENT_FUNDS, "Insufficient funds")


def _signed(wallet: Wallet, chosen: list[WalletCoin], paid: Output, change_sats: int) -> bytes:
    if paid.value_sats < dust_sats(paid.script, DUST_SATS_PER_KVB):
        raise RpcFailure(INSUFFICIENT_FUNDS, "Transaction amount too small")
    outputs = [paid]
    if change_sats >= dust_sats(_CHANGE_SCRIPT, DUST_SATS_PER_KVB):
        outputs.append(Output(change_sats, wallet.keys.next_change().script))
    raw = unsigned([(coin.outpoint, REPLACEABLE) for coin in chosen], outputs)
    spent: list[TransactionOutput | None] = [coin.output for coin in chosen]
    return signed(parse_transaction(raw), spent, wallet.key_of)


def _fee_sats(chosen: list[WalletCoin], scripts: list[bytes]) -> int:
    return fee_for(transaction_weight([_INPUT_WEIGHT] * len(chosen), scripts), SATS_PER_KVB)
