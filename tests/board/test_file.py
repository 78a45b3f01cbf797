"""Which file systems are those of other hosts."""

import pytest

from asgi_health.board.file import network_file_system

MOUNTINFO = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 0:25 / / rw,relatime shared:1 - overlay overlay rw
31 27 0:28 / /srv/share rw,relatime shared:7 master:2 - nfs4 host:/export rw
32 31 0:29 / /srv/share/local rw - tmpfs tmpfs rw
33 27 0:30 / /srv/with\040space rw - fuse.sshfs host: rw
34 27 0:31 / /srv/twice rw - cifs //host/share rw
35 34 0:32 / /srv/twice rw - ext4 /dev/vda rw
nonsense
"""


@pytest.mark.parametrize(
    ("directory", "found"),
    [
        ("/run/app", None),
        ("/srv/share", "nfs4"),
        ("/srv/share/app", "nfs4"),
        ("/srv/shared", None),
        ("/srv/share/local/app", None),
        ("/srv/with space/app", "fuse.sshfs"),
        ("/srv/twice", None),
    ],
)
def test_the_longest_mount_point_decides(directory: str, found: str | None) -> None:
    assert network_file_system(directory, MOUNTINFO) == found
