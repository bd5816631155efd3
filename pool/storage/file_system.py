"""Which file system a path is on: SQLite's write-ahead log and `flock` need a local one."""

import os
from pathlib import Path

from pool.storage.database import DatabaseError

MOUNTS = Path("/proc/self/mountinfo")

NETWORK = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "afs", "coda", "ceph", "lustre"),
    *("beegfs", "gpfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "davfs", "fuse.davfs", "fuse.sshfs"),
    *("fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.glusterfs", "fuse.cephfs"),
}
# Shared memory between hosts is what a write-ahead log needs and none of these has: https://sqlite.org/wal.html


def refuse_network(path: Path, mounts: Path = MOUNTS) -> None:
    """Raises DatabaseError where `path`, which need not exist, would be on another host's disk."""
    try:
        kind = file_system_of(os.path.realpath(path), mounts.read_text(errors="surrogateescape"))
    except OSError:  # no /proc: nobody can tell
        return
    if kind in NETWORK:
        raise DatabaseError(
            f"{path} is on a network file system ({kind}), where SQLite loses data; keep data_directory on a "
            "local disk, or use PostgreSQL"
        )


def file_system_of(path: str, mounts: str) -> str:
    """The type of the file system that holds an absolute real path, from the text of a `mountinfo`."""
    best, kind = "", ""
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = _unescaped(fields[4])
        is_above = path == point or path.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= len(best):  # of two at one point, the later covers the earlier
            best, kind = point, after.split(" ")[0]
    return kind


def _unescaped(field: str) -> str:
    """The kernel writes space, tab, newline and backslash in octal: \\040."""
    for code in ("040", "011", "012", "134"):
        field = field.replace(f"\\{code}", chr(int(code, 8)))
    return field
