"""The same on PostgreSQL: the connections are cut at every step, the server is killed, the accountant is.

An accountant whose database goes away in the middle of a step does not end: it goes on where the database
says it was.
"""

import asyncio
import random

import pytest

from tests.crash.matrix import POINTS, Deal, Life, Plan, Pool, Result, outcome, run
from tests.crash.steps import PAYING, STEPS
from tests.harness.postgres import Postgres

OTHERS_END = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
COMMITS = tuple(step for step in STEPS if "commit" in step)
SEEDS = max(4, POINTS // 5)
AT_ONCE = 8  # each has up to six connections
STANDING_TOGETHER = PAYING[2 : 2 + AT_ONCE]  # all of one goal, so that all of them come to stand


def cutting(server: Postgres) -> Deal:
    """The server ends every session of the pool's database."""

    async def cut(pool: Pool) -> None:
        database = str(pool.plan.database).rpartition("/")[2]
        ended = await asyncio.to_thread(server.query, OTHERS_END, database)
        assert int(ended) >= 1, "there was a session to end"
        pool.accountant.go_on()

    return cut


def killing(server: Postgres, pools: int) -> Deal:
    """When all of them stand at their steps, the server is killed and started again: once."""
    standing: list[Pool] = []

    async def kill(pool: Pool) -> None:
        standing.append(pool)
        if len(standing) < pools:
            pool.accountant.stands = None  # it stands, and waits for the others
            return
        await asyncio.to_thread(server.kill)
        server.start()  # here: it ends with the thread that started it (PR_SET_PDEATHSIG)
        for one in standing:
            one.accountant.go_on()

    return kill


def cut_at_random(seed: int, server: Postgres) -> Plan:
    """At a step by its number, of two lives: those before the duties begin among them."""
    chance = random.Random(seed)
    return Plan(
        name=f"seed {seed}",
        lives=tuple(Life(at_number=chance.randint(1, most)) for most in (60, 20)),
        deal=cutting(server),
        database=server.new_database(),
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> dict[str, Result]:
    plans = [
        Plan(
            name=f"cut {step}",
            lives=(Life(at=step),),
            deal=cutting(postgres),
            database=postgres.new_database(),
        )
        for step in STEPS
    ]
    plans += [
        Plan(name=f"kill {step}", lives=(Life(at=step),), database=postgres.new_database())
        for step in COMMITS
    ]
    plans += [cut_at_random(seed, postgres) for seed in range(SEEDS)]
    return run(tmp_path_factory.mktemp("postgres"), plans, AT_ONCE)


@pytest.fixture(scope="module")
def results_of_a_dead_server(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> dict[str, Result]:
    kill = killing(postgres, len(STANDING_TOGETHER))
    plans = [
        Plan(name=step, lives=(Life(at=step),), deal=kill, database=postgres.new_database())
        for step in STANDING_TOGETHER
    ]
    return run(tmp_path_factory.mktemp("server"), plans, AT_ONCE)


@pytest.mark.parametrize("step", STEPS)
def test_cut_off_at_a_step_it_goes_on_and_everything_is_right(step: str, results: dict[str, Result]) -> None:
    pool = outcome(results, f"cut {step}")
    assert pool.stood == [step]


@pytest.mark.parametrize("step", COMMITS)
def test_killed_around_a_commit_it_goes_on_and_everything_is_right(
    step: str, results: dict[str, Result]
) -> None:
    assert outcome(results, f"kill {step}").stood == [step]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_cut_off_at_random_it_goes_on_and_everything_is_right(seed: int, results: dict[str, Result]) -> None:
    outcome(results, f"seed {seed}")


@pytest.mark.parametrize("step", STANDING_TOGETHER)
def test_a_server_killed_under_a_step_costs_nothing(
    step: str, results_of_a_dead_server: dict[str, Result]
) -> None:
    assert outcome(results_of_a_dead_server, step).stood == [step]
