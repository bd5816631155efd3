"""Wallets by name, the files of their keys, and what a restart finds."""

from decimal import Decimal
from pathlib import Path

import pytest

from pool.devnode.keys import Keys, UnreadableWallet
from tests.pool.devnode.chain import Chain, open_chain

FIFTY = Decimal("50.00000000")


async def test_with_several_wallets_a_call_must_say_which(chain: Chain) -> None:
    assert await chain.call("listwallets") == [""]
    assert await chain.call("createwallet", "pool") == {"name": "pool"}
    assert await chain.call("listwallets") == ["", "pool"]
    code, text = await chain.refusal("getbalances")
    assert (code, text.partition(".")[0]) == (-19, "Multiple wallets are loaded")
    assert (await chain.methods.call("getwalletinfo", [], "pool"))["walletname"] == "pool"
    address = await chain.methods.call("getnewaddress", [], "pool")
    assert not (await chain.methods.call("getaddressinfo", [address], ""))["ismine"]
    assert (await chain.refusal("createwallet", "pool"))[0] == -4
    assert (await chain.refusal("loadwallet", "pool"))[0] == -35
    assert (await chain.refusal("loadwallet", "nobody"))[0] == -18
    assert (await chain.refusal("createwallet", "../../escape"))[0] == -8
    assert await chain.call("getblockcount") == 0  # what is not the wallet's needs no choice


async def test_a_wallet_is_loaded_again_by_name_with_the_same_keys(tmp_path: Path) -> None:
    async with open_chain(tmp_path) as chain:
        await chain.call("createwallet", "pool")
        address = await chain.methods.call("getnewaddress", [], "pool")
        nameless = await chain.methods.call("getnewaddress", [], "")
        await chain.call("generatetoaddress", 1, address)
    async with open_chain(tmp_path) as chain:
        assert await chain.call("listwallets") == [""]
        assert (await chain.call("getaddressinfo", nameless))["ismine"]
        await chain.call("loadwallet", "pool")
        balances = (await chain.methods.call("getbalances", [], "pool"))["mine"]
        assert balances["immature"] == FIFTY
        assert await chain.methods.call("getnewaddress", [], "pool") != address


def test_the_seed_is_private_and_another_seed_makes_other_keys(tmp_path: Path) -> None:
    one, same, other = tmp_path / "a" / "one", tmp_path / "same", tmp_path / "other"
    first = Keys(one, b"\x01" * 32)
    assert one.stat().st_mode & 0o777 == 0o600
    assert one.parent.stat().st_mode & 0o777 == 0o700
    script = first.next_receiving().script
    assert Keys(same, b"\x01" * 32).next_receiving().script == script
    assert Keys(same, b"\x01" * 32).next_change().script != script
    assert Keys(other, b"\x02" * 32).next_receiving().script != script
    again = Keys(one, b"\x03" * 32)  # there is a file: its seed counts
    assert again.of(script) is not None
    assert again.next_receiving().script != script


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no wallet"),
        ('{"version":1,"seed":"00"}', "no wallet"),
        ('{"version":2,"seed":"' + "00" * 32 + '"}', "newer"),
    ],
)
def test_a_file_that_is_no_wallet_is_left_alone_and_named(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "default.json"
    path.write_text(text)
    with pytest.raises(UnreadableWallet, match=word) as refused:
        Keys(path, bytes(32))
    assert str(path) in str(refused.value)
    assert path.read_text() == text
