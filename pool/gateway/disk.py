"""The disk as the spool uses it: an interface of a dozen calls, so that tests can let any of them fail."""

import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """Every method may raise OSError. Descriptors are the caller's to close."""

    def create(self, path: Path) -> int:
        """A new empty file to append to; its descriptor."""
        ...

    def write(self, descriptor: int, data: bytes) -> int:
        """Append; gives how many bytes were taken, fewer where the disk is full."""
        ...

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut to this size."""
        ...

    def sync(self, descriptor: int) -> None:
        """When it returns, what was written survives a power cut."""
        ...

    def sync_directory(self, directory: Path) -> None:
        """When it returns, the names in the directory survive a power cut."""
        ...

    def close(self, descriptor: int) -> None: ...

    def rename(self, path: Path, target: Path) -> None: ...

    def remove(self, path: Path) -> None:
        """No error where it is not there."""
        ...

    def preallocate(self, path: Path, size_bytes: int) -> None:
        """A file whose blocks are taken from the free ones, without being written."""
        ...

    def free_bytes(self, directory: Path) -> int:
        """What this process may still write there."""
        ...


class RealDisk:
    """The operating system's calls."""

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        os.ftruncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, path: Path, target: Path) -> None:
        path.rename(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def preallocate(self, path: Path, size_bytes: int) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        finally:
            os.close(descriptor)

    def free_bytes(self, directory: Path) -> int:
        status = os.statvfs(directory)
        return status.f_bavail * status.f_frsize
