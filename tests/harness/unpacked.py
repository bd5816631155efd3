"""Programs of Debian packages that `.ci/unpack` put into the checkout: finds them, runs one to its end.

    promtool("check", "rules", str(path))       # a CompletedProcess, whatever it says of the file
    check_rules(path)                           # fails the test with promtool's own words

They are the real programs, unpacked and not installed, so that no service runs. PROMETHEUS_BIN and
ALERTMANAGER_BIN name other folders of programs.
"""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
FOLDERS = {"prometheus": "PROMETHEUS_BIN", "prometheus-alertmanager": "ALERTMANAGER_BIN"}


def program(package: str, *names: str) -> Path:
    """The path of a package's program, by the first name that is there; without any the test fails."""
    named = os.environ.get(FOLDERS[package])
    folder = Path(named) if named else ROOT / ".debian" / package / "usr/bin"
    found = next((folder / name for name in names if (folder / name).exists()), None)
    assert found is not None, f"{folder / names[0]} is missing: run .ci/unpack {' '.join(FOLDERS)}"
    return found


def promtool(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """`promtool` run to its end, with `text` as its input."""
    return _run(program("prometheus", "promtool"), arguments, text)


def amtool(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """`amtool` run to its end, with `text` as its input."""
    return _run(program("prometheus-alertmanager", "amtool"), arguments, text)


def check_rules(path: Path) -> None:
    """Fails where Prometheus would refuse a rule file, or two of its rules are the same."""
    _accepted(promtool("check", "rules", "--lint-fatal", path))


def run_rule_tests(path: Path) -> None:
    """Fails where one of promtool's unit tests of rules does."""
    _accepted(promtool("test", "rules", path))


def check_metrics(exposition: str) -> None:
    """Fails where promtool's linter has a word about what is exposed: help, units, `_total`, duplicates."""
    assert exposition.strip(), "nothing is exposed, and promtool has no word about that"
    _accepted(promtool("check", "metrics", text=exposition))


def check_config(path: Path) -> None:
    """Fails where Prometheus would refuse its settings, or the rule files that they name."""
    _accepted(promtool("check", "config", path))


def check_alertmanager_config(path: Path) -> None:
    """Fails where Alertmanager would refuse its settings."""
    _accepted(amtool("check-config", path))


def _run(path: Path, arguments: tuple[str | Path, ...], text: str) -> subprocess.CompletedProcess[str]:
    command = [str(path), *map(str, arguments)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def _accepted(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{' '.join(done.args[1:])}:\n{done.stdout}{done.stderr}"
