"""Fetching one checked template from one node, with the state of the chain it stands on. Keeps nothing.

The two are asked for at once and belong together: a template says which block it builds on,
`getblockchaininfo` how much work stands behind that block. When a block comes in between, they are asked for
again.
"""

import asyncio

import msgspec

from pool.node.rpc import NodeRpc, NodeUnreachable, RpcError
from stratum.work.byteorder import displayed
from stratum.work.coin import Network
from stratum.work.template import Template, parse_template

TEMPLATE_TIMEOUT_SECONDS = 30.0
# A node builds a full template in tens of milliseconds, and waits for its main lock while it checks a block.

ATTEMPTS_AT_A_MOVING_TIP = 3
# On regtest blocks can come faster than answers. The last pair is then good enough, since polling goes on.

# rpc/protocol.h
IN_WARMUP, CLIENT_NOT_CONNECTED, CLIENT_IN_INITIAL_DOWNLOAD = -28, -9, -10
ADVICE = {
    IN_WARMUP: "it is starting; work comes when it is through",
    CLIENT_NOT_CONNECTED: "give it a peer (addnode=, or open its P2P port)",
    CLIENT_IN_INITIAL_DOWNLOAD: "wait for its end; a private chain with an old tip needs -maxtipage",
}


class ChainInfo(msgspec.Struct, frozen=True):
    """The part of `getblockchaininfo` that matters for health. `best_hash` is the tip in displayed hex."""

    chain: str
    blocks: int
    headers: int
    best_hash: str = msgspec.field(name="bestblockhash")
    initial_download: bool = msgspec.field(name="initialblockdownload")
    chainwork_hex: str = msgspec.field(name="chainwork")

    @property
    def chainwork(self) -> int:
        return int(self.chainwork_hex, 16)


class FetchedTemplate(msgspec.Struct, frozen=True):
    """A template, the chain it stands on, and when its answer came, in loop seconds."""

    template: Template
    info: ChainInfo
    received_at: float

    @property
    def tip_hex(self) -> str:
        return displayed(self.template.previous_hash)


class WrongChain(Exception):
    """The node is on another chain than the settings say; one line that says which."""


async def read_chain_info(rpc: NodeRpc, network: Network) -> ChainInfo:
    """Raises NodeError when there is no answer, WrongChain when the node's chain is not the network's."""
    info = await rpc.call("getblockchaininfo", result=ChainInfo)
    if info.chain != network.chain:
        raise WrongChain(
            f"is on chain {info.chain!r}, and the settings say {network.coin} {network.name} "
            f"({network.chain!r}): correct its url, or the network"
        )
    try:
        int(info.chainwork_hex, 16)  # here once, so that nobody later meets a node that sent no number
    except ValueError:
        raise NodeUnreachable(
            f"getblockchaininfo gave the chainwork {info.chainwork_hex!r}, no hex number"
        ) from None
    return info


async def fetch_template(
    rpc: NodeRpc, network: Network, *, trust_stricter_target: bool, previous: Template | None = None
) -> FetchedTemplate:
    """Raises NodeError (none came), WrongChain, or TemplateRefused (none that can be mined).

    Transactions that `previous` has as well are its objects: jobs keep templates for twenty minutes, and
    sixty of them would otherwise hold the same megabytes sixty times.
    """
    for _ in range(ATTEMPTS_AT_A_MOVING_TIP):
        fetched = await _fetch_once(rpc, network, trust_stricter_target, previous)
        if fetched.tip_hex == fetched.info.best_hash:
            break
    return fetched


async def _fetch_once(
    rpc: NodeRpc, network: Network, trust_stricter_target: bool, previous: Template | None
) -> FetchedTemplate:
    (raw, received_at), info = await asyncio.gather(
        _ask_for_template(rpc, network), read_chain_info(rpc, network)
    )
    # In a thread, since shares must not wait for it: of 3,000 transactions (5 MB) the decoder holds the
    # interpreter for 4 ms, and the rest is Python that gives way to the loop every 5 ms. Reading the answer
    # from its socket stays on the loop; that came in steps of 3 ms at most.
    template = await asyncio.to_thread(_parsed, raw, network, trust_stricter_target, previous)
    return FetchedTemplate(template, info, received_at)


def _parsed(
    raw: msgspec.Raw, network: Network, trust_stricter_target: bool, previous: Template | None
) -> Template:
    known = {one.data_hex: one for one in previous.transactions} if previous is not None else {}
    return parse_template(raw, network, trust_stricter_target=trust_stricter_target, known=known)


async def _ask_for_template(rpc: NodeRpc, network: Network) -> tuple[msgspec.Raw, float]:
    raw = await rpc.ask(
        "getblocktemplate", template_request(network), timeout_seconds=TEMPLATE_TIMEOUT_SECONDS
    )
    return raw, asyncio.get_running_loop().time()


def template_request(network: Network) -> dict[str, object]:
    return {"rules": list(network.template_rules)}


def explain(error: RpcError) -> str:
    """The node's error with what to do about it, for the cases that an operator meets."""
    advice = ADVICE.get(error.code)
    return f"gives no template: {error}" + (f": {advice}" if advice else "")
