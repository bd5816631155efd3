"""What a farm earns and costs, for people: measured beside nameplate, and in words whether it pays.

It reckons nothing. Money is shown to as many digits as an estimate deserves; what is unknown is a dash, and
the sentence below the table says which input it lacks.
"""

from collections.abc import Callable, Iterator

import msgspec

from pool.farm.economics import Economics, SoloOdds, kilowatts_at_the_meter
from pool.farm.finance import Finance
from pool.farm.inventory import WHOLE_FARM
from pool.farm.pause_savings import PauseEntry, Saved, Savings
from pool.reports.rendering import Column, moment
from pool.wording import coins_text, hashrate_text, span_text

UNKNOWN = "–"
NEARLY_CERTAIN = 0.999


class MoneyRow(msgspec.Struct, frozen=True):
    """One figure of both hashrates."""

    what: str
    measured: str
    nameplate: str


MONEY: tuple[Column[MoneyRow], ...] = (
    Column("", lambda one: one.what),
    Column("measured", lambda one: one.measured, is_number=True),
    Column("nameplate", lambda one: one.nameplate, is_number=True),
)


def money_lines(finance: Finance) -> Iterator[str]:
    """The sentences below the table: remarks, whether it pays, mining alone, pauses. While machines stand
    still for the price of power, what is measured is no verdict."""
    if finance.remark is not None:
        yield finance.remark
    if finance.time_share < 1:
        yield time_share_line(finance.time_share)
    if finance.is_standing_still:
        yield standing_still_line(finance.dear_until_us)
    else:
        yield verdict_line("as measured", finance.measured, finance.currency)
    yield verdict_line("by nameplate", finance.nameplate, finance.currency)
    if finance.solo is not None:
        yield solo_line(finance.solo)
    if finance.saved_per_day is not None:
        verb = "cost" if finance.saved_per_day < 0 else "save"
        yield f"pauses {verb} {money_text(abs(finance.saved_per_day), finance.currency)} a day"
    yield from savings_lines(finance.savings, finance.currency)


# ---------------------------------------------------------------------- the table


def money_rows(finance: Finance) -> list[MoneyRow]:
    """One row a figure; money in the currency of the settings."""

    def row(what: str, text: Callable[[Economics], str]) -> MoneyRow:
        return MoneyRow(what, text(finance.measured), text(finance.nameplate))

    def money(what: str, amount: Callable[[Economics], float | None]) -> MoneyRow:
        return row(what, lambda one: money_text(amount(one), finance.currency))

    return [
        row("hashrate", lambda one: hashrate_text(one.hashing.hashes_per_second)),
        row("power at the meter", _power_text),
        row("coin a day", lambda one: _coin_text(one.day.coin_sats)),
        money("revenue a day", lambda one: one.day.revenue),
        money("electricity a day", lambda one: one.day.energy_cost),
        money("fixed cost a day", lambda one: one.day.fixed_cost),
        money("profit a day", lambda one: one.day.profit),
        money("electricity in 30 days", lambda one: one.month.energy_cost),
        money("profit in 30 days", lambda one: one.month.profit),
        money("breaks even at, a kWh", lambda one: one.break_even_price_per_kwh),
        money("breaks even at, a coin", lambda one: one.break_even_coin_price),
    ]


def _power_text(one: Economics) -> str:
    kilowatts = kilowatts_at_the_meter(one.hashing, one.prices)
    return UNKNOWN if kilowatts is None else f"{_digits(kilowatts)} kW"


def _coin_text(sats: float | None) -> str:
    return UNKNOWN if sats is None else coins_text(round(sats))


def money_text(amount: float | None, currency: str | None) -> str:
    """`13,156 CNY`, `0.7716 CNY`; a dash for what is unknown."""
    if amount is None or (currency is None and amount):
        return UNKNOWN
    return _digits(amount) if currency is None else f"{_digits(amount)} {currency}"


def _digits(amount: float) -> str:
    """Whole from a hundred on, cents from one on, four digits below."""
    size = abs(amount)
    if size >= 100:
        return f"{amount:,.0f}"
    return f"{amount:.2f}" if size >= 1 else f"{amount:.4g}"


# ---------------------------------------------------------------------- sentences


def verdict_line(label: str, one: Economics, currency: str | None) -> str:
    """Whether it pays and at which prices it would just do so, or what is missing to say so."""
    profit, month = one.day.profit, one.month.profit
    if profit is None or month is None or currency is None:
        return f"{label}: whether it pays is not known: {'; '.join(_missing(one, currency))}"
    verb = "loses" if profit < 0 else "earns"
    a_day = f"{_digits(abs(profit))} {currency} a day at this difficulty"
    return f"{label}: {verb} {a_day}, {_digits(abs(month))} in 30 days; {_break_even_text(one, currency)}"


def _break_even_text(one: Economics, currency: str) -> str:
    power, coin = one.break_even_price_per_kwh, one.break_even_coin_price
    if not one.day.coin_sats:
        return "no coin comes in, and no price would change that"
    at_coin = f"a coin price of {money_text(coin, currency)}"
    if power is None:
        return f"breaks even at {at_coin}"
    if power < 0:
        return f"not even free power would make it pay, but {at_coin} would"
    return f"breaks even at a power price of {money_text(power, currency)} a kWh or {at_coin}"


def _missing(one: Economics, currency: str | None) -> Iterator[str]:
    if one.network is None:
        yield "no node has told of a block yet"
    elif one.network.mean_fees_sats is None:
        yield "the fees of the last blocks are not known yet"
    if one.hashing.watts is None:
        yield "nobody said what the machines draw (their watts, or farm.power.joules_per_terahash)"
    if one.prices.price_per_kwh is None:
        yield "power has no price (farm.power.price_per_kwh or tariffs)"
    if one.prices.coin_price is None:
        yield "the coin has no price (farm.power.coin_price or coin_price_file)"
    elif currency is None:
        yield "prices have no currency (farm.power.currency)"


def solo_line(odds: SoloOdds) -> str:
    """Mining without others: how long a block takes, and how likely one is."""
    if odds.expected_wait_seconds is None:
        return "mining alone: nothing hashes, and no block will be found"
    return (
        f"mining alone: a block takes {span_text(odds.expected_wait_seconds)} on average; the chance of one "
        f"is {_percent(odds.chance_in_30_days)} in 30 days and {_percent(odds.chance_in_365_days)} in a year"
    )


def _percent(chance: float) -> str:
    return "over 99.9 %" if chance > NEARLY_CERTAIN else f"{100 * chance:.3g} %"


def time_share_line(time_share: float) -> str:
    """For which share of the time the figures of a day and of 30 days are."""
    return (
        f"machines run for {_percent(time_share)} of the time, {24 * time_share:.3g} hours a day on average; "
        "for the rest power costs more than farm.power.pause_above_price_per_kwh, and what a day and 30 days "
        "bring and cost leaves it out"
    )


def standing_still_line(dear_until_us: int | None) -> str:
    """Why next to nothing is measured: machines stand still for the price of power; None: they come back."""
    if dear_until_us is None:
        return "machines come back from a pause for the price of power: what they do not do yet is no loss"
    until = f"until {moment(dear_until_us)} UTC"
    return f"machines stand still for the price of power {until}: what they do not do is no loss"


# ---------------------------------------------------------------------- pauses


def savings_lines(savings: Savings, currency: str | None) -> Iterator[str]:
    """What each pause that lasts has saved so far, and all of the last 30 days together."""
    for one in savings.pauses:
        if one.lasts:
            yield pause_line(one, currency)
    together = Saved()
    for saved in savings.last_30_days.values():
        together = together.plus(saved)
    if together.machine_seconds:
        yield f"pauses of the last 30 days: {_saved_text(together, currency)}"


def pause_line(one: PauseEntry, currency: str | None) -> str:
    """What a pause has left unspent and unearned so far, and which of the two is more."""
    group = "the whole farm" if one.group == WHOLE_FARM else one.group
    reason = "for the price of power" if one.by == "price" else "by hand"
    return (
        f"{group}, paused {reason} since {moment(one.since_us)} UTC: "
        f"{_saved_text(one.saved, currency)} in {span_text(one.seconds)}"
    )


def _saved_text(one: Saved, currency: str | None) -> str:
    """`saved 102 CNY, 180 CNY of power (200 kWh) unspent less 78.00 CNY of coin unearned`; where the coin has
    had no price, the power alone."""
    energy = UNKNOWN if one.energy_kwh is None else f"{_digits(one.energy_kwh)} kWh"
    unspent = f"{energy} of power unspent"
    if one.energy_cost is not None:
        unspent = f"{money_text(one.energy_cost, currency)} of power ({energy}) unspent"
    if one.saved is None:
        return unspent
    verb = "cost" if one.saved < 0 else "saved"
    balance = f"{verb} {money_text(abs(one.saved), currency)}"
    if one.known_machine_seconds < one.machine_seconds:
        part = _percent(one.known_machine_seconds / one.machine_seconds)
        balance += f" in the {part} of the time with all prices known"
    return f"{balance}: {unspent}, {money_text(one.revenue, currency)} of coin unearned"
