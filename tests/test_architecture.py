"""The shape of the design, held: who imports whom, and what pure modules never import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("stratum", "payouts", "config", "pool")
# stratum, payouts and config are leaves: they know neither one another nor the application.
MAY_IMPORT = {"stratum": set(), "payouts": set(), "config": set(), "pool": {"stratum", "payouts", "config"}}
IMPURE = {
    *("asyncio", "socket", "time", "random", "secrets", "os", "logging"),
    *("sqlite3", "aiohttp", "prometheus_client", "uvloop", "zmq"),
}
SHELLS = {  # the leaves' thin shells, which do I/O; everything else in a leaf is pure
    "stratum/connection.py",
    "stratum/server.py",
    "config/loading.py",
}
LOGGING = {"pool.logs.log", "pool.logs.formats", "pool.logs.stderr"}  # as impure as the library's own
PURE_IN_POOL = {
    "pool/audit/bip137.py",
    "pool/audit/bip322.py",
    "pool/audit/digest.py",
    "pool/audit/document.py",
    "pool/audit/merkle_sum.py",
    "pool/audit/ownership.py",
    "pool/audit/payee_change.py",
    "pool/audit/proof.py",
    "pool/audit/recompute.py",
    "pool/audit/statement.py",
    "pool/demo/snapshot.py",
    "pool/demo/worker_tally.py",
    "pool/farm/baseline.py",
    "pool/farm/cusum.py",
    "pool/farm/exposure.py",
    "pool/farm/gamma.py",
    "pool/farm/hashrate.py",
    "pool/farm/machine.py",
    "pool/farm/machine_state.py",
    "pool/farm/presence.py",
    "pool/farm/refusals.py",
    "pool/farm/roster.py",
    "pool/farm/shortfall.py",
    "pool/farm/silence.py",
    "pool/farm/economics.py",
    "pool/reports/economics.py",
    "pool/farm/tariff.py",
    "pool/farm/cause.py",
    "pool/farm/enrichment.py",
    "pool/farm/explanation.py",
    "pool/farm/faults.py",
    "pool/farm/incident_line.py",
    "pool/farm/incidents.py",
    "pool/farm/inventory.py",
    "pool/farm/pause_savings.py",
    "pool/farm/pause_time.py",
    "pool/farm/pauses.py",
    "pool/farm/places.py",
    "pool/gateway/numbers.py",
    "pool/gateway/outcome.py",
    "pool/gateway/recorder.py",
    "pool/gateway/tally.py",
    "pool/instruments/account_metrics.py",
    "pool/instruments/board.py",
    "pool/instruments/gateway_metrics.py",
    "pool/instruments/farm_metrics.py",
    "pool/instruments/farm_readings.py",
    "pool/instruments/health.py",
    "pool/instruments/herald.py",
    "pool/instruments/metric.py",
    "pool/farm/finance.py",
    "pool/farm/floor.py",
    "pool/farm/floor_clock.py",
    "pool/farm/floor_rules.py",
    "pool/farm/group_view.py",
    "pool/farm/member.py",
    "pool/farm/observation.py",
    "pool/farm/rate_windows.py",
    "pool/farm/stale_losses.py",
    "pool/farm/summary.py",
    "pool/instruments/round.py",
    "pool/logs/entry.py",
    "pool/logs/events.py",
    "pool/logs/limits.py",
    "pool/logs/line.py",
    "pool/logs/redaction.py",
    "pool/miner/client.py",
    "pool/miner/grinding.py",
    "pool/node/health.py",
    "pool/notices/formats.py",
    "pool/notices/notice.py",
    "pool/notices/pacing.py",
    "pool/notices/queue.py",
    "pool/notices/targets.py",
    "pool/notices/texts.py",
    "pool/notices/watcher.py",
    "pool/preflight.py",
    "pool/spool/clock.py",
    "pool/spool/dictionary.py",
    "pool/spool/frames.py",
    "pool/spool/records.py",
    "pool/translation.py",
    "pool/wording.py",
}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported_modules(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute module names and their lines; a relative import across packages cannot be written."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write absolute imports"
            yield node.module or "", node.lineno


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_packages_import_only_what_the_table_allows(path: Path) -> None:
    package = name_of(path).split("/")[0]
    for module, line in imported_modules(path):
        top = module.split(".")[0]
        assert top != "tests", f"{path}:{line}: production code imports tests"
        if top in PACKAGES and top != package:
            assert top in MAY_IMPORT[package], f"{path}:{line}: {package} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_pure_modules_import_no_clock_no_randomness_no_input_and_output(path: Path) -> None:
    name = name_of(path)
    is_pure = name in PURE_IN_POOL if name.startswith("pool/") else name not in SHELLS
    if not is_pure:
        return
    for module, line in imported_modules(path):
        is_pure_module = module.split(".")[0] not in IMPURE and module not in LOGGING
        assert is_pure_module, f"{path}:{line}: a pure module imports {module}"


def test_the_tables_above_name_files_that_exist() -> None:
    names = {name_of(path) for path in FILES}
    assert names >= SHELLS | PURE_IN_POOL


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_says_in_its_first_line_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, f"{path} does not say what it is"
    assert docstring.splitlines()[0].rstrip().endswith((".", ":")), (
        f"{path}: end the first line as a sentence"
    )


def test_prometheus_is_imported_in_one_place_only() -> None:
    importers = {
        name_of(path) for path in FILES for module, _ in imported_modules(path) if "prometheus" in module
    }
    assert importers <= {"pool/metrics.py"}


@pytest.mark.parametrize("folder", sorted({p.parent for p in (ROOT / "tests").rglob("*.py")}), ids=name_of)
def test_every_folder_of_tests_is_a_package(folder: Path) -> None:
    assert (folder / "__init__.py").exists(), "else its name shadows one of our packages"
