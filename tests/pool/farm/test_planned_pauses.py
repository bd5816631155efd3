"""Pauses by the price of power: the same one is known again, however long it lasts."""

import datetime

from config.power_schema import PowerSettings, TariffSettings
from pool.farm.planned_pauses import price_pauses

US = 1_000_000
HOUR = 3_600


def power(*entries: TariffSettings) -> PowerSettings:
    return PowerSettings(currency="EUR", time_zone="UTC", tariffs=entries, pause_above_price_per_kwh=0.3)


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def test_a_pause_of_five_days_begins_when_it_began_whenever_it_is_asked_for() -> None:
    """Power is dear from Monday to Friday; 1 June 2026 is a Monday."""
    workdays = power(
        TariffSettings(
            from_="00:00", to="24:00", price_per_kwh=0.4, days=("mon", "tue", "wed", "thu", "fri")
        ),
        TariffSettings(from_="00:00", to="24:00", price_per_kwh=0.1, days=("sat", "sun")),
    )
    monday, saturday = at("2026-06-01T00:00:00") * US, at("2026-06-06T00:00:00") * US
    for now in ("2026-06-01T00:00:00", "2026-06-02T11:00:30", "2026-06-05T17:00:00"):
        [pause] = price_pauses(workdays, at(now))
        assert (pause.group, pause.by) == ("all", "price")
        assert (pause.since_us, pause.until_us) == (monday, saturday)


def test_pauses_of_the_last_day_and_of_the_next_two_are_known() -> None:
    days = power(
        TariffSettings(from_="08:00", to="20:00", price_per_kwh=0.4),
        TariffSettings(from_="20:00", to="08:00", price_per_kwh=0.1),
    )
    now = at("2026-06-03T21:00:00")
    starts = [(pause.since_us / US - now) / HOUR for pause in price_pauses(days, now)]
    # today's was from 08:00 on; yesterday's was over 25 hours ago
    assert starts == [-13, 11, 35]


def test_without_a_bound_no_price_pauses_anything() -> None:
    flat = PowerSettings(currency="EUR", price_per_kwh=0.4)
    assert price_pauses(flat, at("2026-06-03T21:00:00")) == []
