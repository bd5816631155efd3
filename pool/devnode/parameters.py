"""Parameters of RPC calls → values, or RpcFailure with Core's code and text."""

from decimal import Decimal, InvalidOperation
from typing import Any

from pool.devnode.addresses import REGTEST
from pool.devnode.failures import DESERIALIZATION, INVALID_PARAMETER, NOT_FOUND, TYPE_ERROR, RpcFailure
from pool.devnode.mempool import MOST_SATS
from pool.devnode.parsing import Outpoint, Transaction, Unparsable, parse_transaction
from pool.devnode.waiting import SATS
from stratum.work.address import Address, AddressError, parse_address
from stratum.work.byteorder import from_displayed


def hex_bytes(text: object, message: str, code: int) -> bytes:
    """Bytes of hex; what is none fails with the code and message."""
    if not isinstance(text, str):
        raise RpcFailure(TYPE_ERROR, "JSON value is not a string as expected")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RpcFailure(code, message) from None


def hash_bytes(text: object) -> bytes:
    """32 bytes in internal order of a displayed hash."""
    if not isinstance(text, str):
        raise RpcFailure(TYPE_ERROR, "JSON value is not a string as expected")
    try:
        return from_displayed(text)
    except ValueError:
        raise RpcFailure(
            INVALID_PARAMETER, f"hash must be of length 64 and hexadecimal (not {text!r})"
        ) from None


def raw_transaction(text: object) -> Transaction:
    """A transaction of hex."""
    try:
        return parse_transaction(hex_bytes(text, "TX decode failed", DESERIALIZATION))
    except Unparsable:
        raise RpcFailure(DESERIALIZATION, "TX decode failed") from None


def paid_address(text: object) -> Address:
    """An address that an output is to pay."""
    try:
        return parse_address(str(text), REGTEST)
    except AddressError:
        raise RpcFailure(NOT_FOUND, f"Invalid Bitcoin address: {text}") from None


def amount_sats(amount: object) -> int:
    """Satoshis of coins, as a number or as text, with at most eight decimals."""
    if isinstance(amount, bool) or not isinstance(amount, int | str | Decimal):
        raise RpcFailure(TYPE_ERROR, "Amount is not a number or string")
    try:
        scaled = Decimal(amount) * SATS
        is_in_range = 0 <= scaled <= MOST_SATS
    except (InvalidOperation, ValueError):
        raise RpcFailure(TYPE_ERROR, "Invalid amount") from None
    if not is_in_range:
        raise RpcFailure(TYPE_ERROR, "Amount out of range")
    if scaled != int(scaled):
        raise RpcFailure(TYPE_ERROR, "Invalid amount")
    return int(scaled)


def outpoint(entry: object) -> Outpoint:
    """An outpoint of an object with `txid` and `vout`."""
    if not isinstance(entry, dict):
        raise RpcFailure(TYPE_ERROR, "JSON value is not an object as expected")
    txid, number = hash_bytes(entry.get("txid")), entry.get("vout")
    if isinstance(number, bool) or not isinstance(number, int):
        raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, missing vout key")
    if not 0 <= number < 1 << 32:
        raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, vout cannot be negative")
    return txid, number


def list_of(value: object) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise RpcFailure(TYPE_ERROR, "JSON value is not an array as expected")
    return value
