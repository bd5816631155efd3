"""The wheel, built from the tree: our four packages and the example settings are in it, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names inside a wheel that was built from a copy, so that no old build folder can help."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    tracked = ["pyproject.toml", "README.md", "LICENSE", "pool", "stratum", "payouts", "config"]
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in tracked), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source],
        check=True,
        capture_output=True,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_module_of_the_four_packages_is_in_the_wheel(wheel_names: set[str]) -> None:
    for package in ("pool", "stratum", "payouts", "config"):
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
        assert modules <= wheel_names
        assert f"{package}/py.typed" in wheel_names


def test_the_example_settings_are_in_the_wheel(wheel_names: set[str]) -> None:
    examples = {f"config/examples/{path.name}" for path in (ROOT / "config/examples").glob("*.yaml")}
    assert len(examples) >= 7
    assert examples <= wheel_names


def test_the_databases_migrations_are_in_the_wheel(wheel_names: set[str]) -> None:
    migrations = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "pool/storage/migrations").glob("*.sql")
    }
    assert migrations
    assert migrations <= wheel_names


def test_nothing_else_is_in_the_wheel(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert tops == {"pool", "stratum", "payouts", "config", "engineroom-0.1.0.dist-info"}
