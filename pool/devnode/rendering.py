"""Transactions, scripts, addresses and amounts as JSON values in Core's shapes, scripts not disassembled."""

from decimal import Decimal
from typing import Any

from pool.devnode.addresses import REGTEST, script_kind
from pool.devnode.parsing import Transaction
from stratum.work.address import AddressError, parse_address
from stratum.work.byteorder import displayed

_DECIMALS = 8


def coins(sats: int) -> Decimal:
    """An amount with eight decimals."""
    return Decimal(sats).scaleb(-_DECIMALS)


def script_fields(script: bytes) -> dict[str, Any]:
    """A scriptPubKey."""
    kind = script_kind(script)
    address = {} if kind.address is None else {"address": kind.address}
    return {"hex": script.hex(), **address, "type": kind.name}


def transaction_fields(transaction: Transaction) -> dict[str, Any]:
    """What decoderawtransaction says."""
    return {
        "txid": displayed(transaction.txid),
        "hash": displayed(transaction.witness_txid),
        "version": transaction.version,
        "size": len(transaction.raw),
        "vsize": transaction.virtual_bytes,
        "weight": transaction.weight,
        "locktime": transaction.lock_time,
        "vin": [_input_fields(transaction, position) for position in range(len(transaction.inputs))],
        "vout": [
            {"value": coins(output.value_sats), "n": number, "scriptPubKey": script_fields(output.script)}
            for number, output in enumerate(transaction.outputs)
        ],
    }


def _input_fields(transaction: Transaction, position: int) -> dict[str, Any]:
    txid, number = transaction.inputs[position]
    witness = [item.hex() for item in transaction.witnesses[position]]
    tail = {**({"txinwitness": witness} if witness else {}), "sequence": transaction.sequences[position]}
    script = transaction.script_sigs[position].hex()
    if transaction.is_coinbase:
        return {"coinbase": script, **tail}
    return {"txid": displayed(txid), "vout": number, "scriptSig": {"hex": script}, **tail}


def address_fields(text: str) -> dict[str, Any]:
    """What validateaddress and getaddressinfo say of an address; `isvalid` whether it is one."""
    try:
        parsed = parse_address(str(text), REGTEST)
    except AddressError as error:
        return {"isvalid": False, "error_locations": [], "error": str(error)}
    kind = script_kind(parsed.script)
    fields = {
        "isvalid": True,
        "address": parsed.text,
        "scriptPubKey": parsed.script.hex(),
        "isscript": kind.name in ("scripthash", "witness_v0_scripthash", "witness_v1_taproot"),
        "iswitness": kind.witness_version is not None,
    }
    if kind.witness_version is not None:
        fields |= {"witness_version": kind.witness_version, "witness_program": parsed.script[2:].hex()}
    return fields
