"""User names and passwords as miners write them."""

import pytest

from stratum.username import PasswordOptions, UserName, parse_password, parse_user


@pytest.mark.parametrize(
    ("text", "address", "worker"),
    [
        ("bc1qaddr", "bc1qaddr", ""),
        ("bc1qaddr.rig7", "bc1qaddr", "rig7"),
        ("bc1qaddr_rig7", "bc1qaddr", "rig7"),  # ckpool splits here as well
        ("bc1qaddr/rig7", "bc1qaddr", "rig7"),
        ("bc1qaddr.hall-2.row:4", "bc1qaddr", "hall-2.row:4"),
        ("bc1qaddr." + "w" * 64, "bc1qaddr", "w" * 64),
    ],
)
def test_a_user_name_is_an_address_and_a_worker(text: str, address: str, worker: str) -> None:
    assert parse_user(text) == UserName(address, worker)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".rig",
        "addr.<b>",
        "addr.'; drop table",
        'addr."',
        "addr.a\\b",
        "addr.a\nb",
        "addr.\x1b[31m",
        "addr.\u202eevil",
        "addr.\x00",
        "addr." + "w" * 65,
        "a" * 257,
    ],
)
def test_a_name_that_could_hurt_somewhere_is_no_user_name(text: str) -> None:
    assert parse_user(text) is None


@pytest.mark.parametrize(
    ("password", "fixed", "minimum"),
    [
        ("x", None, None),
        ("", None, None),
        ("123", None, None),
        ("d=1024", 1024.0, None),
        ("diff=0.5", 0.5, None),
        ("c=BTC,d=512,md=64", 512.0, 64.0),
        ("x; MD=2048 w=rig", None, 2048.0),
        ("d=1024,d=2048", 2048.0, None),
        ("d=-1", None, None),
        ("d=0", None, None),
        ("d=nan", None, None),
        ("d=inf", None, None),
        ("d=1e309", None, None),
        ("d=1_000", None, None),
        ("d=0x10", None, None),
        ("d=" + "9" * 21, None, None),
        ("x" * 128 + ",d=5", None, None),  # only the first 128 characters are read
        (None, None, None),
        (1024, None, None),
        (["d=5"], None, None),
    ],
)
def test_a_password_may_ask_for_a_difficulty_and_nothing_in_it_is_an_error(
    password: object, fixed: float | None, minimum: float | None
) -> None:
    assert parse_password(password) == PasswordOptions(fixed, minimum)
