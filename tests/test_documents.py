"""What the documents claim: links, commands and settings that exist, examples that load."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from config.loading import load
from config.payout_schema import PLACEHOLDER_ADDRESS
from config.problems import SettingsError
from pool.cli import app
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
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    for command in re.findall(r"(?:^|`)engineroom ([a-z]+)", document.read_text(), re.MULTILINE):
        assert command in known, f"{name_of(document)} names `engineroom {command}`"


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
