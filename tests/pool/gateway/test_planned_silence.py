"""Sessions of paused machines keep their difficulty, and let it go when the pause is over; real sessions."""

from pathlib import Path

import msgspec
import pytest

from config.farm_schema import FarmSettings
from config.schema import Settings
from pool.farm.pause_file import PAUSE_FILE, PauseFile
from pool.farm.pauses import Pause
from pool.gateway.planned_silence import AT_ONCE, PlannedSilence
from tests.builders import ADDRESS, OTHER_ADDRESS, Peer
from tests.pool.settings_building import settings_in

PATTERN = "(?P<row>[a-z])-(?P<position>[0-9]+)"
LONG_AGO_US = 1_700_000_000_000_000


def peer(worker: str, address: str = ADDRESS) -> Peer:
    made = Peer()
    made.handshake(f"{address}.{worker}")
    return made


class Gate:
    """A planned silence over some peers, looked after as often as it is asked."""

    def __init__(self, settings: Settings) -> None:
        self.peers = [peer(f"{row}-{number}") for number in range(1, 5) for row in "ab"]
        self.silence = PlannedSilence(settings)

    def look(self) -> list[str]:
        """Who is held now; files are looked at anew."""
        self.silence._looked_at = 0.0
        self.silence.maintain([one.session for one in self.peers])
        return sorted(
            worker.name
            for one in self.peers
            if one.session.pace.is_held and (worker := one.session.first_worker) is not None
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, farm=FarmSettings(name_pattern=PATTERN))


def pause(settings: Settings, group: str, until_us: int | None = None) -> None:
    made = Pause(group, LONG_AGO_US, until_us)
    PauseFile(Path(settings.data_directory)).change(lambda _: (made,))


def test_the_paused_groups_sessions_are_held_and_no_others(settings: Settings) -> None:
    gate = Gate(settings)
    assert gate.look() == []
    pause(settings, "a")
    assert gate.look() == ["a-1", "a-2", "a-3", "a-4"]


def test_a_pause_that_ended_long_ago_holds_nobody(settings: Settings) -> None:
    gate = Gate(settings)
    pause(settings, "all")
    assert len(gate.look()) == 8
    pause(settings, "all", until_us=LONG_AGO_US + 1)
    assert gate.look() == []


def test_pauses_that_are_gone_with_their_file_let_everybody_go_at_once(settings: Settings) -> None:
    gate = Gate(settings)
    pause(settings, "all")
    gate.look()
    (Path(settings.data_directory) / PAUSE_FILE).unlink()
    gate.silence._looked_at = 0.0
    gate.silence.maintain([one.session for one in gate.peers])
    assert not any(one.session.pace.is_held for one in gate.peers)


def test_who_is_not_the_farms_is_not_paused_with_it(settings: Settings) -> None:
    farm = msgspec.structs.replace(settings.farm, accounts=(ADDRESS,))
    gate = Gate(msgspec.structs.replace(settings, farm=farm))
    gate.peers.append(peer("a-9", OTHER_ADDRESS))
    pause(settings, "all")
    assert "a-9" not in gate.look()


def test_without_a_list_that_can_be_used_the_names_say_where_machines_are(
    settings: Settings, tmp_path: Path
) -> None:
    farm = FarmSettings(name_pattern=PATTERN, inventory=str(tmp_path / "none.csv"), accounts=(ADDRESS,))
    gate = Gate(msgspec.structs.replace(settings, farm=farm))
    gate.peers.append(peer("a-9", OTHER_ADDRESS))
    pause(settings, "a")
    assert gate.look() == ["a-1", "a-2", "a-3", "a-4"]


def test_a_look_that_has_used_up_its_time_goes_on_where_it_stopped(settings: Settings) -> None:
    """Without any time at all a look is as many sessions as come between two looks at the clock."""
    sessions = [peer(f"a-{number}").session for number in range(2 * AT_ONCE + 3)]
    silence = PlannedSilence(settings, budget_seconds=0.0)
    pause(settings, "a")

    def held() -> list[int]:
        silence.maintain(sessions)
        return [place for place, session in enumerate(sessions) if session.pace.is_held]

    assert held() == list(range(AT_ONCE))
    assert held() == list(range(2 * AT_ONCE))
    assert held() == list(range(2 * AT_ONCE + 3)), "and on with the first ones again"
    assert held() == list(range(2 * AT_ONCE + 3))


def test_without_sessions_nothing_is_held(settings: Settings) -> None:
    pause(settings, "all")
    PlannedSilence(settings, budget_seconds=0.0).maintain([])
