"""What instruments show goes into the spool: what has changed, and in each segment everything anew."""

from pathlib import Path

import pytest

from pool.gateway.numbers import Series
from pool.gateway.readings import ConnectionReadings, TemplateReadings
from pool.spool.records import BestMade, PacedMade, Readings, ShareMade
from stratum.agents import classify
from stratum.measures import ServerMeasures
from stratum.work.template import TemplateTransaction
from tests.builders import make_template
from tests.pool.gateway.test_recorder import Station, hash_of

CLOSED: Series = ("closed", ("tls",))
MADE: Series = ("made", ())


@pytest.fixture
def station(tmp_path: Path) -> Station:
    station = Station(tmp_path)
    station.template()
    return station


def shown(station: Station) -> list[dict[Series, float]]:
    """What each record of readings says, resolved."""
    found = []
    for readings, dictionary in station.happened(Readings):
        instruments = [dictionary.instrument(number) for number in readings.instruments]
        found.append(
            {(one.name, one.labels): value for one, value in zip(instruments, readings.values, strict=True)}
        )
    return found


def write(station: Station) -> bool:
    """A share makes a frame due; whether it could be written."""
    peer = station.peer()
    station.submit(peer, 1)
    station.recording.recorder.record(peer.session.events_received())
    return station.recording.recorder.commit()


def test_only_what_has_changed_is_said(station: Station) -> None:
    recorder = station.recording.recorder
    recorder.take_readings({CLOSED: 1.0, MADE: 5.0})
    write(station)
    recorder.take_readings({CLOSED: 2.0, MADE: 5.0})
    write(station)
    recorder.take_readings({CLOSED: 2.0, MADE: 5.0})
    write(station)
    assert shown(station) == [{CLOSED: 1.0, MADE: 5.0}, {CLOSED: 2.0}]


def test_a_new_segment_says_everything_again(tmp_path: Path) -> None:
    station = Station(tmp_path, segment_bytes=1)
    station.template()
    for _ in range(2):
        station.recording.recorder.take_readings({CLOSED: 1.0, MADE: 5.0})
        write(station)
    assert shown(station) == [{CLOSED: 1.0, MADE: 5.0}] * 2


def test_a_frame_that_could_not_be_written_has_said_nothing(station: Station) -> None:
    station.recording.recorder.take_readings({CLOSED: 1.0})
    station.disk.room = 0
    assert not write(station)
    station.disk.room = None
    assert write(station)
    assert shown(station) == [{CLOSED: 1.0}]


def test_readings_alone_make_no_frame_due(station: Station) -> None:
    station.end_tick(station.peer())
    before = len(station.deliveries())
    station.recording.recorder.take_readings({CLOSED: 1.0})
    station.gateway.commit()
    assert len(station.deliveries()) == before


def test_whether_there_is_work_is_told_when_it_changes_and_before_any_is_sent(tmp_path: Path) -> None:
    station = Station(tmp_path)
    told: list[tuple[bool, int]] = []  # whether there is work, jobs announced by then
    jobs = iter(range(100))
    station.gateway.attach(station.candidates, lambda: next(jobs) >= 0)
    station.gateway.on_work_changed = lambda: told.append((station.work.has_work, jobs.__length_hint__()))
    station.template()
    station.template(height=101)
    station.gateway.nodes_lost("all are away")
    station.template(height=102)
    assert told == [(True, 100), (False, 98), (True, 98)]


def test_a_workers_best_share_is_on_record_whenever_it_is_beaten(station: Station) -> None:
    peer = station.peer()
    for nonce in range(40):
        station.submit(peer, nonce)
        station.end_tick(peer)
    hashes = [hash_of(share, dictionary) for share, dictionary in station.happened(ShareMade)]
    bests = [best.work for best, _ in station.happened(BestMade)]
    lowest, expected = 1 << 256, []
    for one in hashes:
        if one >> 192 < lowest >> 192:  # as the first eight bytes tell them apart
            lowest = one
            expected.append(float(2**256 // (one + 1)))
    assert bests == expected
    assert len(bests) < 40, "one in 10^47 rises forty times"


def test_a_firmware_that_has_left_is_shown_as_none() -> None:
    measures, readings = ServerMeasures(), ConnectionReadings()
    measures.connections[3333, classify("cgminer/4.12")] = 2
    assert list(readings.of(measures)) == [(("connections", ("3333", "cgminer")), 2.0)]
    measures.connections.clear()
    assert list(readings.of(measures)) == [(("connections", ("3333", "cgminer")), 0.0)]


def test_a_template_shows_its_size_and_what_it_pays() -> None:
    transactions = tuple(TemplateTransaction("00" * 100, bytes(32), fee, 0, 400) for fee in (250, 750))
    template = make_template(transactions=transactions, coinbase_value_sats=312_501_000)
    shown = dict(TemplateReadings().of(template, 1.8e9, 1.8e9 + 5, has_work=True))
    assert shown["template_size_bytes", ()] == 200
    assert shown["template_fees_sats", ()] == 1_000
    assert shown["template_reward_sats", ()] == 312_501_000
    assert shown["template_timestamp_seconds", ()] == 1.8e9
    assert shown["has_work", ()] == 1


def test_before_the_first_template_there_is_only_no_work() -> None:
    assert dict(TemplateReadings().of(None, 0, 0, has_work=False)) == {("has_work", ()): 0.0}


def test_a_new_difficulty_is_on_record_for_each_name_of_the_session(station: Station) -> None:
    peer = station.peer()
    difficulty = next(iter(peer.session.offers.values())).difficulty
    station.gateway.paced(peer.session, difficulty)
    station.end_tick(peer)
    station.submit(peer, 1)
    station.end_tick(peer)
    [(paced, dictionary)] = station.happened(PacedMade)
    assert dictionary.name(paced.name).worker == "rig"
    assert dictionary.work(paced.difficulty) == difficulty.work
