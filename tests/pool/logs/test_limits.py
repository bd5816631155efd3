"""Lines of one cause in a minute: twenty are written, the rest is counted, and no count is lost."""

from hypothesis import given
from hypothesis import strategies as st

from pool.logs.limits import LINES_A_MINUTE, MOST_CAUSES, LeftOut, RateLimit


def test_twenty_lines_of_a_cause_are_written_and_the_rest_is_told_once_when_the_minute_is_over() -> None:
    limit = RateLimit[int]()
    assert [limit.admits("a", n, 100.0) for n in range(23)] == [True] * 20 + [False] * 3
    assert limit.ended(159.9) == []
    assert limit.ended(160.0) == [LeftOut(20, 3)]
    assert limit.ended(160.0) == []
    assert limit.admits("a", 23, 160.0), "a new minute"


def test_one_cause_leaves_room_for_another() -> None:
    limit = RateLimit[int]()
    for n in range(100):
        limit.admits("a", n, 0.0)
    assert limit.admits("b", 0, 0.0)


def test_a_minute_begins_with_the_first_line_of_its_cause() -> None:
    limit = RateLimit[str]()
    for n in range(21):
        limit.admits("a", f"a{n}", 0.0)
        limit.admits("b", f"b{n}", 30.0)
    assert limit.ended(60.0) == [LeftOut("a20", 1)]
    assert limit.ended(90.0) == [LeftOut("b20", 1)]


def test_at_the_end_all_is_told() -> None:
    limit = RateLimit[int]()
    for n in range(21):
        limit.admits("a", n, 0.0)
    assert limit.all() == [LeftOut(20, 1)]


def test_with_ever_new_causes_the_oldest_ends_early_and_its_count_is_told() -> None:
    limit = RateLimit[int]()
    for n in range(22):
        limit.admits("flood", n, 0.0)
    told = []
    for n in range(2 * MOST_CAUSES):
        told += limit.ended(1.0)
        limit.admits(n, n, 1.0)
    assert told == [LeftOut(20, 2)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20)), max_size=300))
def test_every_line_is_written_or_counted(steps: list[tuple[str, float]]) -> None:
    limit = RateLimit[str]()
    now, written, told = 0.0, 0, 0
    for cause, pause in steps:
        now += pause / 10
        told += sum(one.count for one in limit.ended(now))
        written += limit.admits(cause, cause, now)
    told += sum(one.count for one in limit.all())
    assert written + told == len(steps)
    assert written >= min(len(steps), LINES_A_MINUTE)
