"""The pool's node wallet over a devnode that runs: money for it, and side branches by hand. Ten lines to use:

async with RunningDevnode(tmp_path) as node:
    await fund(node, 2)                                # two coinbases of 50 coins, 106 deep and more
    wallet = wallet_of(node)
    attempt, made = await first_attempt(wallet, await payees(node, 3 * COIN))
    branch = await SideBranch.from_the_tip(node)
    await wallet.broadcast(attempt)
    await node.mine(1)
    await branch.overtake(node)                        # a longer one, without the payment
"""

from typing import Self

import msgspec

from stratum.work.coin import network
from stratum.work.template import Template, parse_template
from tests.harness.devnode import RunningDevnode
from tests.harness.mining import block_hex, find_block

REGTEST = network("bitcoin", "regtest")
SEGWIT = {"rules": ["segwit"]}


async def fund(node: RunningDevnode, coinbases: int) -> None:
    """That many coinbases to the node's wallet, and 105 blocks for somebody else on top."""
    await node.mine(coinbases, await node.rpc("getnewaddress"))
    await node.mine(105)


async def template_of(node: RunningDevnode) -> Template:
    return parse_template(msgspec.json.encode(await node.rpc("getblocktemplate", SEGWIT)), REGTEST)


class SideBranch:
    """Blocks without transactions on what is the tip now."""

    def __init__(self, template: Template) -> None:
        self._template = template

    @classmethod
    async def from_the_tip(cls, node: RunningDevnode) -> Self:
        """To be called while the mempool is empty: the template's transactions would be in the branch."""
        template = await template_of(node)
        assert not template.transactions
        return cls(template)

    async def overtake(self, node: RunningDevnode) -> None:
        """Submit blocks until the branch is the best chain; each is told before it is long enough."""
        template = self._template
        while True:
            found = find_block(template, REGTEST)
            verdict = await node.rpc("submitblock", block_hex(found))
            if verdict is None:
                return
            assert verdict == "inconclusive"
            template = msgspec.structs.replace(
                template,
                height=template.height + 1,
                previous_hash=found.block_hash,
                current_time=template.current_time + 1,
            )
