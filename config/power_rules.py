"""What the settings of power and money have to do with each other. Pure but for the table of time zones.

Generators as in `config.rules`. A setting that would have no effect is refused, not passed over: whoever
wrote it expects something that will not happen.
"""

import difflib
import zoneinfo
from collections.abc import Iterator

from config.draft import as_far_as_known, known
from config.power_schema import PowerSettings, TariffSettings
from config.problems import Problem
from config.week import gaps, shared, spans_of, spans_text

MONEY = ("price_per_kwh", "tariffs", "fixed_cost_per_month", "coin_price", "coin_price_file")


def power_problems(power: PowerSettings) -> Iterator[Problem]:
    """Everything about them that contradicts something else."""
    yield from as_far_as_known(
        _currency(power),
        _one_price_of_power(power),
        _time_zone(power),
        _entries(power),
        _coverage(power),
        _pause(power),
        _coin_price(power),
    )


def _problem(key: str, message: str) -> Problem:
    return Problem(f"farm.power.{key}", None, message)


# ---------------------------------------------------------------------- prices


def _currency(power: PowerSettings) -> Iterator[Problem]:
    defaults = PowerSettings()
    amounts = [name for name in MONEY if getattr(power, name) != getattr(defaults, name)]
    if amounts and power.currency is None:
        yield _problem("currency", f"is missing: it says what {amounts[0]} is in, for example CNY")
    elif power.currency is not None and not amounts:
        yield _problem("currency", "has no effect without a price of power or of the coin; remove it")


def _one_price_of_power(power: PowerSettings) -> Iterator[Problem]:
    if power.price_per_kwh is not None and power.tariffs:
        yield _problem("price_per_kwh", "and tariffs are both given; keep one")


def _coin_price(power: PowerSettings) -> Iterator[Problem]:
    if power.coin_price is not None and power.coin_price_file is not None:
        yield _problem("coin_price", "and coin_price_file are both given; keep one")
    elif power.coin_price_file is None:
        default = PowerSettings().coin_price_max_age_hours
        if power.coin_price_max_age_hours != default:
            yield _problem("coin_price_max_age_hours", "has no effect without coin_price_file; remove it")


def _pause(power: PowerSettings) -> Iterator[Problem]:
    bound, key = power.pause_above_price_per_kwh, "pause_above_price_per_kwh"
    if bound is None:
        return
    if not power.tariffs:
        message = "has no effect without tariffs: a price that never changes pauses all machines or none"
        yield _problem(key, f"{message}; remove it")
        return
    prices = [tariff.price_per_kwh for tariff in power.tariffs]
    if max(prices) <= bound:
        yield _problem(key, f"is {bound:g}, and no tariff costs more: nothing would ever pause; remove it")
    elif min(prices) > bound:
        message = f"is {bound:g}, and every tariff costs more: all machines would stand still for ever"
        yield _problem(key, f"{message}; choose a higher one")


# ---------------------------------------------------------------------- times


def _time_zone(power: PowerSettings) -> Iterator[Problem]:
    name = power.time_zone
    if name is None:
        if power.tariffs:
            yield _problem("time_zone", "is missing: it says whose clock tariffs go by, for example UTC")
        return
    if known(lambda: power.tariffs) == ():
        yield _problem("time_zone", "has no effect without tariffs; remove it")
        return
    names = zoneinfo.available_timezones()
    if not names:
        message = f"is {name}, and this machine has no table of time zones; install its package tzdata"
        yield _problem("time_zone", message)
    elif name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "write one like Asia/Shanghai or UTC"
        yield _problem("time_zone", f"is {name!r}, which is no time zone of the IANA table; {hint}")


def _entries(power: PowerSettings) -> Iterator[Problem]:
    for position, tariff in enumerate(power.tariffs):
        key = f"tariffs.{position}"
        yield from as_far_as_known(_length(tariff, key), _days(tariff, key))


def _length(tariff: TariffSettings, key: str) -> Iterator[Problem]:
    if tariff.from_ == tariff.to:
        message = 'is when it begins, too; for a whole day write from: "00:00" and to: "24:00"'
        yield _problem(f"{key}.to", message)


def _days(tariff: TariffSettings, key: str) -> Iterator[Problem]:
    for position, day in enumerate(tariff.days):
        if day in tariff.days[:position]:
            yield _problem(f"{key}.days.{position}", f"is {day} once more; name each day once")


def _coverage(power: PowerSettings) -> Iterator[Problem]:
    """Of tariffs that all have a beginning and an end that can be used."""
    tariffs = power.tariffs
    if not tariffs or any(tariff.from_ == tariff.to for tariff in tariffs):
        return
    spans = [spans_of(tariff) for tariff in tariffs]
    for position, own in enumerate(spans):
        for earlier in range(position):
            twice = list(shared(own, spans[earlier]))
            if twice:
                other = f"the tariff from {tariffs[earlier].from_} to {tariffs[earlier].to}"
                message = f"has minutes that {other} has too, and each has one price: {spans_text(twice)}"
                yield _problem(f"tariffs.{position}", message)
                break  # one hint an entry: whoever wrote it 32 times needs no 496 lines
    missing = list(gaps(span for each in spans for span in each))
    if missing:
        yield _problem("tariffs", f"leave minutes without a price: {spans_text(missing)}")
