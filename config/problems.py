"""What is wrong with a settings file: a value for each problem, and how it is printed. It finds none."""

from collections.abc import Sequence
from pathlib import Path

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing to mend. `key_path` is dotted, with list positions from 0,
    and empty for the file as a whole."""

    key_path: str
    line: int | None
    message: str


class SettingsError(Exception):
    """The settings cannot be used; `problems` lists everything that is wrong, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.key_path}: {problem.message}" for problem in problems))
        self.problems = list(problems)


def render_problems(problems: Sequence[Problem], path: Path) -> str:
    """One line a problem: `file:line: key: what is wrong and what to do`."""
    return "\n".join(_line(problem, path) for problem in problems)


def _line(problem: Problem, path: Path) -> str:
    place = f"{path}:{problem.line}" if problem.line is not None else str(path)
    key = f"{problem.key_path}: " if problem.key_path else ""
    return f"{place}: {key}{problem.message}"
