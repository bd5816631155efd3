"""Which difficulty the next job has: wishes count once, bounds hold after rounding, the network's is a
bound."""

import pytest

from stratum.agents import classify
from stratum.pacing import Pace, PaceRules
from stratum.work.difficulty import SHA256D_DIFFICULTY_1

ABOVE_EVERYTHING = 1e15


def make_pace(start: float = 1024, minimum: float = 1e-9, maximum: float = 1e12) -> Pace:
    rules = PaceRules(
        start=start,
        minimum=minimum,
        maximum=maximum,
        share_interval_seconds=10.0,
        difficulty_1=SHA256D_DIFFICULTY_1,
    )
    return Pace(rules)


def announced(pace: Pace, now: float = 0.0, network: float = ABOVE_EVERYTHING) -> float:
    return float(pace.for_announcement(network, now).value)


def test_a_wish_repeated_does_not_undo_what_vardiff_has_found() -> None:
    """NerdMiner repeats 0.00015 every 30 s; it sends a share a second, so that it is worth more."""
    pace = make_pace(start=0.00015, minimum=1e-5)
    pace.agent = classify("NerdMinerV2/V1.8.3")
    pace.suggest(0.00015, 0.0)
    difficulty = announced(pace, 0.0)
    for second in range(1, 121):
        pace.share(difficulty, float(second))
        if second % 30 == 0:
            assert not pace.suggest(0.00015, float(second))
            difficulty = announced(pace, float(second))
    assert difficulty > 4 * 0.00015


def test_a_wish_with_a_fraction_above_one_is_obeyed_once() -> None:
    pace = make_pace(start=8)
    announced(pace, 0.0)
    assert pace.suggest(1000.5, 0.0)
    announced(pace, 1.0)
    assert not any(pace.suggest(1000.5, float(second)) for second in range(20, 200, 20))


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [(2.5, 3.0), (2.4, 3.0), (3.0, 3.0), (0.3, 0.3)],  # whole numbers from 1 on, never below the bound
)
def test_rounding_never_goes_below_the_listeners_minimum(minimum: float, expected: float) -> None:
    pace = make_pace(start=minimum, minimum=minimum)
    pace.agent = classify("cpuminer/2")
    assert announced(pace) == expected


def test_rounding_never_goes_above_the_listeners_maximum() -> None:
    assert announced(make_pace(start=2.9, maximum=2.9)) == 2.0


def test_a_floor_is_news_once() -> None:
    pace = make_pace(start=8)
    announced(pace)
    assert pace.raise_floor(1000.4)
    announced(pace)
    assert not pace.raise_floor(1000.4)
    assert not pace.raise_floor(500)


def test_an_unknown_machine_that_asks_for_less_than_one_may_fall_as_far_as_it_must() -> None:
    """An ASIC stops two halvings below its last share; an ESP32 under an unknown name would never find
    one."""
    pace = make_pace(start=16384, minimum=0.0001)
    pace.agent = classify("SomethingNew/1.0")
    assert pace.suggest(0.001, 0.0)
    assert announced(pace, 0.0) == 0.001


@pytest.mark.parametrize("agent", ["NMMiner/1.6", "BitsyMiner/1.0", "SparkMiner", "NerdMinerV2/V1.8.3"])
def test_esp32_firmware_is_known_by_name(agent: str) -> None:
    known = classify(agent)
    assert (known.is_asic, known.takes_fractions, known.coinbase_bytes) == (False, True, 250)


def test_a_machine_whose_silence_is_planned_keeps_its_difficulty() -> None:
    pace = make_pace()
    pace.agent = classify("cgminer/4.12")
    assert announced(pace, 0.0) == 1024
    pace.is_held = True
    for second in range(30, 3601, 30):
        assert announced(pace, float(second)) == 1024
    pace.is_held = False
    # from here on ten minutes without a share are a sign again: 60 expected, none came
    assert announced(pace, 4201.0) == 256
