"""The farm's places from the settings: both an inventory and names, and whose machines are the farm's."""

from pathlib import Path

from config.loading import load
from pool.farm.opening import open_places
from tests.pool.accounting.building import ALICE, BOB
from tests.pool.commands.running import SETTINGS


def test_settings_say_where_machines_stand_and_whose_they_are(tmp_path: Path) -> None:
    (tmp_path / "machines.csv").write_text("name,group,model,expected_ths,watts\nm-1,hall-a,,,\n")
    path = tmp_path / "engineroom.yaml"
    path.write_text(
        SETTINGS.format(directory=tmp_path)
        + f"farm: {{inventory: machines.csv, name_pattern: '(?P<row>.)-.*', accounts: [{ALICE.upper()}]}}\n"
    )
    places = open_places(load(path, {}))
    assert places.place(ALICE, "m-1").group == "hall-a"
    assert places.place(ALICE, "7-1").group == "row-7"
    assert [places.has(account) for account in (ALICE, BOB)] == [True, False]


def test_a_farm_without_settings_has_everything_in_one_group(tmp_path: Path) -> None:
    path = tmp_path / "engineroom.yaml"
    path.write_text(SETTINGS.format(directory=tmp_path))
    places = open_places(load(path, {}))
    assert places.place(ALICE, "m-1").group == "ungrouped"
    assert places.has(BOB)
