"""A wallet's transactions and coins as Core lists them (its wallet/rpc/transactions.cpp)."""

from typing import Any

from pool.devnode.addresses import script_kind
from pool.devnode.parsing import Transaction
from pool.devnode.rendering import coins
from pool.devnode.wallet import Wallet, WalletCoin
from stratum.work.byteorder import displayed


def fee_sats(wallet: Wallet, transaction: Transaction) -> int | None:
    """What a transaction of the wallet's own left to miners; None where others paid."""
    taken_sats = wallet.own_input_sats(transaction)
    return taken_sats - _outputs_sats(transaction) if taken_sats else None


def net_sats(wallet: Wallet, txid: bytes) -> int:
    """What it brought to the wallet, without the fee; a coinbase brings nothing until it has ripened."""
    transaction = wallet.seen[txid].transaction
    if wallet.is_immature(txid):
        return 0
    own_sats = sum(out.value_sats for out in transaction.outputs if wallet.key_of(out.script) is not None)
    taken_sats = wallet.own_input_sats(transaction)
    return own_sats - taken_sats + (fee_sats(wallet, transaction) or 0)


def details(wallet: Wallet, txid: bytes) -> list[dict[str, Any]]:
    """An entry for each output that was sent to somebody, and for each that came in; none for change."""
    transaction = wallet.seen[txid].transaction
    fee = fee_sats(wallet, transaction)
    sent: list[dict[str, Any]] = []
    received: list[dict[str, Any]] = []
    for number, output in enumerate(transaction.outputs):
        if fee is not None and wallet.keys.is_change(output.script):
            continue
        address = script_kind(output.script).address
        named = {} if address is None else {"address": address}
        if fee is not None:
            tail = {"vout": number, "fee": coins(-fee), "abandoned": False}
            sent.append({**named, "category": "send", "amount": coins(-output.value_sats), **tail})
        if wallet.key_of(output.script) is not None:
            tail = {"label": "", "vout": number, "abandoned": False}
            category = _category(wallet, txid)
            received.append({**named, "category": category, "amount": coins(output.value_sats), **tail})
    return sent + received


def _category(wallet: Wallet, txid: bytes) -> str:
    if not wallet.seen[txid].transaction.is_coinbase:
        return "receive"
    if wallet.depth(txid) < 1:
        return "orphan"
    return "immature" if wallet.is_immature(txid) else "generate"


def state_fields(wallet: Wallet, txid: bytes) -> dict[str, Any]:
    """Where a transaction stands."""
    seen = wallet.seen[txid]
    ledger = wallet.ledger
    fields: dict[str, Any] = {"confirmations": wallet.depth(txid)}
    if seen.transaction.is_coinbase:
        fields["generated"] = True
    height = ledger.confirmed.get(txid)
    if height is not None:
        order = [transaction.txid for transaction in ledger.transactions_at(height)]
        fields |= {"blockhash": displayed(ledger.hash_at(height)), "blockheight": height}
        fields |= {"blockindex": order.index(txid), "blocktime": ledger.time_at(height)}
    else:
        fields["trusted"] = wallet.is_trusted(txid)
    rivals = wallet.conflicts(txid)
    waiting = [displayed(rival) for rival in rivals if rival in wallet.mempool.waiting]
    return {
        **fields,
        "txid": displayed(txid),
        "wtxid": displayed(seen.transaction.witness_txid),
        "walletconflicts": [displayed(rival) for rival in rivals],
        "mempoolconflicts": [] if height is not None else waiting,
        "time": seen.at,
        "timereceived": seen.at,
        "bip125-replaceable": _replaceable(wallet, txid),
    }


def _replaceable(wallet: Wallet, txid: bytes) -> str:
    if txid in wallet.ledger.confirmed:
        return "no"
    entry = wallet.mempool.waiting.get(txid)
    if entry is not None:
        return "yes" if entry.is_replaceable else "no"
    return "yes" if wallet.seen[txid].transaction.signals_replacement else "unknown"


def unspent_fields(wallet: Wallet, coin: WalletCoin) -> dict[str, Any]:
    """An entry of listunspent."""
    (txid, number), script = coin.outpoint, coin.output.script
    return {
        "txid": displayed(txid),
        "vout": number,
        "address": script_kind(script).address,
        "scriptPubKey": script.hex(),
        "amount": coins(coin.output.value_sats),
        "confirmations": coin.confirmations,
        "spendable": True,
        "solvable": True,
        "safe": coin.is_trusted,
    }


def last_block(wallet: Wallet) -> dict[str, Any]:
    """The block up to which the wallet has looked."""
    return {"hash": displayed(wallet.ledger.tip), "height": wallet.ledger.height}


def _outputs_sats(transaction: Transaction) -> int:
    return sum(output.value_sats for output in transaction.outputs)
