"""The log calls of the four packages, read from their source: event, possible levels, fields."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PACKAGES = ("stratum", "payouts", "config", "pool")
METHODS = ("debug", "info", "warning", "error", "critical", "log")
LEVELS = ("debug", "info", "warning", "error", "critical")


class Call(NamedTuple):
    """`where` is file:line, `event` the member's name or None where the call names none."""

    where: str
    event: str | None
    levels: frozenset[str]
    fields: dict[str, ast.expr]
    is_exact: bool  # whether all its fields can be read from the source: no **fields


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every module by its path, but for the machinery of the log itself."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("pool/logs/"):
                yield name, ast.parse(path.read_text())


def log_calls() -> list[Call]:
    return [call for name, module in sources() for call in _calls(name, module)]


def _calls(name: str, module: ast.Module) -> Iterator[Call]:
    loggers = _loggers(module)
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        if node.func.attr in METHODS and isinstance(owner, ast.Name) and owner.id in loggers:
            yield _call(f"{name}:{node.lineno}", module, node, node.func.attr)


def _loggers(module: ast.Module) -> set[str]:
    """Names that a module gives to its `Log(…)`."""
    return {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if isinstance(node.value.func, ast.Name) and node.value.func.id == "Log"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _call(where: str, module: ast.Module, node: ast.Call, method: str) -> Call:
    levels = _levels(module, node.args[0]) if method == "log" else frozenset({method})
    said = node.args[1:2] if method == "log" else node.args[:1]
    named = [
        one.attr
        for one in said
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "LogEvent"
    ]
    fields = {one.arg: one.value for one in node.keywords if one.arg is not None and one.arg != "exc_info"}
    is_exact = all(one.arg is not None for one in node.keywords)
    return Call(where, named[0] if named else None, levels, fields, is_exact)


def _levels(module: ast.Module, expression: ast.expr) -> frozenset[str]:
    """`logging.WARNING if … else logging.INFO`, or a name that such levels are assigned to."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    tables = [
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in names
    ]
    return frozenset(
        node.attr.lower()
        for tree in (expression, *tables)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "logging"
    )
