"""A real Prometheus for tests: scrapes what it is told every second, evaluates rules, answers PromQL. To use:

    async with Prometheus(tmp_path, [f"127.0.0.1:{port}"], rule_files=[ALERTS]) as prometheus:
        [up] = await prometheus.wait_for("up == 1")              # a sample: its labels and value
        await prometheus.query("sum(engineroom_workers)")
        await prometheus.wait_for('ALERTS{alertstate="firing"}', lambda samples: len(samples) == 2)

Its binary is what `.ci/unpack prometheus` unpacked. It is ready in 0.1 s; its first scrape comes 5 s after
the start and nothing makes it earlier, so that a test without targets is a quick one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.harness.server_process import ServerProcess
from tests.harness.unpacked import program

WAIT_SECONDS = 15.0

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


class Prometheus(ServerProcess):
    """One server process on a free port of 127.0.0.1; scrapes and evaluates every second."""

    name = "Prometheus"

    def __init__(
        self,
        directory: Path,
        targets: Sequence[str] = (),
        *,
        rule_files: Sequence[Path] = (),
        job: str = "engineroom",
    ) -> None:
        super().__init__(directory / "prometheus")
        self._settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path.resolve()) for path in rule_files],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": list(targets)}]}],
        }

    def command(self) -> tuple[str, ...]:
        settings_file = self.directory / "prometheus.yml"
        settings_file.write_text(json.dumps(self._settings))  # JSON is YAML
        return (
            str(program("prometheus", "prometheus")),
            f"--config.file={settings_file}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            # else 5 seconds more: the first scrape comes 5 to 6 seconds after the start as it is
            "--scrape.discovery-reload-interval=100ms",
        )

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

        await self.until(met, seconds, lambda: f"{expression} gives {samples}")
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

        await self.until(evaluated, seconds, lambda: f"rules: {[(rule.name, rule.health) for rule in rules]}")
        return rules

    async def _api(self, name: str, **parameters: str | float) -> Any:
        self.must_be_running()
        async with self.client.get(f"/api/v1/{name}", params=parameters) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{parameters}: {answer['error']}"
        return answer["data"]
