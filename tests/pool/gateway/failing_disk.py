"""A real disk that fails when a test says so: full, broken, or deaf to syncs."""

import errno
import os
from pathlib import Path

from pool.gateway.disk import RealDisk

EIO = OSError(errno.EIO, os.strerror(errno.EIO))
ENOSPC = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FailingDisk(RealDisk):
    """Everything works until one of these is set."""

    def __init__(self) -> None:
        self.room: int | None = None  # bytes that writes still find, shared by all files; None: endless
        self.next_write_takes: int | None = None  # of the next write only so many bytes are taken
        self.failing: set[Path] = set()  # no write to these succeeds
        self.is_read_only = False
        self.fails_truncate = False
        self.sync_failures = 0  # so many further syncs fail
        self.reserved: dict[Path, int] = {}
        self.reserve_error: OSError | None = None  # of preallocate, which leaves behind what it had by then
        self.free = 1 << 40
        self.synced_directories = 0
        self.synced_files = 0
        self._paths: dict[int, Path] = {}

    def create(self, path: Path) -> int:
        if self.is_read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        descriptor = super().create(path)
        self._paths[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        if self._paths[descriptor] in self.failing:
            raise EIO
        if self.next_write_takes is not None:
            data, self.next_write_takes = data[: self.next_write_takes], None
        if self.room is None:
            return super().write(descriptor, data)
        if self.room == 0:
            raise ENOSPC
        taken = super().write(descriptor, data[: self.room])
        self.room -= taken
        return taken

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        if self.fails_truncate:
            raise EIO
        super().truncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        if self.sync_failures:
            self.sync_failures -= 1
            raise EIO
        self.synced_files += 1
        super().sync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        self.synced_directories += 1
        super().sync_directory(directory)

    def remove(self, path: Path) -> None:
        freed = self.reserved.pop(path, 0)
        if self.room is not None:
            self.room += freed
        super().remove(path)

    def preallocate(self, path: Path, size_bytes: int) -> None:
        if self.reserve_error is not None:
            path.write_bytes(b"half")
            raise self.reserve_error
        if self.free < size_bytes:
            raise ENOSPC
        self.reserved[path] = size_bytes
        path.touch()

    def free_bytes(self, directory: Path) -> int:
        return self.free
