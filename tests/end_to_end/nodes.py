"""The nodes that the end-to-end tests run on: the same tests on each. BITCOIND=/path adds Bitcoin Core."""

import os
from pathlib import Path

from tests.harness.devnode import RunningDevnode
from tests.harness.litecoind import BitcoinCore, Litecoind
from tests.harness.pool_process import Node

CORE = ["bitcoind"] if os.environ.get("BITCOIND") else []
REAL = ["litecoind", *CORE]
ALL = ["litecoind", "devnode", *CORE]


def make_node(kind: str, directory: Path, name: str = "node") -> Node:
    """Not started yet; it leaves the password where the pool's settings look for it."""
    (directory / "password").write_text("p")
    if kind == "devnode":
        return RunningDevnode(directory, name=name)
    if kind == "bitcoind":
        return BitcoinCore(directory, name=name)
    return Litecoind(directory, name=name, mweb=kind == "litecoind-mweb")


async def put_transactions_into_the_mempool(node: Node, count: int = 2) -> set[str]:
    """Signed ones that the node took, with fees; their ids. Coins need 101 blocks first."""
    if isinstance(node, RunningDevnode):
        return {await node.send() for _ in range(count)}
    return {await node.send(f"0.{position + 1}") for position in range(count)}
