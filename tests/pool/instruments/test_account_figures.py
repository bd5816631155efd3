"""What the accounts' figures show while part of what they are asked of is away, or waits for a person."""

from pathlib import Path

from payouts.wallet import Balances
from pool.gateway.readings import Reading
from pool.instruments.account_figures import AccountFigures, source_readings
from tests.pool.accounting.mined import Books, Writing, books, share, us
from tests.pool.spool.test_tail import flip


def wallet(figures: AccountFigures) -> list[Reading]:
    return [reading for reading in figures.readings() if reading[0][0].startswith("wallet")]


def test_a_wallet_that_does_not_answer_is_told_and_has_what_it_had() -> None:
    figures = AccountFigures()
    assert wallet(figures) == [], "none is set, as far as is known"
    figures.wallet_asked(Balances(trusted_sats=700, pending_sats=20, immature_sats=5))
    held = [
        (("wallet_balance_sats", ("trusted",)), 700.0),
        (("wallet_balance_sats", ("pending",)), 20.0),
        (("wallet_balance_sats", ("immature",)), 5.0),
    ]
    assert wallet(figures) == [(("wallet_up", ()), 1.0), *held]
    for _ in range(2):
        figures.wallet_asked(None)
        assert wallet(figures) == [(("wallet_up", ()), 0.0), *held]


def test_a_wallet_that_has_never_answered_shows_no_balance() -> None:
    figures = AccountFigures()
    figures.wallet_asked(None)
    assert wallet(figures) == [(("wallet_up", ()), 0.0)]


def test_the_database_is_up_when_it_has_answered_and_no_duty_waits_for_it() -> None:
    figures = AccountFigures()
    assert not figures.is_database_up
    figures.asked([])
    assert figures.is_database_up
    figures.database_failed("counting shares")
    figures.database_failed("paying")
    figures.database_failed("paying")
    figures.asked([])
    figures.database_served("counting shares")
    assert not figures.is_database_up, "it can be read, and paying waits"
    figures.database_served("paying")
    assert figures.is_database_up
    shown = dict(figures.readings())
    assert shown["database_errors", ()] == 3
    assert shown["database_outages", ()] == 1


async def stopped(own: Books) -> dict[str, float]:
    """By gateway."""
    async with own.database.reading() as reader:
        readings = await source_readings(reader)
    assert {name for (name, _), _ in readings} <= {"sources_stopped"}
    return {gateway: value for (_, (gateway,)), value in readings}


async def test_a_spool_that_waits_for_a_person_shows_beside_the_gateways_next_one_and_after_a_restart(
    tmp_path: Path,
) -> None:
    async with books(tmp_path) as own:
        assert await stopped(own) == {}
        broken = Writing(own.spool)
        broken.frame(1, share("alice"))
        size = broken.path.stat().st_size
        for second in (2, 3):
            broken.frame(second, share("alice"))
        flip(broken.path, size + 20)
        for spool in (Writing(own.spool, epoch="ff" * 8), Writing(own.spool, "gateway-1")):
            spool.frame(8, share("bob"))
            spool.frame(9)
        await own.intake.apply_all(us(9))
        assert await own.sources() == [
            ("gateway-0", 1, "stopped"),
            ("gateway-0", 1, "live"),
            ("gateway-1", 1, "live"),
        ]
        assert await stopped(own) == {"0": 1, "1": 0}
    async with books(tmp_path) as own:
        assert await stopped(own) == {"0": 1, "1": 0}, "before anything is read"
        await own.intake.apply_all(us(10))
        assert await stopped(own) == {"0": 1, "1": 0}
        flip(broken.path, size + 20)  # mended
        await own.new_intake().apply_all(us(11))
        assert await stopped(own) == {"0": 0, "1": 0}
