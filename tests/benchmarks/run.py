"""`make bench`: CPU a share, the loop's lateness while shares are recorded, time to the last of 5,000
connections, memory a connection. It only prints.

The server is `engineroom run` as a process of its own, on one core; the load generator has the other. The
floor is a server in C that answers without hashing: what the sockets alone cost on this machine, in the same
run. Judge by the ratio; single figures of a shared machine wander.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from pool.notify import main as notify
from tests.benchmarks.recording import measure_recording
from tests.benchmarks.template_proxy import TemplateProxy
from tests.harness.devnode import RunningDevnode
from tests.harness.litecoind import free_ports
from tests.harness.pool_process import RunningPool

HERE = Path(__file__).parent
BUILD = HERE / "build"
SHARE_CONNECTIONS = 200
SHARE_DIFFICULTY = "0.000000001"  # four hashes a share: the load must not cost more than what it loads
PACED_SHARES_PER_SECOND = 2_000
RECORDED_SHARES_PER_SECOND = 10_000
IDLE_CONNECTIONS = 5_000
TICKS = os.sysconf("SC_CLK_TCK")
STRATUM_EXTRA = "  maximum_shares_per_second: 0\n"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def compiled(name: str, *libraries: str) -> Path:
    BUILD.mkdir(exist_ok=True)
    program = BUILD / name
    source = HERE / f"{name}.c"
    subprocess.run(["gcc", "-O2", "-w", "-o", program, source, *libraries], check=True)
    return program


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Rss:"))


def on_core(core: int, command: list[str]) -> list[str]:
    return ["taskset", "-c", str(core % (os.cpu_count() or 1)), *command]


@contextmanager
def floor_server(program: Path, port: int) -> Iterator[int]:
    process = subprocess.Popen(on_core(0, [str(program), str(port)]))
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def until_it_listens(port: int) -> None:
    """The floor has no way to say so: whoever connects first knows."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


async def load(program: Path, port: int, *options: str) -> dict[str, Any]:
    """One run of the load generator; its report."""
    process = await asyncio.create_subprocess_exec(
        *on_core(1, [str(program), "-p", str(port), *options]), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return dict(json.loads(output))


def share_options(user: str, seconds: float, *, rate: int | None) -> list[str]:
    options = ["-c", str(SHARE_CONNECTIONS), "-d", str(seconds), "-u", user, "-P", f"d={SHARE_DIFFICULTY}"]
    return [*options, "-m", "rate", "-r", str(rate)] if rate else [*options, "-m", "closed"]


async def share_cost(
    generator: Path, pid: int, port: int, options: list[str]
) -> tuple[float, dict[str, Any]]:
    """CPU microseconds an accepted share, handshakes included, and the load's report."""
    before = cpu_seconds(pid)
    report = await load(generator, port, *options)
    spent = cpu_seconds(pid) - before
    return spent / max(report["accepted"], 1) * 1e6, report


async def measure_shares(generator: Path, floor: Path, pool: RunningPool, seconds: float) -> None:
    for name, rate in (
        ("saturated", None),
        (f"{PACED_SHARES_PER_SECOND:,} shares/s", PACED_SHARES_PER_SECOND),
    ):
        options = share_options(pool.address, seconds, rate=rate)
        ours, report = await share_cost(generator, pool.pid, pool.port, options)
        [floor_port] = free_ports(1)
        with floor_server(floor, floor_port) as floor_pid:
            await until_it_listens(floor_port)
            floors, floor_report = await share_cost(generator, floor_pid, floor_port, options)
        latency = report["latency_ms"]
        say(
            f"{name}: {ours:.1f} µs CPU a share ({report['accepted_per_s']:,} accepted/s, "
            f"{report['rejected']} rejected, reply p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms)"
        )
        say(f"  floor: {floors:.2f} µs ({floor_report['accepted_per_s']:,}/s) → {ours / floors:.1f} × floor")


async def measure_idle(generator: Path, pool: RunningPool, node: RunningDevnode) -> None:
    before = resident_bytes(pool.pid)
    # mode idle: it parses nothing but the job's id, so that the client is not what is measured
    options = [
        "-c",
        str(IDLE_CONNECTIONS),
        "-m",
        "idle",
        "-d",
        "14",
        "-u",
        pool.address,
        "-s",
        "8",
        "-R",
        "2500",
    ]
    running = asyncio.create_task(load(generator, pool.port, *options))
    while resident_connections(pool.port) < IDLE_CONNECTIONS:
        await asyncio.sleep(0.1)
    await asyncio.sleep(2)
    after = resident_bytes(pool.pid)
    found_at = []
    for _ in range(3):
        await node.mine(1)
        found_at.append(time.time())
        notify([str(pool.data_directory / "notify.sock")])
        await asyncio.sleep(2.5)
    report = await running
    say(
        f"memory: {(after - before) / IDLE_CONNECTIONS:,.0f} bytes a connection "
        f"({before / 1e6:.0f} → {after / 1e6:.0f} MB, {report['ready']} connections)"
    )
    full = [job for job in report["fanout"] if job["reached"] == IDLE_CONNECTIONS]
    for job in full:
        told_at = max((moment for moment in found_at if moment <= job["first_at"]), default=job["first_at"])
        first_ms = (job["first_at"] - told_at) * 1e3
        say(
            f"new block to {job['reached']:,} connections: first to last {job['last_ms']:.0f} ms; "
            f"from the node's tip {first_ms:.0f} ms to the first (its template included), "
            f"{first_ms + job['last_ms']:.0f} ms to the last"
        )


def resident_connections(port: int) -> int:
    """Established connections of the server's port."""
    wanted = f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(wanted) and line.split()[3] == "01" for line in lines)


async def run(seconds: float, only: str | None) -> None:
    if only in (None, "recording"):
        say(await measure_recording(seconds, RECORDED_SHARES_PER_SECOND))
    if only == "recording":
        return
    generator, floor = compiled("stratumload", "-lcrypto", "-lm"), compiled("floor")
    with tempfile.TemporaryDirectory(prefix="engineroom-bench-") as text:
        directory = Path(text)
        async with RunningDevnode(directory) as node:
            await node.mine(1)
            [proxy_port] = free_ports(1)
            proxy = TemplateProxy(f"http://127.0.0.1:{node.rpc_port}/", "Basic " + b64encode(b"u:p").decode())
            (directory / "password").write_text("p")
            async with proxy.running(proxy_port):
                if only != "idle":
                    async with fresh_pool(directory, node, proxy_port) as pool:
                        await measure_shares(generator, floor, pool, seconds)
                if only != "shares":
                    async with fresh_pool(directory, node, proxy_port) as pool:
                        await measure_idle(generator, pool, node)


@asynccontextmanager
async def fresh_pool(directory: Path, node: RunningDevnode, proxy_port: int) -> AsyncIterator[RunningPool]:
    """A server that has work and no memory of an earlier measurement, on a core of its own."""
    node_port, node.rpc_port = node.rpc_port, proxy_port
    pool = RunningPool(directory, [node], difficulty="{start: 1, minimum: 1e-9}", stratum_extra=STRATUM_EXTRA)
    node.rpc_port = node_port
    async with pool:
        os.sched_setaffinity(pool.pid, {0})
        await pool.says("new work at height")
        yield pool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="how long each share measurement runs")
    parser.add_argument("--only", choices=["recording", "shares", "idle"])
    arguments = parser.parse_args()
    asyncio.run(run(arguments.seconds, arguments.only))


if __name__ == "__main__":
    main()
