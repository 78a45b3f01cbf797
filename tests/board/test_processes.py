"""Whether a process exists: real ones that run, stop, end, and are not reaped; none is declared gone by a guess."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from asgi_health.board import processes
from asgi_health.board.processes import ProcessIdentity, exists, this_process

from ..support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose name looks like the fields that follow it."""
    program = tmp_path / "a) Z 1 1 (b"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "60"]) as process:
        yield process
        process.kill()


def identity_of(child: subprocess.Popen[bytes]) -> ProcessIdentity:
    found = processes._state_and_start(child.pid)
    assert found is not None
    return replace(this_process(), pid=child.pid, started=found[1])


def test_a_process_exists_while_it_runs_and_while_it_is_stopped(child: subprocess.Popen[bytes]) -> None:
    own, identity = this_process(), identity_of(child)
    assert exists(own, own)
    assert exists(identity, own)
    child.send_signal(signal.SIGSTOP)
    wait_until(lambda: (processes._state_and_start(child.pid) or (b"",))[0] == b"T", "the process is stopped")
    assert exists(identity, own)


def test_a_process_that_has_ended_does_not_exist_whether_or_not_it_is_reaped(child: subprocess.Popen[bytes]) -> None:
    own, identity = this_process(), identity_of(child)
    child.kill()
    wait_until(lambda: exists(identity, own) is False, "the zombie counts as gone")
    os.kill(child.pid, 0)  # it is there until it is reaped
    child.wait()
    assert exists(identity, own) is False


def test_a_process_whose_number_another_one_has_does_not_exist(child: subprocess.Popen[bytes]) -> None:
    identity = identity_of(child)
    assert exists(replace(identity, started=(identity.started or 0) - 1), this_process()) is False


def test_a_process_of_another_namespace_cannot_be_judged(child: subprocess.Popen[bytes]) -> None:
    own, identity = this_process(), replace(identity_of(child), namespace="pid:[1]")
    assert exists(identity, own) is None
    child.kill()
    child.wait()
    assert exists(identity, own) is None


def test_a_proc_that_hides_a_process_proves_nothing(
    child: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, identity = this_process(), identity_of(child)
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    assert exists(identity, own) is None
    child.kill()
    child.wait()
    assert exists(identity, own) is False


def test_without_proc_only_the_end_of_a_process_is_certain(
    child: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    own = this_process()
    assert own == ProcessIdentity(os.getpid(), None, None)
    identity = replace(own, pid=child.pid)
    assert exists(identity, own) is None
    child.kill()
    child.wait()
    assert exists(identity, own) is False


def test_a_proc_of_another_namespace_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = os.readlink("/proc/self/ns/pid")
    (tmp_path / "1" / "ns").mkdir(parents=True)
    (tmp_path / "1" / "ns" / "pid").symlink_to(namespace)
    (tmp_path / "self").symlink_to("1")
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    assert this_process() == ProcessIdentity(os.getpid(), None, namespace)
