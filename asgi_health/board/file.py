"""The file of the board: made with safe permissions, refused where it is not safe, set aside where it is damaged."""

import os
import stat
import sys
from contextlib import suppress

from .interface import BoardUnavailable

NETWORK_FILE_SYSTEMS = frozenset(
    (
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph-fuse", "fuse.gcsfuse", "fuse.glusterfs",
        "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "ocfs2", "orangefs", "smb3", "smbfs", "vboxsf", "virtiofs",
    )
)  # fmt: skip
"""File systems that several hosts share, while the WAL of SQLite needs memory that all its processes share."""

FileIdentity = tuple[int, int] | None
"""Device and inode; None for no file."""


def file_identity(path: str) -> FileIdentity:
    """Return which file has the name `path` now."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def make_file(path: str) -> None:
    """Make an empty file at `path`, and its directory, where there is none.

    Raises BoardUnavailable where it is not safe.
    """
    directory = os.path.dirname(path)
    os.makedirs(directory, 0o700, exist_ok=True)
    _check_directory(path, directory)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        _check_file(path)
    check_other_files(path)


def check_other_files(path: str) -> None:
    """Raise BoardUnavailable where the -wal or the -shm of the file at `path` is not safe: SQLite uses what it finds.

    Any user can make them in a directory with the sticky bit, and could then write to what all workers read.
    """
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):  # the last process that closes the board deletes them
            _check_owner(path + suffix)


def set_aside(path: str, identity: FileIdentity) -> None:
    """Rename a damaged file to PATH-damaged, unless another process has put another file in its place.

    The caller has it open, so no other file can have the same inode. It is not deleted: the path may be a mistake, and
    the file not a board. Its -wal goes first: SQLite would take it for that of the next file.
    """
    with suppress(OSError):
        for suffix in ("-wal", "-shm"):
            if file_identity(path) == identity:
                with suppress(FileNotFoundError):
                    os.unlink(path + suffix)
        if file_identity(path) == identity:
            os.replace(path, f"{path}-damaged")


def network_file_system(directory: str, mountinfo: str) -> str | None:
    """Return the type of the network file system that holds `directory`, and None where it is a local one.

    Args:
        directory: Its path without symbolic links.
        mountinfo: Text of /proc/self/mountinfo (proc_pid_mountinfo(5)).
    """
    longest, found = "", ""
    for line in mountinfo.splitlines():
        fields, separator, rest = line.partition(" - ")
        if not separator or len(fields.split(" ")) < 5:
            continue
        mount_point = _unescape(fields.split(" ")[4])
        inside = directory == mount_point or directory.startswith(mount_point.rstrip("/") + "/")
        if inside and len(mount_point) >= len(longest):  # the last of several on one point covers the others
            longest, found = mount_point, rest.split(" ")[0]
    return found if found in NETWORK_FILE_SYSTEMS else None


def _unescape(text: str) -> str:
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, character)
    return text


def _check_directory(path: str, directory: str) -> None:
    if sys.platform == "win32":  # has no such modes
        return
    mode = os.stat(directory).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise BoardUnavailable(
            f"board {path!r}: all users may replace files in its directory (mode {stat.S_IMODE(mode):04o}),"
            " expected a directory of this user; the board makes one that does not exist"
        )
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            found = network_file_system(os.path.realpath(directory), file.read())
    except OSError:
        return
    if found:
        raise BoardUnavailable(
            f"board {path!r}: found a file system of the network ({found}), expected one of this host"
        )


def _check_file(path: str) -> None:
    _check_owner(path)
    # Checked here, because SQLite would open it for reading, and make the other two files read-only as well: the board
    # would stay so when the file itself can be written to again.
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise BoardUnavailable(
            f"board {path!r}: found a file that this process may not write to, expected one that it may"
        )


def _check_owner(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise BoardUnavailable(f"board {path!r}: found {_kind(found.st_mode)}, expected a regular file")
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        raise BoardUnavailable(
            f"board {path!r}: found a file of user {found.st_uid}, expected one of the user of this process,"
            f" {os.geteuid()}"
        )


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a directory" if stat.S_ISDIR(mode) else "a special file"
