"""Which file systems may hold the accounts, by what the kernel says is mounted where."""

from pathlib import Path

import pytest

from pool.storage.database import DatabaseError
from pool.storage.file_system import file_system_of, refuse_network

# From a real /proc/self/mountinfo, with an NFS mount, a covered mount and a name with a space added.
MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:21 / /proc rw,nosuid shared:12 - proc proc rw
31 22 0:44 / /var/lib/engineroom rw,relatime shared:20 - nfs4 server:/export rw,vers=4.2
32 22 0:45 / /mnt/my\\040disk rw - fuse.sshfs host: rw
33 22 0:46 / /srv rw - cifs //host/share rw
34 33 254:2 / /srv rw - xfs /dev/vdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib", "ext4"),
        ("/var/lib/engineroom/accounts.sqlite", "nfs4"),
        ("/var/lib/engineroom", "nfs4"),
        ("/var/lib/engineroom-2/accounts.sqlite", "ext4"),
        ("/mnt/my disk/a", "fuse.sshfs"),
        ("/srv/a", "xfs"),
    ],
)
def test_the_nearest_mount_that_is_not_covered_decides(path: str, kind: str) -> None:
    assert file_system_of(path, MOUNTS) == kind


def test_a_network_file_system_is_refused_by_name(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"22 1 254:1 / / rw - ext4 /dev/vda1 rw\n31 22 0:44 / {tmp_path} rw - nfs4 server:/x rw\n"
    )
    with pytest.raises(DatabaseError, match=r"is on a network file system \(nfs4\)"):
        refuse_network(tmp_path / "accounts.sqlite", mounts)
    refuse_network(tmp_path.parent / "accounts.sqlite", mounts)


def test_a_local_one_is_taken(tmp_path: Path) -> None:
    refuse_network(tmp_path / "accounts.sqlite")


def test_where_nothing_says_what_is_mounted_nothing_is_refused(tmp_path: Path) -> None:
    refuse_network(tmp_path / "accounts.sqlite", tmp_path / "no-such-file")
