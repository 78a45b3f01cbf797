"""The listener in processes of real servers, from their startup to their end, and while their loop is blocked."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ..support.waiting import wait_until
from .apps import TOKEN
from .process import ROOT, Exit, Running, launched, wait_for_boot
from .servers import PARSERS, SERVERS, UVICORN, Server
from .wire import Address, Answer, Connection, ask, request

pytestmark = pytest.mark.timeout(120)

PATHS = ("/livez", "/readyz", "/startupz", "/health")
AUTHORISED = [("authorization", f"Bearer {TOKEN}")]
READY, LIVE = 0.6, 1.2
BLOCKING = request("GET", "/block", [("connection", "close")])
UNIX = {"address": "{folder}/listener", "stall_ready": READY, "stall_live": LIVE}

# A listener has its own parser: one of uvicorn's is enough.
WITH_LIFESPAN = [row for row in SERVERS if row.lifespan and row.name not in PARSERS]
WITHOUT = [row for row in SERVERS if not row.lifespan]
_NAMED = {row.name: row for row in SERVERS}


def variant(name: str, of: str, *more: str) -> Server:
    return replace(_NAMED[of], name=name, command=(*_NAMED[of].command, *more))


WORKERS = [
    variant("uvicorn-2-workers", UVICORN.name, "--workers", "2"),
    variant("gunicorn-asgi-2-preloaded", "gunicorn-asgi", "--workers", "2", "--preload"),
    variant("gunicorn-uvicorn-2-preloaded", "gunicorn-uvicorn-worker", "--workers", "2", "--preload"),
    variant("hypercorn-2-workers", "hypercorn-asyncio", "--workers", "2"),
    variant("granian-2-workers", "granian-asyncio", "--workers", "2"),
]
# The exit codes for an app that cannot start.
CODES = {"uvicorn": 3, "gunicorn": 3, "granian": 1}


def statuses(address: Address) -> list[int]:
    return [ask(address, "GET", path).status for path in PATHS]


def refused(address: Address) -> bool:
    try:
        ask(address, "GET", "/livez")
    except OSError:
        return True
    return False


def listener_of(running: Running) -> str:
    return str(running.folder.path / "listener")


def wait_for(running: Running, expected: list[int]) -> None:
    address = listener_of(running)
    wait_until(
        lambda: not refused(address) and statuses(address) == expected, lambda: f"{expected}\n{running.log}", 30.0
    )


@dataclass(frozen=True)
class Results:
    """What the listener answered during the lifespan of an app, and what remained after it."""

    starting: list[int]
    verbose: Answer
    well: Answer
    from_the_app: Answer
    blocked: Answer
    log: str
    refused: bool
    left_behind: bool
    exit: Exit


@pytest.fixture(scope="module", params=WITH_LIFESPAN, ids=str)
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    server: Server = request.param
    with launched(server, checks=("dependency",), listener=UNIX, waits=True) as running, ExitStack() as stack:
        address = listener_of(running)
        wait_for(running, [200, 503, 503, 503])
        starting, verbose = statuses(address), ask(address, "GET", "/readyz?verbose", AUTHORISED)
        running.folder.go.touch()
        wait_for_boot(running)
        wait_for(running, [200] * 4)
        well, from_the_app = ask(address, "GET", "/readyz"), running.ask("GET", "/readyz")
        busy = stack.enter_context(Connection(running.address))
        busy.send(BLOCKING)
        wait_until(lambda: ask(address, "GET", "/livez").status == 503, "it is not live")
        blocked = ask(address, "GET", "/livez?verbose", AUTHORISED)
        running.folder.unblock()
        assert busy.exchange(b"", "GET").status == 200
        wait_for(running, [200] * 4)
        wait_until(lambda: "was blocked for" in running.log, "the stall is logged")
        log = running.log
        end = running.stop()
        yield Results(
            starting, verbose, well, from_the_app, blocked, log, refused(address), os.path.exists(address), end
        )


def test_an_app_that_starts_is_live_and_not_ready(results: Results) -> None:
    assert results.starting == [200, 503, 503, 503]
    assert b"the app has been starting for " in results.verbose.body


def test_it_answers_what_the_app_answers(results: Results) -> None:
    assert (results.well.status, results.well.body) == (results.from_the_app.status, results.from_the_app.body)
    ours = {"content-type", "content-length", "cache-control", "x-content-type-options"}
    assert {header for header in results.well.headers if header[0] in ours} == {
        header for header in results.from_the_app.headers if header[0] in ours
    }


def test_a_blocked_loop_is_reported_while_the_server_cannot_answer(results: Results) -> None:
    assert results.blocked.status == 503
    (note,) = json.loads(results.blocked.body)["notes"]
    assert note.startswith("stalled ")
    assert note.endswith(f" s of {LIVE:g} s")


def test_the_call_that_blocked_the_loop_is_logged_once(results: Results) -> None:
    (logged,) = [line for line in results.log.splitlines() if "was blocked for" in line]
    assert "by block_the_loop (" in logged
    assert "    os.close(os.open(fifo, os.O_RDONLY))" in results.log.splitlines()


def test_it_ends_with_the_server_and_leaves_nothing_behind(results: Results) -> None:
    results.exit.assert_quiet()
    assert (results.refused, results.left_behind) == (True, False)
    assert results.exit.events == ["startup", "shutdown"]


@pytest.mark.parametrize("server", WITH_LIFESPAN, ids=str)
def test_an_address_in_use_is_a_failed_startup(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = "{}:{}".format(*other.getsockname())
        with launched(server, listener={"address": address}) as running:
            message = f"listener: cannot listen on {address}: Address already in use"
            wait_until(lambda: message in running.log, lambda: f"the error is logged\n{running.log}", 30.0)
            family = server.name.partition("-")[0]
            if family in CODES:
                assert running.process.wait(20.0) == CODES[family], running.log
            elif server.name == "hypercorn-asyncio":  # without workers it ends with code 0
                assert running.process.wait(20.0) is not None
            events = running.folder.events
            log = running.log
    assert events == []
    assert "appears unsupported" not in log


@pytest.fixture(params=WITHOUT, ids=str)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    with launched(request.param, checks=("dependency",), listener=UNIX) as running:
        yield running


def test_without_lifespan_it_opens_with_the_first_request_and_needs_no_probe_through_the_app(running: Running) -> None:
    address = listener_of(running)
    assert refused(address)
    wait_for_boot(running)
    wait_for(running, [200] * 4)
    running.folder.broken.touch()
    wait_for(running, [200, 503, 200, 503])
    with Connection(running.address) as busy:
        busy.send(BLOCKING)
        wait_until(lambda: ask(address, "GET", "/livez").status == 503, "it is not live")
        running.folder.unblock()
        assert busy.exchange(b"", "GET").status == 200
    wait_until(lambda: ask(address, "GET", "/livez").status == 200, "it is live")
    running.stop().assert_quiet()
    assert refused(address)


@pytest.mark.parametrize("server", WITHOUT, ids=str)
def test_without_lifespan_an_address_in_use_harms_no_request(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = "{}:{}".format(*other.getsockname())
        with launched(server, checks=("dependency",), listener={"address": address}) as running:
            wait_for_boot(running)
            running.wait_for_status("/readyz", 200)
            assert running.status("/ordinary") == 200
            assert running.log.count(f"cannot listen on {address}: Address already in use") == 1
            running.stop().assert_quiet()


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a port at which several processes may listen, and which no other process gets."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def pids_of(address: Address) -> set[int]:
    """Return the id of the process that answers, after the first result of its check."""
    checks: dict[str, Any] = json.loads(ask(address, "GET", "/readyz?verbose", AUTHORISED).body)["checks"]
    return {each["observedValue"] for each in checks.get("process:pid", ())}


@pytest.mark.parametrize("server", WORKERS, ids=str)
def test_two_workers_share_a_port_and_each_answers(server: Server) -> None:
    with held_port() as port:
        address = ("127.0.0.1", port)
        with launched(server, checks=("process",), listener={"address": f"127.0.0.1:{port}"}) as running:
            wait_for_boot(running)
            seen: set[int] = set()

            def both() -> bool:
                if not refused(address):
                    seen.update(pids_of(address))
                return len(seen) == 2

            wait_until(both, lambda: f"both workers answer\n{running.log}", 20.0)
            running.stop().assert_quiet()
            assert refused(address)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_process_that_was_killed_leaves_its_address_to_the_next(kind: str) -> None:
    with held_port() as port, TemporaryDirectory(prefix="asgi-health-") as folder:
        address: Address = ("127.0.0.1", port) if kind == "tcp" else f"{folder}/listener"
        listener = {"address": f"127.0.0.1:{port}" if kind == "tcp" else f"{folder}/listener"}
        for _ in range(2):
            with launched(UVICORN, listener=listener) as running:
                wait_until(lambda: not refused(address) and statuses(address) == [200] * 4, lambda: running.log, 30.0)
                running.process.kill()
                running.process.wait(10.0)
                assert refused(address)


def test_a_forked_child_does_not_keep_the_address_of_a_process_that_has_died() -> None:
    """It would accept connections that no process answers, with SO_REUSEPORT those of the successor too."""
    with held_port() as port:
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.listener.forking_program", f"127.0.0.1:{port}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert program.stdout is not None
        try:
            child = int(program.stdout.readline())
            assert ask(("127.0.0.1", port), "GET", "/livez").status == 200
            program.kill()
            program.wait(10.0)
            os.kill(child, 0)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 10.0)
        finally:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait(10.0)
            program.stdout.close()


def threads(running: Running) -> int:
    return len(os.listdir(f"/proc/{running.process.pid}/task"))


def test_each_service_starts_its_thread_and_none_starts_without_it() -> None:
    """A listener has two: its own, and the one that looks at the event loop while that is blocked."""
    with ExitStack() as stack:
        counts = []
        cases: list[dict[str, Any]] = [{"health": False}, {"slow_loop": 0.0}, {}, {"slow_loop": 0.0, "listener": UNIX}]
        for running in [stack.enter_context(launched(UVICORN, **options)) for options in cases]:
            wait_for_boot(running)
            counts.append(threads(running))
    plain, without, detecting, listening = counts
    assert (without - plain, detecting - plain, listening - plain) == (0, 1, 2)
