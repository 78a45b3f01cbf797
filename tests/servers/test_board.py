"""One truth for the workers of a host, on real servers with workers, one of which has a fault."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from asgi_health.core.check import JITTER
from benchmarks.chaos.app import INTERVAL, Settings
from benchmarks.chaos.host import Host, started, status_of
from benchmarks.chaos.servers import SERVERS, UVICORN, WorkersServer
from benchmarks.rolling.backend import held_port

from ..support.waiting import wait_until
from .wire import ask

LIVE, READY, STARTED = "/livez", "/readyz", "/startupz"


@contextmanager
def ready(server: WorkersServer, settings: Settings) -> Iterator[Host]:
    """Start a server, and wait until all of its workers say that the host is ready."""
    with held_port() as address, started(server, address, settings) as host:
        host.wait_for_workers(server.workers)
        host.wait_for_answers(READY, 200)
        yield host


@pytest.mark.parametrize("server", SERVERS, ids=str)
def test_the_fault_of_one_worker_is_the_answer_of_all_until_it_heals_or_is_killed(server: WorkersServer) -> None:
    with ready(server, Settings()) as host:
        first, second, *_ = host.pids
        with host.sick(first):
            host.wait_for_answers(READY, 503)
            assert status_of(host.running.address, LIVE) == 200
        host.wait_for_answers(READY, 200)

        with host.blocked(second):
            host.wait_for_answers(LIVE, 503, silent=second)
        host.wait_for_answers(LIVE, 200)

        if server is UVICORN:
            with host.stopped(second):
                host.wait_for_answers(LIVE, 503, silent=second)
            host.wait_for_answers(LIVE, 200)

        host.folder.sick(first).touch()
        host.wait_for_answers(READY, 503)
        host.kill(first)
        if not server.replaces:
            wait_until(lambda: host.running.process.poll() is not None, "it ends with its worker")
            return
        host.wait_for_workers(server.workers)
        host.wait_for_answers(READY, 200)
        end = host.running.stop()
        end.assert_quiet()
        assert end.code == 0
        assert host.slots() == 0


def test_startup_waits_for_all_and_one_worker_at_a_time_runs_the_check_of_the_host_to_the_last() -> None:
    with held_port() as address, started(UVICORN, address, Settings(workers=4, last_waits=True)) as host:
        host.wait_for_workers(4)
        *others, _ = host.pids
        wait_until(lambda: answers(host, others, READY) == [200] * 3, "three have started")
        assert answers(host, host.pids, STARTED) == [503] * 4
        host.folder.go.touch()
        host.wait_for_answers(STARTED, 200)
        host.wait_for_answers(READY, 200)

        wait_for_runs(host, 3)
        former = host.runs()[-1][0]
        with host.blocked(former):
            present = wait_for_another_runner(host, former)
        with host.stopped(present):
            last = wait_for_another_runner(host, present)
        wait_for_runs(host, 3)  # those that go on do not run it again
        host.kill(last)
        wait_for_another_runner(host, last)
        host.wait_for_workers(4)
        host.wait_for_answers(READY, 200)
        assert_one_run_per_interval(host)

        for left in (3, 2, 1):
            os.kill(host.running.process.pid, signal.SIGTTOU)  # stop one worker
            host.wait_for_workers(left)
        host.wait_for_answers(READY, 200)
        assert host.slots() == 1
        wait_for_runs(host, 2)
        assert host.running.status("/order/drain") == 200
        host.wait_for_answers(READY, 503)
        host.running.stop().assert_quiet()


def answers(host: Host, pids: list[int], path: str) -> list[int | None]:
    return [status_of(host.folder.listener(pid), path) for pid in pids]


def wait_for_runs(host: Host, number: int) -> None:
    """Wait for that number of more runs of the check of the host."""
    before = len(host.runs())
    wait_until(lambda: len(host.runs()) >= before + number, lambda: f"runs after {host.runs()}\n{host.running.log}")


def wait_for_another_runner(host: Host, former: int) -> int:
    """Wait until another worker runs the check of the host, and return it."""
    wait_until(lambda: host.runs()[-1][0] != former, lambda: f"another worker runs it\n{host.running.log}")
    return host.runs()[-1][0]


def assert_one_run_per_interval(host: Host) -> None:
    moments = [at for _, at in host.runs()]
    assert min(after - before for before, after in pairwise(moments)) >= INTERVAL * (1 - JITTER)


def test_an_order_to_one_worker_is_one_to_all_and_a_signal_to_one_is_not() -> None:
    drain = {"delay": 0.5, "path": "/drain", "allow": True}
    with ready(UVICORN, Settings(drain=drain)) as host:
        before = host.pids
        assert host.running.status("/order/maintain") == 200
        host.wait_for_answers(READY, 503)
        host.wait_for_answers(LIVE, 200)
        host.kill(before[0])
        host.wait_for_workers(4)
        (new,) = set(host.pids) - set(before)
        maintained = b'{"status":"fail","notes":["maintenance"]}'
        wait_until(lambda: body(host, new, READY) == maintained, lambda: f"the new worker too\n{host.running.log}")
        assert host.running.status("/order/resume") == 200
        host.wait_for_answers(READY, 200)

        os.kill(host.running.process.pid, signal.SIGTTOU)  # it sends SIGTERM to one worker
        wait_until(lambda: "SIGTERM: draining" in host.running.log, lambda: f"one drains\n{host.running.log}")
        host.wait_for_workers(3)
        host.wait_for_answers(READY, 200)

        assert host.running.status("/drain") == 200
        host.wait_for_answers(READY, 503)
        host.wait_for_answers(LIVE, 200)
        assert host.running.log.count("draining: another worker of the host got the order") == 2
        host.running.stop().assert_quiet()
        assert host.slots() == 0


def body(host: Host, pid: int, path: str) -> bytes:
    try:
        return ask(host.folder.listener(pid), "GET", path).body
    except OSError:
        return b""
