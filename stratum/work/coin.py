"""Coins, networks and proof-of-work functions, as tables; a new coin is a row here."""

from collections.abc import Callable

import msgspec

from stratum.work.difficulty import SCRYPT_DIFFICULTY_1, SHA256D_DIFFICULTY_1
from stratum.work.hashing import scrypt_1024_1_1, sha256d


class ProofOfWork(msgspec.Struct, frozen=True):
    """A hash function of headers, and what follows from it for a session.

    `difficulty_1` is the target of stratum difficulty 1. `slow` hashes go through a thread. cgminer's
    scrypt builds assume an extranonce2 of 4 bytes, and scrypt firmware rolls no version.
    """

    name: str
    hash: Callable[[bytes], bytes]
    difficulty_1: int
    slow: bool
    extranonce2_size: int
    version_rolling: bool


PROOFS_OF_WORK: dict[str, ProofOfWork] = {
    "sha256d": ProofOfWork("sha256d", sha256d, SHA256D_DIFFICULTY_1, False, 8, True),
    "scrypt": ProofOfWork("scrypt", scrypt_1024_1_1, SCRYPT_DIFFICULTY_1, True, 4, False),
}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One chain of a coin: how its addresses look, what its templates are asked with, what its blocks cost.

    `chain` is the name that getblockchaininfo gives. `known_rules` are the softforks that this code builds
    valid blocks under; a mandatory one beyond them stops mining. `minimum_difficulty_blocks_by_time` marks
    test networks whose bits depend on a block's own time.
    """

    coin: str
    name: str
    chain: str
    proof_of_work: ProofOfWork
    template_rules: tuple[str, ...]
    known_rules: frozenset[str]
    pubkey_version: int
    script_versions: tuple[int, ...]
    bech32_prefix: str
    mweb_prefix: str | None
    minimum_difficulty_blocks_by_time: bool

    @property
    def is_regtest(self) -> bool:
        """Whether blocks are nearly free here."""
        return self.chain == "regtest"


def _bitcoin(name: str, chain: str, prefix: str) -> Network:
    is_main = chain == "main"
    rules = ("segwit", "signet") if chain == "signet" else ("segwit",)
    return Network(
        coin="bitcoin",
        name=name,
        chain=chain,
        proof_of_work=PROOFS_OF_WORK["sha256d"],
        template_rules=rules,
        known_rules=frozenset({"csv", "segwit", "taproot", "testdummy", "signet"}),
        pubkey_version=0x00 if is_main else 0x6F,
        script_versions=(0x05,) if is_main else (0xC4,),
        bech32_prefix=prefix,
        mweb_prefix=None,
        minimum_difficulty_blocks_by_time=chain == "testnet4",
    )


def _litecoin(name: str, chain: str, prefix: str) -> Network:
    is_main = chain == "main"
    return Network(
        coin="litecoin",
        name=name,
        chain=chain,
        proof_of_work=PROOFS_OF_WORK["scrypt"],
        template_rules=("mweb", "segwit"),
        known_rules=frozenset({"csv", "segwit", "taproot", "testdummy", "mweb"}),
        pubkey_version=0x30 if is_main else 0x6F,
        # M… and Q… since 2017; the old 3… and 2…, shared with bitcoin, are still valid
        script_versions=(0x32, 0x05) if is_main else (0x3A, 0xC4),
        bech32_prefix=prefix,
        mweb_prefix="ltcmweb" if is_main else "tmweb",
        minimum_difficulty_blocks_by_time=chain == "test",
    )


COINS: dict[str, dict[str, Network]] = {
    "bitcoin": {
        "mainnet": _bitcoin("mainnet", "main", "bc"),
        "testnet4": _bitcoin("testnet4", "testnet4", "tb"),
        "signet": _bitcoin("signet", "signet", "tb"),
        "regtest": _bitcoin("regtest", "regtest", "bcrt"),
    },
    "litecoin": {
        "mainnet": _litecoin("mainnet", "main", "ltc"),
        "testnet": _litecoin("testnet", "test", "tltc"),
        "regtest": _litecoin("regtest", "regtest", "rltc"),
    },
}


def network(coin: str, name: str) -> Network:
    """The network of a coin by name; raises ValueError that lists the choices."""
    networks = COINS.get(coin)
    if networks is None:
        raise ValueError(f"there is no coin {coin!r} here; choose from {', '.join(COINS)}")
    if name not in networks:
        raise ValueError(f"{coin} has no network {name!r}; choose from {', '.join(networks)}")
    return networks[name]
