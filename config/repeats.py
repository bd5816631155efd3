"""Names that stand twice in a list where each may stand once."""

from collections.abc import Iterable, Iterator

from config.problems import Problem


def twice(names: Iterable[str | None], key: str, what: str) -> Iterator[Problem]:
    """A problem for each entry whose name an earlier one has; None has no name that could be compared."""
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            yield Problem(f"{key}.{position}.{what}", None, f"{name} is there twice; give each its own")
        seen.add(name)
