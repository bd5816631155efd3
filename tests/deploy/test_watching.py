"""The README's way from nothing to a dashboard's answers: its three commands, typed as they stand there."""

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from ruamel.yaml import YAML

from config.metrics_schema import MetricsSettings
from deploy.grafana.build import BOARDS
from tests.harness.litecoind import free_ports
from tests.harness.prometheus import Prometheus
from tests.harness.unpacked import check_config

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
PATIENCE_SECONDS = 180.0
END_SECONDS = 60.0


def commands() -> list[str]:
    """Of the README's section."""
    section = (ROOT / "README.md").read_text().partition("\n## Watch it\n")[2].partition("\n## ")[0]
    return section.split("```")[1].strip().splitlines()


def as_typed(command: str, directory: Path, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
    """The command on free ports, and in the venv that the tests run in, which has everything already."""
    venv = Path(sys.prefix)
    words = shlex.split(command)
    assert words[0] == "make"
    given = [f"VENV={venv}", f"--old-file={venv}/.demo", *(f"{name}={port}" for name, port in ports.items())]
    return [*words, *given], {**os.environ, "TMPDIR": str(directory), "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def in_a_terminal(
    command: str, directory: Path, ports: dict[str, int]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs until the end of the block; then Ctrl-C is pressed, which everything in the terminal hears."""
    words, environment = as_typed(command, directory, ports)
    with (directory / f"{words[1]}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise


async def until_answered(expression: str, port: int, directory: Path) -> None:
    """Asks what one would ask oneself, until it has an answer."""
    ends_at = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while (await ask("--port", str(port), expression))[0] != 0:
        assert asyncio.get_running_loop().time() < ends_at, f"{expression}:\n{said(directory)}"


def said(directory: Path) -> str:
    return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(directory.glob("*.log")))


async def test_three_commands_lead_from_the_readme_to_an_answer_of_each_dashboard(short_path: Path) -> None:
    run, watch, question = commands()
    metrics_port, prometheus_port = free_ports(2)
    ports = {"METRICS_PORT": metrics_port, "PROMETHEUS_PORT": prometheus_port}
    async with AsyncExitStack() as terminals:
        for command in (run, watch):
            await terminals.enter_async_context(in_a_terminal(command, short_path, ports))
        asking = await terminals.enter_async_context(in_a_terminal(question, short_path, ports))
        assert await asyncio.wait_for(asking.wait(), PATIENCE_SECONDS) == 0, said(short_path)
        # the miners come one after the other, and the dashboards answer before the last of them is there
        await until_answered("sum(engineroom_connections) == 2", prometheus_port, short_path)
    answers = (short_path / "ask.log").read_text()
    for board in BOARDS:
        part = answers.partition(f"{board.title}: ")[2].partition("\nEngineroom: ")[0]
        assert re.search(r"^  [A-Z][^:]+: \d", part, re.MULTILINE), f"{board.title}:\n{said(short_path)}"
    told = (short_path / "prometheus.log").read_text()
    assert f"Prometheus on http://127.0.0.1:{prometheus_port} scrapes " in told
    assert set(os.listdir(short_path)) == {"ask.log", "demo.log", "prometheus.log"}


def test_the_local_prometheus_scrapes_the_port_that_a_pool_shows_metrics_on_by_itself() -> None:
    check_config(PROMETHEUS / "prometheus-local.yml")
    settings = YAML(typ="safe").load(PROMETHEUS / "prometheus-local.yml")
    [job] = settings["scrape_configs"]
    metrics = MetricsSettings()
    assert job["static_configs"] == [{"targets": [f"{metrics.address}:{metrics.port}"]}]
    shipped = YAML(typ="safe").load(PROMETHEUS / "prometheus.yml")
    assert job["job_name"] == shipped["scrape_configs"][0]["job_name"]
    assert settings["rule_files"] == shipped["rule_files"]


async def ask(*words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.ask", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_question_of_ones_own_is_answered_with_the_labels_of_each_value(tmp_path: Path) -> None:
    async with Prometheus(tmp_path) as prometheus:
        port = str(prometheus.port)
        labelled = 'label_replace(vector(2.5), "node", "home", "", "")'
        assert await ask("--port", port, labelled) == (
            0,
            f"Your question\n  Answer: 2.5  (node home)\n      {labelled}\n",
            "",
        )
        code, out, _ = await ask("--port", port, "engineroom_of_nobody")
        assert (code, out) == (1, "Your question\n  Answer: nothing yet\n      engineroom_of_nobody\n")


async def test_what_cannot_be_asked_is_one_line(tmp_path: Path) -> None:
    async with Prometheus(tmp_path) as prometheus:
        port = str(prometheus.port)
        code, out, err = await ask("--port", port, "sum(")
        assert (code, out) == (1, "")
        assert re.fullmatch(r"ask: Prometheus says of sum\(: .*parse error.*\n", err), err
        code, out, err = await ask("--port", port, "up[5m]")
        assert (code, out) == (1, "")
        assert err == "ask: it gives a matrix: ask for its values now, without a [range]\n"
    [free] = free_ports(1)
    code, out, err = await ask("--port", str(free), "up")
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"ask: no Prometheus answers on 127\.0\.0\.1 port {free}: .*\n", err), err
