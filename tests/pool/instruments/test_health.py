"""What `/readyz` asks of a pool, and how it names what is missing."""

import pytest

from pool.gateway.alarms import Alarm
from pool.instruments.board import Board
from pool.instruments.health import Check, judge, unanswered
from pool.spool.records import Instrument, Readings
from tests.pool.instruments.test_board import START, Writer, observed

INSTRUMENTS = [
    Instrument(7, "has_work", ()),
    Instrument(8, "job_timestamp_seconds", ()),
]


def board_of(has_work: float = 1.0, job_at: float = START) -> Board:
    board, writer = Board(START), Writer(list(INSTRUMENTS))
    observed(board, writer.frame(START + 1, Readings((7, 8), (has_work, job_at))))
    return board


def test_a_pool_with_everything_is_ready() -> None:
    health = judge(board_of(), START + 2, START + 2, (), None)
    assert health.is_ready
    assert health.status == "ready"
    assert health.checks == dict.fromkeys(("gateway", "node", "job", "spool", "database"), Check(True))


@pytest.mark.parametrize(
    ("board", "now", "database", "check", "cause"),
    [
        (Board(START), START, None, "gateway", "no gateway has written a frame lately"),
        (board_of(), START + 60, None, "gateway", "no gateway has written a frame lately"),
        (board_of(has_work=0.0), START + 2, None, "node", "no node supplies work"),
        (board_of(), START + 60, None, "node", "not known: no gateway has written a frame lately"),
        (board_of(), START + 60, None, "job", "not known: no gateway has written a frame lately"),
        (board_of(), START + 60, None, "spool", "not known: no gateway has written a frame lately"),
        (board_of(job_at=START - 119), START + 2, None, "job", "the newest job is 121 s old"),
        (board_of(), START + 2, "the accounts are not open", "database", "the accounts are not open"),
    ],
)
def test_what_is_missing_is_named(
    board: Board, now: float, database: str | None, check: str, cause: str
) -> None:
    health = judge(board, now, now, (), database)
    assert not health.is_ready
    assert health.status == "not ready"
    assert cause in (health.checks[check].cause or "")


def test_one_gateway_of_two_is_enough_and_the_other_is_named() -> None:
    board = board_of()
    observed(board, Writer(list(INSTRUMENTS)).frame(START - 60), source="gateway-1")
    health = judge(board, START + 2, START + 2, (), None)
    assert health.is_ready
    assert health.checks["gateway"] == Check(True, "gateway-1: no frame lately")


def test_jobs_are_as_old_as_the_clock_on_the_wall_says_that_they_are_dated_by() -> None:
    """Somebody has set it back by an hour since the instruments began: the gateway dates jobs by it."""
    board = board_of(job_at=START - 3_600)
    assert judge(board, START + 2, START - 3_598, (), None).checks["job"] == Check(True)
    assert not judge(board, START + 2, START - 3_400, (), None).checks["job"].is_ok


@pytest.mark.parametrize("seconds", [2, 60])
def test_a_spool_that_cannot_be_written_is_named_whether_or_not_frames_still_come(seconds: int) -> None:
    """Of one whose disk does not sync any more nothing can be read: its gateway tells of it itself."""
    health = judge(board_of(), START + seconds, START + seconds, {Alarm.SYNC, Alarm.CLOCK}, None)
    assert health.checks["spool"] == Check(False, "a gateway's spool has the alarms spool-sync: see its log")


def test_a_disk_that_hangs_is_a_cause_too() -> None:
    assert not unanswered("the disk hangs").is_ready
