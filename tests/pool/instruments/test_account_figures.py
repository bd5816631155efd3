"""What the accounts' figures show while part of what they are asked of is away."""

from payouts.wallet import Balances
from pool.gateway.readings import Reading
from pool.instruments.account_figures import AccountFigures


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
