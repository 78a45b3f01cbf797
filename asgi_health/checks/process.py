"""The process itself: disk, memory and open files. What is beyond its limit fails; with ``critical=False`` it warns."""

import os
import shutil
from typing import TYPE_CHECKING

from ..core.require import require_type
from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.cgroup import memory_in_use
from ._support.client import PlainCheck

if TYPE_CHECKING:
    from pathlib import Path

OPEN_FILES = "/dev/fd"


@catalogued(
    technology="disk",
    extra="",
    asked="`statvfs` of the file system that holds a path",
    costs="one system call, in a thread",
    privileges="to reach the path",
)
def disk_free(path: "str | Path", *, min_bytes: int = 0, min_share: float = 0.0) -> PlainCheck:
    """Return a check of the disk that holds `path`: free must be `min_bytes`, and `min_share` of it (0.05: 5 %).

    Free is what a user may use who is not root. A file system that hangs, as NFS can, holds the thread of the check
    until it answers; the failure is published in time. Raises ValueError without any minimum.
    """
    where = os.fspath(path)
    require_type("disk_free: path", where, str)
    require_type("disk_free: min_bytes", min_bytes, int)
    if min_share:
        _require_share("disk_free: min_share", min_share)
    if min_bytes < 0 or not (min_bytes or min_share):
        raise ValueError(f"disk_free: expected min_bytes or min_share above 0, not {min_bytes} and {min_share}")

    def look() -> Result:
        disk = shutil.disk_usage(where)
        size = disk.used + disk.free  # without what is root's own
        data = {"disk_free": (disk.free, "B"), "disk_size": (size, "B")}
        expected = [_size(min_bytes)] * (disk.free < min_bytes) + [f"{min_share:.1%}"] * (disk.free < min_share * size)
        if expected:
            found = f"{_size(disk.free)} of {_size(size)} free on {where} ({disk.free / max(size, 1):.1%})"
            return unhealthy(f"{found}, expected at least {' and '.join(expected)}", data=data)
        return healthy(data=data)

    return look


@catalogued(
    technology="memory",
    extra="",
    asked="`memory.current` against `memory.max` of the cgroup (version 2) that is nearest to its limit, or "
    "`/proc/meminfo` where none has one",
    costs="a few small files of the kernel, in a thread",
    privileges="none",
)
def memory(*, max_share: float = 0.9) -> PlainCheck:
    """Return a check that at most `max_share` of the memory is in use, of the cgroup or else of the machine.

    What the kernel keeps of files in memory and can drop does not count, recently read or not. So the share is below
    that of the working set of Kubernetes (`kubectl top`), which counts what was recently read. A limit of cgroup
    version 1 is not seen. On anything but Linux the check fails, for it cannot know. Raises ValueError for a share that
    is not between 0 and 1.
    """
    _require_share("memory: max_share", max_share)

    def look() -> Result:
        found = memory_in_use()
        data = {"memory_used": (found.used, "B"), "memory_limit": (found.limit, "B")}
        if found.share > max_share:
            used = f"{_size(found.used)} of {_size(found.limit)} of {found.whose} in use ({found.share:.1%})"
            return unhealthy(f"{used}, expected at most {max_share:.1%}", data=data)
        return healthy(data=data)

    return look


@catalogued(
    technology="open files",
    extra="",
    asked="the file descriptors that the process has open, against its soft limit",
    costs="a listing of `/dev/fd`, in a thread",
    privileges="none",
)
def open_files(*, max_share: float = 0.9) -> PlainCheck:
    """Return a check that at most `max_share` of the file descriptors that the process may have are open.

    With none left the check cannot look, and fails with "Too many open files". Raises ValueError for a share that is
    not between 0 and 1, ModuleNotFoundError on Windows, which has no such limit.
    """
    _require_share("open_files: max_share", max_share)
    import resource  # Windows has no such limit, and no such module

    def look() -> Result:
        limit: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # it may be raised while the process runs
        used = len(os.listdir(OPEN_FILES)) - 1  # the listing itself was one
        if limit == resource.RLIM_INFINITY:
            return healthy(data={"open_files": used})
        data = {"open_files": used, "open_files_limit": limit}
        if used > max_share * limit:
            return unhealthy(f"{used} of {limit} files open, expected at most {max_share:.1%}", data=data)
        return healthy(data=data)

    return look


def _require_share(subject: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{subject} must be a number, not {value!r}")
    if not 0 < value < 1:
        raise ValueError(f"{subject} must be between 0 and 1 (0.9: 90 %), not {value!r}")


def _size(number: float) -> str:
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
