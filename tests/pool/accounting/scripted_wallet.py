"""A node's wallet in memory: its coins, a chain, a memory pool, and whatever goes wrong with them.

    wallet = ScriptedWallet()
    wallet.fund(1_000_000)              # a coin that is deep enough
    wallet.is_locked = True             # signing is refused
    wallet.mine(6)                      # what is in the memory pool confirms, and is buried
    wallet.reorganise(3, keeps=True)    # the last three blocks are exchanged; their transactions wait again
    wallet.steal(outpoint)              # a stranger's transaction spends the coin, in a block

A transaction's bytes are its JSON. The memory pool takes whatever the chain does not exclude, without regard
to fees.
"""

from collections.abc import Awaitable, Sequence
from hashlib import sha256
from itertools import count

import msgspec

from payouts.attempt import Attempt, AttemptSight, Confirmed, Conflicted, InputsGone, NoAnswer, Unconfirmed
from payouts.transaction import Coin, Outpoint, Output, Spent, transaction_weight
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
    WalletSend,
    WalletUnavailable,
)

KEY_INPUT_WEIGHT = 272  # BIP 141 by hand in tests/payouts/test_composition.py
DEEP = 200


class Transaction(msgspec.Struct, frozen=True):
    """What a transaction's bytes say: (txid, output) it spends, (address, sats) it pays."""

    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]

    @property
    def raw(self) -> bytes:
        return msgspec.json.encode(self)

    @property
    def txid(self) -> str:
        return sha256(self.raw).hexdigest()


def script_of(address: str) -> bytes:
    """A made-up witness program for each address."""
    return b"\x00\x14" + sha256(address.encode()).digest()[:20]


class ScriptedWallet:
    """Implements payouts.wallet.Wallet."""

    def __init__(self) -> None:
        self.chain: list[list[Transaction]] = [[] for _ in range(DEEP + 1)]
        self.mempool: dict[str, Transaction] = {}
        self.locked: set[tuple[str, int]] = set()
        self.own = {"change 0"}
        self.estimate: int | None = 1000
        self.minimum = 1000
        self.unpayable: set[str] = set()
        self.rejection: str | None = None
        self.refused: set[str] = set()  # addresses: a transaction that pays one of them is refused for good
        self.is_locked = False
        self.is_gone = False
        self.has_keys = True
        self.signed: list[Transaction] = []
        self.handed: list[str] = []
        self.sends: tuple[WalletSend, ...] = ()  # by others that know the wallet, whatever the chain holds
        self.by_hand: list[Transaction] = []
        self.calls: list[str] = []
        self.meanwhile: dict[str, Awaitable[None]] = {}  # happens elsewhere before the call is answered
        self._numbers = count(1)

    # ------------------------------------------------------------------ the chain

    def fund(self, sats: int, *, confirmations: int = DEEP) -> Outpoint:
        """A coin of the wallet's, as deep as asked for."""
        paid = Transaction(((f"{next(self._numbers):064x}", 0),), (("change 0", sats),))
        self.chain[len(self.chain) - confirmations].append(paid)
        return Outpoint(paid.txid, 0)

    def mine(self, blocks: int = 1) -> None:
        """What waits confirms in the first of them."""
        for _ in range(blocks):
            self.chain.append(list(self.mempool.values()))
            self.mempool.clear()

    def bury(self, blocks: int) -> None:
        """Empty blocks, should anything wait or not."""
        self.chain += [[] for _ in range(blocks)]

    def steal(self, outpoint: Outpoint) -> None:
        """A stranger's transaction spends it, in a block of its own."""
        self.take(Transaction(((outpoint.txid, outpoint.output),), ((f"thief {next(self._numbers)}", 1),)))

    def bump_by_hand(self, attempt: Attempt, more_fee_sats: int) -> str:
        """As the node's own `bumpfee`: the same coins, the same outputs, but the last is less. Its txid."""
        sent = msgspec.json.decode(attempt.raw, type=Transaction)
        address, sats = sent.outputs[-1]
        bumped = Transaction(sent.inputs, (*sent.outputs[:-1], (address, sats - more_fee_sats)))
        self.take(bumped)
        self.by_hand.append(bumped)
        return bumped.txid

    def is_spent(self, outpoint: Outpoint) -> bool:
        """In the chain."""
        return any((outpoint.txid, outpoint.output) in one.inputs for block in self.chain for one in block)

    def is_lost(self, outpoint: Outpoint) -> bool:
        """What made it has left the chain."""
        return self._height(outpoint.txid) is None

    def excludes(self, transaction: Transaction) -> bool:
        """Whether the chain has spent an input of it already, or does not know one."""
        is_known = all(self._height(txid) is not None for txid, _ in transaction.inputs)
        return not is_known or self._spent_by(transaction) is not None

    def take(self, transaction: Transaction) -> None:
        """A miner takes it, whatever the memory pool holds; impossible if the chain has spent its inputs."""
        assert not self._spent_by(transaction)
        self.chain.append([transaction])
        spends = set(transaction.inputs)
        self.mempool = {txid: one for txid, one in self.mempool.items() if not set(one.inputs) & spends}

    def reorganise(self, depth: int, *, keeps: bool) -> None:
        gone = [one for block in self.chain[-depth:] for one in block]
        self.chain = self.chain[:-depth]
        if keeps:
            self.mempool |= {one.txid: one for one in gone}
        self.bury(depth + 1)

    def _spent_by(self, transaction: Transaction) -> str | None:
        """The transaction of the chain that spends one of the same inputs; itself where it is there."""
        for block in self.chain:
            for one in block:
                if set(one.inputs) & set(transaction.inputs):
                    return one.txid
        return None

    def _height(self, txid: str) -> int | None:
        for height, block in enumerate(self.chain):
            if any(one.txid == txid for one in block):
                return height
        return None

    def received(self) -> dict[str, int]:
        """What the chain holds for each address, the wallet's own left out."""
        found: dict[str, int] = {}
        for block in self.chain:
            for one in block:
                for address, sats in one.outputs:
                    if address not in self.own:
                        found[address] = found.get(address, 0) + sats
        return found

    def _unspent(self) -> list[tuple[Coin, bool]]:
        """Coins in the chain, and whether nothing in the memory pool spends them."""
        spent = {point for block in self.chain for one in block for point in one.inputs}
        waiting = {point for one in self.mempool.values() for point in one.inputs}
        tip = len(self.chain) - 1
        found = []
        for height, block in enumerate(self.chain):
            for one in block:
                for position, (address, sats) in enumerate(one.outputs):
                    point = (one.txid, position)
                    if address in self.own and point not in spent:
                        outpoint = Outpoint(*point)
                        script = script_of(address)
                        coin = Coin(
                            outpoint=outpoint, sats=sats, script=script, confirmations=tip - height + 1
                        )
                        found.append((coin, point not in waiting))
        return found

    # ------------------------------------------------------------------ the wallet

    async def _ask(self, name: str) -> None:
        """Every call passes here: it is told, and fails while the node is gone."""
        self.calls.append(name)
        if name in self.meanwhile:
            await self.meanwhile.pop(name)
        if self.is_gone:
            raise WalletUnavailable("the node is gone")

    async def tip_height(self) -> int:
        await self._ask("tip_height")
        return len(self.chain) - 1

    async def scripts(self, addresses: Sequence[str]) -> dict[str, bytes | None]:
        await self._ask("scripts")
        return {one: None if one in self.unpayable else script_of(one) for one in addresses}

    async def coins(self, minimum_confirmations: int) -> list[Coin]:
        await self._ask("coins")
        return [
            coin
            for coin, is_free in self._unspent()
            if is_free
            and coin.confirmations >= minimum_confirmations
            and (coin.outpoint.txid, coin.outpoint.output) not in self.locked
        ]

    async def lock(self, outpoints: Sequence[Outpoint]) -> None:
        await self._ask("lock")
        self.locked |= {(one.txid, one.output) for one in outpoints}

    async def unlock(self, outpoints: Sequence[Outpoint]) -> None:
        await self._ask("unlock")
        self.locked -= {(one.txid, one.output) for one in outpoints}

    async def change(self) -> Output:
        await self._ask("change")
        if not self.has_keys:
            raise WalletRefused("no change address: keypool ran out", passing=True)
        address = f"change {next(self._numbers)}"
        self.own.add(address)
        return Output(address, script_of(address), 0)

    async def fee_policy(self, target_blocks: int) -> FeePolicy:
        await self._ask("fee_policy")
        return FeePolicy(relay=100, incremental=100, minimum=self.minimum, estimate=self.estimate)

    async def balances(self) -> Balances:
        await self._ask("balances")
        trusted = sum(coin.sats for coin, is_free in self._unspent() if is_free)
        trusted += sum(
            sats for one in self.mempool.values() for address, sats in one.outputs if address in self.own
        )
        return Balances(trusted_sats=trusted, pending_sats=0, immature_sats=0)

    async def sign(self, inputs: Sequence[Spent], outputs: Sequence[Output]) -> SignedTransaction:
        await self._ask("sign")
        if self.is_locked:
            raise WalletRefused("the wallet is locked and no passphrase is set", passing=True)
        made = Transaction(
            tuple((one.outpoint.txid, one.outpoint.output) for one in inputs),
            tuple((one.address, one.sats) for one in outputs),
        )
        self.signed.append(made)
        return _signed(made)

    async def decode(self, raw: bytes) -> SignedTransaction:
        await self._ask("decode")
        return _signed(msgspec.json.decode(raw, type=Transaction))

    async def check(self, raw: bytes) -> Rejected | None:
        await self._ask("check")
        shown = msgspec.json.decode(raw, type=Transaction)
        if any(address in self.refused for address, _ in shown.outputs):
            return Rejected("scriptpubkey")
        return None if self.rejection is None else Rejected(self.rejection)

    async def broadcast(self, attempt: Attempt) -> Handed:
        try:
            await self._ask("broadcast")
        except WalletUnavailable as error:
            return Unavailable(str(error))
        self.handed.append(attempt.txid)
        sent = msgspec.json.decode(attempt.raw, type=Transaction)
        spent_by = self._spent_by(sent)
        if spent_by is not None:
            return AlreadyConfirmed() if spent_by == sent.txid else MissingInputs()
        if self.rejection is not None:
            return Rejected(self.rejection)
        if sent.txid in self.mempool:
            return AlreadyKnown()
        spends = set(sent.inputs)
        self.mempool = {txid: one for txid, one in self.mempool.items() if not set(one.inputs) & spends}
        self.mempool[sent.txid] = sent
        return Taken()

    async def look(self, attempts: Sequence[Attempt], since_height: int | None) -> dict[str, AttemptSight]:
        try:
            await self._ask("look")
        except WalletUnavailable:
            return {one.txid: NoAnswer() for one in attempts}
        return {one.txid: self._sight(one) for one in attempts}

    def _sight(self, attempt: Attempt) -> AttemptSight:
        sent = msgspec.json.decode(attempt.raw, type=Transaction)
        spent_by, tip = self._spent_by(sent), len(self.chain) - 1
        if spent_by is None:
            if any(self._height(txid) is None for txid, _ in sent.inputs):
                return InputsGone()
            return Unconfirmed(in_mempool=sent.txid in self.mempool)
        height = self._height(spent_by)
        assert height is not None
        if spent_by == sent.txid:
            return Confirmed(tip - height + 1, f"{height:064x}", height)
        scripts = {
            script_of(address)
            for block in self.chain
            for one in block
            if set(one.inputs) & set(sent.inputs)
            for address, _ in one.outputs
        }
        return Conflicted(spent_by, tip - height + 1, frozenset(scripts))

    async def transaction(self, txid: str) -> KnownTransaction:
        await self._ask("transaction")
        for height, block in enumerate(self.chain):
            for one in block:
                if one.txid == txid:
                    signed = _signed(one)
                    fee_sats = self._spends_sats(one) - sum(sats for _, sats in one.outputs)
                    confirmations = len(self.chain) - height
                    return KnownTransaction(signed=signed, fee_sats=fee_sats, confirmations=confirmations)
        raise WalletRefused(f"the wallet has no transaction {txid}", passing=False)

    def _spends_sats(self, transaction: Transaction) -> int:
        made = {one.txid: one for block in self.chain for one in block}
        return sum(made[txid].outputs[position][1] for txid, position in transaction.inputs)

    async def sends_since(self, block_hash: str | None) -> Sends:
        await self._ask("sends_since")
        return Sends((*self.sends, *(self._send(one) for one in self.by_hand)), "")

    def _send(self, transaction: Transaction) -> WalletSend:
        """As the node tells it: nothing is forgotten, and what the chain excludes has less than 0."""
        height = self._height(transaction.txid)
        others = [(one, sats) for one, sats in transaction.outputs if one not in self.own]
        return WalletSend(
            txid=transaction.txid,
            sats=sum(sats for _, sats in others),
            confirmations=-1 if height is None else len(self.chain) - height,
            addresses=tuple(one for one, _ in others),
        )


def _signed(made: Transaction) -> SignedTransaction:
    outputs = tuple(Output(address, script_of(address), sats) for address, sats in made.outputs)
    weight = transaction_weight([KEY_INPUT_WEIGHT] * len(made.inputs), [one.script for one in outputs])
    return SignedTransaction(
        txid=made.txid,
        raw=made.raw,
        weight=weight,
        inputs=tuple(Outpoint(*point) for point in made.inputs),
        outputs=outputs,
    )
