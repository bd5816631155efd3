"""The wallet of a node (Bitcoin Core and Litecoin Core from 0.21), over an RPC call that is handed in.

It stores nothing: what was signed and sent is its caller's to remember. The call may go to a wallet's own
address (…/wallet/NAME), which answers the node's other methods just the same.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from payouts import node_answers as answers
from payouts.attempt import Attempt, AttemptSight
from payouts.node_call import (
    ALREADY_IN_CHAIN,
    INVALID_ADDRESS_OR_KEY,
    INVALID_PARAMETER,
    KEYPOOL_RAN_OUT,
    PASSPHRASE_INCORRECT,
    TRANSACTION_ERROR,
    UNLOCK_NEEDED,
    CallRefused,
    Node,
    NodeCall,
)
from payouts.node_chain import NodeChain
from payouts.transaction import Coin, Outpoint, Output, Spent
from payouts.wallet import (
    AlreadyConfirmed,
    AlreadyKnown,
    Balances,
    FeePolicy,
    Handed,
    KnownTransaction,
    MissingInputs,
    Rejected,
    Sends,
    SignedTransaction,
    Taken,
    Unavailable,
    WalletRefused,
    WalletUnavailable,
)

UNLOCK_SECONDS = 60
# Signing a thousand inputs takes a second or two; the wallet is locked again as soon as it is done.

MOST_CONFIRMATIONS = 9_999_999  # listunspent's own default
CHANGE_KIND = "bech32"

T = TypeVar("T")


class NodeWallet:
    """payouts.wallet.Wallet over a node.

    `passphrase` is called when an encrypted wallet has to be unlocked, so that a file may be changed while
    the pool runs; it returns the text or raises OSError. Without it a locked wallet refuses to sign.
    """

    def __init__(self, call: NodeCall, passphrase: Callable[[], str] | None = None) -> None:
        self._node = Node(call)
        self._chain = NodeChain(self._node)
        self._passphrase = passphrase

    async def tip_height(self) -> int:
        return await self._node.ask("getblockcount", result=int)

    async def scripts(self, addresses: Sequence[str]) -> dict[str, bytes | None]:
        return {address: await self._script(address) for address in addresses}

    async def _script(self, address: str) -> bytes | None:
        answer = await self._node.ask("validateaddress", address, result=answers.ValidatedAddress)
        return answer.script()

    async def coins(self, minimum_confirmations: int) -> list[Coin]:
        entries = await self._node.ask(
            "listunspent", minimum_confirmations, MOST_CONFIRMATIONS, result=list[answers.UnspentEntry]
        )
        return [coin for entry in entries if (coin := entry.coin()) is not None]

    async def lock(self, outpoints: Sequence[Outpoint]) -> None:
        locked = await self._locked()
        for outpoint in outpoints:
            if outpoint not in locked:
                await self._change_lock(outpoint, locked=True)

    async def unlock(self, outpoints: Sequence[Outpoint]) -> None:
        locked = await self._locked()
        for outpoint in outpoints:
            if outpoint in locked:
                await self._change_lock(outpoint, locked=False)

    async def _locked(self) -> set[Outpoint]:
        entries = await self._node.ask("listlockunspent", result=list[answers.LockedEntry])
        return {entry.outpoint() for entry in entries}

    async def _change_lock(self, outpoint: Outpoint, *, locked: bool) -> None:
        entry = {"txid": outpoint.txid, "vout": outpoint.output}
        answer = await self._node.try_ask("lockunspent", not locked, [entry], result=bool)
        # -8 is what the node says of an output that is spent by now, or unknown to this wallet: there is
        # nothing that the wallet could spend by itself.
        if isinstance(answer, CallRefused) and answer.code != INVALID_PARAMETER:
            raise WalletUnavailable(f"the node does not change a coin's lock: {answer}")

    async def change(self) -> Output:
        async def fresh() -> str | CallRefused:
            return await self._node.try_ask("getrawchangeaddress", CHANGE_KIND, result=str)

        address = await self._unlocking(fresh)
        if isinstance(address, CallRefused):
            raise WalletRefused(f"no change address: {address.message}", passing=True)
        script = await self._script(address)
        if script is None:
            raise WalletRefused(f"the node cannot pay to its own address {address}", passing=False)
        return Output(address, script, 0)

    async def fee_policy(self, target_blocks: int) -> FeePolicy:
        network = await self._node.ask("getnetworkinfo", result=answers.NetworkInfo)
        mempool = await self._node.ask("getmempoolinfo", result=answers.MempoolInfo)
        # An error of the estimate is the same as none: there is a fallback.
        estimate = await self._node.try_ask("estimatesmartfee", target_blocks, result=answers.Estimate)
        rate = None if isinstance(estimate, CallRefused) else estimate.feerate
        return FeePolicy(
            relay=answers.sats_of(network.relayfee),
            incremental=answers.sats_of(network.incrementalfee),
            minimum=answers.sats_of(mempool.mempoolminfee),
            estimate=None if rate is None else answers.sats_of(rate),
        )

    async def balances(self) -> Balances:
        return (await self._node.ask("getbalances", result=answers.BalancesAnswer)).balances()

    async def sign(self, inputs: Sequence[Spent], outputs: Sequence[Output]) -> SignedTransaction:
        unsigned = await self._node.try_ask(
            "createrawtransaction",
            [{"txid": spent.outpoint.txid, "vout": spent.outpoint.output} for spent in inputs],
            [{output.address: answers.amount_text(output.sats)} for output in outputs],
            0,
            True,  # replaceable
            result=str,
        )
        if isinstance(unsigned, CallRefused):
            raise WalletRefused(unsigned.message, passing=False)
        transaction = await self.decode(await self._signed(unsigned))
        _hold_to(transaction, inputs, outputs)
        return transaction

    async def _signed(self, unsigned: str) -> bytes:
        async def signing() -> answers.SignedAnswer | CallRefused:
            method = "signrawtransactionwithwallet"
            return await self._node.try_ask(method, unsigned, result=answers.SignedAnswer)

        answer = await self._unlocking(signing)
        if isinstance(answer, CallRefused):
            if answer.code == UNLOCK_NEEDED:
                raise WalletRefused("the wallet is locked and no passphrase is set", passing=True)
            raise WalletRefused(f"the wallet does not sign: {answer.message}", passing=False)
        if not answer.complete:
            raise WalletRefused(f"the wallet cannot sign every input: {answer.trouble()}", passing=True)
        return bytes.fromhex(answer.hex)

    async def decode(self, raw: bytes) -> SignedTransaction:
        decoded = await self._node.try_ask("decoderawtransaction", raw.hex(), result=answers.Decoded)
        if isinstance(decoded, CallRefused):
            raise WalletRefused(decoded.message, passing=False)
        return decoded.signed(raw)

    async def check(self, raw: bytes) -> Rejected | None:
        found = await self._node.ask("testmempoolaccept", [raw.hex()], result=list[answers.AcceptAnswer])
        if not found or found[0].allowed or found[0].reason.startswith("txn-already"):
            return None
        return Rejected(found[0].reason)

    async def broadcast(self, attempt: Attempt) -> Handed:
        try:
            # In the memory pool already: the node announces it again and answers as it did the first time.
            known = await self._node.try_ask("getmempoolentry", attempt.txid, result=dict)
            answer = await self._node.try_ask("sendrawtransaction", attempt.raw.hex(), result=str)
        except WalletUnavailable as error:
            return Unavailable(str(error))
        if isinstance(answer, CallRefused):
            return _refused(answer)
        return Taken() if isinstance(known, CallRefused) else AlreadyKnown()

    async def look(self, attempts: Sequence[Attempt], since_height: int | None) -> dict[str, AttemptSight]:
        return await self._chain.look(attempts, since_height)

    async def transaction(self, txid: str) -> KnownTransaction:
        entry = await self._node.try_ask("gettransaction", txid, result=answers.WalletTransaction)
        if isinstance(entry, CallRefused):
            raise WalletRefused(f"the wallet has no transaction {txid}", passing=False)
        return KnownTransaction(
            signed=await self.decode(bytes.fromhex(entry.hex)),
            fee_sats=None if entry.fee is None else -answers.sats_of(entry.fee),
            confirmations=entry.confirmations,
        )

    async def sends_since(self, block_hash: str | None) -> Sends:
        since = () if block_hash is None else (block_hash,)
        answer = await self._node.try_ask("listsinceblock", *since, result=answers.SinceAnswer)
        if isinstance(answer, CallRefused):
            if block_hash is None or answer.code != INVALID_ADDRESS_OR_KEY:
                raise WalletUnavailable(f"the node does not list the wallet's transactions: {answer}")
            return await self.sends_since(None)
        return Sends(answer.sends(), answer.lastblock)

    async def _unlocking(self, ask: Callable[[], Awaitable[T | CallRefused]]) -> T | CallRefused:
        """Ask, and once more with the wallet unlocked where that was what it wanted; then lock it again."""
        answer = await ask()
        wanted = isinstance(answer, CallRefused) and answer.code in (UNLOCK_NEEDED, KEYPOOL_RAN_OUT)
        if not wanted or self._passphrase is None or not await self._unlock_wallet(self._passphrase):
            return answer
        try:
            return await ask()
        finally:
            await self._lock_wallet()

    async def _unlock_wallet(self, passphrase: Callable[[], str]) -> bool:
        try:
            text = passphrase()
        except OSError as error:
            reason = f"the wallet's passphrase cannot be read: {error.strerror or error}"
            raise WalletRefused(reason, passing=True) from None
        answer = await self._node.try_ask("walletpassphrase", text, UNLOCK_SECONDS, result=Any)
        if isinstance(answer, CallRefused) and answer.code == PASSPHRASE_INCORRECT:
            raise WalletRefused("the wallet's passphrase is wrong", passing=True)
        return not isinstance(answer, CallRefused)

    async def _lock_wallet(self) -> None:
        try:
            await self._node.try_ask("walletlock", result=Any)
        except WalletUnavailable:
            return  # it locks itself after UNLOCK_SECONDS


def _hold_to(transaction: SignedTransaction, inputs: Sequence[Spent], outputs: Sequence[Output]) -> None:
    """What was signed is what was asked for: the wallet has added no input and changed no amount."""
    asked_in = [spent.outpoint for spent in inputs]
    asked_out = [(output.script, output.sats) for output in outputs]
    signed_out = [(output.script, output.sats) for output in transaction.outputs]
    if list(transaction.inputs) != asked_in or signed_out != asked_out:
        raise WalletRefused("the wallet has signed another transaction than was asked for", passing=False)


def _refused(answer: CallRefused) -> Handed:
    if answer.code == ALREADY_IN_CHAIN:
        return AlreadyConfirmed()
    missing = "missingorspent" in answer.message or "Missing inputs" in answer.message
    if answer.code == TRANSACTION_ERROR and missing:
        return MissingInputs()
    return Rejected(answer.message)
