"""Signed messages against a real node's wallet: what either signs, the other verifies."""

from pathlib import Path

from pool.audit.ownership import Refusal, Verified, verify_message
from stratum.work.address import parse_address
from stratum.work.coin import network
from tests.harness.litecoind import real_node
from tests.pool.audit.signing import SECRET, p2pkh, sign_bip137, text

MESSAGE = "Engineroom payee change 1: ä, 工, and a line end\n"


async def test_a_nodes_wallet_and_this_program_understand_each_other(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node:
        chain = network(node.coin, "regtest")
        address = await node.address("legacy")
        signed = await node.rpc("signmessage", address, MESSAGE)

        assert verify_message(parse_address(address, chain), chain, MESSAGE, signed) == Verified("BIP 137")
        assert isinstance(
            verify_message(parse_address(address, chain), chain, MESSAGE + " ", signed), Refusal
        )

        script = p2pkh(SECRET).script.hex()
        decoded = await node.rpc("decodescript", script)  # its address as this node writes it
        ours = decoded["address"] if "address" in decoded else decoded["addresses"][0]
        own = text(sign_bip137(SECRET, MESSAGE, 31, node.coin))
        assert await node.rpc("verifymessage", ours, own, MESSAGE) is True
        assert await node.rpc("verifymessage", ours, own, MESSAGE + " ") is False
