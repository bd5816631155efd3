"""What waits for whom: bounded for each target, in order, and nothing twice."""

from collections.abc import Callable

from pool.notices.notice import Incident, NoticeKind, Test
from pool.notices.queue import MOST_KNOWN, MOST_WAITING, Position, Queue
from tests.pool.notices.receiving import NOW_US, SECOND_US, block, incidents

DAY_US = 86_400 * SECOND_US
Wants = dict[str, Callable[[NoticeKind], bool]]


def everything(_: NoticeKind) -> bool:
    return True


BOTH: Wants = {"own": everything, "phone": lambda kind: kind is NoticeKind.BLOCK_FOUND}


def ids(queue: Queue, target: str) -> list[str]:
    return [notice.id for notice in queue.waiting(target)]


def test_each_target_gets_what_it_wants_in_order() -> None:
    queue, taken = Queue().take([*incidents(1), block(7), *incidents(2)], BOTH, NOW_US)
    assert ids(queue, "own") == ["incident:i1", block(7).id, "incident:i2"]
    assert ids(queue, "phone") == [block(7).id]
    assert (taken.new, taken.too_old, taken.dropped) == (3, 0, {})


def test_what_is_noticed_again_is_not_taken_again_not_even_after_it_was_sent() -> None:
    queue, _ = Queue().take(incidents(1), BOTH, NOW_US)
    queue, again = queue.take(incidents(1, 1), BOTH, NOW_US)
    assert (again.new, ids(queue, "own")) == (0, ["incident:i1"])
    queue = queue.without("own", ["incident:i1"])
    assert queue.entries == ()
    queue, again = queue.take(incidents(1), BOTH, NOW_US)
    assert (again.new, queue.entries) == (0, ())


def test_ids_are_remembered_up_to_a_bound() -> None:
    queue, _ = Queue().take(incidents(*range(MOST_KNOWN + 1)), BOTH, NOW_US)
    assert len(queue.known) == MOST_KNOWN
    assert queue.known[-1] == f"incident:i{MOST_KNOWN}"


def test_what_was_sent_to_one_target_still_waits_for_another() -> None:
    queue, _ = Queue().take([block(7)], BOTH, NOW_US)
    queue = queue.without("own", [block(7).id])
    assert (ids(queue, "own"), ids(queue, "phone")) == ([], [block(7).id])
    assert queue.only_for({"own"}).entries == ()


def test_a_full_queue_drops_the_oldest_of_the_lowest_rank_for_that_target_alone() -> None:
    wants: Wants = {"own": everything, "phone": everything}
    tests = [Test(at_us=NOW_US + number) for number in range(3)]
    queue, _ = Queue().take([*tests, *incidents(*range(MOST_WAITING - 3))], wants, NOW_US)
    queue = queue.without("phone", [notice.id for notice in queue.waiting("phone")])
    queue, taken = queue.take([block(7), block(8)], wants, NOW_US)
    assert taken.dropped == {"own": 2}
    left = ids(queue, "own")
    assert len(left) == MOST_WAITING
    assert left[:2] == [tests[2].id, "incident:i0"]
    assert left[-2:] == [block(7).id, block(8).id]
    assert ids(queue, "phone") == [block(7).id, block(8).id]
    # one test is left; then the incidents go, the oldest first
    queue, taken = queue.take([block(9), block(10)], wants, NOW_US)
    assert ids(queue, "own")[0] == "incident:i1"


def test_what_is_older_than_a_day_is_not_taken_and_given_up() -> None:
    old, fresh = incidents(1, at_us=NOW_US - DAY_US - 1), incidents(2, at_us=NOW_US - DAY_US)
    queue, taken = Queue().take([*old, *fresh], BOTH, NOW_US)
    assert (taken.new, taken.too_old, ids(queue, "own")) == (1, 1, ["incident:i2"])
    queue, dropped = queue.without_old(NOW_US)
    assert (dropped, ids(queue, "own")) == (0, ["incident:i2"])
    queue, dropped = queue.without_old(NOW_US + 1)
    assert (dropped, queue.entries) == (1, ())


def test_the_position_moves_with_what_was_found_there_and_stays_with_what_others_tell() -> None:
    position = Position(transition=7, payee_change=0, payment=2, under_way={2: ("ab",)})
    queue, _ = Queue().take([block(7)], BOTH, NOW_US, position)
    queue, _ = queue.take([Incident(at_us=NOW_US, incident_id="x", what="x")], BOTH, NOW_US)
    assert queue.position == position
