"""How much memory is in use, and of how much: of the cgroup (version 2) nearest to its limit, or of the machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

DROPPABLE = ("inactive_file", "active_file", "slab_reclaimable")
"""What the kernel can drop from a cgroup's memory when it needs room: memory.stat in its admin-guide/cgroup-v2.

Shared memory and tmpfs, which it cannot drop, are not among them: their pages are on the lists of anonymous memory.
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in use, of those that may be."""

    used: int
    limit: int
    whose: str

    @property
    def share(self) -> float:
        return self.used / max(self.limit, 1)


def memory_in_use(proc: Path = PROC) -> Memory:
    """Return the memory of the cgroup that is nearest to its limit, of this process's own and those around it.

    What the kernel keeps of files and can drop is not in use, as it is not in what the kernel calls available of the
    machine. The working set of Kubernetes differs: it counts files that were read twice or more (active_file), so it is
    near the limit for whoever reads large files, though nobody is near being killed for want of memory. Where no cgroup
    has a limit below the machine's memory, the machine's is returned. Raises OSError where there is no /proc, so
    anywhere but on Linux.
    """
    machine = _fields(proc / "meminfo")
    total = machine["MemTotal:"] * 1024
    limited = [memory for memory in _cgroups(proc) if memory.limit < total]
    if limited:
        return max(limited, key=lambda memory: memory.share)
    return Memory(total - machine["MemAvailable:"] * 1024, total, "the machine")


def _cgroups(proc: Path) -> Iterator[Memory]:
    folder = _own_cgroup(proc)
    # A folder has these files where the controller is on; the root of the tree has no limit.
    while folder is not None and (folder / "cgroup.procs").exists():
        limit = folder / "memory.max"
        if limit.exists() and (allowed := limit.read_text().strip()) != "max":
            told = _fields(folder / "memory.stat")
            used = int((folder / "memory.current").read_text()) - sum(told.get(kind, 0) for kind in DROPPABLE)
            yield Memory(max(used, 0), int(allowed), "the cgroup")
        folder = folder.parent


def _own_cgroup(proc: Path) -> Path | None:
    """Return the folder of this process's cgroup of version 2, as far as it can be seen from here."""
    own = [line[3:] for line in _lines(proc / "self" / "cgroup") if line.startswith("0::")]
    for line in _lines(proc / "self" / "mountinfo"):
        before, _, after = line.partition(" - ")
        if own and after.split(" ")[0] == "cgroup2":
            root, mounted = before.split(" ")[3:5]
            inside = own[0].removeprefix(root if root != "/" else "").lstrip("/")
            folder = Path(mounted) / inside
            # From inside a container the path may be one of the host: what is mounted then is the container's own.
            return folder if ".." not in inside and folder.exists() else Path(mounted)
    return None


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _fields(file: Path) -> dict[str, int]:
    return {words[0]: int(words[1]) for line in file.read_text().splitlines() if len(words := line.split()) > 1}
