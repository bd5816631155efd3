"""The record clock: forward only, towards the wall clock by one per cent, from the spool's last record on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.spool.clock import RecordClock, SpoolAheadOfClock

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def test_it_shows_the_wall_time_while_both_clocks_agree() -> None:
    clock = RecordClock(START, 5)
    assert clock.now_us(START + 3 * SECOND, 5 + 3 * SECOND) == START + 3 * SECOND
    assert clock.error_us == 0


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        # 100 s pass while the wall clock is set forward by an hour: 1 % of 100 s is 1 s
        (3600, 101),
        (-3600, 99),
        # half a second is worked off in 50 s
        (0.5, 100.5),
        (-0.5, 99.5),
    ],
)
def test_a_set_clock_is_followed_by_one_per_cent(jump: float, expected: float) -> None:
    clock = RecordClock(START, 0)
    now = clock.now_us(START + 100 * SECOND + int(jump * SECOND), 100 * SECOND)
    assert now == START + int(expected * SECOND)


def test_short_steps_are_slewed_as_long_ones_are() -> None:
    clock = RecordClock(START, 0)
    for step in range(1, 10_001):  # 10,000 steps of 30 µs: each alone is too short for 1 % of it
        now = clock.now_us(START + 30 * step + SECOND, 30 * step)
    # 0.3 s have passed, and 1 % of it: 3 ms
    assert now == START + 300_000 + 3_000


def test_after_a_start_behind_the_last_record_it_waits_for_the_wall_clock_without_standing_still() -> None:
    clock = RecordClock(START, 0, last_record_us=START + 10 * SECOND)
    assert clock.now_us(START, 0) == START + 10 * SECOND
    # 99 s of record time pass in 100 s
    assert clock.now_us(START + 100 * SECOND, 100 * SECOND) == START + 109 * SECOND


def test_a_spool_from_the_future_refuses_the_start_and_says_by_how_much() -> None:
    RecordClock(START, 0, last_record_us=START + 60 * SECOND)
    with pytest.raises(SpoolAheadOfClock, match=r"61 s ahead of this machine's clock: set the clock"):
        RecordClock(START, 0, last_record_us=START + 61 * SECOND)


def test_more_than_a_minute_of_error_is_wrong() -> None:
    clock = RecordClock(START, 0)
    clock.now_us(START + 60 * SECOND, 0)
    assert not clock.is_wrong
    clock.now_us(START - 61 * SECOND, 0)
    assert clock.is_wrong
    assert clock.error_us == -61 * SECOND


@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 10**9)), max_size=50))
def test_it_never_goes_back_nor_runs_off_by_more_than_one_per_cent(
    steps: list[tuple[int, int]],
) -> None:
    clock = RecordClock(START, 0)
    before, monotonic, begun = START, 0, START
    for jump, elapsed in steps:
        monotonic += elapsed
        now = clock.now_us(START + monotonic + jump, monotonic)
        assert now >= before
        assert abs(now - begun - monotonic) <= monotonic // 100
        before = now
