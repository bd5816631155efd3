"""What a node's wallet answers, as values: amounts become satoshis here, and text again on their way out."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from payouts.transaction import Coin, Outpoint, Output
from payouts.wallet import Balances, SignedTransaction, WalletSend, WalletUnavailable

SATS = 10**8
Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
Txid = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Position = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


def sats_of(amount: Decimal | int) -> int:
    """Satoshis of an amount in coins, exactly; WalletUnavailable where it is no whole number of them."""
    scaled = Decimal(amount) * SATS
    sats = int(scaled)
    if sats != scaled:
        raise WalletUnavailable(f"the node tells of {amount} coins, which is no whole number of satoshis")
    return sats


def amount_text(sats: int) -> str:
    """Coins with eight decimals, as nodes take them; a JSON number would go through a float somewhere."""
    if sats < 0:
        raise ValueError("amounts are not negative")
    return f"{sats // SATS}.{sats % SATS:08d}"


Amount = Decimal | int


class UnspentEntry(msgspec.Struct, frozen=True, kw_only=True):
    """listunspent; an MWEB output of Litecoin has neither script nor position."""

    txid: Txid
    vout: Position | None = None
    script_hex: Hex = msgspec.field(name="scriptPubKey", default="")
    redeem_hex: Hex = msgspec.field(name="redeemScript", default="")
    amount: Amount
    confirmations: int
    spendable: bool = True
    safe: bool = True

    def coin(self) -> Coin | None:
        """None where we cannot spend it."""
        if self.vout is None or not self.script_hex or not (self.spendable and self.safe):
            return None
        return Coin(
            outpoint=Outpoint(self.txid, self.vout),
            sats=sats_of(self.amount),
            script=bytes.fromhex(self.script_hex),
            redeem_script=bytes.fromhex(self.redeem_hex),
            confirmations=self.confirmations,
        )


class LockedEntry(msgspec.Struct, frozen=True):
    """listlockunspent."""

    txid: Txid
    vout: Position

    def outpoint(self) -> Outpoint:
        return Outpoint(self.txid, self.vout)


class ValidatedAddress(msgspec.Struct, frozen=True):
    """validateaddress; an MWEB address of Litecoin is valid and has an empty script: nothing to pay to."""

    isvalid: bool
    script_hex: Hex = msgspec.field(name="scriptPubKey", default="")

    def script(self) -> bytes | None:
        return bytes.fromhex(self.script_hex) if self.isvalid and self.script_hex else None


class NetworkInfo(msgspec.Struct, frozen=True):
    """getnetworkinfo."""

    relayfee: Amount
    incrementalfee: Amount


class MempoolInfo(msgspec.Struct, frozen=True):
    """getmempoolinfo."""

    mempoolminfee: Amount


class Estimate(msgspec.Struct, frozen=True):
    """estimatesmartfee; without a feerate there are `errors`."""

    feerate: Amount | None = None


class MineBalances(msgspec.Struct, frozen=True):
    """getbalances, the part that is the wallet's own."""

    trusted: Amount
    untrusted_pending: Amount
    immature: Amount


class BalancesAnswer(msgspec.Struct, frozen=True):
    """getbalances."""

    mine: MineBalances

    def balances(self) -> Balances:
        return Balances(
            trusted_sats=sats_of(self.mine.trusted),
            pending_sats=sats_of(self.mine.untrusted_pending),
            immature_sats=sats_of(self.mine.immature),
        )


class SignedAnswer(msgspec.Struct, frozen=True):
    """signrawtransactionwithwallet; `errors` says which input could not be signed and why."""

    hex: Hex
    complete: bool
    errors: list[dict[str, object]] = []

    def trouble(self) -> str:
        return str(self.errors[0].get("error", "not signed")) if self.errors else "not signed"


class DecodedInput(msgspec.Struct, frozen=True):
    """A coinbase's input has no outpoint."""

    txid: Txid | None = None
    vout: Position | None = None

    def outpoint(self) -> Outpoint | None:
        return None if self.txid is None or self.vout is None else Outpoint(self.txid, self.vout)


class DecodedScript(msgspec.Struct, frozen=True):
    """`address` since Core 22, `addresses` before."""

    hex: Hex
    address: str | None = None
    addresses: list[str] = []


class DecodedOutput(msgspec.Struct, frozen=True):
    """An output as decoderawtransaction gives it."""

    value: Amount
    script: DecodedScript = msgspec.field(name="scriptPubKey")

    def output(self) -> Output:
        address = self.script.address or next(iter(self.script.addresses), "")
        return Output(address, bytes.fromhex(self.script.hex), sats_of(self.value))


class Decoded(msgspec.Struct, frozen=True):
    """decoderawtransaction."""

    txid: Txid
    weight: int
    vin: list[DecodedInput]
    vout: list[DecodedOutput]

    def signed(self, raw: bytes) -> SignedTransaction:
        return SignedTransaction(
            txid=self.txid,
            raw=raw,
            weight=self.weight,
            inputs=tuple(outpoint for entry in self.vin if (outpoint := entry.outpoint())),
            outputs=tuple(entry.output() for entry in self.vout),
        )


class AcceptAnswer(msgspec.Struct, frozen=True):
    """testmempoolaccept, one transaction."""

    allowed: bool = False
    reason: str = msgspec.field(name="reject-reason", default="not accepted")


class SinceEntry(msgspec.Struct, frozen=True):
    """listsinceblock, one output of one wallet transaction as seen from one side."""

    category: str
    amount: Amount
    txid: Txid
    confirmations: int = 0
    vout: Position | None = None
    address: str = ""
    abandoned: bool = False  # by `abandontransaction`: it is not sent again, and stays at 0 confirmations

    def place(self) -> tuple[str, int | None, str]:
        """Which output it is; MWEB outputs have no position."""
        return self.txid, self.vout, self.address


class SinceAnswer(msgspec.Struct, frozen=True):
    """listsinceblock."""

    transactions: list[SinceEntry]
    lastblock: str

    def sends(self) -> tuple[WalletSend, ...]:
        """Outputs to others, joined by transaction. What the wallet sent to itself is there from both sides
        and is no send."""
        own = {entry.place() for entry in self.transactions if entry.category != "send"}
        by_txid: dict[str, list[SinceEntry]] = {}
        for entry in self.transactions:
            if entry.category == "send" and not entry.abandoned and entry.place() not in own:
                by_txid.setdefault(entry.txid, []).append(entry)
        return tuple(_joined(txid, entries) for txid, entries in by_txid.items())


def _joined(txid: str, entries: Sequence[SinceEntry]) -> WalletSend:
    return WalletSend(
        txid=txid,
        sats=-sum(sats_of(entry.amount) for entry in entries),
        confirmations=entries[0].confirmations,
        addresses=tuple(entry.address for entry in entries),
    )


class WalletTransaction(msgspec.Struct, frozen=True):
    """gettransaction. `fee` is negative, and there for what the wallet sent."""

    confirmations: int
    blockhash: str | None = None
    hex: Hex = ""
    fee: Amount | None = None


class BlockHeader(msgspec.Struct, frozen=True):
    """getblockheader."""

    confirmations: int
    height: int


class BlockTransaction(msgspec.Struct, frozen=True):
    """A transaction of getblock, verbosity 2."""

    txid: Txid
    vin: list[DecodedInput]
    vout: list[DecodedOutput]

    def spends(self) -> frozenset[Outpoint]:
        return frozenset(outpoint for entry in self.vin if (outpoint := entry.outpoint()))

    def scripts(self) -> frozenset[bytes]:
        return frozenset(bytes.fromhex(entry.script.hex) for entry in self.vout)


class Block(msgspec.Struct, frozen=True):
    """getblock, verbosity 2."""

    tx: list[BlockTransaction]
