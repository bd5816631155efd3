"""`make bench-farm`: 2,500 simulated machines on a running pool, twenty of them broken.

Prints how long each broken machine took to be named and by which state, who else was named, what a scrape a
second costs (time, size, and what shares wait meanwhile), and whether memory stays flat while machines come
and go under new names. Asserts nothing: the figures are for people.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from pool.accounting.control import ask
from tests.benchmarks.simulated_farm import SimulatedFarm
from tests.harness.devnode import RunningDevnode
from tests.harness.http import Samples, fetch, samples
from tests.harness.pool_process import RunningPool

INTERVAL_SECONDS = 4
SHARE_WORK = 200  # expected hashes of a share: what this machine's one spare core can look for
RATE = SHARE_WORK / INTERVAL_SECONDS
SILENT, HALVED, REJECTING = 7, 7, 6
ADDRESSES = [f"127.0.{block}.{last}" for block in range(1, 3) for last in range(1, 51)]
RACKS, PLACES = 50, 50
SETTINGS = f"""\
  share_interval_seconds: {INTERVAL_SECONDS}
  maximum_connections: 12000
trust_stricter_target: true
farm:
  name_pattern: '(?P<hall>[a-z]+)-(?P<row>[0-9]+)-(?P<rack>[0-9]+)-(?P<position>[0-9]+)'
  expected_terahashes: {RATE * 1e-12}
  power: {{currency: CNY, price_per_kwh: 0.5, joules_per_terahash: 1000, coin_price: 2350}}
"""


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def names_of(count: int) -> list[str]:
    """Halls of ten rows, each of ten racks of 25."""
    return [
        f"{'abcdefghij'[place // 2500 % 10]}-{place // 250 % 10}-{place // 25 % 10}-{place % 25}"
        for place in range(count)
    ]


class Scraper:
    """Asks for the metrics once a second, as a hasty Prometheus does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.seconds: list[float] = []
        self.sizes: list[int] = []
        self.last: Samples = {}

    async def run(self) -> None:
        while True:
            began = time.perf_counter()
            _, page = await fetch(self._port, "/metrics")
            self.seconds.append(time.perf_counter() - began)
            self.sizes.append(len(page))
            self.last = samples(page)
            await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - began)))


class Naming:
    """Asks `engineroom farm` every five seconds who is not well, and notes when each was first named."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.first: dict[str, tuple[float, str]] = {}
        self.states: dict[str, str] = {}

    async def run(self, since: float) -> None:
        while True:
            report: Any = await ask(self._directory, "farm")
            now = time.monotonic() - since
            for machine in report["machines"]:
                self.states[machine["name"]] = machine["state"]
                if machine["state"] in ("silent", "low", "rejecting"):
                    self.first.setdefault(machine["name"], (now, machine["state"]))
            await asyncio.sleep(5.0)


async def run(machines: int, settle_seconds: float, watch_seconds: float, churn_seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="engineroom-farm-") as text:
        directory = Path(text)
        (directory / "password").write_text("p")
        async with RunningDevnode(directory, target_difficulty=1e6) as node:
            await node.mine(1)
            difficulty = f"{{start: {SHARE_WORK / 2**32}, minimum: 1e-10}}"
            pool = RunningPool(
                directory, [node], difficulty=difficulty, stratum_extra=SETTINGS, accountant=True
            )
            async with pool:
                port = int((await pool.says("metrics on http")).rpartition(":")[2].partition("/")[0])
                await pool.says("new work at height")
                await _measure(pool, port, machines, settle_seconds, watch_seconds, churn_seconds)


async def _measure(
    pool: RunningPool, port: int, machines: int, settle: float, watch: float, churn: float
) -> None:
    farm = SimulatedFarm(names_of(machines), pool.address, RATE, 1, ADDRESSES)
    began = time.monotonic()
    await farm.start(pool.port)
    say(f"{machines:,} machines connected in {time.monotonic() - began:.0f} s, {RATE:g} H/s each")
    await asyncio.sleep(max(0.0, settle - 60.0))
    before = await _stalls(port)
    await asyncio.sleep(min(60.0, settle))
    quiet = await _stalls(port)
    say(f"before any scrape: {_late(before, quiet)}")
    broken = _break(farm)
    scraper, naming = Scraper(port), Naming(pool.data_directory)
    tasks = [asyncio.create_task(scraper.run()), asyncio.create_task(naming.run(time.monotonic()))]
    await asyncio.sleep(watch)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    say(f"while scraped once a second: {_late(quiet, await _stalls(port))}")
    _tell_scrapes(scraper)
    _tell_named(naming, broken)
    command = await asyncio.create_subprocess_exec(*_farm_command(pool), stdout=asyncio.subprocess.PIPE)
    shown, _ = await command.communicate()
    say("engineroom farm:\n" + "\n".join(shown.decode().splitlines()[:60]))
    await farm.stop()
    if churn:
        await _churn(pool, port, churn)


def _farm_command(pool: RunningPool) -> list[str]:
    import sys

    return [sys.executable, "-m", "pool.entry", "farm", "-c", str(pool.settings_file)]


def _break(farm: SimulatedFarm) -> dict[str, str]:
    """Twenty machines, spread over the farm; what each of them does from now on."""
    chosen = random.Random(2).sample(sorted(farm.machines), SILENT + HALVED + REJECTING)
    broken: dict[str, str] = {}
    for place, name in enumerate(chosen):
        machine = farm.machines[name]
        if place < SILENT:
            broken[name], machine.is_silent = "silent", True
        elif place < SILENT + HALVED:
            broken[name], machine.rate = "low", machine.rate / 2
        else:
            broken[name], machine.rubbish = "rejecting", 0.5
    return broken


async def _stalls(port: int) -> Samples:
    _, page = await fetch(port, "/metrics")
    return samples(page)


def _late(before: Samples, after: Samples) -> str:
    """How often the gateway's loop and its replies were late by more than 20 ms, of how many."""
    said = []
    for name in ("event_loop_stall_seconds", "reply_seconds"):
        total = _grown(before, after, f"engineroom_{name}_count")
        below = _grown(before, after, f"engineroom_{name}_bucket", le="0.02")
        said.append(f"{name} above 20 ms: {total - below:,.0f} of {total:,.0f}")
    return "; ".join(said)


def _grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, frozenset({"gateway": "0", **labels}.items()))
    return after.get(key, 0.0) - before.get(key, 0.0)


def _tell_scrapes(scraper: Scraper) -> None:
    seconds = sorted(scraper.seconds)
    say(
        f"{len(seconds)} scrapes: median {seconds[len(seconds) // 2] * 1e3:.0f} ms, "
        f"worst {seconds[-1] * 1e3:.0f} ms, {max(scraper.sizes) / 1e6:.2f} MB, {len(scraper.last):,} samples"
    )


def _tell_named(naming: Naming, broken: dict[str, str]) -> None:
    for name, kind in sorted(broken.items(), key=lambda entry: naming.first.get(entry[0], (1e9, ""))[0]):
        at, state = naming.first.get(name, (float("nan"), "not named"))
        last = naming.states.get(name, "unknown")
        say(f"  {name}: {kind}, named {state} after {at:.0f} s, {last} at the end")
    named = sum(name in naming.first for name in broken)
    others = {name: entry for name, entry in naming.first.items() if name not in broken}
    say(f"{named} of {len(broken)} named; others: {json.dumps(others) if others else 'none'}")


async def _churn(pool: RunningPool, port: int, seconds: float) -> None:
    """Machines that come for half a minute, each under a name of its own."""
    say(f"churn: 200 machines at a time, each half a minute, for {seconds:.0f} s")
    deadline = time.monotonic() + seconds
    wave, figures = 0, []
    while time.monotonic() < deadline:
        wave += 1
        names = [f"x-{wave % 10}-{wave // 10 % 10}-{wave}{place}" for place in range(200)]
        farm = SimulatedFarm(names, pool.address, RATE, wave, ADDRESSES)
        await farm.start(pool.port)
        await asyncio.sleep(28.0)
        await farm.stop()
        found = await _stalls(port)
        accountant = found["process_resident_memory_bytes", frozenset()]
        gateway = found["engineroom_gateway_memory_bytes", frozenset({("gateway", "0")})]
        figures.append((gateway / 1e6, accountant / 1e6))
        if wave % 5 == 1:
            say(f"  wave {wave}: gateway {figures[-1][0]:.0f} MB, accountant {figures[-1][1]:.0f} MB")
    say(f"  at the end: gateway {figures[-1][0]:.0f} MB, accountant {figures[-1][1]:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=2_500)
    parser.add_argument("--settle", type=float, default=300, help="seconds before twenty of them break")
    parser.add_argument("--watch", type=float, default=900, help="seconds from then on")
    parser.add_argument("--churn", type=float, default=600, help="seconds of coming and going; 0 for none")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.machines, arguments.settle, arguments.watch, arguments.churn))


if __name__ == "__main__":
    main()
