"""Asking the pool's HTTP listener, in tests: a page, a JSON answer, the samples of a metrics page."""

import re
from typing import Any

import aiohttp

_SAMPLE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def fetch(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}", timeout=aiohttp.ClientTimeout(10)) as response,
    ):
        return response.status, await response.text()


async def fetch_json(port: int, path: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}", timeout=aiohttp.ClientTimeout(10)) as response,
    ):
        return response.status, await response.json()


def samples(page: str) -> Samples:
    """Every sample of a page in Prometheus's text format."""
    found: Samples = {}
    for line in page.splitlines():
        match = None if line.startswith("#") else _SAMPLE.match(line)
        if match is not None:
            labels = frozenset(_LABEL.findall(match["labels"] or ""))
            found[match["name"], labels] = float(match["value"])
    return found


def value(found: Samples, name: str, **labels: str) -> float | None:
    """Of the one sample with these labels; None where there is none."""
    return found.get((name, frozenset(labels.items())))
