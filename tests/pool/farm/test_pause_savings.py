"""What pauses have saved, minute by minute: by hand and for the price, known and unknown, kept and forgotten.

Two rows of four machines of 1 TH/s. Those of row 1 are listed with 3 kW each, those of row 2 draw 30 J/TH:
30 W each. The meter counts 1.2 kWh for each of the machines'. A kWh costs 0.10 USD, a block takes 10^20
hashes and pays 3.125 coins at 1,000 USD. So an hour of row 1 is

    12 kW × 1.2 = 14.4 kWh, 1.44 USD; 4e12 × 3,600 / 1e20 × 3.125 = 4.5e-4 coins, 0.45 USD: 0.99 USD are saved

and one of row 2 is 0.144 kWh, 0.0144 USD and the same coin: a pause of it costs 0.4356 USD.
"""

import msgspec
import pytest

from config.power_schema import PowerSettings
from pool.farm.economics import Network
from pool.farm.finance import Market, Treasurer
from pool.farm.pause_savings import DAY_US, LedgerMemory, PauseEntry, PauseLedger, Saved, kept_from_running
from pool.farm.pauses import KEPT_US, MOST_PAUSES, Pause
from tests.pool.farm.shop_floor import US, ShopFloor, keys, listing

LISTED = [
    *(listing(f"m-{number}", "hall/row-1", watts=3_000.0) for number in range(1, 5)),
    *(listing(f"n-{number}", "hall/row-2") for number in range(1, 5)),
]
POWER = PowerSettings(currency="USD", price_per_kwh=0.10, overhead_factor=1.2, joules_per_terahash=30)
NETWORK = Network(work=10**20, subsidy_sats=312_500_000, mean_fees_sats=0.0)
HOUR = 3_600


class Books:
    """A floor and the ledger of its pauses. All machines have delivered until now, when they stop."""

    def __init__(self) -> None:
        self.shop = ShopFloor(LISTED)
        everything = keys([one.name for one in LISTED])
        self.shop.join(everything)
        self.shop.run(60)
        self.shop.hang(everything)
        self.ledger = PauseLedger("USD")
        self.market = Market(network=NETWORK, coin_price=1_000.0)
        self.treasurer = Treasurer(POWER)
        self.count()

    @property
    def now_us(self) -> int:
        return round(self.shop.now * US)

    def count(self, now_us: int | None = None) -> None:
        self.ledger.count(
            self.shop.floor.time,
            self.now_us if now_us is None else now_us,
            self.shop.pauses,
            self.shop.floor.glances,
            lambda idle: self.treasurer.worth(idle, self.market),
        )

    def run(self, seconds: int) -> None:
        """The ledger is looked after each ten seconds."""
        for _ in range(seconds // 10):
            self.shop.run(10)
            self.count()

    def entries(self) -> tuple[PauseEntry, ...]:
        return self.ledger.savings(self.now_us).pauses


@pytest.fixture
def books() -> Books:
    return Books()


def of(saved: Saved) -> tuple[float | None, ...]:
    return saved.energy_kwh, saved.energy_cost, saved.coin_sats, saved.revenue, saved.saved


def test_an_hour_of_a_pause_is_its_power_less_its_coin(books: Books) -> None:
    since_us = books.now_us
    books.shop.pause("hall/row-1")
    books.run(HOUR)
    [entry] = books.entries()
    assert (entry.group, entry.by, entry.since_us, entry.lasts) == ("hall/row-1", "hand", since_us, True)
    assert (entry.seconds, entry.saved.machine_seconds) == (HOUR, 4 * HOUR)
    assert of(entry.saved) == pytest.approx((14.4, 1.44, 45_000, 0.45, 0.99))
    assert of(books.ledger.savings(books.now_us).last_30_days["hand"]) == pytest.approx(of(entry.saved))


def test_a_pause_that_costs_more_coin_than_power_saves_less_than_nothing(books: Books) -> None:
    books.shop.pause("hall/row-2")
    books.run(HOUR)
    [entry] = books.entries()
    assert entry.saved.saved == pytest.approx(-0.4356)


def test_a_machine_in_several_pauses_counts_for_one_and_a_hand_goes_before_the_price(books: Books) -> None:
    since_us = books.now_us
    books.shop.pauses = [
        Pause("all", since_us, None, by="price"),
        Pause("hall/row-2", since_us),
        Pause("hall", since_us + HOUR * US, since_us + 2 * HOUR * US),
    ]
    books.run(HOUR)
    found = {(one.group, one.by): one for one in books.entries()}
    assert {key: one.saved.machine_seconds for key, one in found.items()} == {
        ("all", "price"): 4 * HOUR,
        ("hall/row-2", "hand"): 4 * HOUR,
    }
    assert found["all", "price"].saved.energy_kwh == pytest.approx(14.4)
    sums = books.ledger.savings(books.now_us).last_30_days
    assert (sums["price"].saved, sums["hand"].saved) == (pytest.approx(0.99), pytest.approx(-0.4356))


def test_what_lies_between_two_looks_counts_to_the_second(books: Books) -> None:
    """It begins and ends within minutes."""
    begun_us = books.now_us + 30 * US
    books.shop.pauses = [Pause("hall/row-1", begun_us, begun_us + 95 * US)]
    books.run(300)
    [entry] = books.entries()
    assert (entry.seconds, entry.lasts, entry.until_us) == (95, False, begun_us + 95 * US)
    assert entry.saved.energy_kwh == pytest.approx(14.4 * 95 / 3_600)


def test_power_is_unspent_at_the_price_of_the_moment_at_which_it_is(books: Books) -> None:
    dear = msgspec.structs.replace(POWER, price_per_kwh=0.30)
    books.shop.pause("hall/row-1")
    books.run(HOUR)
    books.treasurer = Treasurer(dear)
    books.run(HOUR)
    [entry] = books.entries()
    assert entry.saved.energy_cost == pytest.approx(1.44 + 3 * 1.44)


def test_machines_that_hash_on_save_nothing(books: Books) -> None:
    """Three of row 1 are off; the fourth goes off half an hour later."""
    books.shop.join(keys(["m-4"]))
    books.shop.pause("hall/row-1")
    books.run(HOUR // 2)
    books.shop.hang(keys(["m-4"]))
    books.run(HOUR // 2)
    [entry] = books.entries()
    # its last share is a minute old before it counts as off
    assert entry.saved.machine_seconds == pytest.approx(3.5 * HOUR, abs=60)


def test_a_machine_that_was_off_by_itself_before_saves_nothing(books: Books) -> None:
    """Three of row 1 run until the pause begins; the fourth has been silent for an hour."""
    books.shop.join(keys(["m-1", "m-2", "m-3"]))
    books.run(HOUR)
    assert books.shop.state("m-4") == "silent"
    books.shop.hang(keys(["m-1", "m-2", "m-3"]))
    books.shop.pause("hall/row-1")
    books.run(HOUR // 2)
    stopped = kept_from_running(books.shop.floor.glances())["hand"]
    assert (stopped.machines, stopped.watts) == (3, 9_000)
    books.shop = later = books.shop.after_restart()
    later.hang(list(later.running))
    books.run(HOUR // 2)
    [entry] = books.entries()
    assert entry.saved.machine_seconds == pytest.approx(3 * HOUR, abs=4 * 60)
    books.shop.pauses = []
    books.run(10)
    assert not books.shop.member("m-4").was_off, "the next pause is judged by what is then"


def test_while_the_pool_stands_nothing_is_counted(books: Books) -> None:
    books.shop.pause("hall/row-1")
    books.run(600)
    books.shop.is_working = False
    books.run(HOUR)
    books.shop.is_working = True
    books.run(600)
    [entry] = books.entries()
    assert entry.seconds == pytest.approx(1_200, abs=60)


def test_another_process_goes_on_and_the_time_between_is_nobodys(books: Books) -> None:
    books.shop.pause("hall/row-1")
    books.run(600)
    memory = msgspec.msgpack.decode(msgspec.msgpack.encode(books.ledger.export()), type=LedgerMemory)
    books.ledger = PauseLedger("USD", memory)
    books.shop.run(HOUR)
    books.count()
    books.run(600)
    [entry] = books.entries()
    assert (entry.seconds, entry.lasts) == (1_200, True)


def test_money_of_another_currency_is_not_added_to(books: Books) -> None:
    books.shop.pause("hall/row-1")
    books.run(600)
    assert PauseLedger("EUR", books.ledger.export()).savings(books.now_us).pauses == ()


def test_without_a_price_of_the_coin_only_power_is_told_and_later_both(books: Books) -> None:
    books.market = Market(network=NETWORK, coin_price=None)
    books.shop.pause("hall/row-1")
    books.run(HOUR)
    [entry] = books.entries()
    assert of(entry.saved) == (pytest.approx(14.4), pytest.approx(1.44), pytest.approx(45_000), None, None)
    books.market = Market(network=NETWORK, coin_price=1_000.0)
    books.run(HOUR)
    [entry] = books.entries()
    assert of(entry.saved) == pytest.approx((28.8, 2.88, 90_000, 0.45, 0.99))
    assert entry.saved.known_machine_seconds == 4 * HOUR


def test_sums_are_of_30_days_and_pauses_are_remembered_for_three_months(books: Books) -> None:
    books.shop.pause("hall/row-1", seconds=600)
    books.run(660)
    ended_us = books.entries()[0].until_us
    assert books.ledger.savings(ended_us + 29 * DAY_US).last_30_days["hand"].machine_seconds == 2_400
    assert books.ledger.savings(ended_us + 30 * DAY_US).last_30_days == {}
    for later_us, entries in ((KEPT_US - 1, 1), (KEPT_US, 0)):
        books.shop.run(60)
        books.count(ended_us + later_us)
        assert len(books.entries()) == entries


def test_of_more_pauses_than_are_kept_the_newest_are_remembered(books: Books) -> None:
    one = PauseEntry(
        group="hall", by="hand", since_us=0, until_us=books.now_us, lasts=False, seconds=1, saved=Saved()
    )
    many = tuple(msgspec.structs.replace(one, since_us=number) for number in range(MOST_PAUSES + 5))
    books.ledger = PauseLedger("USD", LedgerMemory("USD", many, ()))
    books.count()
    books.run(60)
    assert [entry.since_us for entry in books.entries()] == list(range(5, MOST_PAUSES + 5))
