"""What the settings of a farm have to do with each other, each rule with files that keep and break it."""

from pathlib import Path

import pytest

from config.farm_schema import FarmSettings
from config.power_schema import PowerSettings, TariffSettings
from tests.config.files import loaded, only_problem, places, problems, text_of

DAY = '{from: "08:00", to: "24:00", price_per_kwh: 0.9}'
NIGHT = '{from: "00:00", to: "08:00", price_per_kwh: 0.5}'


def farm(*lines: str) -> str:
    """`farm:` stands in line 9, `power:` in line 10, these lines from 11 on."""
    return text_of(more="farm:\n  power:\n" + "".join(f"    {line}\n" for line in lines))


def tariffs(*entries: str, more: tuple[str, ...] = ()) -> str:
    """`tariffs:` stands in line 13, these entries from 14 on."""
    return farm(
        "currency: CNY", "time_zone: Asia/Shanghai", "tariffs:", *(f"  - {entry}" for entry in entries), *more
    )


def power(folder: Path, text: str) -> PowerSettings:
    return loaded(folder, text).farm.power


# ---------------------------------------------------------------------- what may be written


def test_a_farm_without_a_word_about_money_has_none_to_reckon_with(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text_of())
    assert settings.farm == FarmSettings()
    assert settings.farm.power.price_per_kwh is None
    assert (settings.farm.power.overhead_factor, settings.farm.power.fixed_cost_per_month) == (1, 0)


def test_one_price_needs_a_currency_and_no_clock(tmp_path: Path) -> None:
    found = power(tmp_path, farm("currency: USDT", "price_per_kwh: 0.08", "coin_price: 90000"))
    assert (found.currency, found.price_per_kwh, found.coin_price) == ("USDT", 0.08, 90_000)


def test_times_of_day_are_text_with_quotes_or_without(tmp_path: Path) -> None:
    """YAML 1.1 would make the whole number 480 of 08:00."""
    bare = "{from: 08:00, to: 24:00, price_per_kwh: 0.9}"
    assert power(tmp_path, tariffs(bare, NIGHT)).tariffs == (
        TariffSettings(from_="08:00", to="24:00", price_per_kwh=0.9),
        TariffSettings(from_="00:00", to="08:00", price_per_kwh=0.5),
    )


@pytest.mark.parametrize(
    "entries",
    [
        ('{from: "00:00", to: "24:00", price_per_kwh: 0}',),
        ('{from: "22:00", to: "06:00", price_per_kwh: 1}', '{from: "06:00", to: "22:00", price_per_kwh: 2}'),
        ('{from: "22:00", to: "00:00", price_per_kwh: 1}', '{from: "00:00", to: "22:00", price_per_kwh: 2}'),
        (
            # From Friday evening through the weekend's night into Monday morning.
            '{from: "06:00", to: "20:00", price_per_kwh: 3, days: [mon, tue, wed, thu, fri]}',
            '{from: "20:00", to: "06:00", price_per_kwh: 1}',
            '{from: "06:00", to: "20:00", price_per_kwh: 2, days: [sat, sun]}',
        ),
    ],
)
def test_tariffs_that_fill_the_week_are_taken(tmp_path: Path, entries: tuple[str, ...]) -> None:
    assert len(power(tmp_path, tariffs(*entries)).tariffs) == len(entries)


def test_a_price_file_is_sought_beside_the_settings(tmp_path: Path) -> None:
    found = power(tmp_path, farm("currency: CNY", "coin_price_file: price"))
    assert found.coin_price_file == str(tmp_path / "price")
    assert found.coin_price_max_age_hours == 24


# ---------------------------------------------------------------------- prices


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        ("price_per_kwh: 0.5", "price_per_kwh"),
        ("fixed_cost_per_month: 100", "fixed_cost_per_month"),
        ("coin_price: 2350", "coin_price"),
        ("coin_price_file: price", "coin_price_file"),
    ],
)
def test_an_amount_needs_a_currency(tmp_path: Path, line: str, amount: str) -> None:
    key, at, message = only_problem(tmp_path, farm(line))
    assert (key, at) == ("farm.power.currency", 10)
    assert message == f"is missing: it says what {amount} is in, for example CNY"


def test_a_currency_of_nothing_is_refused(tmp_path: Path) -> None:
    key, at, message = only_problem(tmp_path, farm("currency: CNY", "overhead_factor: 1.2"))
    assert (key, at) == ("farm.power.currency", 11)
    assert message == "has no effect without a price of power or of the coin; remove it"


@pytest.mark.parametrize("name", ["cny", "¥", "RM", "TOOLONGNAME", "CNY\n"])
def test_a_currency_is_a_code(tmp_path: Path, name: str) -> None:
    key, _, message = only_problem(tmp_path, farm(f"currency: {name!r}".replace("'", '"'), "coin_price: 1"))
    assert key == "farm.power.currency"
    assert "three to eight capital letters" in message


def test_power_has_one_price_or_tariffs(tmp_path: Path) -> None:
    found = only_problem(tmp_path, tariffs(DAY, NIGHT, more=("price_per_kwh: 0.7",)))
    assert found == ("farm.power.price_per_kwh", 16, "and tariffs are both given; keep one")


def test_the_coin_has_one_price(tmp_path: Path) -> None:
    found = only_problem(tmp_path, farm("currency: CNY", "coin_price: 2350", "coin_price_file: price"))
    assert found == ("farm.power.coin_price", 12, "and coin_price_file are both given; keep one")


def test_an_age_without_a_file_is_refused(tmp_path: Path) -> None:
    text = farm("currency: CNY", "coin_price: 2350", "coin_price_max_age_hours: 2")
    found = only_problem(tmp_path, text)
    assert found == (
        "farm.power.coin_price_max_age_hours",
        13,
        "has no effect without coin_price_file; remove it",
    )


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ("0.9", "is 0.9, and no tariff costs more: nothing would ever pause; remove it"),
        ("0.4", "is 0.4, and every tariff costs more: all machines would stand still for ever; choose"),
    ],
)
def test_a_bound_lies_between_the_tariffs(tmp_path: Path, bound: str, words: str) -> None:
    line = f"pause_above_price_per_kwh: {bound}"
    key, at, message = only_problem(tmp_path, tariffs(DAY, NIGHT, more=(line,)))
    assert (key, at) == ("farm.power.pause_above_price_per_kwh", 16)
    assert message.startswith(words)
    between = tariffs(DAY, NIGHT, more=("pause_above_price_per_kwh: 0.5",))
    assert power(tmp_path, between).pause_above_price_per_kwh == 0.5


def test_a_bound_needs_prices_that_change(tmp_path: Path) -> None:
    text = farm("currency: CNY", "price_per_kwh: 0.7", "pause_above_price_per_kwh: 0.6")
    key, at, message = only_problem(tmp_path, text)
    assert (key, at) == ("farm.power.pause_above_price_per_kwh", 13)
    assert message.startswith("has no effect without tariffs: ")


# ---------------------------------------------------------------------- times


def test_tariffs_need_a_clock(tmp_path: Path) -> None:
    text = farm("currency: CNY", "tariffs:", f"  - {DAY}", f"  - {NIGHT}")
    key, at, message = only_problem(tmp_path, text)
    assert (key, at) == ("farm.power.time_zone", 10)
    assert message == "is missing: it says whose clock tariffs go by, for example UTC"


def test_a_clock_without_tariffs_is_refused(tmp_path: Path) -> None:
    text = farm("currency: CNY", "price_per_kwh: 0.7", "time_zone: Asia/Shanghai")
    found = only_problem(tmp_path, text)
    assert found == ("farm.power.time_zone", 13, "has no effect without tariffs; remove it")


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Asia/Shanhai", "did you mean Asia/Shanghai?"),
        ("UTC+8", "did you mean "),
        ("the wall", "write one like Asia/Shanghai or UTC"),
        ("America", ""),  # a folder of the table
        ("../../../etc/passwd", ""),
        ("/etc/localtime", ""),
    ],
)
def test_a_time_zone_is_one_of_the_table(tmp_path: Path, zone: str, hint: str) -> None:
    text = tariffs(DAY, NIGHT).replace("Asia/Shanghai", zone)
    key, at, message = only_problem(tmp_path, text)
    assert (key, at) == ("farm.power.time_zone", 12)
    assert message.startswith(f"is {zone!r}, which is no time zone of the IANA table; ")
    assert hint in message


@pytest.mark.parametrize(
    ("entries", "missing"),
    [
        (('{from: "08:00", to: "22:00", price_per_kwh: 1}', NIGHT), "22:00 to 24:00 every day"),
        (('{from: "08:01", to: "24:00", price_per_kwh: 1}', NIGHT), "08:00 to 08:01 every day"),
        (
            (
                '{from: "22:00", to: "06:00", price_per_kwh: 1}',
                '{from: "07:00", to: "21:30", price_per_kwh: 1}',
            ),
            "06:00 to 07:00 every day; 21:30 to 22:00 every day",
        ),
        (
            (NIGHT, '{from: "08:00", to: "24:00", price_per_kwh: 1, days: [mon, tue, wed, thu, fri]}'),
            "08:00 to 24:00 on sat and sun",
        ),
        (
            # It ends on Monday, in the week's first hours: five days have nothing of it.
            ('{from: "20:00", to: "06:00", price_per_kwh: 1, days: [sun]}',),
            "06:00 to 24:00 on mon; 00:00 to 24:00 on tue, wed, thu, fri and sat; 00:00 to 20:00 on sun",
        ),
    ],
)
def test_minutes_without_a_price_are_named(tmp_path: Path, entries: tuple[str, ...], missing: str) -> None:
    found = only_problem(tmp_path, tariffs(*entries))
    assert found == ("farm.power.tariffs", 13, f"leave minutes without a price: {missing}")


@pytest.mark.parametrize(
    ("entry", "twice"),
    [
        ('{from: "06:30", to: "24:00", price_per_kwh: 1}', "06:30 to 08:00 every day"),
        ('{from: "08:00", to: "01:00", price_per_kwh: 1}', "00:00 to 01:00 every day"),
    ],
)
def test_minutes_with_two_prices_are_named(tmp_path: Path, entry: str, twice: str) -> None:
    key, line, message = only_problem(tmp_path, tariffs(NIGHT, entry))
    assert (key, line) == ("farm.power.tariffs.1", 15)
    other = "the tariff from 00:00 to 08:00"
    assert message == f"has minutes that {other} has too, and each has one price: {twice}"


def test_a_tariff_within_another_leaves_no_gap_behind_it(tmp_path: Path) -> None:
    whole = '{from: "00:00", to: "24:00", price_per_kwh: 1}'
    noon = '{from: "11:00", to: "13:00", price_per_kwh: 1, days: [wed]}'
    key, line, message = only_problem(tmp_path, tariffs(whole, noon))
    assert (key, line) == ("farm.power.tariffs.1", 15)
    assert message.endswith(": 11:00 to 13:00 on wed")


def test_what_lasts_past_midnight_meets_the_next_days_prices(tmp_path: Path) -> None:
    """Sunday's night ends on Monday at 06:00, where the week begins."""
    day = '{from: "05:00", to: "04:00", price_per_kwh: 1}'
    night = '{from: "22:00", to: "06:00", price_per_kwh: 1, days: [sun]}'
    found = problems(tmp_path, tariffs(day, night))
    assert [(problem.key_path, problem.message.partition(": ")[2]) for problem in found] == [
        ("farm.power.tariffs", "04:00 to 05:00 on tue, wed, thu, fri, sat and sun"),
        (
            "farm.power.tariffs.1",
            "00:00 to 04:00 on mon; 05:00 to 06:00 on mon; 22:00 to 24:00 on sun",
        ),
    ]


def test_a_tariff_repeated_is_told_once_an_entry(tmp_path: Path) -> None:
    found = places(tmp_path, tariffs(DAY, NIGHT, DAY, DAY))
    assert found == [("farm.power.tariffs.2", 16), ("farm.power.tariffs.3", 17)]


def test_a_tariff_that_ends_when_it_begins_is_asked_about(tmp_path: Path) -> None:
    key, at, message = only_problem(tmp_path, tariffs('{from: "00:00", to: "00:00", price_per_kwh: 1}'))
    assert (key, at) == ("farm.power.tariffs.0.to", 14)
    assert message == 'is when it begins, too; for a whole day write from: "00:00" and to: "24:00"'


def test_a_day_is_named_once(tmp_path: Path) -> None:
    whole = '{from: "00:00", to: "24:00", price_per_kwh: 1, days: [mon, tue, wed, thu, fri, sat, DAY]}'
    rest = '{from: "00:00", to: "24:00", price_per_kwh: 1, days: [sun]}'
    found = only_problem(tmp_path, tariffs(whole.replace("DAY", "mon"), rest))
    assert found == ("farm.power.tariffs.0.days.6", 14, "is mon once more; name each day once")


# ---------------------------------------------------------------------- shape


@pytest.mark.parametrize(
    ("entry", "key", "words"),
    [
        ('{from: "8:00", to: "24:00", price_per_kwh: 1}', "from", "When it begins"),
        ('{from: "24:00", to: "08:00", price_per_kwh: 1}', "from", "When it begins"),
        ('{from: "08:00", to: "24:01", price_per_kwh: 1}', "to", "When the next one begins"),
        ('{from: "08:00", to: "24:00", price_per_kwh: -1}', "price_per_kwh", "from 0"),
        ('{from: "08:00", to: "24:00"}', "price_per_kwh", "is missing"),
        ('{to: "24:00", price_per_kwh: 1}', "from", "is missing"),
        ('{from: "08:00", to: "24:00", price_per_kwh: 1, days: [mon, monday]}', "days.1", "one of mon, tue"),
        ('{from: "08:00", to: "24:00", price_per_kwh: 1, days: mon}', "days", "is a list"),
        ('{from_: "08:00", to: "24:00", price_per_kwh: 1}', "from_", "did you mean from?"),
    ],
)
def test_what_an_entry_lacks_is_told_at_its_key_in_its_line(
    tmp_path: Path, entry: str, key: str, words: str
) -> None:
    found = problems(tmp_path, tariffs(NIGHT, entry))
    told = {problem.key_path: (problem.line, problem.message) for problem in found}
    line, message = told[f"farm.power.tariffs.1.{key}"]
    assert line == 15
    assert words in message
