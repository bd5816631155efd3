"""How late a loop is: at any moment, also at those at which it could not look."""

import asyncio
import time

import pytest

from pool.gateway.stall import LOOK_SECONDS, MOST_MISSED, STALL_BOUNDS, StallWatch


def counts(watch: StallWatch) -> dict[float, int]:
    """By upper bound, without those that are empty; inf for what is above all of them."""
    pairs = zip((*STALL_BOUNDS, float("inf")), watch.late.counts, strict=True)
    return {bound: count for bound, count in pairs if count}


def test_a_look_in_time_is_one_moment() -> None:
    watch = StallWatch()
    watch.looked(0.0004)
    watch.looked(-0.0001)  # a timer that came a tick of the clock early
    watch.looked(0.049)
    assert counts(watch) == {0.001: 2, 0.05: 1}
    assert watch.late.total == pytest.approx(0.0494)


def test_a_standstill_counts_with_every_moment_of_it() -> None:
    """Due every 50 ms and all done at once: 330, 280, 230, 180, 130, 80 and 30 ms late."""
    watch = StallWatch()
    watch.looked(0.33)
    assert counts(watch) == {0.05: 1, 0.1: 1, 0.25: 3, 1.0: 2}
    assert watch.late.total == pytest.approx(1.26)


def test_a_second_of_every_ten_is_a_tenth_of_all_moments() -> None:
    """Nine seconds are 180 looks in time; the 181st is 980 ms late, and 19 were missed: 930, 880 … 30 ms."""
    watch = StallWatch()
    for _ in range(180):
        watch.looked(0.0005)
    watch.looked(0.98)
    assert sum(watch.late.counts) == 200
    assert counts(watch) == {0.001: 180, 0.05: 1, 0.1: 1, 0.25: 3, 1.0: 15}


def test_of_a_process_that_stood_still_for_a_day_a_minute_is_counted() -> None:
    """The day's first: each of its moments was late by nearly all of it."""
    watch = StallWatch()
    watch.looked(86_400.0)
    assert counts(watch) == {float("inf"): MOST_MISSED + 1}
    assert MOST_MISSED * LOOK_SECONDS == 60.0


async def test_a_loop_that_is_blocked_is_watched_so() -> None:
    """A third of a second: at least 280 ms lie behind the next look, which is due within 50."""
    watch = StallWatch()
    watching = asyncio.create_task(watch.run())
    async with asyncio.timeout(10):
        while not sum(watch.late.counts):
            await asyncio.sleep(0.001)
        before = sum(watch.late.counts[5:])
        time.sleep(0.33)  # noqa: ASYNC251
        while sum(watch.late.counts[5:]) < before + 5:
            await asyncio.sleep(0.001)
    watching.cancel()
