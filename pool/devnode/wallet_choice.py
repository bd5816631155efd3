"""RPC methods of which wallets there are, and which one a call means."""

import re
from typing import Any

from pool.devnode.failures import (
    INVALID_PARAMETER,
    WALLET_ALREADY_LOADED,
    WALLET_ERROR,
    WALLET_NOT_FOUND,
    WALLET_NOT_SPECIFIED,
    RpcFailure,
)
from pool.devnode.keys import UnreadableWallet
from pool.devnode.wallet import Wallet
from pool.devnode.wallets import Wallets

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes part of a file's name


class WalletChoiceMethods:
    """Making and loading wallets; the nameless one is always there."""

    def __init__(self, wallets: Wallets) -> None:
        self._wallets = wallets

    async def rpc_listwallets(self) -> list[str]:
        return self._wallets.names

    async def rpc_createwallet(
        self,
        name: str,
        disable_private_keys: bool | None = False,
        blank: bool | None = False,
        passphrase: str | None = "",
        *others: Any,
    ) -> dict[str, str]:
        """The further parameters of Core's change nothing here."""
        if disable_private_keys or blank or passphrase:
            text = "the devnode's wallets have keys from the start and are not encrypted"
            raise RpcFailure(WALLET_ERROR, text)
        wallet = self._wallets.create(_checked(name))
        if wallet is None:
            text = f"Failed to create database path '{name}'. Database already exists."
            raise RpcFailure(WALLET_ERROR, f"Wallet file verification failed. {text}")
        return {"name": wallet.name}

    async def rpc_loadwallet(self, name: str, load_on_startup: bool | None = None) -> dict[str, str]:
        if self._wallets.named(_checked(name)) is not None:
            raise RpcFailure(WALLET_ALREADY_LOADED, f'Wallet "{name}" is already loaded.')
        try:
            wallet = self._wallets.load(name)
        except UnreadableWallet as error:
            raise RpcFailure(WALLET_ERROR, str(error)) from None
        if wallet is None:
            text = f"Failed to load database path '{name}'. Path does not exist."
            raise RpcFailure(WALLET_NOT_FOUND, f"Wallet file verification failed. {text}")
        return {"name": wallet.name}


def chosen_wallet(wallets: Wallets, name: str | None) -> Wallet:
    """The wallet that a call means: named by the address it was sent to, or the only one."""
    if name is None:
        only = wallets.only()
        if only is None:
            text = (
                "Multiple wallets are loaded. Please select which wallet to use by requesting the RPC "
                "through the /wallet/<walletname> URI path."
            )
            raise RpcFailure(WALLET_NOT_SPECIFIED, text)
        return only
    wallet = wallets.named(name)
    if wallet is None:
        raise RpcFailure(WALLET_NOT_FOUND, "Requested wallet does not exist or is not loaded")
    return wallet


def _checked(name: object) -> str:
    if not isinstance(name, str) or (name and _NAME.fullmatch(name) is None):
        raise RpcFailure(INVALID_PARAMETER, "a wallet's name has 1 to 64 letters, digits, _ and -")
    return name
