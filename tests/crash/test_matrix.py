"""SIGKILL of the accountant at every named step between a recorded share and its payment's confirmation.

Started again, it goes on to the end; then nothing is lost, nothing counted twice, nobody paid twice. The
payments are real ones of a real litecoind.
"""

from pathlib import Path

import pytest

from tests.crash.matrix import Life, Plan, Result, outcome, run
from tests.crash.steps import OTHERS, STEPS


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    directory: Path = tmp_path_factory.mktemp("matrix")
    return run(
        directory, [Plan(name="undisturbed"), *(Plan(name=step, lives=(Life(at=step),)) for step in STEPS)]
    )


def test_an_undisturbed_life_makes_exactly_the_steps_that_are_tested(results: dict[str, Result]) -> None:
    pool = outcome(results, "undisturbed")
    made = dict.fromkeys(step for step in pool.accountant.steps if not step.endswith(OTHERS))
    assert list(made) == list(STEPS)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_it_goes_on_and_everything_is_right(step: str, results: dict[str, Result]) -> None:
    assert outcome(results, step).stood == [step]
