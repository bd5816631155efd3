"""[shell] The metrics' listener: /metrics, /healthz and /readyz over HTTP, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from pool.instruments.health import Health
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.metrics import CONTENT_TYPE

RETRY_SECONDS = 10.0  # of a port that is taken: the accounts are kept meanwhile

log = Log("engineroom.instruments")


class Listener:
    """One HTTP listener; `port` is the one that was bound, None while there is none."""

    def __init__(
        self,
        host: str,
        port: int,
        render: Callable[[], Awaitable[bytes]],
        health: Callable[[], Awaitable[Health]],
    ) -> None:
        self.port: int | None = None
        self._host = host
        self._wanted_port = port
        self._render = render
        self._health = health

    async def run(self) -> None:
        """Until cancelled. A port that cannot be had is told once and tried again."""
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        runner = web.AppRunner(application, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await self._listen(runner)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        is_told = False
        while True:
            site = web.TCPSite(runner, self._host, self._wanted_port)
            try:
                await site.start()
            except OSError as error:
                if not is_told:
                    is_told = True
                    log.error(
                        LogEvent.METRICS_REFUSED,
                        host=self._host,
                        port=self._wanted_port,
                        error=error.strerror or str(error),
                    )
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.port = runner.addresses[0][1]
            shown = f"[{self._host}]" if ":" in self._host else self._host
            log.info(LogEvent.METRICS_LISTENING, host=shown, port=self.port)
            return

    async def _metrics(self, request: web.Request) -> web.Response:
        response = web.Response(body=await self._render(), headers={"Content-Type": CONTENT_TYPE})
        response.enable_compression()  # where the asker can: five megabytes of names become a few hundred kB
        return response

    async def _healthz(self, request: web.Request) -> web.Response:
        """Whoever answers is alive."""
        return _json(200, {"status": "alive"})

    async def _readyz(self, request: web.Request) -> web.Response:
        health = await self._health()
        return _json(200 if health.is_ready else 503, health)


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
