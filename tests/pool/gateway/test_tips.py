"""New tips: recorded when every node has had its time for them, with when each had it."""

from collections import deque
from pathlib import Path

import pytest

from pool.farm.observation import Observation
from pool.gateway.tips import Tip, TipsHeard, ToldTip
from pool.node.nodes import NodeState
from stratum.server import FanOut
from tests.builders import ADDRESS
from tests.pool.gateway.test_recorder import Station

ONE, TWO = b"\x01" * 32, b"\x02" * 32


def node(name: str, tip: bytes, heard_at: float) -> NodeState:
    return NodeState(
        name=name,
        trouble=None,
        is_source=name == "fast",
        blocks=1,
        headers=1,
        round_trip_seconds=0.001,
        tip=tip,
        tip_heard_at=heard_at,
    )


def told(tip: bytes, heard_at: float) -> ToldTip:
    return ToldTip(Tip(100, tip, heard_at, heard_at + 0.1), ())


def test_a_tip_waits_for_the_node_that_is_slow() -> None:
    tips, waiting = TipsHeard(), deque([told(ONE, 50.0)])
    before = node("slow", bytes(32), 1.0)
    assert list(tips.ready(waiting, [node("fast", ONE, 50.0), before], 52.0)) == []
    [(taken, heard)] = tips.ready(waiting, [node("fast", ONE, 50.0), node("slow", ONE, 53.5)], 54.0)
    assert taken.tip.previous_hash == ONE
    assert heard == {"fast": 50.0, "slow": 53.5}
    assert not waiting


def test_after_ten_seconds_it_waits_no_more() -> None:
    tips, waiting = TipsHeard(), deque([told(ONE, 50.0)])
    states = [node("fast", ONE, 50.0), node("slow", bytes(32), 1.0)]
    assert list(tips.ready(waiting, states, 59.9)) == []
    [(_, heard)] = tips.ready(waiting, states, 60.0)
    assert heard == {"fast": 50.0}


def test_a_second_block_within_moments_takes_nothing_from_the_first() -> None:
    """The fast node has gone on to the second while the first still waits for the slow one."""
    tips, waiting = TipsHeard(), deque([told(ONE, 50.0)])
    assert list(tips.ready(waiting, [node("fast", ONE, 50.0), node("slow", bytes(32), 1.0)], 51.0)) == []
    waiting.append(told(TWO, 52.0))
    states = [node("fast", TWO, 52.0), node("slow", ONE, 52.5)]
    [(first, heard)] = tips.ready(waiting, states, 53.0)
    assert (first.tip.previous_hash, heard) == (ONE, {"fast": 50.0, "slow": 52.5})
    [(second, heard)] = tips.ready(waiting, [node("fast", TWO, 52.0), node("slow", TWO, 54.0)], 55.0)
    assert (second.tip.previous_hash, heard) == (TWO, {"fast": 52.0, "slow": 54.0})


def test_what_is_recorded_of_a_tip_is_read_again_by_machine(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.template()
    quick, late = station.peer(), station.peer()
    station.end_tick(quick, late)
    tip = Tip(840_001, TWO, 9.5, 10.0)
    told = ToldTip(tip, ((10.25, [quick.session]), (10.75, [late.session])))
    station.recording.recorder.tip_told(told, {"fast": 1_000_000, "slow": 3_000_000}, 1_500_000)
    station.submit(quick, 1)
    station.end_tick(quick)
    station.end_tick()
    changes = [tip for seen in frames_of(station) for tip in seen.tips]
    assert [(one.tip, one.height, one.nodes, one.template_at) for one in changes] == [
        (TWO, 840_001, {"fast": 1.0, "slow": 3.0}, 1.5)
    ] * 2
    key = (ADDRESS, "rig")
    assert [one.delays[key] for one in changes] == pytest.approx([0.25, 0.75])


def test_a_frame_takes_one_slice_of_a_tip_and_the_next_is_due_at_once(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.template()
    peer = station.peer()
    station.end_tick(peer)
    told = ToldTip(Tip(840_001, TWO, 9.5, 10.0), tuple((10.0 + n, [peer.session]) for n in range(3)))
    station.recording.recorder.tip_told(told, {}, 1_500_000)
    station.submit(peer, 1)
    for _ in range(5):
        station.end_tick(peer)
    assert [len(seen.tips) for seen in frames_of(station)][-3:] == [1, 1, 1]


def test_at_the_end_all_slices_go_before_the_closing_record(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.template()
    peer = station.peer()
    station.end_tick(peer)
    recorder = station.recording.recorder
    told = ToldTip(Tip(840_001, TWO, 9.5, 10.0), tuple((10.0 + n, [peer.session]) for n in range(3)))
    recorder.tip_told(told, {}, 1_500_000)
    assert recorder.close()
    assert recorder.close_again()
    last = [[type(one).__name__ for one in each.frame.records] for each in station.deliveries()[-5:]]
    assert last == [["TipTold"], ["TipTold"], ["TipTold"], ["Closing"], []]


def test_slices_wait_while_no_frame_can_be_written(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.template()
    peer = station.peer()
    station.end_tick(peer)
    station.recording.recorder.tip_told(
        ToldTip(Tip(840_001, TWO, 9.5, 10.0), ((10.5, [peer.session]),)), {}, 1_500_000
    )
    station.disk.room = 0
    station.submit(peer, 1)
    station.end_tick(peer)
    station.disk.room = None
    station.submit(peer, 2)
    station.end_tick(peer)
    assert sum(len(seen.tips) for seen in frames_of(station)) == 1


def test_work_sent_before_a_tip_was_heard_of_is_on_the_one_before(tmp_path: Path) -> None:
    """An announcement was under way when the new template came, and reached two of three miners before."""
    station = Station(tmp_path)
    station.template()
    one, two, three = (station.peer().session for _ in range(3))
    tip = Tip(840_001, TWO, 9.5, 10.0)
    fan_out = FanOut(9.9, ((9.95, [one, two]), (10.05, [three, two]), (10.1, [one])))
    told = ToldTip.of(tip, fan_out, 10.0)
    assert told is not None
    assert told.slices == ((10.05, [three, two]), (10.1, [one]))
    assert ToldTip.of(tip, fan_out, 11.0) is None


def test_who_is_sent_new_work_twice_was_kept_waiting_until_the_first(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.template()
    one, two = (station.peer().session for _ in range(2))
    fan_out = FanOut(10.0, ((10.1, [one]), (10.2, [one, two]), (10.3, [two])))
    told = ToldTip.of(Tip(840_001, TWO, 9.5, 10.0), fan_out, 10.0)
    assert told is not None
    assert told.slices == ((10.1, [one]), (10.2, [two]))


def frames_of(station: Station) -> list[Observation]:
    """What each frame shows."""
    seen = []
    for delivery in station.deliveries():
        seen.append(Observation(0.0))
        for record in delivery.frame.records:
            seen[-1].take(record, delivery.dictionary)
    return seen
