"""How fast a target is told, and how long it is left alone."""

import pytest

from pool.notices.pacing import Pace, Patience, Send, Wait

CHAT = Pace(most=3, window_seconds=60.0, merges=True)
PROGRAM = Pace(most=3, window_seconds=60.0, merges=False)
PATIENCE = Patience(first_pause_seconds=5.0, longest_pause_seconds=600.0)


@pytest.mark.parametrize(
    ("sent_at", "now", "step"),
    [
        ([], 100.0, Send(1)),
        ([90.0], 100.0, Send(1)),
        ([90.0, 95.0], 100.0, Send(15)),  # the last of the three takes all that wait
        ([90.0, 95.0, 100.0], 100.0, Wait(50.0)),  # until 60 s after the first
        ([90.0, 95.0, 100.0], 150.0, Send(15)),  # the first is just a minute old: two are left
        ([90.0, 95.0, 100.0], 155.5, Send(1)),  # one is left
        ([10.0, 20.0, 30.0], 100.0, Send(1)),
    ],
)
def test_a_storm_becomes_one_notice_and_then_a_minute_of_quiet(
    sent_at: list[float], now: float, step: object
) -> None:
    assert CHAT.next_step(sent_at, 15, now) == step


@pytest.mark.parametrize(
    ("sent_at", "step"), [([], Send(1)), ([1.0, 2.0], Send(1)), ([1.0, 2.0, 3.0], Wait(57.0))]
)
def test_a_program_gets_each_by_itself(sent_at: list[float], step: object) -> None:
    assert PROGRAM.next_step(sent_at, 15, 4.0) == step


@pytest.mark.parametrize(
    ("failures", "jitter", "asked", "pause"),
    [
        (1, 0.0, None, 5.0),
        (2, 0.0, None, 10.0),
        (4, 0.0, None, 40.0),
        (8, 0.0, None, 600.0),  # 5 × 2^7 = 640 is more than the longest
        (10_000, 0.0, None, 600.0),
        (2, 0.5, None, 7.5),  # 10 × (1 − 0.5/2)
        (1, 0.0, 30.0, 30.0),
        (4, 0.0, 30.0, 40.0),  # what is asked for is the least
        (1, 0.0, 604_800.0, 3_600.0),
    ],
)
def test_pauses_double_and_a_server_may_ask_for_longer_ones(
    failures: int, jitter: float, asked: float | None, pause: float
) -> None:
    assert PATIENCE.pause_seconds(failures, jitter, asked) == pause
