"""The farm as a report: sums, incidents, groups, machines, money; made from the floor, shown anywhere."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from pool.farm.economics import DAY_SECONDS, Hashing, Network, coin_sats_per_day
from pool.farm.finance import Finance
from pool.farm.floor import Floor
from pool.farm.group_view import GroupView, group_views
from pool.farm.hashrate import Rate
from pool.farm.incident_line import incident_line
from pool.farm.pauses import covers
from pool.farm.stale_losses import BlockChange
from pool.farm.summary import STATE_RANK, FarmSums, Glances, MachineLine, farm_sums, machine_lines
from pool.reports.economics import money_lines, solo_line
from pool.wording import counted, hashrate_text

MOST_SHOWN = 40  # machines in a table, a screenful; --all and --json show every one
NO_NEWS = ("ok", "paused")  # somebody wanted it


class RateLine(msgspec.Struct, frozen=True):
    """A hashrate over one window with its 95 % interval; `upper` None where nothing bounds it."""

    window: str
    hashes_per_second: float
    lower: float
    upper: float | None


class Losses(msgspec.Struct, frozen=True):
    """The last block changes, the newest last; what they cost a day by cause, satoshis, None: unknown."""

    changes: tuple[BlockChange, ...]
    sats_per_day: dict[str, float] | None


class FarmReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `engineroom farm` shows. `group` is what was asked for, None the whole farm; `machines`
    are the worst, as many as were asked for; `has_money` says whether anything of money is set."""

    at_us: int
    group: str | None
    rates: tuple[RateLine, ...]
    sums: FarmSums
    incidents: tuple[str, ...]
    groups: tuple[GroupView, ...]
    machines: tuple[MachineLine, ...]
    losses: Losses
    finance: Finance
    has_money: bool
    money_lines: tuple[str, ...]


def farm_report(
    floor: Floor,
    glances: Glances,
    rates: Mapping[str, Rate],
    finance: Finance,
    difficulty_of: Callable[[float], float],
    group: str | None,
    now_us: int,
    losses: Losses,
    most: int | None = None,
) -> FarmReport:
    """Of the whole farm, or of what is in one group; of machines only the worst, `most` of them (None: all).
    `glances` are the floor's of this moment, of all machines; rates, losses and money are always of the whole
    farm."""
    incidents = [
        one
        for one in floor.incidents
        if one.faults and any(_is_of(group, fault.place.group) for fault in one.faults)
    ]
    return FarmReport(
        at_us=now_us,
        group=group,
        rates=tuple(
            RateLine(
                window, rate.hashes_per_second, rate.lower, rate.upper if rate.upper < float("inf") else None
            )
            for window, rate in rates.items()
        ),
        sums=farm_sums(glances, group),
        incidents=tuple(incident_line(one, now_us) for one in incidents),
        groups=tuple(group_views(floor, glances, difficulty_of, group)),
        machines=tuple(machine_lines(floor, glances, difficulty_of, group, most)),
        losses=losses,
        finance=finance,
        has_money=_has_money(finance),
        money_lines=tuple(_money_lines(finance)),
    )


def _is_of(group: str | None, path: str) -> bool:
    return group is None or covers(group, path)


def _has_money(finance: Finance) -> bool:
    set_ones = (finance.currency, finance.price_per_kwh, finance.coin_price, finance.remark)
    return any(one is not None for one in set_ones)


def _money_lines(finance: Finance) -> list[str]:
    """Where nothing of money is set there is still a block to be found."""
    if not _has_money(finance):
        return [] if finance.solo is None else [solo_line(finance.solo)]
    return list(money_lines(finance))


def headline(report: FarmReport) -> str:
    """`2,500 machines: 2,480 ok, 7 silent …; 596.1 TH/s of 600 TH/s over ten minutes`."""
    states = report.sums.states
    said = ", ".join(f"{states[state]:,} {state}" for state in reversed(STATE_RANK) if states[state])
    total = sum(states.values())
    running, nameplate = hashrate_text(report.sums.running), hashrate_text(report.sums.nameplate)
    where = "" if report.group is None else f"{report.group}: "
    if not total:
        return f"{where}no machine yet"
    return f"{where}{counted(total, 'machine')}: {said}; {running} of {nameplate} over ten minutes"


def noteworthy(report: FarmReport) -> int:
    """How many machines somebody should look at, those for which the report has no line among them."""
    return sum(count for state, count in report.sums.states.items() if state not in NO_NEWS)


def rates_line(report: FarmReport) -> str:
    """The hashrate by window, with what it may be off by."""
    return "; ".join(
        f"{one.window} {hashrate_text(one.hashes_per_second)}{_off(one)}" for one in report.rates
    )


def _off(one: RateLine) -> str:
    if one.upper is None or one.hashes_per_second <= 0:
        return ""
    return f" ±{50 * (one.upper - one.lower) / one.hashes_per_second:.1f} %"


def loss_lines(losses: Losses) -> list[str]:
    """What block changes cost, and how the last one went; nothing before there was one."""
    lines = []
    if losses.sats_per_day is not None and losses.changes:
        by_cause = ", ".join(f"{cause} {sats:,.0f}" for cause, sats in losses.sats_per_day.items())
        total = sum(losses.sats_per_day.values())
        lines.append(f"block changes cost {total:,.0f} sats a day: {by_cause}")
    if losses.changes:
        last = losses.changes[-1]
        lines.append(
            f"at block {last.height - 1} the first machine had new work after "
            f"{milliseconds(last.first_seconds)}, the last after {milliseconds(last.last_seconds)}; the "
            f"template came after {milliseconds(last.template_seconds)}"
        )
        if len(last.nodes) > 1:
            lines.append(f"nodes had the block: {_named(_quickest(last.nodes))}")
        if len(last.gateways) > 1:
            lines.append(f"templates came to {_named(_quickest(last.gateways))}")
        if len(last.groups) > 1:
            lines.append(f"the last groups: {_named(slowest(last.groups)[:3])}")
    return lines


def lost_sats(change: BlockChange, network: Network | None) -> float | None:
    """What the work would have earned that a block change has cost; None while that is not known."""
    if network is None:
        return None
    hashes = change.node_hashes + change.gateway_hashes + change.miner_hashes
    return coin_sats_per_day(Hashing(hashes_per_second=hashes / DAY_SECONDS, watts=None), network)


def slowest(delays: Mapping[str, float]) -> list[tuple[str, float]]:
    """Seconds by name, the most first."""
    return sorted(delays.items(), key=lambda entry: (-entry[1], entry[0]))


def _quickest(delays: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(delays.items(), key=lambda entry: (entry[1], entry[0]))


def _named(delays: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {milliseconds(seconds)}" for name, seconds in delays)


def milliseconds(seconds: float) -> str:
    """As exact as delays are known."""
    return f"{1e3 * seconds:,.0f} ms"
