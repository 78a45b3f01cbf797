"""The listener beside real servers: from before their startup to their end, while their loop is blocked, and after."""

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

from .apps import TOKEN
from .process import ROOT, Exit, Running, launched, wait_for_boot, wait_until
from .servers import SERVERS, UVICORN, Server
from .wire import Address, Answer, Connection, ask, request

pytestmark = pytest.mark.timeout(120)

PATHS = ("/livez", "/readyz", "/startupz", "/health")
AUTHORISED = [("authorization", f"Bearer {TOKEN}")]
READY, LIVE = 0.6, 1.2
BLOCKING = request("GET", "/block", [("connection", "close")])
UNIX = {"address": "{folder}/listener", "stall_ready": READY, "stall_live": LIVE}

# A listener has its own parser: one of uvicorn's is enough.
WITH_LIFESPAN = [
    row for row in SERVERS if row.lifespan and row.name not in ("uvicorn-httptools-asyncio", "uvicorn-zttp")
]
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
# What each says to an app that cannot start.
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
    wait_until(lambda: not refused(address) and statuses(address) == expected, f"{expected}\n{running.log}", 30.0)


@dataclass(frozen=True)
class Story:
    """A life as its listener tells of it."""

    starting: list[int]
    explained: Answer
    well: Answer
    as_the_app_says: Answer
    blocked: Answer
    log: str
    refused: bool
    left_behind: bool
    exit: Exit


@pytest.fixture(scope="module", params=WITH_LIFESPAN, ids=str)
def lived(request: pytest.FixtureRequest) -> Iterator[Story]:
    server: Server = request.param
    with launched(server, checks=("dependency",), listener=UNIX, waits=True) as running, ExitStack() as stack:
        address = listener_of(running)
        wait_for(running, [200, 503, 503, 503])
        starting, explained = statuses(address), ask(address, "GET", "/readyz?verbose", AUTHORISED)
        running.folder.go.touch()
        wait_for_boot(running)
        wait_for(running, [200] * 4)
        well, as_the_app_says = ask(address, "GET", "/readyz"), running.ask("GET", "/readyz")
        busy = stack.enter_context(Connection(running.address))
        busy.send(BLOCKING)
        wait_until(lambda: ask(address, "GET", "/livez").status == 503, "it is not alive")
        blocked = ask(address, "GET", "/livez?verbose", AUTHORISED)
        running.folder.unblock()
        assert busy.exchange(b"", "GET").status == 200
        wait_for(running, [200] * 4)
        wait_until(lambda: "was blocked for" in running.log, "the stall is told of")
        log = running.log
        end = running.stop()
        yield Story(
            starting, explained, well, as_the_app_says, blocked, log, refused(address), os.path.exists(address), end
        )


def test_an_app_that_starts_is_alive_and_not_ready(lived: Story) -> None:
    assert lived.starting == [200, 503, 503, 503]
    assert b"the app has been starting for " in lived.explained.body


def test_it_answers_what_the_app_answers(lived: Story) -> None:
    assert (lived.well.status, lived.well.body) == (lived.as_the_app_says.status, lived.as_the_app_says.body)
    ours = {"content-type", "content-length", "cache-control", "x-content-type-options"}
    assert {header for header in lived.well.headers if header[0] in ours} == {
        header for header in lived.as_the_app_says.headers if header[0] in ours
    }


def test_a_blocked_loop_is_seen_while_the_server_is_silent(lived: Story) -> None:
    assert lived.blocked.status == 503
    (note,) = json.loads(lived.blocked.body)["notes"]
    assert note.startswith("stalled ")
    assert note.endswith(f" s of {LIVE:g} s")


def test_who_blocked_it_is_told_once(lived: Story) -> None:
    (told,) = [line for line in lived.log.splitlines() if "was blocked for" in line]
    assert "by block_the_loop (" in told
    assert "    os.close(os.open(fifo, os.O_RDONLY))" in lived.log.splitlines()


def test_it_ends_with_the_server_and_leaves_nothing_behind(lived: Story) -> None:
    lived.exit.assert_quiet()
    assert (lived.refused, lived.left_behind) == (True, False)
    assert lived.exit.events == ["startup", "shutdown"]


@pytest.mark.parametrize("server", WITH_LIFESPAN, ids=str)
def test_an_address_in_use_is_a_failed_startup(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = "{}:{}".format(*other.getsockname())
        with launched(server, listener={"address": address}) as running:
            message = f"listener: cannot listen on {address}: Address already in use"
            wait_until(lambda: message in running.log, running.log, 30.0)
            family = server.name.partition("-")[0]
            if family in CODES:
                assert running.process.wait(20.0) == CODES[family], running.log
            elif server.name == "hypercorn-asyncio":  # without workers of its own it ends as if all were well
                assert running.process.wait(20.0) is not None
            events = running.folder.events
            log = running.log
    assert events == []
    assert "appears unsupported" not in log


@pytest.fixture(params=WITHOUT, ids=str)
def lifeless(request: pytest.FixtureRequest) -> Iterator[Running]:
    with launched(request.param, checks=("dependency",), listener=UNIX) as running:
        yield running


def test_without_lifespan_it_opens_with_the_first_request_and_needs_no_probe_through_the_app(lifeless: Running) -> None:
    address = listener_of(lifeless)
    assert refused(address)
    wait_for_boot(lifeless)
    wait_for(lifeless, [200] * 4)
    lifeless.folder.broken.touch()
    wait_for(lifeless, [200, 503, 200, 503])
    with Connection(lifeless.address) as busy:
        busy.send(BLOCKING)
        wait_until(lambda: ask(address, "GET", "/livez").status == 503, "it is not alive")
        lifeless.folder.unblock()
        assert busy.exchange(b"", "GET").status == 200
    wait_until(lambda: ask(address, "GET", "/livez").status == 200, "it is alive")
    lifeless.stop().assert_quiet()
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
    """A port that several processes may listen on and nobody else is given."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def who(address: Address) -> set[int]:
    """The process that answers, if its first check has told already."""
    checks: dict[str, Any] = json.loads(ask(address, "GET", "/readyz?verbose", AUTHORISED).body)["checks"]
    return {told["observedValue"] for told in checks.get("process:pid", ())}


@pytest.mark.parametrize("server", WORKERS, ids=str)
def test_two_workers_share_a_port_and_each_answers(server: Server) -> None:
    with held_port() as port:
        address = ("127.0.0.1", port)
        with launched(server, checks=("process",), listener={"address": f"127.0.0.1:{port}"}) as running:
            wait_for_boot(running)
            seen: set[int] = set()

            def both() -> bool:
                if not refused(address):
                    seen.update(who(address))
                return len(seen) == 2

            wait_until(both, f"both workers answer\n{running.log}", 20.0)
            running.stop().assert_quiet()
            assert refused(address)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_process_that_was_killed_leaves_its_address_to_the_next(kind: str) -> None:
    with held_port() as port, TemporaryDirectory(prefix="asgi-health-") as folder:
        address: Address = ("127.0.0.1", port) if kind == "tcp" else f"{folder}/listener"
        listener = {"address": f"127.0.0.1:{port}" if kind == "tcp" else f"{folder}/listener"}
        for _ in range(2):
            with launched(UVICORN, listener=listener) as running:
                wait_until(lambda: not refused(address) and statuses(address) == [200] * 4, running.log, 30.0)
                running.process.kill()
                running.process.wait(10.0)
                assert refused(address)


def test_a_forked_child_does_not_keep_the_address_of_a_process_that_has_died() -> None:
    """It would take connections that nobody answers, and with SO_REUSEPORT those of the successor too."""
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


def test_without_all_of_them_no_thread_is_started() -> None:
    with ExitStack() as stack:
        counts = []
        cases: list[dict[str, Any]] = [{"health": False}, {"slow_loop": 0.0}, {}, {"slow_loop": 0.0, "listener": UNIX}]
        for running in [stack.enter_context(launched(UVICORN, **options)) for options in cases]:
            wait_for_boot(running)
            counts.append(threads(running))
    plain, without, watching, listening = counts
    assert (without - plain, watching - plain, listening - plain) == (0, 1, 1)
