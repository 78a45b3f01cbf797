"""The process itself: disk, memory, open files."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asgi_health import Check, Status
from asgi_health.checks._support.cgroup import Memory, memory_in_use
from asgi_health.checks.process import disk_free, memory, open_files

from .observe import expect

pytestmark = pytest.mark.anyio

PATIENT = 10.0  # seconds that a thread may take to be scheduled


async def test_a_disk_with_enough_free_space_is_healthy_and_has_the_numbers(tmp_path: Path) -> None:
    check = disk_free(tmp_path, min_bytes=1, min_share=1e-9)
    result = await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)
    (free, unit), (size, _) = result.data["disk_free"], result.data["disk_size"]
    assert unit == "B"
    assert isinstance(free, int)
    assert isinstance(size, int)
    assert 0 < free < size <= shutil.disk_usage(tmp_path).total


@pytest.mark.parametrize(
    ("minimum", "message"),
    [
        ({"min_bytes": 2**60}, r"expected at least 1048576\.0 TiB$"),
        ({"min_share": 0.999999}, r"expected at least 100\.0%$"),
        ({"min_bytes": 2**60, "min_share": 0.999999}, r"expected at least 1048576\.0 TiB and 100\.0%$"),
        ({"min_bytes": 2**60, "min_share": 1e-9}, r"expected at least 1048576\.0 TiB$"),
    ],
)
async def test_a_disk_below_any_of_its_minima_fails(tmp_path: Path, minimum: Any, message: str) -> None:
    pattern = rf"^[\d.]+ [KMGT]iB of [\d.]+ [KMGT]iB free on {tmp_path} \([\d.]+%\), {message}"
    await expect(disk_free(tmp_path, **minimum), Status.UNHEALTHY, pattern, timeout=PATIENT)


async def test_a_missing_path_fails_and_recovers_when_it_is_mounted(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    check = disk_free(volume, min_bytes=1)
    await expect(check, Status.UNHEALTHY, "^FileNotFoundError: .*volume", timeout=PATIENT)
    volume.mkdir()
    await expect(check, Status.HEALTHY, "", timeout=PATIENT)


@pytest.mark.parametrize("minimum", [{}, {"min_bytes": 0}, {"min_bytes": -1}, {"min_share": 1.0}, {"min_share": 5}])
def test_a_minimum_that_is_always_met_is_refused(minimum: Any) -> None:
    with pytest.raises(ValueError, match=r"^disk_free: "):
        disk_free("/", **minimum)


@pytest.mark.parametrize("wrong", [{"min_bytes": 0.5}, {"min_bytes": "1G"}, {"min_share": "5%"}])
def test_a_minimum_of_another_type_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^disk_free: min_"):
        disk_free("/", **wrong)


@pytest.mark.parametrize("make", [memory, open_files])
@pytest.mark.parametrize("share", [0, 1, 90, -0.5, float("nan")])
def test_a_share_outside_of_0_and_1_is_refused(make: Any, share: float) -> None:
    with pytest.raises(ValueError, match="max_share must be between 0 and 1"):
        make(max_share=share)


async def test_memory_is_reported_as_the_kernel_reports_it() -> None:
    result = await expect(memory(max_share=0.999), Status.HEALTHY, "^$", timeout=PATIENT)
    (used, _), (limit, _) = result.data["memory_used"], result.data["memory_limit"]
    assert isinstance(used, int)
    assert isinstance(limit, int)
    assert 10_000_000 < used < limit  # this interpreter alone is larger


async def test_memory_beyond_its_share_fails() -> None:
    pattern = r"^[\d.]+ [MGT]iB of [\d.]+ [MGT]iB of the (cgroup|machine) in use \([\d.]+%\), expected at most 0\.1%$"
    await expect(memory(max_share=0.001), Status.UNHEALTHY, pattern, timeout=PATIENT)


class Kernel:
    """The memory files of the kernel, as a kernel with cgroups of version 2 alone would show them.

    Files, because not every machine lets its tests create a cgroup with a limit.
    """

    def __init__(self, folder: Path, own: str = "/pod/app", *, root: str = "/") -> None:
        self.proc = folder / "proc"
        self.mounted = folder / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        self.mounted.mkdir()
        (self.mounted / "cgroup.procs").touch()
        (self.proc / "meminfo").write_text("MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  400 kB\n")
        (self.proc / "self" / "cgroup").write_text(f"4:memory:/elsewhere\n0::{own}\n")
        (self.proc / "self" / "mountinfo").write_text(
            "22 1 8:1 / / rw - ext4 /dev/root rw\n"
            f"31 22 0:28 {root} {self.mounted} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
        )

    def group(self, path: str, maximum: str | None, current: int = 0, **stat: int) -> None:
        folder = self.mounted / path
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.procs").touch()
        if maximum is not None:
            (folder / "memory.max").write_text(f"{maximum}\n")
            (folder / "memory.current").write_text(f"{current}\n")
            (folder / "memory.stat").write_text("".join(f"{kind} {size}\n" for kind, size in stat.items()))


MACHINE = Memory(600 * 1024, 1000 * 1024, "the machine")


MIB = 2**20


def test_memory_that_the_kernel_can_reclaim_is_not_in_use_and_shared_memory_is(tmp_path: Path) -> None:
    """All of the 512 MiB are used, because large files were read repeatedly; 100 MiB are in a tmpfs."""
    kernel = Kernel(tmp_path)
    (kernel.proc / "meminfo").write_text("MemTotal:  8388608 kB\nMemFree:  1048576 kB\nMemAvailable:  4194304 kB\n")
    kernel.group("pod", "max")
    kernel.group(
        "pod/app",
        str(512 * MIB),
        current=511 * MIB,
        anon=80 * MIB,
        file=400 * MIB,
        kernel=30 * MIB,
        shmem=100 * MIB,
        file_mapped=20 * MIB,
        file_dirty=5 * MIB,
        inactive_anon=150 * MIB,
        active_anon=30 * MIB,
        inactive_file=100 * MIB,
        active_file=200 * MIB,
        unevictable=0,
        slab_reclaimable=20 * MIB,
        slab_unreclaimable=6 * MIB,
        slab=26 * MIB,
    )
    assert memory_in_use(kernel.proc) == Memory(191 * MIB, 512 * MIB, "the cgroup")


def test_a_fuller_ancestor_of_the_own_cgroup_counts(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    kernel.group("pod", "2000", current=1900)
    kernel.group("pod/app", "1000", current=100)
    assert memory_in_use(kernel.proc) == Memory(1900, 2000, "the cgroup")


@pytest.mark.parametrize("maximum", [None, "max", str(2**40)])
def test_without_a_limit_below_the_machines_memory_the_machine_counts(tmp_path: Path, maximum: str | None) -> None:
    kernel = Kernel(tmp_path)
    kernel.group("pod", None)
    kernel.group("pod/app", maximum, current=900)
    assert memory_in_use(kernel.proc) == MACHINE


def test_in_a_container_with_a_namespace_of_its_own_the_root_is_its_cgroup(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, own="/")
    kernel.group("", "1000", current=700)
    assert memory_in_use(kernel.proc) == Memory(700, 1000, "the cgroup")


@pytest.mark.parametrize("own", ["/docker/c0ffee", "/../c0ffee", "/elsewhere"])
def test_in_a_container_that_sees_the_hosts_path_what_is_mounted_is_its_cgroup(tmp_path: Path, own: str) -> None:
    kernel = Kernel(tmp_path, own=own, root="/docker/c0ffee")
    kernel.group("", "1000", current=700)
    assert memory_in_use(kernel.proc) == Memory(700, 1000, "the cgroup")


def test_without_cgroups_of_version_2_the_machine_counts(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    (kernel.proc / "self" / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/root rw\n")
    assert memory_in_use(kernel.proc) == MACHINE


def test_without_proc_the_check_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        memory_in_use(tmp_path)


async def test_open_files_are_counted(tmp_path: Path) -> None:
    check = open_files(max_share=0.999)
    before = (await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)).data
    files = [(tmp_path / str(number)).open("w") for number in range(50)]
    try:
        after = (await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)).data
    finally:
        for file in files:
            file.close()
    assert after["open_files_limit"] == before["open_files_limit"]
    grown = int(after["open_files"][0]) - int(before["open_files"][0])
    assert 40 <= grown <= 60  # other threads may have closed or opened one


PROGRAM = """
import os, resource
from asgi_health.checks.process import open_files

check = open_files(max_share=0.9)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
print(check().status.name)
files = []
while len(files) < 95:
    files.append(os.open("/dev/null", os.O_RDONLY))
    if len(os.listdir("/dev/fd")) - 1 == 91:
        break
print(check().status.name, check().message)
try:
    while True:
        files.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
try:
    check()
except OSError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_NOFILE, (300, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
print(check().status.name)
"""


def test_open_files_near_and_at_the_limit_fail_and_a_raised_limit_is_seen() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "HEALTHY",
        "UNHEALTHY 91 of 100 files open, expected at most 90.0%",
        "[Errno 24] Too many open files: '/dev/fd'",
        "HEALTHY",
    ]


@pytest.mark.parametrize("make", [memory, open_files, lambda: disk_free("/", min_bytes=1)])
def test_checks_that_read_files_run_in_a_thread(make: Any) -> None:
    assert not Check("subject", make()).is_async
