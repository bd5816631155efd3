"""[shell] The wallets that are loaded, by name: the nameless one always, others when they are asked for.

Unlike Core's, this node has a wallet from its first start: the demo and whoever tries a pool out need one.
"""

import secrets
from pathlib import Path

from pool.devnode.keys import Keys
from pool.devnode.ledger import Ledger
from pool.devnode.mempool import Mempool
from pool.devnode.parsing import Transaction
from pool.devnode.wallet import Wallet

DEFAULT = ""
_DEFAULT_FILE = "default.json"
_SEED_BYTES = 32


class Wallets:
    """Files in one directory, `NAME.json` in a folder of each."""

    def __init__(self, directory: Path, ledger: Ledger, mempool: Mempool) -> None:
        self._directory = directory
        self._ledger = ledger
        self._mempool = mempool
        self._loaded: dict[str, Wallet] = {}

    def open_default(self) -> Wallet:
        """The nameless wallet, made where there is none. Raises UnreadableWallet."""
        return self._open(DEFAULT)

    def create(self, name: str) -> Wallet | None:
        """A new wallet, loaded; None where there is one of this name."""
        return None if self._path(name).exists() else self._open(name)

    def load(self, name: str) -> Wallet | None:
        """A wallet of an earlier run; None where there is none. Raises UnreadableWallet."""
        return self._open(name) if self._path(name).exists() else None

    def _open(self, name: str) -> Wallet:
        keys = Keys(self._path(name), secrets.token_bytes(_SEED_BYTES))
        wallet = self._loaded[name] = Wallet(name, keys, self._ledger, self._mempool)
        return wallet

    def _path(self, name: str) -> Path:
        return self._directory / (f"named-{name}.json" if name else _DEFAULT_FILE)

    @property
    def names(self) -> list[str]:
        return list(self._loaded)

    def named(self, name: str) -> Wallet | None:
        """A loaded wallet."""
        return self._loaded.get(name)

    def only(self) -> Wallet | None:
        """The one that is loaded; None where there are several."""
        return next(iter(self._loaded.values())) if len(self._loaded) == 1 else None

    def see(self, transaction: Transaction, at: int) -> None:
        """Tell all of them of a transaction that came into the chain or the mempool."""
        for wallet in self._loaded.values():
            wallet.see(transaction, at)
