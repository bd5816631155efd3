"""The board: hashrate, effort and readings out of frames; across gaps, gateways and processes."""

import math

import msgspec
import pytest

from pool.farm.observation import Observation
from pool.instruments.board import Board, BoardState
from pool.instruments.round import JUDGED_ROUNDS, Round
from pool.spool.dictionary import Dictionary
from pool.spool.frames import FRAME_VERSION, Frame
from pool.spool.records import (
    BestMade,
    CandidateMade,
    Closing,
    Instrument,
    JobMade,
    Joined,
    Left,
    Readings,
    Record,
    RefusedMade,
    TemplateFacts,
)
from pool.spool.segments import Segment
from pool.spool.tail import Delivery
from tests.pool.spool.writing import DIFFICULTY, NAME, share

START = 1_800_000_000.0
DAY = 86_400.0
SHARE_WORK = 2**32
# A network whose blocks take four shares: 2^256 / 2^222 = 2^34 = 4 × 2^32.
TEMPLATE = TemplateFacts(
    4, 100, 0x20000000, bytes(32), 0x207FFFFF, (2**222 - 1).to_bytes(32, "big"), 50, 0, ()
)
JOB = JobMade(3, "0a", 4, 0x20000000, b"", b"", None, None, 700)
DEFINITIONS: list[Record] = [NAME, DIFFICULTY, TEMPLATE, JOB]
KEY = (NAME.account, NAME.worker)


class Writer:
    """Deliveries of one gateway, a frame for each call."""

    def __init__(self, definitions: list[Record] | None = None) -> None:
        self.dictionary = Dictionary(DEFINITIONS if definitions is None else definitions)
        self.number = 0

    def frame(self, at: float, *records: Record) -> list[Delivery]:
        self.number += 1
        self.dictionary.learn(records)
        frame = Frame(FRAME_VERSION, self.number, self.number - 1, round(at * 1e6), 1, list(records))
        return [Delivery(frame, self.dictionary, Segment(None, "", 0, 0))]  # type: ignore[arg-type]  # unread


def observed(
    board: Board,
    deliveries: list[Delivery],
    *,
    source: str = "gateway-0",
    epoch: str = "a",
    gap: bool = False,
    heard_at: float | None = None,
) -> list[Observation]:
    return list(board.observe(source, epoch, deliveries, is_after_gap=gap, heard_at=heard_at))


def state_of(board: Board) -> BoardState:
    """As the next process reads it."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(board.export()), type=BoardState)


def candidate(number: int) -> CandidateMade:
    return CandidateMade(bytes([number]) * 32, 3, 1, bytes(4), bytes(8), 0x20000000, 1, 0, "user", 0)


def test_an_hour_of_a_share_every_four_seconds_is_shown_as_2_to_the_30_hashes_a_second() -> None:
    board, writer = Board(START), Writer()
    for second in range(4, 3601, 4):
        observed(board, writer.frame(START + second, share()))
    board.looked(START + 3600)
    rates = board.rates()
    # 2^32 hashes in 4 s. Shares at even distances are seen at their own moment, when they count most: in a
    # window of 60 s that is up to half a distance too much, 2/60 = 3.4 %.
    assert rates["1m"].hashes_per_second == pytest.approx(2**30, rel=0.035)
    assert rates["10m"].hashes_per_second == pytest.approx(2**30, rel=0.004)
    assert rates["1h"].hashes_per_second == pytest.approx(2**30, rel=0.004)
    assert rates["24h"].hashes_per_second == pytest.approx(2**30, rel=0.004)
    assert rates["10m"].lower < 2**30 < rates["10m"].upper


def test_two_gateways_count_together() -> None:
    board, one, other = Board(START), Writer(), Writer()
    for second in range(4, 3601, 4):
        observed(board, one.frame(START + second, share()), source="gateway-0")
        observed(board, other.frame(START + second, share()), source="gateway-1")
    board.looked(START + 3600)
    assert board.rates()["1h"].hashes_per_second == pytest.approx(2**31, rel=0.004)


def test_a_gateway_that_has_stopped_does_not_stop_the_clock() -> None:
    board, writer = Board(START), Writer()
    observed(board, writer.frame(START + 10, share()))
    board.looked(START + 11)
    board.looked(START + 1000)
    assert board.now == START + 10 + 989, "from its last frame on as much as has passed since it was seen"
    assert not board.is_up("gateway-0", START + 1000)


def test_a_board_that_begins_waits_for_what_it_may_hear() -> None:
    """A gateway that it has read nothing of yet is not a gateway that has stopped."""
    board = Board.restore(state_of(Board(START)))
    board.looked(START + 600)
    assert board.now == START
    board.looked(START + 606)
    assert board.now == START + 606, "nobody was heard: the time of the stop and what came since has passed"


@pytest.mark.parametrize("set_by", [-3_600.0, -30.0, 30.0, 3_600.0])
def test_a_gateway_whose_clock_is_another_one_is_up_while_its_frames_come(set_by: float) -> None:
    """Somebody has set the wall clock by so much, and frames are dated by the time before."""
    board, writer = Board.restore(state_of(Board(START))), Writer()
    for second in range(1, 61):
        now = START + set_by + second
        observed(board, writer.frame(START + second, share()), heard_at=now)
        board.looked(now)
        assert board.is_up("gateway-0", now)
    assert board.now == START + 60, "time goes on as the frames say"
    assert not board.is_up("gateway-0", START + set_by + 70), "ten seconds without one"


def test_a_date_that_lies_ahead_keeps_no_dead_gateway_alive() -> None:
    """The clock was eight hours fast when it died, and is right again."""
    board, now = Board(START), START - 8 * 3_600
    observed(board, Writer().frame(START, share()))
    board.looked(now)
    board.looked(now + 11)
    assert not board.is_up("gateway-0", now + 11)
    observed(board, Writer().frame(now + 12, share()), source="gateway-1", heard_at=now + 12)
    board.looked(now + 12)
    assert board.record_times(now + 15)["gateway-1"] == now + 15


def test_frames_that_had_waited_say_nothing_of_whether_their_gateway_lives() -> None:
    board, writer = Board(START), Writer()
    observed(board, writer.frame(START + 1, share()))
    assert not board.is_up("gateway-0", START + 60)


def test_a_gateway_without_a_frame_for_a_day_was_taken_away_if_another_works() -> None:
    board, one, other = Board(START), Writer(), Writer()
    observed(board, one.frame(START), source="gateway-0")
    assert not board.is_gone("gateway-0", START + 2 * DAY), "the only one: the pool is down"
    observed(board, other.frame(START + DAY - 1), source="gateway-1")
    assert not board.is_gone("gateway-0", START + DAY - 1)
    observed(board, other.frame(START + DAY), source="gateway-1")
    assert board.is_gone("gateway-0", START + DAY)
    assert not board.is_gone("gateway-1", START + DAY)


def test_what_a_gateway_showed_that_is_dead_is_asked_no_more() -> None:
    board, instruments = (
        Board(START),
        [Instrument(9, "has_work", ()), Instrument(8, "node_trouble", ("a", "x"))],
    )
    observed(board, Writer(list(instruments)).frame(START, Readings((9, 8), (1.0, 1.0))))
    observed(
        board, Writer(list(instruments)).frame(START + 60, Readings((9, 8), (0.0, 0.0))), source="gateway-1"
    )
    assert board.reading(START + 1, "has_work") == [1.0, 0.0]
    assert board.reading(START + 61, "has_work") == [0.0]
    assert board.node_troubles(START + 1) == {"a": "x"}
    assert board.node_troubles(START + 61) == {}


def test_while_frames_come_time_is_that_of_the_newest_that_every_gateway_has_shown() -> None:
    board, one, other = Board(START), Writer(), Writer()
    observed(board, one.frame(START + 8), source="gateway-0")
    observed(board, other.frame(START + 9), source="gateway-1")
    board.looked(START + 10)
    assert board.now == START + 8
    assert board.is_up("gateway-0", START + 10)


def test_missing_frames_leave_a_hole_in_which_windows_do_not_age() -> None:
    board, writer = Board(START), Writer()
    for second in range(4, 601, 4):
        observed(board, writer.frame(START + second, share()))
    # an hour of frames is lost; then ten minutes as before
    for second in range(4200, 4801, 4):
        observed(board, writer.frame(START + second, share()), gap=second == 4200)
    board.looked(START + 4801)
    assert board.rates()["1h"].hashes_per_second == pytest.approx(2**30, rel=0.02)


def test_effort_is_work_as_a_part_of_a_block_and_a_candidate_ends_the_round_once() -> None:
    board, writer = Board(START), Writer()
    observed(board, writer.frame(START + 1, share(), share(), share()))
    assert board.round.effort == 0.75  # three shares of the four that a block takes
    assert board.round.p_value == pytest.approx(math.exp(-0.75))
    observed(board, writer.frame(START + 2, share(), candidate(1)))
    assert (board.round.effort, board.round.last_effort, len(board.round.past)) == (0.0, 1.0, 1)
    observed(board, writer.frame(START + 3, share(), candidate(1)))
    assert (board.round.effort, len(board.round.past)) == (0.25, 1), "told of again by a file, say"


def test_luck_over_rounds_is_the_poisson_sum_up_to_the_blocks_found() -> None:
    board, writer = Board(START), Writer()
    for number in range(2):
        observed(board, writer.frame(START + number, *[share()] * 8, candidate(number)))
    # two blocks where four were expected: e^−4 (1 + 4 + 8) = 0.238103
    assert board.round.recent_p_value == pytest.approx(0.238103, abs=1e-6)


def test_bad_luck_of_long_ago_is_no_bad_luck_of_today() -> None:
    luck = Round()
    luck.worked(100.0)
    luck.found(bytes([1] * 32))
    assert luck.recent_p_value < 1e-30
    for number in range(2, JUDGED_ROUNDS + 2):
        luck.worked(0.5)
        luck.found(bytes([number] * 32))
    # 64 blocks, and the work of 32: as good as certain that there were no more
    assert len(luck.past) == JUDGED_ROUNDS
    assert luck.recent_p_value > 0.999


def test_readings_are_kept_by_series_and_a_new_process_begins_anew() -> None:
    board, writer = Board(START), Writer([Instrument(9, "closed", ("tls",)), Instrument(8, "made", ())])
    observed(board, writer.frame(START + 1, Readings((9, 8), (3.0, 7.0))))
    observed(board, writer.frame(START + 2, Readings((9,), (4.0,))))
    assert board.reading(START + 3, "closed", "tls") == [4.0]
    assert board.reading(START + 3, "made") == [7.0]
    observed(
        board, Writer([Instrument(9, "closed", ("tls",))]).frame(START + 3, Readings((9,), (0.0,))), epoch="b"
    )
    assert board.reading(START + 3, "closed", "tls") == [0.0]
    assert board.reading(START + 3, "made") == []


def test_a_closed_gateway_shows_nothing_any_more() -> None:
    board, writer = Board(START), Writer([Instrument(9, "has_work", ())])
    observed(board, writer.frame(START + 1, Readings((9,), (1.0,))))
    observed(board, writer.frame(START + 2, Closing()))
    assert board.reading(START + 3, "has_work") == []
    assert not board.is_up("gateway-0", START + 2)


def test_what_frames_that_are_missing_had_defined_is_passed_over() -> None:
    board, writer = Board(START), Writer([])
    (seen,) = observed(board, writer.frame(START + 1, share(), Readings((9,), (1.0,)), Closing()))
    assert seen.shares == {}
    assert board.gateways["gateway-0"].is_closed


def test_an_observation_sums_by_machine() -> None:
    board, writer = Board(START), Writer()
    (seen,) = observed(
        board,
        writer.frame(
            START + 1,
            share(),
            share(),
            RefusedMade(1, "stale", 3, (3 * SHARE_WORK).to_bytes(5, "big")),
            RefusedMade(None, "unauthorized", 1, b""),
            Joined(1, "cgminer/4.12"),
            Left(1),
            BestMade(1, 1e15),
        ),
    )
    shares = seen.shares[KEY]
    assert (shares.count, shares.work, shares.share_work) == (2, 2.0 * SHARE_WORK, SHARE_WORK)
    assert shares.work_squared == 2.0 * SHARE_WORK**2
    assert seen.refused[KEY, "stale"].count == 3
    assert seen.refused[KEY, "stale"].work == 3.0 * SHARE_WORK
    assert seen.refused[None, "unauthorized"].count == 1
    assert (seen.joined, seen.left, seen.bests) == ([(KEY, "cgminer/4.12")], [KEY], [(KEY, 1e15)])


def test_a_board_survives_its_process() -> None:
    board, writer = Board(START), Writer([*DEFINITIONS, Instrument(9, "closed", ("tls",))])
    for second in range(4, 601, 4):
        observed(board, writer.frame(START + second, share()))
    observed(board, writer.frame(START + 601, Readings((9,), (3.0,)), candidate(1)))
    board.looked(START + 602)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(board.export()), type=BoardState)
    again = Board.restore(kept)
    assert again.rates() == board.rates()
    assert again.reading(START + 3, "closed", "tls") == [3.0]
    assert again.round == board.round
    assert again.now == board.now


def test_the_frame_behind_the_closing_one_opens_nothing_again() -> None:
    board, writer = Board(START), Writer()
    observed(board, writer.frame(START + 1, Closing()))
    observed(board, writer.frame(START + 1))
    assert board.gateways["gateway-0"].is_closed
