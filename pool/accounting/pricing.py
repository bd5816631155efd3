"""PPS and FPPS in the accounts: which price a share is bought at, as Intake asks, and the reserve.

The price of a share follows from its job's template; with FPPS also from the mean of fees, which is fixed for
an hour. While the operator's reserve is used up nothing is bought: work is credited by window. Both are in
the journal before any work is priced by them (buying.py, fee_means.py).
"""

import msgspec

from payouts.pps import Rate, fee_part_sats, is_buying, units_for
from pool.accounting import bought, fee_means
from pool.accounting.batch import Batch, PriceOf
from pool.accounting.buying import Buying, change_due, standing_sats
from pool.accounting.changes import Changes
from pool.accounting.fee_means import HOUR_US
from pool.accounting.in_force import in_force
from pool.accounting.journal_entries import Body, FeeMeanFixed
from pool.accounting.names import Names
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.spool.records import TemplateFacts
from pool.storage.database import Database, Reader, Writer
from pool.storage.work import columns

NO_HOUR = 0  # in the name of a price that has no part of fees

log = Log("engineroom.accounting")


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

    def __init__(self, rules: PriceRules, names: Names, database: Database, changes: Changes | None) -> None:
        """Without `changes` nothing is decided: what `database` has of earlier decisions holds."""
        self._rules = rules
        self._names = names
        self._database = database
        self._changes = changes
        self._buying: Buying | None = None
        self._unpaid: int | None = None  # units of 2^-32 satoshi that bought work has not been credited yet

    def follow(self, rules: PriceRules) -> None:
        """Go on by these rules."""
        self._rules = rules

    def forget(self) -> None:
        """Begin again from what journal and database say."""
        self._buying = self._unpaid = None

    # ------------------------------------------------------------------ the reserve

    async def look(self, now_us: int) -> None:
        """Before each batch is read: whether new work is bought. A change is in the journal and the database
        when this returns. Raises DatabaseError and JournalUnwritable."""
        if not self._rules.ever_bought:
            return
        was_on = (self._buying or await self._known()).is_on
        if self._changes is not None and self._rules.buys and await self._is_reserve_left() != was_on:
            self._buying = None  # whatever becomes of this, the journal may have it
            await self._changes.decide(self._change_due, now_us)
        while self._buying is None:  # others may forget while it is read
            self._buying = await self._known()
        self._tell(was_on, self._buying.is_on)

    async def _known(self) -> Buying:
        if self._changes is not None:
            await self._changes.catch_up()
        async with self._database.reading() as reader:
            return await Buying.read(reader)

    async def _is_reserve_left(self) -> bool:
        """Bought work that is not paid yet is summed after each payment, and from then on kept along."""
        async with self._database.reading() as reader:
            if self._unpaid is None:
                self._unpaid = await bought.unpaid_units(reader)
            return is_buying(self._rules.reserve_sats, await standing_sats(reader, self._unpaid))

    async def _change_due(self, reader: Reader) -> Body | None:
        return await change_due(reader, self._rules.reserve_sats)

    def _tell(self, was_on: bool, is_on: bool) -> None:
        if was_on and not is_on:
            log.error(LogEvent.RESERVE_USED_UP, reserve_sats=self._rules.reserve_sats)
        elif is_on and not was_on:
            log.warning(LogEvent.RESERVE_FILLED)

    # ------------------------------------------------------------------ prices

    def price_of(self, name: str, epoch: str) -> PriceOf:
        """For a source's frames: a name for the price of a share of a template; None where nothing is bought.

        Safe to call what it returns from a thread.
        """
        rules = self._rules
        if self._buying is None and rules.ever_bought:
            raise LookupError("what is bought has not been looked at")
        buying = (self._buying or Buying(())).of(name, epoch)

        def price(template: TemplateFacts, frame: int, at_us: int) -> str | None:
            then = rules.at(at_us)
            if not then.buys or not buying.is_on(frame):
                return None
            subsidy_sats = template.value_sats - template.fees_sats
            hour = at_us // HOUR_US if then.scheme == "fpps" else NO_HOUR
            return f"{template.network_work}/{subsidy_sats}/{hour}/{then.fee_basis_points}"

        return price

    async def fix_means(self, batch: Batch, now_us: int) -> None:
        """Before a batch is written: the mean of fees of each hour that it prices work of. Raises
        DatabaseError and JournalUnwritable."""
        hours = {_parts(name)[2] for name in batch.prices} - {NO_HOUR}
        if not hours:
            return
        async with self._database.reading() as reader:
            hours_due = await fee_means.unfixed(reader, hours)
        for hour in hours_due:
            await self._fix_mean(hour, batch, now_us)

    async def _fix_mean(self, hour: int, batch: Batch, now_us: int) -> None:
        async def choose(reader: Reader) -> FeeMeanFixed | None:
            return await fee_means.mean_due(reader, hour, batch.templates)

        if self._changes is not None:
            await self._changes.decide(choose, now_us)
            return
        async with self._database.writing() as writer:
            body = await choose(writer)
            if body is not None:
                await fee_means.write(writer, body)

    async def price_rows(self, writer: Writer, batch: Batch, at_us: int) -> dict[str, int]:
        """Ids of the rates behind a batch's prices; new rates get a row."""
        found: dict[str, int] = {}
        rates: dict[str, Rate] = {}
        for name in batch.prices:
            work, subsidy_sats, hour, fee_basis_points = _parts(name)
            fees_sats = 0
            if hour != NO_HOUR:
                fees_sats = fee_part_sats(subsidy_sats, await self._mean(writer, hour))
            rates[name] = Rate(work, subsidy_sats, fees_sats, fee_basis_points)
            found[name] = await self._rate_row(writer, rates[name], at_us)
        if self._unpaid is not None:
            # Should this transaction fail, Intake begins again, and so does this sum.
            for key, sum_ in batch.slots.items():
                self._unpaid += 0 if key.price is None else units_for(sum_.work, rates[key.price])
        return found

    async def _mean(self, reader: Reader, hour: int) -> int:
        mean = await fee_means.fixed_mean(reader, hour)
        if mean is None:
            raise LookupError(f"work is priced by the mean of fees of hour {hour}, which is not fixed")
        return mean

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

    # ------------------------------------------------------------------ paying

    async def pay_complete_slots(self, database: Database, now_us: int) -> int:
        """Credit the bought work of every slot that no more of can come; how many slots that were."""
        rules = self._rules
        if not rules.ever_bought:
            return 0
        async with database.writing() as writer:
            through = await bought.complete_through(writer, now_us, rules.slot_seconds, rules.window_wait_us)
            count = await bought.pay_slots(writer, self._names, through, now_us)
            if count:
                self._unpaid = None
        return count


def _parts(name: str) -> tuple[int, int, int, int]:
    """Of a price's name: the network's work, the subsidy, the hour, the fee in basis points."""
    work, subsidy_sats, hour, fee_basis_points = (int(part) for part in name.split("/"))
    return work, subsidy_sats, hour, fee_basis_points
