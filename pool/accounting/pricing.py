"""PPS and FPPS in the accounts: which price a share is bought at, and paying for slots that are complete.

The price of a share follows from its job's template; with FPPS also from the mean of fees, which is fixed for
an hour and stored. While the operator's reserve is used up nothing is bought: work is credited by window.
"""

import logging

import msgspec

from payouts.pps import (
    FEE_MEAN_HEIGHTS,
    Rate,
    fee_part_sats,
    is_buying,
    mean_fee_millionths,
    pay,
    units_for,
)
from pool.accounting.batch import Batch
from pool.accounting.in_force import in_force
from pool.accounting.ledger import BALANCE, OPERATOR, Entry, Row, post
from pool.accounting.names import Names
from pool.spool.records import TemplateFacts
from pool.storage.database import Database, Reader, Writer
from pool.storage.work import columns, joined

NO_HOUR = 0  # in the name of a price that has no part of fees
HOUR_US = 3_600 * 1_000_000
MICROSECONDS = 1_000_000
SLOTS_AT_ONCE = 360

log = logging.getLogger("engineroom.accounting")


class PriceRules(msgspec.Struct, frozen=True, kw_only=True):
    """`scheme` pps or fpps buys, any other does not. `fee_basis_points` are all fees together."""

    scheme: str
    fee_basis_points: int
    reserve_sats: int
    slot_seconds: int
    window_wait_us: int
    earlier: "tuple[tuple[int, PriceRules], ...]" = ()

    @property
    def buys(self) -> bool:
        """Whether work is bought under these rules."""
        return self.scheme in ("pps", "fpps")

    @property
    def ever_bought(self) -> bool:
        """Whether there may be bought work to pay, or money that was made of it."""
        return self.buys or any(rules.buys for _, rules in self.earlier)

    def at(self, at_us: int) -> "PriceRules":
        """What held at a time; `earlier` is (until, rules), oldest first."""
        return in_force(self, self.earlier, at_us)


class Pricing:
    """Names prices while frames are summed, makes their rows, and pays."""

    def __init__(self, rules: PriceRules, names: Names) -> None:
        self._rules = rules
        self._names = names
        self._is_buying = rules.ever_bought

    def follow(self, rules: PriceRules) -> None:
        """Go on by these rules."""
        self._rules = rules
        self._is_buying = rules.ever_bought

    def price_of(self, template: TemplateFacts, at_us: int) -> str | None:
        """A name for the price of a share of this template at this time; None where nothing is bought.

        Safe to call from a thread.
        """
        rules = self._rules.at(at_us)
        if not self._is_buying or not rules.buys:
            return None
        subsidy_sats = template.value_sats - template.fees_sats
        hour = at_us // HOUR_US if rules.scheme == "fpps" else NO_HOUR
        return f"{template.network_work}/{subsidy_sats}/{hour}/{rules.fee_basis_points}"

    async def look_at_reserve(self, reader: Reader) -> None:
        """Before each batch: whether new work is bought."""
        if not self._rules.ever_bought:
            return
        row = await reader.row(
            "SELECT SUM(sats) FROM balance JOIN account ON account.id = balance.account_id "
            "WHERE account.name = ? AND pot = ?",
            *(OPERATOR, BALANCE),
        )
        operator_sats = 0 if row is None or row[0] is None else int(row[0])
        was_buying, self._is_buying = self._is_buying, is_buying(self._rules.reserve_sats, operator_sats)
        if was_buying and not self._is_buying:
            log.error(
                "the reserve of %d sats is used up (the operator's account is at %d): new work is credited "
                "by window until it is filled again",
                *(self._rules.reserve_sats, operator_sats),
            )
        elif self._is_buying and not was_buying:
            log.warning("the reserve is there again: new work is bought")

    async def price_rows(self, writer: Writer, batch: Batch, at_us: int) -> dict[str, int]:
        """Ids of the rates behind a batch's prices; new rates get a row."""
        found: dict[str, int] = {}
        for name in batch.prices:
            work, subsidy_sats, hour, fee_basis_points = (int(part) for part in name.split("/"))
            fees_sats = 0
            if hour != NO_HOUR:
                fees_sats = fee_part_sats(subsidy_sats, await self._mean(writer, hour))
            rate = Rate(work, subsidy_sats, fees_sats, fee_basis_points)
            found[name] = await self._rate_row(writer, rate, at_us)
        return found

    async def _rate_row(self, writer: Writer, rate: Rate, at_us: int) -> int:
        row = await writer.row("SELECT id FROM rate WHERE key = ?", rate.key)
        if row is not None:
            return int(row[0])
        return await writer.insert(
            "INSERT INTO rate (key, network_work_high, network_work_low, subsidy_sats, fees_sats, "
            "fee_basis_points, created_us) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            *(rate.key, *columns(rate.network_work), rate.subsidy_sats, rate.fees_sats),
            *(rate.fee_basis_points, at_us),
        )

    async def _mean(self, writer: Writer, hour: int) -> int:
        """The hour's mean, fixed when it is first asked for."""
        row = await writer.row("SELECT fee_millionths FROM fee_mean WHERE hour = ?", hour)
        if row is not None:
            return int(row[0])
        rows = await writer.rows(
            "SELECT height, subsidy_sats, fees_sats FROM template_height WHERE subsidy_sats > 0 "
            "ORDER BY height DESC LIMIT ?",
            FEE_MEAN_HEIGHTS,
        )
        heights = {height: (subsidy_sats, fees_sats) for height, subsidy_sats, fees_sats in rows}
        mean = mean_fee_millionths(heights) if heights else 0
        await writer.execute("INSERT INTO fee_mean (hour, fee_millionths) VALUES (?, ?)", hour, mean)
        return mean

    # ------------------------------------------------------------------ paying

    async def pay_complete_slots(self, database: Database, now_us: int) -> int:
        """Credit the bought work of every slot that no more of can come; how many slots that were."""
        if not self._rules.ever_bought:
            return 0
        async with database.writing() as writer:
            through = await self._complete_through(writer, now_us)
            paid = await priced_slot(writer)
            rows = await writer.rows(
                "SELECT DISTINCT slot FROM slot_account WHERE rate_id > 0 AND slot > ? AND slot <= ? "
                "ORDER BY slot LIMIT ?",
                *(paid, through, SLOTS_AT_ONCE),
            )
            slots = [int(slot) for (slot,) in rows]
            for slot in slots:
                await self._pay_slot(writer, slot, now_us)
            reached = slots[-1] if len(slots) == SLOTS_AT_ONCE else max(paid, through)
            if reached > paid:
                await writer.execute(
                    "INSERT INTO meta (key, value) VALUES ('priced_slot', ?) "
                    "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    str(reached),
                )
        return len(slots)

    async def _complete_through(self, reader: Reader, now_us: int) -> int:
        """The last slot that every live source is past, or that was waited for long enough."""
        row = await reader.row("SELECT MIN(at_us) FROM source WHERE state <> 'closed'")
        past_us = now_us - self._rules.window_wait_us
        if row is not None and row[0] is not None:
            past_us = max(past_us, int(row[0]))
        else:
            past_us = now_us
        seconds = self._rules.slot_seconds
        return past_us // (MICROSECONDS * seconds) * seconds - seconds

    async def _pay_slot(self, writer: Writer, slot: int, now_us: int) -> None:
        rows = await writer.rows(
            "SELECT account_id, rate_id, SUM(work_high), SUM(work_low) FROM slot_account "
            "WHERE slot = ? AND rate_id > 0 GROUP BY account_id, rate_id ORDER BY account_id, rate_id",
            slot,
        )
        earned: dict[int, int] = {}
        for account, rate_id, high, low in rows:
            units = units_for(joined(int(high), int(low)), await self._rate(writer, rate_id))
            earned[account] = earned.get(account, 0) + units
        rows_of_slot: list[Row] = []
        for account, units in earned.items():
            sats = await self._keep_fraction(writer, account, units)
            rows_of_slot.append(Row(account, BALANCE, "pps", sats))
        operator = (await self._names.system(writer, now_us))[OPERATOR]
        rows_of_slot.append(Row(operator, BALANCE, "pps", -sum(row.sats for row in rows_of_slot)))
        await post(writer, Entry(key=f"pps:{slot}", rows=tuple(rows_of_slot), at_us=now_us))

    async def _rate(self, reader: Reader, rate_id: int) -> Rate:
        row = await reader.row(
            "SELECT network_work_high, network_work_low, subsidy_sats, fees_sats, fee_basis_points "
            "FROM rate WHERE id = ?",
            rate_id,
        )
        if row is None:
            raise LookupError(f"work was bought at rate {rate_id}, which is not in the database")
        high, low, subsidy_sats, fees_sats, fee_basis_points = row
        return Rate(joined(high, low), subsidy_sats, fees_sats, fee_basis_points)

    async def _keep_fraction(self, writer: Writer, account: int, units: int) -> int:
        row = await writer.row("SELECT units FROM pps_fraction WHERE account_id = ?", account)
        paid = pay(0 if row is None else int(row[0]), units)
        await writer.execute(
            "INSERT INTO pps_fraction (account_id, units) VALUES (?, ?) "
            "ON CONFLICT (account_id) DO UPDATE SET units = excluded.units",
            *(account, paid.fraction_units),
        )
        return paid.sats


async def priced_slot(reader: Reader) -> int:
    """The last slot whose bought work was credited; −1 before the first."""
    row = await reader.row("SELECT value FROM meta WHERE key = 'priced_slot'")
    return -1 if row is None else int(row[0])
