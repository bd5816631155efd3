"""What a kilowatt-hour costs and when: by the clock on the wall, on days of 23, 24 and 25 hours."""

import datetime
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.power_schema import PowerSettings, TariffSettings, Weekday
from pool.farm.tariff import (
    Period,
    Running,
    Tariff,
    dear_periods,
    mean_price,
    periods,
    price_at,
    running,
    tariff_of,
)

HOUR = 3_600


def entry(begin: str, end: str, price: float, *days: Weekday) -> TariffSettings:
    return TariffSettings(from_=begin, to=end, price_per_kwh=price, days=days)


def tariff(zone: str, *entries: TariffSettings) -> Tariff:
    made = tariff_of(PowerSettings(currency="EUR", time_zone=zone, tariffs=entries))
    assert made is not None
    return made


def at(text: str) -> float:
    """Unix seconds of a time in UTC."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def following(prices: Tariff, now: float) -> Period:
    """The price that comes next, within 15 days."""
    _, found, *_ = periods(prices, now, now + 15 * 24 * HOUR)
    return found


SHANGHAI = tariff("Asia/Shanghai", entry("08:00", "24:00", 0.9), entry("00:00", "08:00", 0.5))
BERLIN = tariff("Europe/Berlin", entry("06:00", "24:00", 0.3), entry("00:00", "06:00", 0.1))
WORKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")


def test_without_prices_there_is_no_tariff() -> None:
    assert tariff_of(PowerSettings()) is None


def test_one_price_is_for_every_instant_and_never_changes() -> None:
    flat = tariff_of(PowerSettings(currency="EUR", price_per_kwh=0.25))
    assert flat is not None
    now = at("2025-06-01T12:34:56")
    assert price_at(flat, now) == 0.25
    assert list(periods(flat, now, now + 100 * HOUR)) == [Period(now, now + 100 * HOUR, 0.25)]


def test_a_price_begins_at_its_minute_on_the_wall() -> None:
    eight = at("2014-10-01T00:00:00")  # 08:00 in Shanghai
    assert price_at(SHANGHAI, eight - 0.001) == 0.5
    assert price_at(SHANGHAI, eight) == 0.9
    # until midnight there, which is 16:00 in UTC; then night until 08:00
    assert following(SHANGHAI, eight) == Period(at("2014-10-01T16:00:00"), at("2014-10-02T00:00:00"), 0.5)


def test_a_night_lasts_past_midnight_and_past_the_end_of_the_week() -> None:
    nights = tariff("UTC", entry("22:00", "06:00", 1), entry("06:00", "22:00", 2))
    # 2025-06-01 is a Sunday
    found = list(periods(nights, at("2025-06-01T12:00:00"), at("2025-06-02T12:00:00")))
    assert found == [
        Period(at("2025-06-01T12:00:00"), at("2025-06-01T22:00:00"), 2),
        Period(at("2025-06-01T22:00:00"), at("2025-06-02T06:00:00"), 1),
        Period(at("2025-06-02T06:00:00"), at("2025-06-02T12:00:00"), 2),
    ]


def test_weekends_may_have_a_price_of_their_own() -> None:
    week = tariff("UTC", entry("00:00", "24:00", 2, *WORKDAYS), entry("00:00", "24:00", 1, "sat", "sun"))
    friday = at("2025-06-06T23:59:59")
    assert price_at(week, friday) == 2
    weekend = Period(at("2025-06-07T00:00:00"), at("2025-06-09T00:00:00"), 1)
    assert following(week, friday) == weekend
    # 5 days at 2 and 2 days at 1, whenever the week begins
    assert mean_price(week, friday, friday + 168 * HOUR) == pytest.approx(12 / 7)


@pytest.mark.parametrize(
    ("begin", "end", "night_hours", "hours"),
    [
        ("2025-03-29T23:00:00", "2025-03-30T22:00:00", 5, 23),  # at 02:00 it is 03:00
        ("2025-10-25T22:00:00", "2025-10-26T23:00:00", 7, 25),  # at 03:00 it is 02:00 once more
        ("2025-06-14T22:00:00", "2025-06-15T22:00:00", 6, 24),
    ],
)
def test_a_night_of_summer_time_is_an_hour_shorter_or_longer(
    begin: str, end: str, night_hours: int, hours: int
) -> None:
    assert at(end) - at(begin) == hours * HOUR
    mean = (0.1 * night_hours + 0.3 * 18) / hours
    assert mean_price(BERLIN, at(begin), at(end)) == pytest.approx(mean)
    night = Period(at(begin), at(begin) + night_hours * HOUR, 0.1)
    assert list(periods(BERLIN, at(begin), at(end))) == [night, Period(night.end, at(end), 0.3)]


LATE = tariff("Europe/Berlin", entry("02:30", "04:00", 0.5), entry("04:00", "02:30", 0.2))


def test_a_price_that_begins_in_the_hour_that_is_left_out_begins_after_it() -> None:
    # 01:00 UTC is 03:00 in Berlin and would have been 02:00; 04:00 there is 02:00 UTC
    found = following(LATE, at("2025-03-30T00:00:00"))
    assert found == Period(at("2025-03-30T01:00:00"), at("2025-03-30T02:00:00"), 0.5)


def test_a_price_that_begins_in_the_hour_that_comes_twice_begins_twice() -> None:
    # 02:30 summer time is 00:30 UTC; at 01:00 UTC it is 02:00 again; 02:30 winter time is 01:30 UTC
    found = list(periods(LATE, at("2025-10-26T00:00:00"), at("2025-10-26T04:00:00")))
    assert [(part.start - at("2025-10-26T00:00:00"), part.price_per_kwh) for part in found] == [
        (0, 0.2),
        (0.5 * HOUR, 0.5),
        (1 * HOUR, 0.2),
        (1.5 * HOUR, 0.5),
        (3 * HOUR, 0.2),  # 04:00 winter time
    ]


def test_a_price_for_the_hour_that_is_left_out_comes_a_week_later() -> None:
    rare = tariff(
        "Europe/Berlin",
        entry("00:00", "24:00", 0.2, *WORKDAYS, "sat"),
        entry("00:00", "02:00", 0.2, "sun"),
        entry("02:00", "03:00", 0.5, "sun"),
        entry("03:00", "24:00", 0.2, "sun"),
    )
    found = following(rare, at("2025-03-30T00:00:00"))
    # 02:00 summer time on 6 April
    assert found == Period(at("2025-04-06T00:00:00"), at("2025-04-06T01:00:00"), 0.5)


def test_a_mean_needs_time_to_pass() -> None:
    with pytest.raises(ValueError, match="interval"):
        mean_price(BERLIN, 1_000.0, 1_000.0)
    assert list(periods(BERLIN, 1_000.0, 1_000.0)) == []


# ---------------------------------------------------------------------- above a bound


def test_the_dear_hours_of_two_days_begin_now_and_end_with_them() -> None:
    noon = at("2014-10-01T04:00:00")  # 12:00 in Shanghai
    assert dear_periods(SHANGHAI, 0.6, noon) == [
        Period(noon, noon + 12 * HOUR, 0.9),
        Period(noon + 20 * HOUR, noon + 36 * HOUR, 0.9),
        Period(noon + 44 * HOUR, noon + 48 * HOUR, 0.9),
    ]


def test_a_price_at_the_bound_is_not_above_it() -> None:
    assert dear_periods(SHANGHAI, 0.9, at("2014-10-01T04:00:00")) == []


def test_dear_hours_that_follow_each_other_are_one_period_at_their_mean() -> None:
    steps = tariff("UTC", entry("00:00", "06:00", 1), entry("06:00", "08:00", 4), entry("08:00", "24:00", 3))
    found = dear_periods(steps, 2, at("2025-06-01T00:00:00"), ahead_seconds=24 * HOUR)
    # 2 hours at 4 and 16 at 3 are 56 in 18
    assert [(part.start, part.end) for part in found] == [
        (at("2025-06-01T06:00:00"), at("2025-06-02T00:00:00"))
    ]
    assert found[0].price_per_kwh == pytest.approx(56 / 18)


def test_machines_that_pause_run_for_the_rest_of_the_time_at_its_price() -> None:
    steps = tariff("UTC", entry("00:00", "06:00", 1), entry("06:00", "08:00", 4), entry("08:00", "24:00", 2))
    day = at("2025-06-01T00:00:00")
    # 6 hours at 1 and 16 at 2 are 38 in 22, of 24; without a bound 46 in 24
    paused = running(steps, 2, day, day + 24 * HOUR)
    assert (paused.time_share, paused.price_per_kwh) == (pytest.approx(22 / 24), pytest.approx(38 / 22))
    assert paused.dear_price_per_kwh == pytest.approx(4)
    always = running(steps, None, day, day + 24 * HOUR)
    assert (always.time_share, always.price_per_kwh) == (1, pytest.approx(46 / 24))
    assert always.dear_price_per_kwh is None
    assert running(steps, 3, day + 6 * HOUR, day + 8 * HOUR) == Running(0, None, 4)
    # 2 hours at 4 and 16 at 2 are 40 in 18
    assert running(steps, 1, day, day + 24 * HOUR).dear_price_per_kwh == pytest.approx(40 / 18)
    with pytest.raises(ValueError, match="interval"):
        running(steps, 2, day, day)


# ---------------------------------------------------------------------- against a clock on the wall


ENTRIES = (
    entry("00:30", "02:15", 1.0),
    entry("02:15", "02:45", 2.0),
    entry("02:45", "23:00", 3.0, *WORKDAYS),
    entry("02:45", "23:00", 4.0, "sat", "sun"),
    entry("23:00", "00:30", 5.0),
)
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def price_on_the_wall(zone: datetime.tzinfo, second: float) -> float:
    """By comparing texts, as a person would."""
    wall = datetime.datetime.fromtimestamp(second, zone)
    clock, day = wall.strftime("%H:%M"), DAY_NAMES[wall.weekday()]
    for one in ENTRIES[:4]:
        if one.from_ <= clock < one.to and (not one.days or day in one.days):
            return one.price_per_kwh
    return 5.0


@given(
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
    year=st.integers(2014, 2030),
    # the weeks around the changes in both hemispheres
    day=st.sampled_from([*range(65, 105), *range(270, 315)]),
    second=st.integers(0, 86_399),
)
@settings(max_examples=40)
def test_every_minute_has_the_price_that_the_wall_says(zone: str, year: int, day: int, second: int) -> None:
    """Lord Howe moves its clock by half an hour."""
    prices = tariff(zone, *ENTRIES)
    start = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp() + day * 86_400 + second
    end = start + 36 * HOUR
    found = list(periods(prices, start, end))
    assert [found[0].start, *(part.end for part in found)] == [*(part.start for part in found), end]
    assert all(one.price_per_kwh != two.price_per_kwh for one, two in pairwise(found))
    for minute in range(36 * 60):
        moment = start + 60 * minute
        [part] = [part for part in found if part.start <= moment < part.end]
        assert part.price_per_kwh == price_at(prices, moment) == price_on_the_wall(prices.zone, moment)
    paid = math.fsum(price_on_the_wall(prices.zone, start + 60 * minute + 30) for minute in range(36 * 60))
    # a minute that a boundary cuts is wrong by 4 at most, and there are at most 12 of them
    assert mean_price(prices, start, end) == pytest.approx(paid / (36 * 60), abs=4 * 12 / (36 * 60))
