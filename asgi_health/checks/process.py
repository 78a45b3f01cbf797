"""The process itself: disk, memory and open files. Beyond a limit: a failure, with ``critical=False`` degraded."""

import os
import shutil
from typing import TYPE_CHECKING

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_share, require_type
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
    """Return a check of the free space on the disk that holds `path`. At least one minimum must be given.

    Space that is reserved for root is not free. A file system that hangs, as NFS can, blocks the thread of the check
    until it answers; the check still fails at its timeout.

    Args:
        path: A file or a folder on the disk.
        min_bytes: The fewest bytes that must be free.
        min_share: The smallest share of the disk that must be free, between 0 and 1 (0.05: 5 %).

    Raises:
        TypeError: An argument is of another type.
        ValueError: There is no minimum, or one is out of its range.
    """
    where = os.fspath(path)
    require_type("disk_free: path", where, str)
    require_type("disk_free: min_bytes", min_bytes, int)
    if min_share:
        require_share("disk_free: min_share", min_share)
    if min_bytes < 0 or not (min_bytes or min_share):
        raise ValueError(f"disk_free: expected min_bytes or min_share above 0, not {min_bytes} and {min_share}")

    def check() -> Result:
        disk = shutil.disk_usage(where)
        size = disk.used + disk.free  # without what is reserved for root
        data = {"disk_free": (disk.free, "B"), "disk_size": (size, "B")}
        expected = [_size(min_bytes)] * (disk.free < min_bytes) + [f"{min_share:.1%}"] * (disk.free < min_share * size)
        if expected:
            found = f"{_size(disk.free)} of {_size(size)} free on {where} ({disk.free / max(size, 1):.1%})"
            return unhealthy(f"{found}, expected at least {' and '.join(expected)}", data=data)
        return healthy(data=data)

    return check


@catalogued(
    technology="memory",
    extra="",
    asked="`memory.current` against `memory.max` of the cgroup (version 2) that is nearest to its limit, or "
    "`/proc/meminfo` where none has one",
    costs="a few small files of the kernel, in a thread",
    privileges="none",
)
def memory(*, max_share: float = 0.9) -> PlainCheck:
    """Return a check of the memory in use, of the cgroup or else of the machine.

    Cached files that the kernel can reclaim do not count. So the share is below that of the working set of Kubernetes
    (`kubectl top`), which counts files that were read recently. A limit of cgroup version 1 is not seen. The check
    fails on all systems but Linux, where the memory cannot be read.

    Args:
        max_share: The largest share of the memory that may be in use, between 0 and 1.

    Raises:
        TypeError: `max_share` is not a number.
        ValueError: `max_share` is not between 0 and 1.
    """
    require_share("memory: max_share", max_share)

    def check() -> Result:
        found = memory_in_use()
        data = {"memory_used": (found.used, "B"), "memory_limit": (found.limit, "B")}
        if found.share > max_share:
            used = f"{_size(found.used)} of {_size(found.limit)} of {found.owner} in use ({found.share:.1%})"
            return unhealthy(f"{used}, expected at most {max_share:.1%}", data=data)
        return healthy(data=data)

    return check


@catalogued(
    technology="open files",
    extra="",
    asked="the file descriptors that the process has open, against its soft limit",
    costs="a listing of `/dev/fd`, in a thread",
    privileges="none",
)
def open_files(*, max_share: float = 0.9) -> PlainCheck:
    """Return a check of the number of open file descriptors.

    With no descriptor left the check cannot count them, and fails with "Too many open files".

    Args:
        max_share: The largest share of the soft limit (RLIMIT_NOFILE) that may be open, between 0 and 1.

    Raises:
        TypeError: `max_share` is not a number.
        ValueError: `max_share` is not between 0 and 1.
        ModuleNotFoundError: This is Windows, which has no such limit.
    """
    require_share("open_files: max_share", max_share)
    import resource  # Windows has no such module

    def check() -> Result:
        limit: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # it may change while the process runs
        used = len(os.listdir(OPEN_FILES)) - 1  # without the descriptor of the listing itself
        if limit == resource.RLIM_INFINITY:
            return healthy(data={"open_files": used})
        data = {"open_files": used, "open_files_limit": limit}
        if used > max_share * limit:
            return unhealthy(f"{used} of {limit} files open, expected at most {max_share:.1%}", data=data)
        return healthy(data=data)

    return check


def _size(number: float) -> str:
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
