"""A signed document's file: whole and durable under its name, or not there. Blocking."""

import os
from pathlib import Path


def store(path: Path, document: bytes) -> None:
    """Write it in the place of what was there; its folder is made if need be. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
