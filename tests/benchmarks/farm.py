"""`make bench-farm`: 2,500 simulated machines on a running pool, twenty of them broken.

Prints how long each broken machine took to be named and by which state, who else was named, what a scrape a
second costs (time, size, and what shares wait meanwhile), and whether memory stays flat while machines come
and go under new names. It fails where a limit is missed; they are meant for a machine that does nothing else,
and the simulation itself takes most of a core.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from pool.accounting.control import INSTRUMENTS_SOCKET, ask
from tests.benchmarks import idler, scraper
from tests.benchmarks.beside import Beside
from tests.benchmarks.simulated_farm import SimulatedFarm
from tests.harness.devnode import RunningDevnode
from tests.harness.http import Samples, fetch, samples
from tests.harness.pool_process import RunningPool

INTERVAL_SECONDS = 4
SHARE_WORK = 64  # expected hashes of a share: looking for them is not what is measured
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


# What is promised for a farm of 2,500 machines on two cores.
SCRAPE_SECONDS = 0.5
PAGE_BYTES = 5_000_000
STALL_SECONDS = 0.02
NOISE = 0.0002  # of all replies: what a virtual machine's neighbours make late by themselves
OTHERS_NAMED = 1
WORST_ASKED_FOR = 200  # ten times as many as are broken
MEMORY_GROWTH = 0.05  # over the churn, by medians of its second minute and its last
WAVE_SECONDS = 30.0


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


class Limits:
    """What was promised, and whether it was kept."""

    def __init__(self) -> None:
        self.missed = 0

    def judge(self, promise: str, *, is_kept: bool) -> None:
        self.missed += not is_kept
        say(f"{'met:' if is_kept else 'MISSED:'} {promise}")


def names_of(count: int) -> list[str]:
    """Halls of ten rows, each of ten racks of 25."""
    return [
        f"{'abcdefghij'[place // 2500 % 10]}-{place // 250 % 10}-{place // 25 % 10}-{place % 25}"
        for place in range(count)
    ]


class Naming:
    """Asks every five seconds who is not well, and notes when each was first named. `states` are those of the
    worst machines at the last time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.first: dict[str, tuple[float, str]] = {}
        self.states: dict[str, str] = {}

    async def run(self, since: float) -> None:
        while True:
            report: Any = await ask(
                self._directory, "farm", socket_name=INSTRUMENTS_SOCKET, most=WORST_ASKED_FOR
            )
            now = time.monotonic() - since
            self.states = {machine["name"]: machine["state"] for machine in report["machines"]}
            for machine in report["machines"]:
                if machine["state"] in ("silent", "low", "rejecting"):
                    self.first.setdefault(machine["name"], (now, machine["state"]))
            await asyncio.sleep(5.0)


async def run(machines: int, settle_seconds: float, watch_seconds: float, churn_seconds: float) -> int:
    """How many limits were missed."""
    limits = Limits()
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
                await _measure(pool, port, machines, settle_seconds, watch_seconds, limits)
                if churn_seconds:
                    await _churn(pool, port, churn_seconds, limits)
    return limits.missed


async def _measure(
    pool: RunningPool, port: int, machines: int, settle: float, watch: float, limits: Limits
) -> None:
    farm = SimulatedFarm(names_of(machines), pool.address, RATE, 1, ADDRESSES)
    began = time.monotonic()
    await farm.start(pool.port)
    say(f"{machines:,} machines connected in {time.monotonic() - began:.0f} s, {RATE:g} H/s each")
    await asyncio.sleep(max(0.0, settle - 60.0))
    before = await _stalls(port)
    async with Beside(idler, STALL_SECONDS) as idling:
        await asyncio.sleep(min(60.0, settle))
    quiet = await _stalls(port)
    unscraped = Lateness.of(before, quiet, idling.said)
    say(f"before any scrape: {unscraped.text}")
    broken = _break(farm)
    naming = Naming(pool.data_directory)
    asking = asyncio.create_task(naming.run(time.monotonic()))
    async with Beside(idler, STALL_SECONDS) as idling, Beside(scraper, port) as scraping:
        await asyncio.sleep(watch)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    lateness = Lateness.of(quiet, await _stalls(port), idling.said)
    say(f"while scraped once a second: {lateness.text}")
    limits.judge(
        f"scrapes make no reply wait more than {STALL_SECONDS * 1e3:g} ms: {lateness.late_replies:.3%} did, "
        f"{unscraped.late_replies:.3%} before there were any, and {lateness.late_naps:.3%} of the naps of a "
        "process that did nothing meanwhile",
        is_kept=lateness.late_replies <= max(unscraped.late_replies, lateness.late_naps, NOISE),
    )
    _tell_scrapes(scraping.said, limits)
    _tell_named(naming, broken, limits)
    command = await asyncio.create_subprocess_exec(*_farm_command(pool), stdout=asyncio.subprocess.PIPE)
    shown, _ = await command.communicate()
    say("engineroom farm:\n" + "\n".join(shown.decode().splitlines()[:60]))
    await farm.stop()


def _farm_command(pool: RunningPool) -> list[str]:
    return [sys.executable, "-m", "pool.entry", "farm", "-c", str(pool.settings_file)]


def _break(farm: SimulatedFarm) -> dict[str, str]:
    """Twenty machines, spread over the farm; what each of them does from now on."""
    chosen = random.Random(2).sample(sorted(farm.machines), SILENT + HALVED + REJECTING)
    broken: dict[str, str] = {}
    for place, name in enumerate(chosen):
        machine = farm.machines[name]
        if place < SILENT:
            broken[name] = "silent"
            machine.fall_silent()
        elif place < SILENT + HALVED:
            broken[name] = "low"
            machine.slow_down(0.5)
        else:
            broken[name], machine.rubbish = "rejecting", 0.5
    return broken


async def _stalls(port: int) -> Samples:
    _, page = await fetch(port, "/metrics")
    return samples(page)


class Lateness(NamedTuple):
    """How often the gateway's replies and its loop, and a process that does nothing, were late by more than
    STALL_SECONDS."""

    text: str
    late_replies: float  # of all
    late_naps: float  # likewise: the machine's own part

    @classmethod
    def of(cls, before: Samples, after: Samples, idle: str) -> "Lateness":
        late_part, said = 0.0, []
        for name, what in (("event_loop_stall_seconds", "timers"), ("reply_seconds", "replies")):
            total = _grown(before, after, f"engineroom_{name}_count")
            late = total - _grown(before, after, f"engineroom_{name}_bucket", le=str(STALL_SECONDS))
            late_part = late / total if total else 0.0
            said.append(f"{late:,.0f} of {total:,.0f} {what}")
        naps, napped_late = (int(word) for word in idle.split())
        said.append(f"{napped_late:,} of {naps:,} naps of a process that does nothing")
        text = f"more than {STALL_SECONDS * 1e3:g} ms late were {', '.join(said)}"
        return cls(text, late_part, napped_late / naps)


def _grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, frozenset({"gateway": "0", **labels}.items()))
    return after.get(key, 0.0) - before.get(key, 0.0)


def _tell_scrapes(scraped: str, limits: Limits) -> None:
    """`scraped` has seconds, bytes, samples and seconds that were stolen of each, in lines."""
    scrapes = [line.split() for line in scraped.splitlines()]
    seconds = sorted(float(took) for took, *_ in scrapes)
    size, samples_shown = max(int(size) for _, size, *_ in scrapes), int(scrapes[-1][2])
    late = sum(float(took) >= SCRAPE_SECONDS for took, *_ in scrapes)
    failed = sum(size == "0" for _, size, *_ in scrapes)
    own_late = sum(float(took) - float(stolen) >= SCRAPE_SECONDS for took, _, _, stolen in scrapes)
    stolen_seconds = sum(float(stolen) for *_, stolen in scrapes)
    say(
        f"{len(seconds)} scrapes: median {seconds[len(seconds) // 2] * 1e3:.0f} ms, 99 % below "
        f"{seconds[len(seconds) * 99 // 100] * 1e3:.0f} ms, worst {seconds[-1] * 1e3:.0f} ms; "
        f"{size / 1e6:.2f} MB, {samples_shown:,} samples"
    )
    limits.judge(
        f"a scrape takes less than {SCRAPE_SECONDS:g} s: {late} took longer, {own_late} of them also without "
        f"what the host took from a core meanwhile ({stolen_seconds:.0f} of {sum(seconds):.0f} s); {failed} "
        "failed",
        is_kept=not own_late and not failed,
    )
    limits.judge(f"a page has less than {PAGE_BYTES / 1e6:g} MB", is_kept=size < PAGE_BYTES)


def _tell_named(naming: Naming, broken: dict[str, str], limits: Limits) -> None:
    for name, kind in sorted(broken.items(), key=lambda entry: naming.first.get(entry[0], (1e9, ""))[0]):
        at, state = naming.first.get(name, (float("nan"), "not named"))
        last = naming.states.get(name, "unknown")
        say(f"  {name}: {kind}, named {state} after {at:.0f} s, {last} at the end")
    named = sum(name in naming.first for name in broken)
    others = {name: entry for name, entry in naming.first.items() if name not in broken}
    say(f"{named} of {len(broken)} named; others: {json.dumps(others) if others else 'none'}")
    wrong = [name for name, kind in broken.items() if naming.states.get(name) != kind]
    limits.judge("all broken machines are named, each with what is wrong with it", is_kept=not wrong)
    limits.judge(f"at most {OTHERS_NAMED} other is named", is_kept=len(others) <= OTHERS_NAMED)


async def _churn(pool: RunningPool, port: int, seconds: float, limits: Limits) -> None:
    """Machines that come for half a minute, each under a name of its own."""
    say(f"churn: 200 machines at a time, each half a minute, for {seconds:.0f} s")
    deadline = time.monotonic() + seconds
    wave, figures = 0, []
    while time.monotonic() < deadline or wave < 4:
        wave += 1
        names = [f"x-{wave % 10}-{wave // 10 % 10}-{wave}{place}" for place in range(200)]
        farm = SimulatedFarm(names, pool.address, RATE, wave, ADDRESSES)
        await farm.start(pool.port)
        await asyncio.sleep(WAVE_SECONDS - 2.0)
        await farm.stop()
        found = await _stalls(port)
        accountant = found["process_resident_memory_bytes", frozenset()]
        gateway = found["engineroom_gateway_memory_bytes", frozenset({("gateway", "0")})]
        figures.append((gateway / 1e6, accountant / 1e6))
        if wave % 5 == 1:
            say(f"  wave {wave}: gateway {figures[-1][0]:.0f} MB, accountant {figures[-1][1]:.0f} MB")
    say(f"  at the end: gateway {figures[-1][0]:.0f} MB, accountant {figures[-1][1]:.0f} MB")
    for who, sizes in zip(("gateway", "accountant"), zip(*figures, strict=True), strict=True):
        grown = statistics.median(sizes[-3:]) / statistics.median(sizes[1:4]) - 1.0
        limits.judge(f"the {who}'s memory is flat ({grown:+.1%})", is_kept=grown <= MEMORY_GROWTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=2_500)
    parser.add_argument("--settle", type=float, default=300, help="seconds before twenty of them break")
    parser.add_argument("--watch", type=float, default=900, help="seconds from then on")
    parser.add_argument("--churn", type=float, default=600, help="seconds of coming and going; 0 for none")
    arguments = parser.parse_args()
    missed = uvloop.run(run(arguments.machines, arguments.settle, arguments.watch, arguments.churn))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
