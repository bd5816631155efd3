"""What the accountant knows of itself and of the money, as readings; it decides and writes nothing.

Some are counted as it happens, the sums are asked of the database now and then.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from payouts.maturity import BlockState
from payouts.payment import PaymentState
from payouts.wallet import Balances
from pool.accounting import ledger, policy_changes
from pool.accounting.ledger import MINED, NETWORK, OPERATOR, PAID, PAYING
from pool.accounting.policy_changes import EVERYTHING
from pool.accounting.sources import STOPPED
from pool.gateway.readings import Reading, histogram_readings
from pool.instruments.account_metrics import COMMIT_BOUNDS, DUTIES
from pool.storage.database import Reader
from stratum.measures import Histogram

MEAN_BLOCKS = 144  # a day
PAYMENT_PREFIX = "payment:"
_OPEN_STATES = (PaymentState.PLANNED, PaymentState.SIGNED, PaymentState.BROADCAST, PaymentState.SET_ASIDE)


class AccountFigures:
    """The accountant's own counts, and the last answer of the database."""

    def __init__(self) -> None:
        self.commit = Histogram(COMMIT_BOUNDS)
        self.frames = 0
        self.shares = 0
        self.failures: Counter[str] = Counter()
        self.database_errors = 0
        self.database_outages = 0
        self._has_answered = False
        self._failing: set[str] = set()  # duties that the database kept from being done, last time
        self.applied_at: dict[
            str, float
        ] = {}  # by source: the time of its last frame that counts, Unix seconds
        self.mean_fees_sats: float | None = None  # of the last 144 blocks, by the templates that were seen
        self._asked: list[Reading] = []
        self._wallet: list[Reading] = []

    def applied(self, source: str, at: float, frames: int, shares: int, seconds: float) -> None:
        """A transaction has counted these frames; it took so many seconds."""
        self.commit.observe(seconds)
        self.applied_at[source] = max(at, self.applied_at.get(source, 0.0))
        self.frames += frames
        self.shares += shares

    @property
    def is_database_up(self) -> bool:
        """Whether it has answered, and no duty waits for it: with a full disk it can be read all the same."""
        return self._has_answered and not self._failing

    def database_failed(self, duty: str) -> None:
        """The database kept a duty from being done. Of one outage all duties tell, again and again."""
        self.database_errors += 1
        self.database_outages += self.is_database_up
        self._failing.add(duty)

    def database_served(self, duty: str) -> None:
        """A duty was done, or something else kept it from that."""
        self._failing.discard(duty)

    def asked(self, readings: Iterable[Reading]) -> None:
        """What the database says now, in place of what it said before."""
        self._has_answered = True
        self._asked = list(readings)

    def wallet_asked(self, balances: Balances | None) -> None:
        """What the wallet holds; None where it did not answer. It has then what it had when it last did."""
        held = self._wallet[1:] if balances is None else _held(balances)
        self._wallet = [(("wallet_up", ()), float(balances is not None)), *held]

    def readings(self) -> Iterator[Reading]:
        yield ("frames_applied", ()), float(self.frames)
        yield ("shares_applied", ()), float(self.shares)
        yield ("database_up", ()), float(self.is_database_up)
        yield ("database_errors", ()), float(self.database_errors)
        yield ("database_outages", ()), float(self.database_outages)
        for duty in DUTIES:
            yield ("duty_failures", (duty,)), float(self.failures[duty])
        yield from histogram_readings("commit_seconds", self.commit)
        yield from self._asked
        yield from self._wallet


async def money_readings(reader: Reader) -> list[Reading]:
    """Sums of the ledger, blocks, payments and holds, as they stand."""
    return [
        *await _sums(reader),
        *await _payments(reader),
        *await _blocks(reader),
        *await _holds(reader),
    ]


async def source_readings(reader: Reader) -> list[Reading]:
    """Of each gateway that has ever written a spool, how many of its epochs wait for a person."""
    rows = await reader.rows("SELECT name, state, COUNT(*) FROM source GROUP BY name, state")
    stopped = {name: 0 for name, *_ in rows}
    stopped |= {name: int(count) for name, state, count in rows if state == STOPPED}
    numbers = {name: name.removeprefix("gateway-") for name in sorted(stopped)}
    return [(("sources_stopped", (number,)), float(stopped[name])) for name, number in numbers.items()]


async def mean_fees_sats(reader: Reader) -> float | None:
    """Of the last 144 heights that templates were seen of; None before the first."""
    row = await reader.row(
        "SELECT SUM(fees_sats), COUNT(*) FROM (SELECT fees_sats FROM template_height "
        "ORDER BY height DESC LIMIT ?) AS latest",
        MEAN_BLOCKS,
    )
    return None if row is None or not row[1] else float(row[0]) / int(row[1])


def _held(balances: Balances) -> list[Reading]:
    return [
        (("wallet_balance_sats", ("trusted",)), float(balances.trusted_sats)),
        (("wallet_balance_sats", ("pending",)), float(balances.pending_sats)),
        (("wallet_balance_sats", ("immature",)), float(balances.immature_sats)),
    ]


async def _sums(reader: Reader) -> list[Reading]:
    system = await ledger.system_balances(reader)
    rows = await reader.rows(
        "SELECT balance.pot, SUM(balance.sats) FROM balance JOIN account ON account.id = balance.account_id "
        "WHERE substr(account.name, 1, 1) <> '@' GROUP BY balance.pot"
    )
    owed = {pot: int(sats) for pot, sats in rows}
    row = await reader.row("SELECT COUNT(*) FROM account WHERE substr(name, 1, 1) <> '@'")
    figures = {
        "accounts": 0 if row is None else int(row[0]),
        "balances_owed_sats": owed.get(ledger.BALANCE, 0),
        "immature_owed_sats": owed.get(ledger.IMMATURE, 0),
        "operator_sats": system[OPERATOR],
        "mined_sats": -system[MINED],
        "paid_sats": system[PAID],
        "payments_on_their_way_sats": system[PAYING],
        "payment_fees_sats": system[NETWORK],
    }
    return [((name, ()), float(value)) for name, value in figures.items()]


async def _payments(reader: Reader) -> list[Reading]:
    rows = await reader.rows("SELECT state, COUNT(*), MIN(created_us) FROM payment GROUP BY state")
    counts = {state: (int(count), int(created_us)) for state, count, created_us in rows}
    readings: list[Reading] = [
        (("payments", (state.value,)), float(counts.get(state.value, (0, 0))[0])) for state in PaymentState
    ]
    oldest = [counts[state.value][1] for state in _OPEN_STATES if state.value in counts]
    if oldest:
        readings.append((("oldest_open_payment_timestamp_seconds", ()), min(oldest) / 1e6))
    return readings


async def _blocks(reader: Reader) -> list[Reading]:
    rows = await reader.rows("SELECT state, COUNT(*), MAX(found_us) FROM block GROUP BY state")
    counts = {state: int(count) for state, count, _ in rows}
    readings: list[Reading] = [
        (("blocks", (state.value,)), float(counts.get(state.value, 0))) for state in BlockState
    ]
    if rows:
        readings.append((("last_block_timestamp_seconds", ()), max(int(row[2]) for row in rows) / 1e6))
    return readings


async def _holds(reader: Reader) -> list[Reading]:
    scopes = Counter(_kind_of(scope) for scope, *_ in await policy_changes.holds(reader))
    return [(("payout_holds", (kind,)), float(scopes[kind])) for kind in ("all", "payment", "account")]


def _kind_of(scope: str) -> str:
    if scope == EVERYTHING:
        return "all"
    return "payment" if scope.startswith(PAYMENT_PREFIX) else "account"
