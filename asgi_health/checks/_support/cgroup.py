"""Memory in use and its limit: of the cgroup (version 2) nearest to its limit, or of the machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

RECLAIMABLE = ("inactive_file", "active_file", "slab_reclaimable")
"""Fields of memory.stat that the kernel can reclaim when it needs room: its admin-guide/cgroup-v2.

Shared memory and tmpfs, which it cannot reclaim, are not among them: they are on the lists of anonymous memory.
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory at one moment.

    Attributes:
        used: Bytes in use, without what the kernel can reclaim.
        limit: Bytes that may be in use.
        owner: ``the cgroup`` or ``the machine``.
    """

    used: int
    limit: int
    owner: str

    @property
    def share(self) -> float:
        return self.used / max(self.limit, 1)


def memory_in_use(proc: Path = PROC) -> Memory:
    """Return the memory of the cgroup nearest to its limit: of this process's own cgroup and its ancestors.

    Cached files that the kernel can reclaim do not count, as they do not in the kernel's own MemAvailable. The working
    set of Kubernetes differs: it counts files that were read twice or more (active_file). So it is near the limit for a
    process that reads large files, though no process is about to be killed. Where no cgroup has a limit below the
    memory of the machine, the memory of the machine is returned.

    Raises:
        OSError: There is no /proc, because this is not Linux.
    """
    machine = _fields(proc / "meminfo")
    total = machine["MemTotal:"] * 1024
    limited = [memory for memory in _cgroups(proc) if memory.limit < total]
    if limited:
        return max(limited, key=lambda memory: memory.share)
    return Memory(total - machine["MemAvailable:"] * 1024, total, "the machine")


def _cgroups(proc: Path) -> Iterator[Memory]:
    folder = _own_cgroup(proc)
    # These files exist where the controller is on. The root of the tree has no limit.
    while folder is not None and (folder / "cgroup.procs").exists():
        limit = folder / "memory.max"
        if limit.exists() and (allowed := limit.read_text().strip()) != "max":
            stat = _fields(folder / "memory.stat")
            used = int((folder / "memory.current").read_text()) - sum(stat.get(field, 0) for field in RECLAIMABLE)
            yield Memory(max(used, 0), int(allowed), "the cgroup")
        folder = folder.parent


def _own_cgroup(proc: Path) -> Path | None:
    """Return the folder of this process's cgroup of version 2, or the nearest ancestor that is mounted here."""
    own = [line[3:] for line in _lines(proc / "self" / "cgroup") if line.startswith("0::")]
    for line in _lines(proc / "self" / "mountinfo"):
        before, _, after = line.partition(" - ")
        if own and after.split(" ")[0] == "cgroup2":
            root, mounted = before.split(" ")[3:5]
            inside = own[0].removeprefix(root if root != "/" else "").lstrip("/")
            folder = Path(mounted) / inside
            # Inside a container the path may be one of the host. What is mounted is then the container's own cgroup.
            return folder if ".." not in inside and folder.exists() else Path(mounted)
    return None


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _fields(file: Path) -> dict[str, int]:
    return {words[0]: int(words[1]) for line in file.read_text().splitlines() if len(words := line.split()) > 1}
