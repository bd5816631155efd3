"""RPC methods of one wallet: addresses, coins and their locks, balances, signing and sending."""

from collections.abc import Sequence
from typing import Any

from pool.devnode.addresses import key_hash_address, secret_of_wif
from pool.devnode.failures import INVALID_PARAMETER, NOT_FOUND, TYPE_ERROR, RpcFailure
from pool.devnode.node import Devnode
from pool.devnode.parameters import (
    amount_sats,
    hex_bytes,
    list_of,
    outpoint,
    paid_address,
    raw_transaction,
)
from pool.devnode.parsing import Outpoint, Transaction, TransactionOutput, parse_transaction
from pool.devnode.rendering import address_fields, coins
from pool.devnode.spending import signed
from pool.devnode.wallet import Wallet
from pool.devnode.wallet_entries import last_block, unspent_fields
from pool.devnode.wallet_history import WalletHistory
from pool.devnode.wallet_spending import payment
from stratum.work.byteorder import displayed

MOST_CONFIRMATIONS = 9_999_999
_KIND = "bech32"
_SIGHASHES = ("DEFAULT", "ALL")


class WalletMethods(WalletHistory):
    """The methods of the wallet that a call means; made for each call."""

    def __init__(self, node: Devnode, wallet: Wallet) -> None:
        super().__init__(node, wallet)
        self._node = node
        self._wallet = wallet

    # ------------------------------------------------------------------ addresses

    async def rpc_getnewaddress(self, label: str = "", kind: str = _KIND) -> str:
        _check_kind(kind)
        return key_hash_address(self._wallet.keys.next_receiving().public_hash)

    async def rpc_getrawchangeaddress(self, kind: str = _KIND) -> str:
        _check_kind(kind)
        return key_hash_address(self._wallet.keys.next_change().public_hash)

    async def rpc_importprivkey(self, wif: str, label: str = "", rescan: bool = True) -> None:
        """A key from elsewhere and what was paid to its P2WPKH address, as Core did until 29."""
        secret = secret_of_wif(str(wif))
        try:
            if secret is None:
                raise ValueError(wif)
            self._wallet.keys.hold(secret)
        except ValueError:
            raise RpcFailure(NOT_FOUND, "Invalid private key encoding") from None
        if rescan:
            self._wallet.rescan()

    async def rpc_getaddressinfo(self, address: str) -> dict[str, Any]:
        fields = address_fields(address)
        if not fields.pop("isvalid"):
            raise RpcFailure(NOT_FOUND, fields["error"])
        script = bytes.fromhex(fields["scriptPubKey"])
        key = self._wallet.key_of(script)
        return {
            **fields,
            "ismine": key is not None,
            "solvable": key is not None,
            "iswatchonly": False,
            **({} if key is None else {"pubkey": key.public.hex()}),
            "ischange": self._wallet.keys.is_change(script),
            "labels": [],
        }

    # ------------------------------------------------------------------ coins

    async def rpc_listunspent(
        self,
        least: int = 1,
        most: int = MOST_CONFIRMATIONS,
        addresses: list[str] | None = None,
        include_unsafe: bool = True,
        options: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        wanted = options or {}
        unknown = set(wanted) - {"include_immature_coinbase", "minimumAmount"}
        if unknown:
            raise RpcFailure(TYPE_ERROR, f"Unexpected key {min(unknown)}")
        scripts = {paid_address(address).script for address in list_of(addresses or [])}
        least_sats = amount_sats(wanted.get("minimumAmount", 0))
        takes_immature = bool(wanted.get("include_immature_coinbase", False))
        return [
            unspent_fields(self._wallet, coin)
            for coin in self._wallet.coins()
            if least <= coin.confirmations <= most
            and coin.outpoint not in self._wallet.locked
            and (takes_immature or not coin.is_immature)
            and (include_unsafe or coin.is_trusted)
            and (not scripts or coin.output.script in scripts)
            and coin.output.value_sats >= least_sats
        ]

    async def rpc_lockunspent(
        self, is_unlocking: bool, entries: list[Any] | None = None, persistent: bool = False
    ) -> bool:
        """All or nothing, as Core does. Locks are kept in memory: `persistent` is refused."""
        if persistent:
            raise RpcFailure(INVALID_PARAMETER, "the devnode keeps locks in memory only")
        if entries is None:
            if is_unlocking:
                self._wallet.locked.clear()
            return True
        points = [outpoint(entry) for entry in list_of(entries)]
        for point in points:
            self._check_lockable(point, is_unlocking)
        if is_unlocking:
            self._wallet.locked.difference_update(points)
        else:
            self._wallet.locked.update(points)
        return True

    def _check_lockable(self, point: Outpoint, is_unlocking: bool) -> None:
        seen = self._wallet.seen.get(point[0])
        if seen is None:
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, unknown transaction")
        if point[1] >= len(seen.transaction.outputs):
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, vout index out of bounds")
        if self._wallet.is_spent(point):
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, expected unspent output")
        is_locked = point in self._wallet.locked
        if is_unlocking and not is_locked:
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, expected locked output")
        if not is_unlocking and is_locked:
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter, output already locked")

    async def rpc_listlockunspent(self) -> list[dict[str, Any]]:
        return [{"txid": displayed(txid), "vout": number} for txid, number in sorted(self._wallet.locked)]

    async def rpc_getbalances(self) -> dict[str, Any]:
        balances = self._wallet.balances()
        mine = {
            "trusted": coins(balances.trusted_sats),
            "untrusted_pending": coins(balances.pending_sats),
            "immature": coins(balances.immature_sats),
        }
        return {"mine": mine, "lastprocessedblock": last_block(self._wallet)}

    async def rpc_getwalletinfo(self) -> dict[str, Any]:
        return {
            "walletname": self._wallet.name,
            "format": "engineroom-devnode",
            "txcount": len(self._wallet.seen),
            "private_keys_enabled": True,
            "scanning": False,
            "lastprocessedblock": last_block(self._wallet),
        }

    # ------------------------------------------------------------------ signing and sending

    async def rpc_signrawtransactionwithwallet(
        self, raw: str, previous: list[Any] | None = None, sighash: str = "DEFAULT"
    ) -> dict[str, Any]:
        if sighash not in _SIGHASHES:
            raise RpcFailure(INVALID_PARAMETER, f"'{sighash}' is not a valid sighash parameter.")
        unsigned = raw_transaction(raw)
        given = dict(_previous_output(entry) for entry in list_of(previous or []))
        spent = [given.get(point) or self._wallet.output_spent_by(point) for point in unsigned.inputs]
        transaction = parse_transaction(signed(unsigned, spent, self._wallet.key_of))
        errors = await self._unsigned_inputs(transaction, spent)
        answer: dict[str, Any] = {"hex": transaction.raw.hex(), "complete": not errors}
        return {**answer, "errors": errors} if errors else answer

    async def _unsigned_inputs(
        self, transaction: Transaction, spent: Sequence[TransactionOutput | None]
    ) -> list[dict[str, Any]]:
        known = [output for output in spent if output is not None]
        errors = []
        for position, output in enumerate(spent):
            if output is None:
                errors.append(_input_error(transaction, position, "Input not found or already spent"))
            elif self._wallet.key_of(output.script) is None and not (
                len(known) == len(spent) and await self._node.is_signed(transaction, position, known)
            ):
                text = "Unable to sign input, invalid stack size (possibly missing key)"
                errors.append(_input_error(transaction, position, text))
        return errors

    async def rpc_sendtoaddress(
        self,
        address: str,
        amount: Any,
        comment: str | None = "",
        comment_to: str | None = "",
        is_fee_subtracted: bool = False,
        *others: Any,
    ) -> str:
        """Comments are not kept; the further parameters of Core's change nothing here."""
        script = paid_address(address).script
        raw = payment(self._wallet, script, amount_sats(amount), is_fee_subtracted=is_fee_subtracted)
        transaction = parse_transaction(raw)
        refusal = await self._node.accept(transaction)
        if refusal is not None:
            raise RpcFailure(refusal.code, refusal.text)
        return displayed(transaction.txid)


def _check_kind(kind: object) -> None:
    if kind != _KIND:
        raise RpcFailure(NOT_FOUND, f"Unknown address type '{kind}': the devnode's wallet has {_KIND} alone")


def _previous_output(entry: Any) -> tuple[Outpoint, TransactionOutput]:
    point = outpoint(entry)
    script = hex_bytes(
        entry.get("scriptPubKey"), "scriptPubKey must be hexadecimal string", INVALID_PARAMETER
    )
    return point, TransactionOutput(amount_sats(entry.get("amount")), script)


def _input_error(transaction: Transaction, position: int, text: str) -> dict[str, Any]:
    txid, number = transaction.inputs[position]
    return {
        "txid": displayed(txid),
        "vout": number,
        "witness": [item.hex() for item in transaction.witnesses[position]],
        "scriptSig": transaction.script_sigs[position].hex(),
        "sequence": transaction.sequences[position],
        "error": text,
    }
