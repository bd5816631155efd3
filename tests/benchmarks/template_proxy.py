"""A JSON-RPC proxy before a regtest node that makes its templates look like mainnet's: full, and hard to win.

Difficulty is raised so that a load's shares are never blocks; synthetic transactions make the merkle branch
and the template's size real. Everything else passes through.
"""

import hashlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

BITS = 0x1705AE3A  # mainnet in 2023: 6.5e13
TRANSACTIONS = 4_000  # with the coinbase 2,049 to 4,096: twelve merkle branches


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def synthetic_transaction(rng: random.Random) -> dict[str, Any]:
    """Well-formed, about 220 bytes, spending nothing that exists."""
    raw = (
        b"\x02\0\0\0" + b"\x01" + rng.randbytes(36) + bytes([107]) + rng.randbytes(107) + b"\xfd\xff\xff\xff"
    )
    raw += b"\x02" + (b"\x10\x27\0\0\0\0\0\0" + b"\x16\x00\x14" + rng.randbytes(20)) * 2 + b"\0\0\0\0"
    txid = sha256d(raw)[::-1].hex()
    return {
        "data": raw.hex(),
        "txid": txid,
        "hash": txid,
        "depends": [],
        "fee": 1000,
        "sigops": 8,
        "weight": 4 * len(raw),
    }


def commitment(transactions: list[dict[str, Any]]) -> str:
    level = [bytes(32)] + [bytes.fromhex(entry["hash"])[::-1] for entry in transactions]
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return "6a24aa21a9ed" + sha256d(level[0] + bytes(32)).hex()


class TemplateProxy:
    """Answers every call with the node's answer, templates made larger and harder."""

    def __init__(self, node_url: str, authorization: str) -> None:
        self._node_url = node_url
        self._headers = {"Authorization": authorization, "Content-Type": "application/json"}
        rng = random.Random(2009)
        self._added = [synthetic_transaction(rng) for _ in range(TRANSACTIONS)]
        self._session: aiohttp.ClientSession | None = None

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert self._session is not None
        async with self._session.post(self._node_url, data=body, headers=self._headers) as response:
            answer, status = await response.read(), response.status
        if b'"getblocktemplate"' in body:
            answer = self._enlarged(json.loads(answer))
        return web.Response(body=answer, status=status, content_type="application/json")

    def _enlarged(self, answer: dict[str, Any]) -> bytes:
        template = answer["result"]
        template["bits"] = f"{BITS:08x}"
        template["target"] = f"{(BITS & 0xFFFFFF) << (8 * ((BITS >> 24) - 3)):064x}"
        template["transactions"] += self._added
        template["coinbasevalue"] += sum(entry["fee"] for entry in self._added)
        template["default_witness_commitment"] = commitment(template["transactions"])
        return json.dumps(answer).encode()

    @asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[None]:
        application = web.Application(client_max_size=1 << 24)
        application.router.add_post("/", self.handle)
        runner = web.AppRunner(application)
        async with aiohttp.ClientSession() as self._session:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            try:
                yield
            finally:
                await runner.cleanup()
