"""[shell] YAML, secret files and environment → Settings, or every problem at once with its key and line.

Reading goes in three steps: the document (ruamel.yaml: YAML 1.2, duplicate keys refused), the shape (each
section against its struct, field by field, since msgspec alone stops at the first error), and what needs more
than one field or the world outside: secrets and rules. The last step is asked about whatever the second could
use, so that one run tells everything. Relative paths are relative to the settings file's folder.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError

from config.draft import Draft, known
from config.problems import Problem, SettingsError
from config.rules import cross_field_problems
from config.schema import Settings
from config.secret import Secret
from config.shape import Shape

LARGEST_FILE_BYTES = 1 << 20
DEEPEST_NESTING = 16
MOST_VALUES = 10_000


def load(
    path: Path,
    environment: Mapping[str, str] | None = None,
    further: Callable[[Settings], list[Problem]] = lambda _: [],
) -> Settings:
    """Read a settings file. Raises SettingsError that lists every problem found.

    `further` checks what this package cannot know (an address, a script's length); its problems are listed
    with the others, each with its line, unless something else is wrong at the same key. Where the file has a
    value that cannot be used, reading it there raises config.draft.Unknown, which `load` catches.
    """
    shape = Shape(_document(path))
    draft = shape.convert(Settings)
    found = _settle_paths(draft, path.parent)
    found += _read_secrets(draft, environment if environment is not None else os.environ)
    settings = draft.view()
    found += cross_field_problems(settings)
    told = {problem.key_path for problem in shape.problems + found}
    more = known(lambda: further(settings)) or []
    found += [problem for problem in more if problem.key_path not in told]
    problems = shape.problems + [
        Problem(problem.key_path, shape.line_of(problem.key_path), problem.message) for problem in found
    ]
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: problem.line or 0))
    return draft.finished()


# ---------------------------------------------------------------------- the document


def _document(path: Path) -> CommentedMap:
    yaml = YAML(typ="rt", pure=True)
    yaml.version = "1.2"
    text = _text(path)
    try:
        with warnings.catch_warnings():
            # YAML 1.2 lets an anchor be named again; ruamel warns of it on stderr
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            document = yaml.load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        # ruamel goes on with both values, and one of them may be a password
        found = _first_line(error.problem).partition(" with value ")[0]
        raise _refused(f"{found}; write every key once", line) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _refused(f"this is not YAML: {_first_line(error.problem)}", line) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise _refused(f"this is not YAML: {_first_line(str(error))}") from error
    except (AttributeError, TypeError, LookupError) as error:  # ruamel's own slips, for example on `!!set 1`
        raise _refused("this is not YAML: a tag (!) stands at a value that it does not fit") from error
    if document is None:
        raise _refused("the file is empty; `engineroom config example` prints one to start from")
    if not isinstance(document, CommentedMap):
        raise _refused(
            "a settings file is a list of `key: value` lines; `engineroom config example` prints one"
        )
    _check_extent(document)
    return document


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except IsADirectoryError as error:
        raise _refused("this is a directory, not a settings file") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _refused(f"cannot be read: {reason}") from error
    if len(data) > LARGEST_FILE_BYTES:
        raise _refused("the file is larger than 1 MiB, which no settings file is")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _refused("the file is not UTF-8 text", line) from error


def _check_extent(document: CommentedMap) -> None:
    """A few kilobytes of anchors can stand for gigabytes of values, and anchors can hold themselves."""
    values = 0
    layer: list[Any] = [document]
    for _ in range(DEEPEST_NESTING):
        values += len(layer)
        if not layer or values > MOST_VALUES:
            break
        layer = [child for value in layer for child in _children(value)]
    if layer:
        raise _refused("the file nests deeper, or repeats itself more often, than any settings file does")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, CommentedSeq) else []


def _refused(message: str, line: int | None = None) -> SettingsError:
    return SettingsError([Problem("", line, message)])


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]


# ---------------------------------------------------------------------- paths and secrets


def _settle_paths(draft: Draft[Settings], folder: Path) -> list[Problem]:
    problems = []
    for section, names, prefix in _paths(draft):
        for name in names:
            text = section.values.get(name)
            if text is None:
                continue
            try:
                section.values[name] = str((folder / Path(text).expanduser()).absolute())
            except RuntimeError:  # ~somebody
                del section.values[name]
                message = f"is {text!r}, and this machine does not know whose folder that is"
                problems.append(Problem(prefix + name, None, message))
    return problems


def _paths(draft: Draft[Settings]) -> Iterator[tuple[Draft[Any], Sequence[str], str]]:
    """Each section that holds paths, with their names and what stands before them in a key's path."""
    yield draft, ("data_directory", "notify_socket"), ""
    for node, prefix in _nodes(draft):
        yield node, ("cookie_file",), prefix
    farm = draft.values.get("farm")
    if isinstance(farm, Draft):
        yield farm, ("inventory",), "farm."
    power = _inner(draft, "farm", "power")
    if power is not None:
        yield power, ("coin_price_file",), "farm.power."
    for section, secret, prefix in _secrets(draft):
        yield section, (f"{secret}_file",), prefix


def _read_secrets(draft: Draft[Settings], environment: Mapping[str, str]) -> list[Problem]:
    problems = []
    for section, name, prefix in _secrets(draft):
        try:
            section.values[name] = _secret(section, name, environment)
        except _NoSecret as error:
            section.values[name] = None
            problems.append(Problem(f"{prefix}{name}_{error.source}", None, str(error)))
    return problems


def _secrets(draft: Draft[Settings]) -> Iterator[tuple[Draft[Any], str, str]]:
    """Each section that holds a secret, with its name and what stands before it in a key's path."""
    yield draft, "database_password", ""
    for node, prefix in _nodes(draft):
        yield node, "password", prefix
    wallet = _inner(draft, "payout", "wallet")
    if wallet is not None:
        yield wallet, "passphrase", "payout.wallet."
    for position, target in enumerate(draft.values.get("notifications", ())):
        yield target, "secret", f"notifications.{position}."


def _inner(draft: Draft[Any], *names: str) -> Draft[Any] | None:
    """A section inside of sections, or None where the file does not have it."""
    for name in names:
        section = draft.values.get(name)
        if not isinstance(section, Draft):
            return None
        draft = section
    return draft


def _nodes(draft: Draft[Settings]) -> list[tuple[Draft[Any], str]]:
    return [(node, f"nodes.{position}.") for position, node in enumerate(draft.values.get("nodes", ()))]


class _NoSecret(Exception):
    """The file or the environment does not hold it; `source` says which was asked."""

    def __init__(self, source: str, message: str) -> None:
        super().__init__(message)
        self.source = source


def _secret(section: Draft[Any], name: str, environment: Mapping[str, str]) -> Secret | None:
    variable, file = section.values.get(f"{name}_environment"), section.values.get(f"{name}_file")
    if variable is not None:
        value = environment.get(variable)
        if not value:
            raise _NoSecret("environment", f"the environment variable {variable} is not set")
        return Secret(value)
    return Secret(_content(file)) if file is not None else None


def _content(file: str) -> str:
    try:
        value = Path(file).read_text("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        raise _NoSecret("file", f"cannot read {file}: it is not UTF-8 text") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte within the path
        reason = ((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()
        raise _NoSecret("file", f"cannot read {file}: {reason}") from None
    if not value:
        raise _NoSecret("file", f"{file} is empty")
    return value
