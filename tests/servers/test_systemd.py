"""What each server's processes send to systemd: which of them is ready, beats, and says that the service stops."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ..documentation.blocks import blocks
from ..support.notify_receiver import Receiver, receiving
from ..support.waiting import wait_until
from .process import Running, launched
from .servers import SERVERS, UVICORN, Server

WATCHDOG = 2.0  # seconds
DELAY = 2.5  # seconds, in which EXTEND_TIMEOUT_USEC is repeated

AS_SERVICE = 'export NOTIFY_SOCKET="$0" WATCHDOG_USEC="$1" WATCHDOG_PID=$$ SYSTEMD_EXEC_PID=$$; shift; exec "$@"'

BY_NAME = {server.name: server for server in SERVERS}
UVICORN_WORKERS = Server("uvicorn-2-workers", ("uvicorn", "{app}", "--fd", "{fd}", "--workers", "2"))
GUNICORN = Server("gunicorn-2-workers", (*BY_NAME["gunicorn-asgi"].command, "--workers", "2"))
IN_THE_MAIN_PROCESS = (UVICORN, BY_NAME["hypercorn-asyncio"])
IN_WORKERS = (UVICORN_WORKERS, GUNICORN, BY_NAME["granian-asyncio"])
WITHOUT_SIGNAL = BY_NAME["hypercorn-asyncio-worker"]  # its worker never gets SIGTERM


@contextmanager
def service(server: Server, **settings: Any) -> Iterator[tuple[Running, Receiver]]:
    """Start a server as systemd does, as the main process of a service."""
    with receiving(f"@asgi-health-{os.getpid()}-{time.monotonic_ns()}") as receiver:
        prefix = ("sh", "-c", AS_SERVICE, receiver.address, str(int(WATCHDOG * 1_000_000)))
        with launched(server, checks=("dependency",), prefix=prefix, systemd=True, **settings) as running:
            yield running, receiver


def main_process(running: Running) -> int:
    return running.process.pid


@pytest.mark.parametrize("server", IN_THE_MAIN_PROCESS, ids=str)
def test_an_app_in_the_main_process_says_that_it_is_ready_and_that_it_stops(server: Server) -> None:
    with service(server, drain=DELAY) as (running, receiver):
        receiver.wait_for("READY=1")
        assert running.status("/readyz") == 200  # at once: the port is open
        receiver.wait_for("WATCHDOG=1", 3)
        assert receiver.status() == "ready"
        running.terminate()
        receiver.wait_for("STOPPING=1")
        assert running.status("/ordinary") == 200
        end = running.wait_for_exit()
        end.assert_quiet()
        main = main_process(running)
        assert {each.pid for each in receiver.messages} == {main}
        assert (len(receiver.times("READY=1")), len(receiver.times("STOPPING=1"))) == (1, 1)
        assert receiver.values("STATUS")[-2:] == ["not ready: draining, then it stops", "stopping"]
        extensions = receiver.times("EXTEND_TIMEOUT_USEC=15000000")
        assert len(extensions) >= DELAY // 1
        assert all(later - earlier < 15 for earlier, later in pairwise(extensions))


def test_a_signal_in_the_middle_of_a_drain_is_noticed() -> None:
    with service(UVICORN, drain=300.0) as (running, receiver):
        receiver.wait_for("READY=1")
        running.folder.draining.touch()
        wait_until(lambda: receiver.status() == "not ready: draining", lambda: f"it drains\n{receiver}")
        assert not receiver.times("STOPPING=1")
        assert not receiver.values("EXTEND_TIMEOUT_USEC")
        running.terminate()
        receiver.wait_for("STOPPING=1")
        receiver.wait_for("EXTEND_TIMEOUT_USEC=15000000", 2)


@pytest.mark.parametrize("server", IN_WORKERS, ids=str)
def test_workers_are_ready_and_beat_and_leave_the_stop_to_their_parent(server: Server) -> None:
    workers = 2 if "2" in server.command else 1
    with service(server, drain=DELAY) as (running, receiver):
        wait_until(lambda: len(receiver.pids("WATCHDOG=1")) == workers, lambda: f"all beat\n{receiver}")
        pids = receiver.pids("WATCHDOG=1")
        wait_until(lambda: receiver.pids("READY=1") >= pids, lambda: f"all are ready\n{receiver}")
        assert running.status("/readyz") == 200
        assert main_process(running) not in pids
        running.terminate()
        wait_until(
            lambda: receiver.pids("EXTEND_TIMEOUT_USEC=15000000") == pids, lambda: f"all extend the time\n{receiver}"
        )
        running.wait_for_exit().assert_quiet()
        assert not receiver.times("STOPPING=1")
        assert receiver.status().endswith(": stopping")


def test_a_worker_that_gets_no_signal_is_ready_and_beats() -> None:
    with service(WITHOUT_SIGNAL) as (running, receiver):
        receiver.wait_for("READY=1")
        assert running.status("/readyz") == 200
        receiver.wait_for("WATCHDOG=1", 3)
        running.stop().assert_quiet()
        assert not receiver.times("STOPPING=1")


def test_a_worker_that_is_replaced_ends_nothing() -> None:
    server = Server("uvicorn-max-requests", (*UVICORN_WORKERS.command, "--limit-max-requests", "2"))
    with service(server) as (running, receiver):
        wait_until(lambda: len(receiver.pids("READY=1")) == 2, lambda: f"both are ready\n{receiver}")
        running.wait_for_status("/ordinary", 200)

        def is_replaced() -> bool:
            try:
                running.status("/ordinary")
            except OSError:  # the worker ends with this request
                pass
            return len(receiver.pids("READY=1")) > 2

        wait_until(is_replaced, lambda: f"a new one is ready\n{receiver}")
        assert not receiver.times("STOPPING=1")
        assert not receiver.times("WATCHDOG=trigger")


@pytest.mark.parametrize("server", [UVICORN_WORKERS, GUNICORN], ids=str)
def test_one_blocked_worker_of_two_asks_for_the_restart(server: Server) -> None:
    with service(server) as (running, receiver):
        wait_until(lambda: len(receiver.pids("READY=1")) >= 2, lambda: f"both are ready\n{receiver}")
        wait_until(lambda: len(receiver.pids("WATCHDOG=1")) == 2, lambda: f"both beat\n{receiver}")
        with socket.create_connection(running.address) as client:  # type: ignore[arg-type]
            client.sendall(b"GET /block HTTP/1.1\r\nhost: app\r\n\r\n")
            receiver.wait_for("WATCHDOG=trigger")
            (blocked,) = receiver.pids("WATCHDOG=trigger")
            (other,) = receiver.pids("WATCHDOG=1") - {blocked}
            last = receiver.times("WATCHDOG=1", blocked)[-1]
            assert receiver.times("WATCHDOG=trigger")[0] - last > WATCHDOG / 2
            assert receiver.times("WATCHDOG=1", other)[-1] > last  # systemd would not have noticed
            running.folder.unblock()


def test_a_worker_that_was_suspended_asks_for_no_restart() -> None:
    with service(BY_NAME["granian-asyncio"]) as (_, receiver):
        receiver.wait_for("READY=1")
        (worker,) = receiver.pids("READY=1")
        beats = len(receiver.times("WATCHDOG=1"))
        os.kill(worker, signal.SIGSTOP)
        time.sleep(1.5 * WATCHDOG)
        os.kill(worker, signal.SIGCONT)
        receiver.wait_for("WATCHDOG=1", beats + 3)
        assert not receiver.times("WATCHDOG=trigger")


def test_gunicorn_says_ready_too_early_unless_its_configuration_keeps_the_socket_for_the_workers(
    tmp_path: Path,
) -> None:
    (printed,) = [block for block in blocks("python", "how-to/platforms/systemd.md") if "# gunicorn.conf.py" in block]
    configuration = tmp_path / "gunicorn.conf.py"
    configuration.write_text(printed)
    with service(GUNICORN, waits=True) as (running, receiver):
        receiver.wait_for("READY=1")  # its workers have not started
        assert receiver.pids("READY=1") == {main_process(running)}
    configured = Server("gunicorn-configured", (*GUNICORN.command, "--config", str(configuration)))
    with service(configured, waits=True) as (running, receiver):
        wait_until(lambda: len(receiver.pids("WATCHDOG=1")) == 2, lambda: f"both workers beat\n{receiver}")
        assert not receiver.times("READY=1")
        running.folder.go.touch()
        wait_until(lambda: len(receiver.pids("READY=1")) == 2, lambda: f"both are ready\n{receiver}")
        assert main_process(running) not in receiver.pids("READY=1")
        running.stop().assert_quiet()
