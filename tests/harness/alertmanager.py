"""A real Alertmanager for tests, with settings of a file, alone and without a cluster. To use:

    async with Alertmanager(tmp_path, settings_file) as alertmanager:
        await alertmanager.post([{"alertname": "NodeDown", "scope": "node"}])
        groups = await alertmanager.groups()

Its binary is what `.ci/unpack prometheus-alertmanager` unpacked.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.harness.server_process import ServerProcess
from tests.harness.unpacked import program

# Debian's binary reads its templates from here, and does not start where the package is not installed.
# The copy that runs reads them below its working directory, by a path of the same length. Builds of others
# carry their templates in them.
INSTALLED_TEMPLATES = b"/usr/share/prometheus/alertmanager"
UNPACKED_TEMPLATES = b"usr//share/prometheus/alertmanager"


class Alertmanager(ServerProcess):
    """One server process on a free port of 127.0.0.1."""

    name = "Alertmanager"

    def __init__(self, directory: Path, settings_file: Path) -> None:
        super().__init__(directory / "alertmanager-data")
        self._copy = self.directory / "alertmanager"
        self._settings_file = settings_file.resolve()

    def command(self) -> tuple[str, ...]:
        self._copy.write_bytes(_original().read_bytes().replace(INSTALLED_TEMPLATES, UNPACKED_TEMPLATES))
        self._copy.chmod(0o755)
        return (
            str(self._copy),
            f"--config.file={self._settings_file}",
            f"--storage.path={self.directory}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        )

    def working_directory(self) -> Path:
        """The folder that the copy's path of its templates begins in."""
        return _original().parents[2]

    async def ended(self) -> None:
        await super().ended()
        self._copy.unlink(missing_ok=True)  # 24 MB that pytest would keep

    async def post(self, alerts: Sequence[Mapping[str, str]], summary: str = "") -> None:
        """These alerts, given by their labels, fire from now on."""
        annotations = {"summary": summary} if summary else {}
        await self._post([{"labels": labels, "annotations": annotations} for labels in alerts])

    async def end(self, alerts: Sequence[Mapping[str, str]]) -> None:
        """These alerts are over."""
        now = datetime.now(UTC).isoformat()
        await self._post([{"labels": labels, "endsAt": now} for labels in alerts])

    async def _post(self, body: list[dict[str, Any]]) -> None:
        async with self.client.post("/api/v2/alerts", json=body) as response:
            assert response.status == 200, await response.text()

    async def groups(self) -> list[dict[str, Any]]:
        """What is told together: `labels`, `receiver` and `alerts`, silenced and inhibited ones included."""
        async with self.client.get("/api/v2/alerts/groups") as response:
            groups: list[dict[str, Any]] = await response.json()
        return groups

    async def states(self, name: str) -> set[str]:
        """Of all alerts of this name: active, or suppressed by another one."""
        parameters = {"filter": f'alertname="{name}"'}
        async with self.client.get("/api/v2/alerts", params=parameters) as response:
            return {alert["status"]["state"] for alert in await response.json()}


def _original() -> Path:
    """Debian's name for it, or everybody else's."""
    return program("prometheus-alertmanager", "prometheus-alertmanager", "alertmanager")
