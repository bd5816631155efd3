"""Money for the wallet of a chain inside the test's process, and somebody else to pay."""

from tests.pool.devnode.chain import Chain


async def funded(chain: Chain) -> str:
    """One coinbase of 50 coins that has ripened for the wallet; gives its transaction's id."""
    address = await chain.call("getnewaddress")
    [block_hash] = await chain.call("generatetoaddress", 1, address)
    await chain.mine(100)
    [txid] = (await chain.call("getblock", block_hash))["tx"]
    return str(txid)


async def foreign(chain: Chain) -> str:
    """An address in nobody's wallet."""
    return str((await chain.call("decodescript", "0014" + "09" * 20))["address"])
