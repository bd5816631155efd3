"""New tips: recorded when every node has had its time for them, with when each had it."""

from collections import deque
from pathlib import Path

import pytest

from pool.farm.observation import Observation
from pool.gateway.tips import Tip, TipsHeard, ToldTip
from pool.node.nodes import NodeState
from pool.spool.records import TipTold
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
    return ToldTip(Tip(100, tip, heard_at, heard_at + 0.1), FanOut(heard_at + 0.1, ()))


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
    fan_out = FanOut(10.0, ((10.25, [quick.session]), (10.75, [late.session])))
    nodes = {"fast": 1_000_000, "slow": 3_000_000}
    station.recording.recorder.tip_told(ToldTip(tip, fan_out), nodes, 1_500_000)
    station.submit(quick, 1)
    station.end_tick(quick)
    [(record, dictionary)] = station.happened(TipTold)
    seen = Observation(0.0)
    seen.take(record, dictionary)
    [change] = seen.tips
    assert (change.tip, change.height, change.nodes) == (TWO, 840_001, {"fast": 1.0, "slow": 3.0})
    assert change.template_at == 1.5
    # both sessions are of one machine: it had new work when its last connection had
    assert change.delays == pytest.approx({(ADDRESS, "rig"): 0.75})
