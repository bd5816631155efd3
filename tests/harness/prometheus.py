"""A real Prometheus for tests: scrapes what it is told every second, evaluates rules, answers PromQL. To use:

    async with Prometheus(tmp_path, [f"127.0.0.1:{port}"], rule_files=[ALERTS]) as prometheus:
        [up] = await prometheus.wait_for("up == 1")              # a sample: its labels and value
        await prometheus.query("sum(engineroom_workers)")
        await prometheus.wait_for('ALERTS{alertstate="firing"}', lambda samples: len(samples) == 2)

Its binary is what `.ci/unpack prometheus` unpacked. It is ready in 0.1 s; its first scrape comes 5 s after
the start and nothing makes it earlier, so that a test without targets is a quick one.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
import msgspec

from tests.harness.litecoind import free_ports
from tests.harness.unpacked import program

START_SECONDS = 30.0
STOP_SECONDS = 30.0
WAIT_SECONDS = 15.0
LOOK_SECONDS = 0.05

Labels = Mapping[str, str]


class Sample(NamedTuple):
    """One element of an instant query's answer; a scalar's has no labels."""

    labels: Labels
    value: float


class Series(NamedTuple):
    """One element of a range query's answer: (Unix time in seconds, value), oldest first."""

    labels: Labels
    points: list[tuple[float, float]]


class Target(msgspec.Struct, frozen=True, rename="camel"):
    """What is scraped; `health` is up, down, or unknown before the first scrape."""

    labels: dict[str, str]
    scrape_url: str
    health: str
    last_error: str


class Alert(msgspec.Struct, frozen=True):
    """One alert, pending or firing."""

    labels: dict[str, str]
    annotations: dict[str, str]
    state: str
    value: str


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """One rule; `type` is alerting or recording, `health` is ok, err, or unknown before it was evaluated."""

    name: str
    query: str
    type: str
    health: str
    last_error: str = ""
    state: str | None = None  # of an alerting rule: inactive, pending or firing
    alerts: list[Alert] = []


class _Group(msgspec.Struct, frozen=True):
    name: str
    rules: list[Rule]


class Prometheus:
    """One server process on a free port of 127.0.0.1; scrapes and evaluates every second."""

    def __init__(
        self,
        directory: Path,
        targets: Sequence[str] = (),
        *,
        rule_files: Sequence[Path] = (),
        job: str = "engineroom",
    ) -> None:
        self.directory = directory / "prometheus"
        [self.port] = free_ports(1)
        self._settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path.resolve()) for path in rule_files],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": list(targets)}]}],
        }
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self.directory.mkdir()
        settings_file = self.directory / "prometheus.yml"
        settings_file.write_text(json.dumps(self._settings))  # JSON is YAML
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL"),  # it ends even with tests that are killed
                str(program("prometheus", "prometheus")),
                f"--config.file={settings_file}",
                f"--storage.tsdb.path={self.directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                # else 5 seconds more: the first scrape comes 5 to 6 seconds after the start as it is
                "--scrape.discovery-reload-interval=100ms",
                stdout=log,
                stderr=log,
            )
        self._http = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}")
        try:
            await self._until_ready()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()
        if error is not None:
            print(f"--- Prometheus: end of its log\n{self._log_tail()}")  # noqa: T201

    async def query(self, expression: str) -> list[Sample]:
        """What an expression gives now; one that Prometheus refuses fails the test with its words."""
        data = await self._api("query", query=expression)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        assert data["resultType"] == "vector", f"{expression!r} gives a {data['resultType']}"
        return [Sample(element["metric"], float(element["value"][1])) for element in data["result"]]

    async def query_range(
        self, expression: str, start: float, end: float, step_seconds: float
    ) -> list[Series]:
        """What an expression gives from `start` to `end`, Unix times in seconds."""
        data = await self._api("query_range", query=expression, start=start, end=end, step=step_seconds)
        return [
            Series(element["metric"], [(float(time), float(value)) for time, value in element["values"]])
            for element in data["result"]
        ]

    async def wait_for(
        self,
        expression: str,
        predicate: Callable[[list[Sample]], bool] = bool,
        *,
        seconds: float = WAIT_SECONDS,
    ) -> list[Sample]:
        """Asks until the answer meets the predicate, which by default is that there is a sample."""
        samples: list[Sample] = []

        async def met() -> bool:
            samples[:] = await self.query(expression)
            return predicate(samples)

        await self._until(met, seconds, lambda: f"{expression} gives {samples}")
        return samples

    async def targets(self) -> list[Target]:
        """Everything that is scraped."""
        data = await self._api("targets", state="active")
        return msgspec.convert(data["activeTargets"], list[Target])

    async def alerts(self) -> list[Alert]:
        """The alerts that are pending or firing now."""
        data = await self._api("alerts")
        return msgspec.convert(data["alerts"], list[Alert])

    async def rules(self) -> list[Rule]:
        """The rules of all groups, in the order of their files."""
        data = await self._api("rules")
        return [rule for group in msgspec.convert(data["groups"], list[_Group]) for rule in group.rules]

    async def wait_for_rules(self, *, seconds: float = WAIT_SECONDS) -> list[Rule]:
        """Waits until every rule was evaluated once; one that failed fails the test."""
        rules: list[Rule] = []

        async def evaluated() -> bool:
            rules[:] = await self.rules()
            broken = [f"{rule.name}: {rule.last_error}" for rule in rules if rule.health == "err"]
            assert not broken, "\n".join(broken)
            return all(rule.health == "ok" for rule in rules)

        await self._until(
            evaluated, seconds, lambda: f"rules: {[(rule.name, rule.health) for rule in rules]}"
        )
        return rules

    async def _until_ready(self) -> None:
        async def ready() -> bool:
            try:
                async with self._client.get("/-/ready") as response:
                    return response.status == 200
            except aiohttp.ClientConnectorError:  # no listener yet
                return False

        await self._until(ready, START_SECONDS, lambda: f"not ready:\n{self._log_tail()}")

    async def _until(
        self, condition: Callable[[], Awaitable[bool]], seconds: float, otherwise: Callable[[], str]
    ) -> None:
        """Looks again and again: Prometheus tells nobody of a scrape or an evaluation."""
        try:
            async with asyncio.timeout(seconds):
                while not await condition():
                    self._must_be_running()
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"after {seconds:g} seconds {otherwise()}") from None

    async def _api(self, name: str, **parameters: str | float) -> Any:
        self._must_be_running()
        async with self._client.get(f"/api/v1/{name}", params=parameters) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{parameters}: {answer['error']}"
        return answer["data"]

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._http is not None, "use it as a context manager"
        return self._http

    @property
    def _log(self) -> Path:
        return self.directory / "prometheus.log"

    def _must_be_running(self) -> None:
        assert self._process is not None
        assert self._process.returncode is None, f"Prometheus has ended:\n{self._log_tail()}"

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    async def _end(self) -> None:
        if self._http is not None:
            await self._http.close()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()  # its data are the test's, and of no use afterwards
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
