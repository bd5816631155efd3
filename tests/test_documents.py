"""What the documents claim: links, commands and settings that exist, examples that load."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from typer.main import get_command

from config.loading import load
from config.payout_schema import PLACEHOLDER_ADDRESS
from config.problems import SettingsError
from config.schema import Settings
from pool.cli import app
from pool.instruments.instruments import METRICS
from pool.instruments.reference import exposed_name
from pool.preflight import offline_problems
from stratum.errors import RejectReason

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
EXAMPLES = sorted((ROOT / "config/examples").glob("*.yaml"))
MAINNET = {  # the hash160 of the generator point (BIP 173) on each mainnet
    "bitcoin": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "litecoin": "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ",
}
SIGNET = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"  # BIP 173
PASSWORDS = {"HALL_A_RPC_PASSWORD": "a", "HALL_B_RPC_PASSWORD": "b"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), f"{name_of(document)} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_commands_exist(document: Path) -> None:
    known = get_command(app).commands  # type: ignore[attr-defined]
    command_line = re.compile(r"(?:^|`|\$ )engineroom ([a-z]+)(?: ([a-z][a-z-]*))?", re.MULTILINE)
    for command, part in command_line.findall(document.read_text()):
        assert command in known, f"{name_of(document)} names `engineroom {command}`"
        parts = getattr(known[command], "commands", None)
        if part and parts is not None:
            assert part in parts, f"{name_of(document)} names `engineroom {command} {part}`"


def has_setting(kind: Any, keys: list[str]) -> bool:
    """Whether there is a setting under these keys, through lists and what may be left out."""
    if not keys:
        return True
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return any(has_setting(inner, keys) for inner in get_args(kind))
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    return keys[0] in fields and has_setting(fields[keys[0]], keys[1:])


def settings_named(text: str) -> Iterator[str]:
    """Paths of keys like `farm.power.tariffs`; what begins with no section is a file, a domain or code."""
    sections = set(Settings.__struct_fields__)
    for path in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`", text):
        if path.partition(".")[0] in sections and not path.endswith(".py"):
            yield path


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_settings_exist(document: Path) -> None:
    for path in settings_named(document.read_text()):
        assert has_setting(Settings, path.split(".")), f"{name_of(document)} names the setting {path}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_metrics_exist(document: Path) -> None:
    known = {exposed_name(metric) for metric in METRICS}
    for name in re.findall(r"\bengineroom_[a-z0-9_]*[a-z0-9]\b", document.read_text()):
        whole = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in known or whole in known, f"{name_of(document)} names the metric {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text(), re.MULTILINE):
        assert target in targets, f"{name_of(document)} names `make {target}`"


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_an_example_runs_once_its_address_is_filled_in(example: Path, tmp_path: Path) -> None:
    text = example.read_text()
    (tmp_path / "far.password").write_text("secret")
    text = text.replace("/etc/engineroom/far.password", "far.password")
    if PLACEHOLDER_ADDRESS in text:
        (tmp_path / "as-is.yaml").write_text(text)
        with pytest.raises(SettingsError) as refused:
            load(tmp_path / "as-is.yaml", PASSWORDS, offline_problems)
        assert [problem.key_path for problem in refused.value.problems] == ["payout.address"]
    address = (
        SIGNET
        if example.stem == "signet"
        else MAINNET["litecoin" if example.stem == "litecoin" else "bitcoin"]
    )
    (tmp_path / "filled.yaml").write_text(text.replace(PLACEHOLDER_ADDRESS, address))
    load(tmp_path / "filled.yaml", PASSWORDS, offline_problems)


@pytest.mark.parametrize("reason", RejectReason, ids=lambda reason: reason.name)
def test_every_error_that_a_miner_can_meet_is_in_the_protocols_table(reason: RejectReason) -> None:
    rows = (ROOT / "docs/protocol.md").read_text().splitlines()
    shown = str(reason.code).replace("-", "−")
    assert any(row.startswith(f"| {shown} |") and f"`{reason.text}`" in row for row in rows)


def test_the_change_log_knows_this_version() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()
