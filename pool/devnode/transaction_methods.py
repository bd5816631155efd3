"""RPC methods of raw transactions: made, decoded, tried and sent, whoever's keys they need."""

from typing import Any

from pool.devnode.failures import INVALID_PARAMETER, NOT_FOUND, VERIFY_ERROR, RpcFailure
from pool.devnode.mempool import Admission
from pool.devnode.node import Devnode
from pool.devnode.parameters import (
    amount_sats,
    hash_bytes,
    hex_bytes,
    list_of,
    outpoint,
    paid_address,
    raw_transaction,
)
from pool.devnode.parsing import Outpoint, Transaction
from pool.devnode.rendering import coins, script_fields, transaction_fields
from pool.devnode.spending import REPLACEABLE, unsigned
from pool.devnode.waiting import Refusal
from stratum.work.byteorder import displayed
from stratum.work.transaction import Output

HIGHEST_RATE_SATS_PER_KVB = 10_000_000  # DEFAULT_MAX_RAW_TX_FEE_RATE: 0.10 coins
MOST_TRIED = 25  # MAX_PACKAGE_COUNT
_FINAL = 0xFFFFFFFF
_WITH_LOCK_TIME = 0xFFFFFFFE
_LONGEST_DATA = 80
_REASONS = {  # testmempoolaccept's words where sendrawtransaction has others
    "bad-txns-inputs-missingorspent": "missing-inputs",
    "Transaction already in block chain": "txn-already-known",
}


class TransactionMethods:
    """Raw transactions."""

    def __init__(self, node: Devnode) -> None:
        self._node = node
        self._ledger = node.ledger

    async def rpc_createrawtransaction(
        self, inputs: list[Any], outputs: Any, lock_time: int = 0, replaceable: bool = True
    ) -> str:
        if not 0 <= lock_time <= _FINAL:
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, locktime out of range")
        default = REPLACEABLE if replaceable else (_WITH_LOCK_TIME if lock_time else _FINAL)
        points = [_input(entry, default) for entry in list_of(inputs)]
        if not points:
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, the devnode makes none without inputs")
        return unsigned(points, _outputs(outputs), lock_time).hex()

    async def rpc_decoderawtransaction(self, raw: str, is_witness: bool | None = None) -> dict[str, Any]:
        return transaction_fields(raw_transaction(raw))

    async def rpc_decodescript(self, script: str) -> dict[str, Any]:
        return script_fields(hex_bytes(script, "argument must be hexadecimal string", INVALID_PARAMETER))

    async def rpc_getrawtransaction(self, txid: str, verbose: bool = False, block: str | None = None) -> Any:
        key = hash_bytes(txid)
        waiting = self._node.mempool.waiting.get(key)
        transaction = waiting.transaction if waiting is not None else self._ledger.transaction(key)
        if transaction is None:
            raise RpcFailure(NOT_FOUND, "No such mempool or blockchain transaction")
        if not verbose:
            return transaction.raw.hex()
        fields = {**transaction_fields(transaction), "hex": transaction.raw.hex(), "confirmations": 0}
        height = self._ledger.confirmed.get(key)
        if height is not None:
            fields["blockhash"] = displayed(self._ledger.hash_at(height))
            fields["confirmations"] = self._ledger.height - height + 1
            fields["time"] = fields["blocktime"] = self._ledger.time_at(height)
        return fields

    async def rpc_sendrawtransaction(self, raw: str, highest_rate: Any = None) -> str:
        transaction = raw_transaction(raw)
        fee_sats = self._known_fee_sats(transaction)
        if fee_sats is not None and _is_too_dear(transaction, fee_sats, _rate(highest_rate)):
            raise RpcFailure(
                VERIFY_ERROR, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"
            )
        refusal = await self._node.accept(transaction)
        if refusal is not None:
            raise RpcFailure(refusal.code, refusal.text)
        return displayed(transaction.txid)

    def _known_fee_sats(self, transaction: Transaction) -> int | None:
        spent = [self._node.mempool.coin(point) for point in transaction.inputs]
        values = [coin.output.value_sats for coin in spent if coin is not None]
        if len(values) != len(spent):
            return None
        return sum(values) - sum(output.value_sats for output in transaction.outputs)

    async def rpc_testmempoolaccept(self, raws: list[str], highest_rate: Any = None) -> list[dict[str, Any]]:
        """Each by itself: the devnode tries no packages."""
        if not 1 <= len(list_of(raws)) <= MOST_TRIED:
            text = f"Array must contain between 1 and {MOST_TRIED} transactions."
            raise RpcFailure(INVALID_PARAMETER, text)
        rate = _rate(highest_rate)
        return [await self._tried(raw_transaction(raw), rate) for raw in raws]

    async def _tried(self, transaction: Transaction, highest_rate: int) -> dict[str, Any]:
        judged = await self._node.judge(transaction)
        named = {"txid": displayed(transaction.txid), "wtxid": displayed(transaction.witness_txid)}
        if isinstance(judged, Refusal):
            reason = _REASONS.get(judged.reason, judged.reason)
            details = f"{reason}, {judged.details}" if judged.details else reason
            return {**named, "allowed": False, "reject-reason": reason, "reject-details": details}
        if _is_too_dear(transaction, judged.entry.fee_sats, highest_rate):
            return {**named, "allowed": False, "reject-reason": "max-fee-exceeded"}
        return {**named, "allowed": True, **_accepted_fields(judged)}


def _accepted_fields(admission: Admission) -> dict[str, Any]:
    transaction, fee_sats = admission.entry.transaction, admission.entry.fee_sats
    fees = {
        "base": coins(fee_sats),
        "effective-feerate": coins(fee_sats * 1000 // transaction.virtual_bytes),
        "effective-includes": [displayed(transaction.witness_txid)],
    }
    return {"vsize": transaction.virtual_bytes, "fees": fees}


def _rate(amount: object) -> int:
    return HIGHEST_RATE_SATS_PER_KVB if amount is None else amount_sats(amount)


def _is_too_dear(transaction: Transaction, fee_sats: int, highest_rate: int) -> bool:
    return highest_rate > 0 and fee_sats > highest_rate * transaction.virtual_bytes // 1000


def _input(entry: Any, default_sequence: int) -> tuple[Outpoint, int]:
    point = outpoint(entry)
    sequence = entry.get("sequence", default_sequence)
    if isinstance(sequence, bool) or not isinstance(sequence, int) or not 0 <= sequence <= _FINAL:
        raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, sequence number is out of range")
    return point, sequence


def _outputs(value: Any) -> list[Output]:
    """Of an object, or of a list of objects with one key each, as Core takes both."""
    pairs: list[tuple[str, Any]] = []
    for entry in [value] if isinstance(value, dict) else list_of(value):
        if not isinstance(entry, dict):
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, key-value pair not an object as expected")
        pairs += entry.items()
    outputs = [_output(key, amount) for key, amount in pairs]
    for number, (key, _) in enumerate(pairs):
        if key != "data" and any(outputs[number].script == other.script for other in outputs[:number]):
            raise RpcFailure(INVALID_PARAMETER, f"Invalid parameter, duplicated address: {key}")
    return outputs


def _output(key: str, amount: Any) -> Output:
    if key == "data":
        data = hex_bytes(amount, "Data must be hexadecimal string", INVALID_PARAMETER)
        if len(data) > _LONGEST_DATA:
            raise RpcFailure(INVALID_PARAMETER, f"the devnode takes at most {_LONGEST_DATA} bytes of data")
        length = bytes((len(data),)) if len(data) < 0x4C else bytes((0x4C, len(data)))
        return Output(0, b"\x6a" + length + data)
    return Output(amount_sats(amount), paid_address(key).script)
