"""Settings files for tests of rules: a small one that loads, its parts to be exchanged."""

from pathlib import Path

import pytest

from config.loading import load
from config.problems import Problem, SettingsError
from config.schema import Settings

COOKIE = "    cookie_file: .cookie\n"
ENVIRONMENT = {"RPC_PASSWORD": "x"}


def text_of(
    *,
    coin: str = "bitcoin",
    network: str = "regtest",
    payout: str = "  scheme: solo\n",
    login: str = COOKIE,
    more: str = "",
) -> str:
    return (
        f"coin: {coin}\nnetwork: {network}\npayout:\n{payout}"
        f"nodes:\n  - name: local\n    url: http://127.0.0.1:18443\n{login}{more}"
    )


def listeners(*entries: str) -> str:
    return "stratum:\n  listeners:\n" + "".join(f"    - {{{entry}}}\n" for entry in entries)


def loaded(folder: Path, text: str) -> Settings:
    path = folder / "engineroom.yaml"
    path.write_text(text)
    return load(path, ENVIRONMENT)


def problems(folder: Path, text: str) -> list[Problem]:
    with pytest.raises(SettingsError) as refused:
        loaded(folder, text)
    return refused.value.problems


def only_problem(folder: Path, text: str) -> tuple[str, int | None, str]:
    (problem,) = problems(folder, text)
    return problem.key_path, problem.line, problem.message


def places(folder: Path, text: str) -> list[tuple[str, int | None]]:
    return [(problem.key_path, problem.line) for problem in problems(folder, text)]
