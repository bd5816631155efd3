"""A devnode inside the test's own process, with blocks and transactions made by hand. Ten lines to use:

    async with open_chain(tmp_path) as chain:
        await chain.mine(101)
        coin = await chain.coin(1)                       # the coinbase of height 1
        txid = await chain.send(chain.spend(coin, fee_sats=700))
        template = await chain.template()
        assert await chain.submit(find_block(template, REGTEST)) is None
        error = await chain.refusal("getblockhash", 500)  # code and text

No HTTP: what the methods answer. What the process does beyond them is tested with RunningDevnode.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pool.devnode.failures import RpcFailure
from pool.devnode.methods import Methods
from pool.devnode.node import Devnode
from pool.devnode.parsing import parse_transaction
from pool.devnode.spending import Key, Spendable, spend
from stratum.work.coin import network
from stratum.work.share import BlockCandidate
from stratum.work.template import Template, TemplateTransaction, parse_template
from stratum.work.transaction import Output
from tests.harness.devnode import ADDRESS
from tests.harness.mining import block_hex

REGTEST = network("bitcoin", "regtest")
SUBSIDY_SATS = 5_000_000_000  # 50 coins up to height 149, Bitcoin Core's regtest
SEGWIT = {"rules": ["segwit"]}


class Chain:
    """`key` owns what `mine` mines, and every output of `spend`."""

    def __init__(self, node: Devnode, methods: Methods) -> None:
        self.node = node
        self.methods = methods
        self.key = Key(bytes(31) + b"\x01")

    async def call(self, method: str, *params: Any) -> Any:
        return await self.methods.call(method, list(params))

    async def refusal(self, method: str, *params: Any) -> tuple[int, str]:
        with pytest.raises(RpcFailure) as refused:
            await self.call(method, *params)
        return refused.value.code, str(refused.value)

    async def mine(self, count: int) -> list[str]:
        hashes: list[str] = await self.call("generatetoaddress", count, ADDRESS)
        return hashes

    async def template(self) -> Template:
        return parse_template(msgspec.json.encode(await self.call("getblocktemplate", SEGWIT)), REGTEST)

    async def submit(self, candidate: BlockCandidate) -> str | None:
        verdict: str | None = await self.call("submitblock", block_hex(candidate))
        return verdict

    async def coin(self, height: int) -> Spendable:
        block = await self.call("getblock", await self.call("getblockhash", height))
        return Spendable(bytes.fromhex(block["tx"][0])[::-1], 0, SUBSIDY_SATS)

    def spend(self, coin: Spendable, fee_sats: int) -> bytes:
        return spend(self.key, coin, [Output(coin.value_sats - fee_sats, self.key.script)])

    async def send(self, raw: bytes) -> str:
        txid: str = await self.call("sendrawtransaction", raw.hex())
        return txid


@asynccontextmanager
async def open_chain(directory: Path) -> AsyncIterator[Chain]:
    node = await Devnode.open(directory)
    try:
        yield Chain(node, Methods(node, None, lambda: None))
    finally:
        await node.close()


def with_transaction(template: Template, raw: bytes, fee_sats: int) -> Template:
    """A template without transactions, and this one put in: whether it is valid or not."""
    transaction = parse_transaction(raw)
    entry = TemplateTransaction(raw.hex(), transaction.txid, fee_sats, 0, transaction.weight)
    root = _sha256d(bytes(32) + transaction.witness_txid)  # BIP 141: the coinbase's own place is zeros
    return msgspec.structs.replace(
        template,
        transactions=(entry,),
        merkle_branch=(transaction.txid,),
        coinbase_value_sats=template.coinbase_value_sats + fee_sats,
        witness_commitment=bytes.fromhex("6a24aa21a9ed") + _sha256d(root + bytes(32)),
    )


def _sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()
