"""The node's RPC methods, in one table: parameters in, a JSON value out, Core's codes and texts for errors.

Only what the pool, its tests and a curious person ask. A method is a coroutine whose name begins with `rpc_`,
in a class of its subject: mining, the chain, raw transactions, the mempool, the wallet. Amounts in answers
are Decimals with eight places.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from pool.devnode.chain_methods import ChainMethods
from pool.devnode.failures import TYPE_ERROR, UNKNOWN_METHOD, RpcFailure
from pool.devnode.mempool_methods import MempoolMethods
from pool.devnode.mining_methods import MiningMethods
from pool.devnode.node import Devnode
from pool.devnode.rendering import address_fields
from pool.devnode.transaction_methods import TransactionMethods
from pool.devnode.wallet_choice import WalletChoiceMethods, chosen_wallet
from pool.devnode.wallet_methods import WalletMethods

_PREFIX = "rpc_"
Handler = Callable[..., Awaitable[Any]]


class Methods:
    """The methods of one node. `target` is the stricter one that templates show, or None."""

    def __init__(self, node: Devnode, target: int | None, stop: Callable[[], None]) -> None:
        self._node = node
        self._stop = stop
        self._started_at = time.monotonic()
        groups = (
            self,
            MiningMethods(node, target),
            ChainMethods(node),
            TransactionMethods(node),
            MempoolMethods(node),
            WalletChoiceMethods(node.wallets),
        )
        self._handlers: dict[str, Handler] = {
            name: getattr(group, _PREFIX + name) for group in groups for name in _names(type(group))
        }

    async def call(self, method: str, params: list[Any], wallet: str | None = None) -> Any:
        """Run a method, of a wallet the named one or, for None, the only one; raises RpcFailure."""
        handler = self._handlers.get(method)
        if handler is None and method in _WALLET_NAMES:
            methods = WalletMethods(self._node, chosen_wallet(self._node.wallets, wallet))
            handler = getattr(methods, _PREFIX + method)
        if handler is None:
            raise RpcFailure(UNKNOWN_METHOD, "Method not found")
        try:
            return await handler(*params)
        except TypeError as error:
            # the parameters of the call, or of what it holds, have the wrong number or type
            raise RpcFailure(TYPE_ERROR, f"{method}: wrong parameters: {error}") from error

    async def rpc_validateaddress(self, address: str) -> dict[str, Any]:
        return address_fields(address)

    async def rpc_uptime(self) -> int:
        return int(time.monotonic() - self._started_at)

    async def rpc_stop(self) -> str:
        self._stop()
        return "engineroom devnode stopping"

    async def rpc_help(self, method: str | None = None) -> str:
        return "\n".join(sorted({*self._handlers, *_WALLET_NAMES}))


def _names(group: type[object]) -> list[str]:
    return [name.removeprefix(_PREFIX) for name in dir(group) if name.startswith(_PREFIX)]


_WALLET_NAMES = frozenset(_names(WalletMethods))
