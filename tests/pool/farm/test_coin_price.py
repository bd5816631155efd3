"""The file with the coin's price: what a job may write, and one clear line for everything else."""

import os
from pathlib import Path

import pytest

from pool.farm.coin_price import CoinPrice, NoCoinPrice, read_coin_price

NOW = 1_412_121_600.0
DAY = 86_400.0


def written(folder: Path, data: str | bytes, age_seconds: float = 60) -> Path:
    path = folder / "coin-price"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    os.utime(path, (NOW - age_seconds, NOW - age_seconds))
    return path


def problem(path: Path) -> str:
    found = read_coin_price(path, "CNY", DAY, NOW)
    assert isinstance(found, NoCoinPrice)
    assert found.problem.startswith(f"{path} ")
    assert "\n" not in found.problem
    return found.problem.removeprefix(f"{path} ")


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("2350.5", 2350.5),
        ("2350.50 CNY\n", 2350.5),
        ("  2350\tcny \r\n", 2350),
        ("2350\nCNY\n", 2350),
        ("7.05e5", 705_000),
        ("\ufeff2350", 2350),  # editors of Windows begin a file so
        ("0.00001", 0.00001),
    ],
)
def test_a_number_is_a_price_with_its_currency_or_without(tmp_path: Path, text: str, price: float) -> None:
    assert read_coin_price(written(tmp_path, text), "CNY", DAY, NOW) == CoinPrice(price, 60)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty; it must hold one number"),
        (" \n", "is empty; it must hold one number"),
        ("soon", "holds 'soon'; it must hold one number like 2350.50 or 2350.50 CNY"),
        ("nan", "holds 'nan'; it must hold one number like 2350.50 or 2350.50 CNY"),
        ("2,350.50", "holds '2,350.50'; it must hold one number like 2350.50 or 2350.50 CNY"),
        ("2350 CNY 3", "holds '2350 CNY 3'; it must hold one number like 2350.50 or 2350.50 CNY"),
        ('{"price":\n1}', "holds '{\"price\":\\n1}'; it must hold one number like 2350.50 or 2350.50 CNY"),
        (b"\xff\xfe5\x00", "holds '��5\\x00'; it must hold one number like 2350.50 or 2350.50 CNY"),
        ("-2350", "holds -2350; a price is above 0 and at most 1e+15"),
        ("0.0", "holds 0.0; a price is above 0 and at most 1e+15"),
        ("1e999", "holds 1e999; a price is above 0 and at most 1e+15"),
        ("383 USD", "is in USD, and farm.power.currency is CNY; make them the same"),
        ("9" * 1_025, "cannot be read: it is longer than 1024 bytes, and a price is one number"),
    ],
)
def test_what_is_no_price_is_told_in_a_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    assert problem(written(tmp_path, text)) == told


def test_a_price_may_be_as_old_as_the_settings_say_and_no_older(tmp_path: Path) -> None:
    assert read_coin_price(written(tmp_path, "2350", DAY), "CNY", DAY, NOW) == CoinPrice(2350, DAY)
    told = problem(written(tmp_path, "2350", 3 * DAY))
    assert told.startswith("is 3 days old, older than the 24 hours of coin_price_max_age_hours; ")


def test_a_file_from_the_future_is_not_believed_but_a_clock_may_be_off(tmp_path: Path) -> None:
    assert read_coin_price(written(tmp_path, "2350", -120), "CNY", DAY, NOW) == CoinPrice(2350, 0)
    told = problem(written(tmp_path, "2350", -3 * 3_600))
    assert told == "is dated 3 hours in the future; set the clock of whoever writes it"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert problem(tmp_path / "none") == "is not there; look after the job that writes it"


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert problem(tmp_path / "pipe") == "cannot be read: it is not an ordinary file"
    assert problem(tmp_path) == "cannot be read: it is not an ordinary file"
    assert read_coin_price(Path("a\0b"), "CNY", DAY, NOW) == NoCoinPrice(
        "a\0b cannot be read: embedded null byte"
    )
