"""A NodeWallet over a test node: the RPC call as the application hands it in, money, and first attempts."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from payouts.attempt import Attempt
from payouts.batch import Item
from payouts.composition import Composition, FeePayer, Terms, compose
from payouts.node_call import CallFailed, CallRefused, NodeCall
from payouts.node_wallet import NodeWallet
from payouts.transaction import DUST_RATE_FACTOR, Output, Spent
from payouts.wallet import FeePolicy
from pool.node.endpoint import NodeEndpoint
from pool.node.rpc import NodeRpc, NodeUnreachable, RpcError
from tests.harness.litecoind import BitcoinCore, Litecoind, RealNode

RATE = 20_000  # satoshis per 1,000 virtual bytes: 20 per byte, well above the node's least of 1
COIN = 10**8


def calling(ask: Callable[..., Any]) -> NodeCall:
    async def call(method: str, *params: object) -> Any:
        try:
            return await ask(method, *params)
        except RpcError as error:
            raise CallRefused(error.code, error.message) from None
        except NodeUnreachable as error:
            raise CallFailed(str(error)) from None

    return call


def wallet_of(node: RealNode, passphrase: Callable[[], str] | None = None) -> NodeWallet:
    return NodeWallet(calling(node.rpc), passphrase)


class NamedWallet:
    """The same node through a wallet's own address."""

    def __init__(self, node: RealNode, name: str) -> None:
        plain = node.endpoint()
        self._rpc = NodeRpc(
            NodeEndpoint(name=name, url=f"{plain.url}/wallet/{name}", user="u", password=lambda: "p")
        )

    async def __aenter__(self) -> NodeWallet:
        async def ask(method: str, *params: object) -> Any:
            return await self._rpc.call(method, *params, result=Any)

        return NodeWallet(calling(ask))

    async def __aexit__(self, *_: object) -> None:
        await self._rpc.close()


def replacing_node(directory: Path) -> RealNode:
    """A node that replaces what is in its memory pool: Litecoin Core does so only where it is told to."""
    if os.environ.get("BITCOIND"):
        return BitcoinCore(directory)
    return Litecoind(directory, extra_arguments=("-mempoolreplacement=1",))


async def foreign(node: RealNode, number: int) -> str:
    """An address that is in nobody's wallet: a witness program of one repeated byte."""
    decoded = await node.rpc("decodescript", "0014" + bytes((number,) * 20).hex())
    address: str = decoded["address"] if "address" in decoded else decoded["addresses"][0]
    return address


async def fund(node: RealNode, coinbases: int) -> str:
    """That many coinbases of 50 coins, 106 deep or more; gives the foreign address mined to since."""
    await node.mine(coinbases)
    elsewhere = await foreign(node, 0)
    await node.mine(105, elsewhere)
    return elsewhere


async def payees(node: RealNode, *sats: int) -> list[Item]:
    """Items a, b, c … to foreign addresses."""
    items = []
    for number, amount in enumerate(sats, start=1):
        script = bytes.fromhex("0014") + bytes((number,) * 20)
        items.append(Item("abcdefgh"[number - 1], await foreign(node, number), script, amount))
    return items


def terms_of(
    policy: FeePolicy, change: Output, *, rate: int = RATE, fee_paid_by: FeePayer = "payees"
) -> Terms:
    return Terms(
        sats_per_kvb=rate,
        dust_sats_per_kvb=DUST_RATE_FACTOR * policy.relay,
        fee_paid_by=fee_paid_by,
        max_fee_percent=50,
        change=change,
    )


async def first_attempt(
    wallet: NodeWallet, items: Sequence[Item], *, fee_paid_by: FeePayer = "payees"
) -> tuple[Attempt, Composition]:
    """Composed, checked and signed as a payer does it, not yet handed to the node."""
    terms = terms_of(await wallet.fee_policy(6), await wallet.change(), fee_paid_by=fee_paid_by)
    made = compose(items, await wallet.coins(6), terms)
    assert isinstance(made, Composition), made
    return await signed(wallet, 1, made), made


async def signed(wallet: NodeWallet, number: int, made: Composition) -> Attempt:
    transaction = await wallet.sign(made.inputs, made.outputs)
    return Attempt(
        number=number,
        txid=transaction.txid,
        raw=transaction.raw,
        inputs=made.inputs,
        fee_sats=made.fee_sats,
        weight=transaction.weight,
    )


def spent_sats(spent: Sequence[Spent]) -> int:
    return sum(one.sats for one in spent)
