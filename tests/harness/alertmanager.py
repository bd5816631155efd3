"""A real Alertmanager for tests, with settings of a file, alone and without a cluster. To use:

    async with Alertmanager(tmp_path, settings_file) as alertmanager:
        await alertmanager.post([{"alertname": "NodeDown", "scope": "node"}])
        groups = await alertmanager.groups()

Its binary is what `.ci/unpack prometheus-alertmanager` unpacked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.harness.litecoind import free_ports
from tests.harness.unpacked import program

START_SECONDS = 30.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.05
# Debian's binary reads its templates from here, and does not start where the package is not installed.
# The copy that runs reads them below its working directory, by a path of the same length. Builds of others
# carry their templates in them.
INSTALLED_TEMPLATES = b"/usr/share/prometheus/alertmanager"
UNPACKED_TEMPLATES = b"usr//share/prometheus/alertmanager"


class Alertmanager:
    """One server process on a free port of 127.0.0.1."""

    def __init__(self, directory: Path, settings_file: Path) -> None:
        self.directory = directory / "alertmanager-data"
        self._copy = self.directory / "alertmanager"
        [self.port] = free_ports(1)
        self._settings_file = settings_file.resolve()
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self.directory.mkdir()
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL"),  # it ends even with tests that are killed
                str(self._copy),
                f"--config.file={self._settings_file}",
                f"--storage.path={self.directory}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
                cwd=self._copy_binary(),
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
            print(f"--- Alertmanager: end of its log\n{self._log_tail()}")  # noqa: T201

    async def post(self, alerts: Sequence[Mapping[str, str]], summary: str = "") -> None:
        """These alerts, given by their labels, fire from now on."""
        annotations = {"summary": summary} if summary else {}
        await self._post([{"labels": labels, "annotations": annotations} for labels in alerts])

    async def end(self, alerts: Sequence[Mapping[str, str]]) -> None:
        """These alerts are over."""
        now = datetime.now(UTC).isoformat()
        await self._post([{"labels": labels, "endsAt": now} for labels in alerts])

    async def _post(self, body: list[dict[str, Any]]) -> None:
        async with self._client.post("/api/v2/alerts", json=body) as response:
            assert response.status == 200, await response.text()

    async def groups(self) -> list[dict[str, Any]]:
        """What is told together: `labels`, `receiver` and `alerts`, silenced and inhibited ones included."""
        async with self._client.get("/api/v2/alerts/groups") as response:
            groups: list[dict[str, Any]] = await response.json()
        return groups

    async def states(self, name: str) -> set[str]:
        """Of all alerts of this name: active, or suppressed by another one."""
        parameters = {"filter": f'alertname="{name}"'}
        async with self._client.get("/api/v2/alerts", params=parameters) as response:
            return {alert["status"]["state"] for alert in await response.json()}

    def _copy_binary(self) -> Path:
        """Writes the copy that runs; gives the folder that it has to run in."""
        names = ("prometheus-alertmanager", "alertmanager")  # Debian's, and everybody else's
        original = program("prometheus-alertmanager", *names)
        self._copy.write_bytes(original.read_bytes().replace(INSTALLED_TEMPLATES, UNPACKED_TEMPLATES))
        self._copy.chmod(0o755)
        return original.parents[2]

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._is_ready():
                    assert self._process is not None
                    assert self._process.returncode is None, f"Alertmanager has ended:\n{self._log_tail()}"
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"Alertmanager is not ready:\n{self._log_tail()}") from None

    async def _is_ready(self) -> bool:
        try:
            async with self._client.get("/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientConnectorError:  # no listener yet
            return False

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._http is not None, "use it as a context manager"
        return self._http

    @property
    def _log(self) -> Path:
        return self.directory / "alertmanager.log"

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    async def _end(self) -> None:
        if self._http is not None:
            await self._http.close()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        self._copy.unlink(missing_ok=True)  # 24 MB that pytest would keep
