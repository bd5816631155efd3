"""How a command begins and ends: its settings, its loop, and one line on stderr for what goes wrong.

Exit codes as in `pool.cli`: 1 the world is not as it should be, 2 the command or the settings are wrong.
"""

import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
import uvloop

if TYPE_CHECKING:
    from config.schema import Settings

SettingsFile = Annotated[Path, typer.Option("-c", "--config", help="The settings file (YAML).")]

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it to its end; Ctrl-C ends the command."""
    try:
        return uvloop.run(coroutine)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def load_settings(path: Path, exit_code: int = 2) -> "Settings":
    """The settings; where they are wrong, every problem is printed and the command ends."""
    from config.loading import load
    from config.problems import SettingsError, render_problems
    from pool.preflight import offline_problems

    try:
        return load(path, os.environ, offline_problems)
    except SettingsError as error:
        sys.stderr.write(render_problems(error.problems, path) + "\n")
        raise typer.Exit(exit_code) from None


def fail(line: str, exit_code: int = 1) -> NoReturn:
    """One line, and the end."""
    complain(line)
    raise typer.Exit(exit_code)


def said(error: Exception) -> str:
    """What an error says to a person: the system's without its number, and with its file in front."""
    if isinstance(error, OSError) and error.strerror is not None:
        what = error.strerror[:1].lower() + error.strerror[1:]
        return what if error.filename is None else f"{os.fspath(error.filename)}: {what}"
    return str(error)


def complain(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"engineroom: {line}\n")
