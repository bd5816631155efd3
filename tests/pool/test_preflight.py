"""Settings checked against the protocol code: addresses on their network, the tag in its script."""

from pathlib import Path
from typing import Literal

import msgspec
import pytest

from config.farm_schema import FarmSettings
from config.loading import load
from config.payout_schema import FeeSettings, PayoutSettings
from config.problems import SettingsError
from config.schema import CoinbaseSettings, NodeSettings, Settings
from pool.preflight import extranonce_bytes, offline_problems
from stratum.work.coin import network

REGTEST_ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"  # BIP 173's key on regtest
MAINNET_ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
LITECOIN_ADDRESS = "ltc1qhdhvrwe6rgqns8fz28tee0hphr5x7ulw5exv4w"
MWEB_ADDRESS = (
    "ltcmweb1qq20e2arnhvxw97katjkmsd35agw3capxjkrkh7dk8d30rczm8ypxuq329nwh2twmchhqn3jqh7ua4ps539f6aazh79jy76urqht4"
    "qa59ts3at6gf"
)
MWEB_REFUSAL = (
    "an MWEB address has no output script and cannot be paid by a block; use an ordinary address (ltc1…)"
)
NODE = NodeSettings(name="local", url="http://127.0.0.1:18443", cookie_file="/x/.cookie")


def settings_of(
    coin: str = "bitcoin", chain: str = "regtest", address: str | None = None, tag: str = "/engineroom/"
) -> Settings:
    scheme: Literal["solo", "pplns"] = "solo" if address is None else "pplns"
    return Settings(
        coin=coin,
        network=chain,
        payout=PayoutSettings(scheme=scheme, address=address),
        coinbase=CoinbaseSettings(tag=tag),
        nodes=(NODE,),
    )


@pytest.mark.parametrize(
    ("coin", "chain", "address"),
    [
        ("bitcoin", "regtest", None),
        ("bitcoin", "regtest", REGTEST_ADDRESS),
        ("bitcoin", "mainnet", MAINNET_ADDRESS),
        ("bitcoin", "mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("litecoin", "mainnet", LITECOIN_ADDRESS),
    ],
)
def test_settings_that_can_be_mined_with_have_no_problem(coin: str, chain: str, address: str | None) -> None:
    assert offline_problems(settings_of(coin, chain, address)) == []


@pytest.mark.parametrize(
    ("coin", "chain", "address", "message"),
    [
        (
            "bitcoin",
            "mainnet",
            REGTEST_ADDRESS,
            f"'{REGTEST_ADDRESS}' is an address of bitcoin regtest; this pool mines bitcoin mainnet",
        ),
        (
            "litecoin",
            "mainnet",
            MAINNET_ADDRESS,
            f"'{MAINNET_ADDRESS}' is an address of bitcoin mainnet; this pool mines litecoin mainnet",
        ),
        (
            "bitcoin",
            "mainnet",
            MAINNET_ADDRESS[:-1] + "5",
            f"'{MAINNET_ADDRESS[:-1]}5' is not an address: its checksum does not fit",
        ),
        (
            "litecoin",
            "mainnet",
            MWEB_ADDRESS,
            MWEB_REFUSAL,
        ),
    ],
    ids=["other network", "other coin", "mistyped", "mweb"],
)
def test_an_address_that_cannot_be_paid_is_a_problem(
    coin: str, chain: str, address: str, message: str
) -> None:
    (problem,) = offline_problems(settings_of(coin, chain, address))
    assert (problem.key_path, problem.message) == ("payout.address", message)


def test_extranonces_take_what_the_proof_of_work_allows() -> None:
    # extranonce1 has 4 bytes; extranonce2 8, or the 4 that scrypt firmware assumes
    assert extranonce_bytes(network("bitcoin", "mainnet")) == 12
    assert extranonce_bytes(network("litecoin", "mainnet")) == 8


def test_the_longest_tag_that_settings_allow_fits() -> None:
    assert offline_problems(settings_of(tag="x" * 40)) == []


@pytest.mark.parametrize(("coin", "length"), [("bitcoin", 40), ("litecoin", 44)])
def test_a_tag_fits_up_to_the_last_byte(coin: str, length: int) -> None:
    """The schema allows 40 characters; the script's limit is kept whatever the schema will allow.

    100 bytes less 5 of the greatest height, 1 + 32 of the longest flags, 1 of the tag's push, 1 + 8 + 12 of
    epoch, salt and extranonces leave 40. Scrypt's extranonces have 4 bytes less: 44 are left.
    """
    assert offline_problems(settings_of(coin, tag="x" * length)) == []


@pytest.mark.parametrize(
    ("coin", "length", "over"),
    [("bitcoin", 41, 1), ("bitcoin", 75, 35), ("bitcoin", 76, 37), ("litecoin", 45, 1)],
)
def test_a_tag_that_makes_the_script_too_long_is_a_problem(coin: str, length: int, over: int) -> None:
    # from 76 characters on the push itself takes two bytes
    (problem,) = offline_problems(settings_of(coin, tag="x" * length))
    assert problem.key_path == "coinbase.tag"
    assert problem.message == f"makes the coinbase script {over} bytes too long; shorten it"


def test_a_network_that_the_coin_has_not_is_left_to_the_other_rules() -> None:
    assert offline_problems(settings_of("litecoin", "signet", "anything")) == []


def with_fees(*addresses: str, coin: str = "bitcoin", chain: str = "mainnet") -> Settings:
    fees = tuple(FeeSettings(address=address, basis_points=100) for address in addresses)
    return Settings(
        coin=coin,
        network=chain,
        payout=PayoutSettings(scheme="solo", fees=fees),
        nodes=(NODE,),
    )


def test_fees_go_to_addresses_of_the_network() -> None:
    assert offline_problems(with_fees(MAINNET_ADDRESS, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")) == []


def test_each_fees_address_that_cannot_be_paid_is_a_problem() -> None:
    found = offline_problems(with_fees(REGTEST_ADDRESS, MAINNET_ADDRESS, "nobody"))
    assert [(problem.key_path, problem.message) for problem in found] == [
        (
            "payout.fees.0.address",
            f"'{REGTEST_ADDRESS}' is an address of bitcoin regtest; this pool mines bitcoin mainnet",
        ),
        ("payout.fees.2.address", "'nobody' is not an address"),
    ]


def test_one_recipient_written_in_two_ways_is_there_twice() -> None:
    # BIP 173: bech32 may be all upper case.
    (problem,) = offline_problems(with_fees(MAINNET_ADDRESS, MAINNET_ADDRESS.upper()))
    assert problem.key_path == "payout.fees.1.address"
    assert problem.message == f"{MAINNET_ADDRESS.upper()} is there twice; give each its own"


def test_fees_are_not_judged_on_a_network_that_is_unknown() -> None:
    assert offline_problems(with_fees("nobody", coin="litecoin", chain="signet")) == []


def test_a_fee_without_an_address_hides_nothing_about_the_others(tmp_path: Path) -> None:
    text = (
        "coin: bitcoin\nnetwork: mainnet\npayout:\n  scheme: solo\n  fees:\n"
        f"    - {{basis_points: 1}}\n    - {{address: {REGTEST_ADDRESS}, basis_points: 1}}\n{WAY_IN}"
    )
    assert places(file_of(tmp_path, text)) == [("payout.fees.0.address", 6), ("payout.fees.1.address", 7)]


def test_each_account_of_the_farm_is_an_address_of_the_network() -> None:
    farm = FarmSettings(accounts=(REGTEST_ADDRESS, MAINNET_ADDRESS, "nonsense"))
    problems = offline_problems(msgspec.structs.replace(settings_of(address=REGTEST_ADDRESS), farm=farm))
    assert [(problem.key_path, problem.message) for problem in problems] == [
        (
            "farm.accounts.1",
            f"'{MAINNET_ADDRESS}' is an address of bitcoin mainnet; this pool mines bitcoin regtest",
        ),
        ("farm.accounts.2", "'nonsense' is not an address"),
    ]


def file_of(folder: Path, text: str) -> Path:
    path = folder / "engineroom.yaml"
    path.write_text(text)
    return path


def places(path: Path) -> list[tuple[str, int | None]]:
    with pytest.raises(SettingsError) as refused:
        load(path, {}, offline_problems)
    return [(problem.key_path, problem.line) for problem in refused.value.problems]


def test_an_unknown_key_hides_nothing_else_that_is_wrong(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        "coin: bitcoin\nnetwork: mainnet\ncolour: blue\npayout:\n  scheme: pplns\n"
        f"  address: {REGTEST_ADDRESS}\n"
        "nodes:\n  - name: local\n    url: http://127.0.0.1:8332\n    user: engineroom\n"
        "    password_environment: RPC_PASSWORD\n"
        "stratum:\n  listeners:\n    - address: nowhere\n",
    )
    with pytest.raises(SettingsError) as refused:
        load(path, {}, offline_problems)
    found = refused.value.problems
    assert [(problem.key_path, problem.line) for problem in found] == [
        ("colour", 3),
        ("payout.address", 6),
        ("nodes.0.password_environment", 11),
        ("stratum.listeners.0.address", 14),
    ]
    starts = [
        "there is no such setting; known here: ",
        f"'{REGTEST_ADDRESS}' is an address of bitcoin regtest; this pool mines bitcoin mainnet",
        "the environment variable RPC_PASSWORD is not set",
        "is 'nowhere'; it must be an IPv4 or IPv6 address",
    ]
    assert all(problem.message.startswith(start) for problem, start in zip(found, starts, strict=True))


WAY_IN = "nodes:\n  - name: local\n    url: http://127.0.0.1:8332\n    cookie_file: x\n"


@pytest.mark.parametrize(
    ("chain", "line"),
    [
        ("coin: dogecoin\nnetwork: mainnet\n", ("coin", 1)),
        ("coin: bitcoin\nnetwork: mianet\n", ("network", 2)),
        ("coin: litecoin\nnetwork: signet\n", ("network", 2)),
    ],
)
def test_an_address_is_not_judged_on_a_network_that_is_unknown(
    tmp_path: Path, chain: str, line: tuple[str, int]
) -> None:
    text = f"{chain}payout:\n  scheme: pplns\n  address: {REGTEST_ADDRESS}\n{WAY_IN}"
    assert places(file_of(tmp_path, text)) == [line]


def test_an_address_is_judged_beside_a_tag_that_cannot_be(tmp_path: Path) -> None:
    text = (
        f"coin: bitcoin\nnetwork: mainnet\npayout:\n  scheme: pplns\n  address: {REGTEST_ADDRESS}\n"
        f"coinbase:\n  tag: 7\n{WAY_IN}"
    )
    assert places(file_of(tmp_path, text)) == [("payout.address", 5), ("coinbase.tag", 7)]


def test_an_address_is_judged_beside_a_scheme_that_cannot_be(tmp_path: Path) -> None:
    text = f"coin: bitcoin\nnetwork: mainnet\npayout:\n  scheme: pool\n  address: {REGTEST_ADDRESS}\n{WAY_IN}"
    assert places(file_of(tmp_path, text)) == [("payout.scheme", 4), ("payout.address", 5)]


def test_address_and_tag_are_told_together() -> None:
    found = offline_problems(settings_of(address="nobody", tag="x" * 74))
    assert [problem.key_path for problem in found] == ["payout.address", "coinbase.tag"]


def test_the_problems_come_with_the_files_own(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        "coin: bitcoin\nnetwork: mainnet\npayout:\n  scheme: pplns\n"
        f"  address: {REGTEST_ADDRESS}\n"
        "nodes:\n  - name: local\n    url: http://127.0.0.1:8332\n",
    )
    assert places(path) == [("payout.address", 5), ("nodes.0", 7)]
