"""When the listener answers, from before the app's startup to its end, and what is left of it."""

import errno
import logging
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from asgi_health import Health, HealthMiddleware, Listener
from asgi_health.asgi.types import Message
from asgi_health.listener.interface import CannotListen
from asgi_health.listener.sockets import bind
from asgi_health.runtime import addresses

from ..servers.process import ROOT, wait_until
from ..servers.wire import Address, ask
from ..support import lifespan_apps as lives
from ..support.asgi_caller import ask as ask_app
from ..support.asgi_caller import echo_nothing
from ..support.lifespan_apps import ERROR, Script, life, speaks
from .lived import LOOPS, Blocked, Step, beginning, living, loop_of, starts_when, threads

PATHS = ("/livez", "/readyz", "/startupz", "/health")


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def nothing_left(folder: Path) -> Iterator[None]:
    """No thread, no descriptor and no file outlives the app."""
    descriptors, others = open_descriptors(), threads()
    yield
    wait_until(lambda: threads() <= others, "its threads have ended")
    wait_until(lambda: open_descriptors() <= descriptors, "its descriptors are closed")
    assert [file for file in os.listdir(folder) if not file.startswith("kept")] == []


def open_descriptors() -> set[str]:
    return {
        target
        for number in os.listdir("/proc/self/fd")
        if (target := read_link(f"/proc/self/fd/{number}")) and target.startswith("socket:")
    }


def read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def watched(script: Script, address: str, **options: object) -> HealthMiddleware:
    return HealthMiddleware(life(script), {"a": lambda: True}, listener=Listener(address), **options)  # type: ignore[arg-type]


def statuses(address: Address) -> list[int]:
    return [ask(address, "GET", path).status for path in PATHS]


def refused(address: Address) -> bool:
    try:
        ask(address, "GET", "/livez")
    except OSError:
        return True
    return False


def test_an_app_that_starts_is_alive_and_no_more(path: str, loop: str) -> None:
    step = Step()
    app = watched(starts_when(step), path, details=True)
    with loop_of(loop) as portal, beginning(app, portal) as server:
        wait_until(lambda: not refused(path), "it listens")
        assert statuses(path) == [200, 503, 503, 503]
        assert ask(path, "GET", "/readyz").body == b'{"status":"fail"}'
        assert re.search(rb"the app has been starting for \d+\.\d s", ask(path, "GET", "/readyz?verbose").body)
        step.go()
        wait_until(lambda: statuses(path) == [200] * 4, "it has started")
        assert b"starting" not in ask(path, "GET", "/readyz?verbose").body
        portal.call(server.shutdown)
        wait_until(lambda: refused(path), "it has stopped")


def test_how_long_it_has_been_starting_is_told_to_the_authorised_alone(path: str) -> None:
    step = Step()
    app = watched(starts_when(step), path)
    with loop_of() as portal, beginning(app, portal):
        wait_until(lambda: not refused(path), "it listens")
        assert ask(path, "GET", "/health?verbose").body == b'{"status":"fail"}'
        step.go()


def test_an_app_that_blocks_its_loop_to_start_is_answered_for(path: str, loop: str) -> None:
    step = Step()

    async def script(hear: lives.Hear, say: lives.Say) -> None:
        await hear()
        step.wait_without_yielding()
        await say("startup.complete")
        await hear()
        await say("shutdown.complete")

    app = HealthMiddleware(life(script), listener=Listener(path, stall_ready=0.5, stall_live=1.0))
    with loop_of(loop) as portal, beginning(app, portal) as server:
        wait_until(lambda: not refused(path), "it listens")
        wait_until(lambda: statuses(path) == [503] * 4, "it has blocked for too long to be alive")
        step.go()
        wait_until(lambda: statuses(path) == [200] * 4, "it has started after all")
        portal.call(server.shutdown)


@pytest.mark.parametrize(
    "script", [lives.crashes_while_it_starts, lives.fails_to_start, lives.fails_to_start_and_raises]
)
def test_an_app_that_cannot_start_closes_it(path: str, loop: str, script: Script) -> None:
    with loop_of(loop) as portal, beginning(watched(script, path), portal) as server:
        wait_until(lambda: server.over, "it is over")
        assert server.error in (None, ERROR)
        wait_until(lambda: refused(path), "it has stopped")


def test_an_app_that_takes_no_part_in_lifespan_is_served(path: str) -> None:
    with living(watched(lives.raises_at_once, path)):
        wait_until(lambda: statuses(path) == [200] * 4, "it has started")


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_second_life_opens_it_again(path: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        address: Address = path if kind == "unix" else ("127.0.0.1", port)
        app = HealthMiddleware(
            speaks, {"a": lambda: True}, listener=Listener(path if kind == "unix" else f"127.0.0.1:{port}")
        )
        for _ in range(3):
            with living(app):
                wait_until(lambda: not refused(address) and statuses(address) == [200] * 4, "it has started")
            wait_until(lambda: refused(address), "it has stopped")
    assert "Traceback" not in caplog.text


def test_twenty_lives_leave_nothing_behind(path: str) -> None:
    for _ in range(20):
        with living(HealthMiddleware(speaks, listener=Listener(path))):
            assert ask(path, "GET", "/livez").status == 200


@pytest.mark.usefixtures("silent")
def test_lives_that_come_and_go_while_it_is_asked_leave_nothing_in_the_log(path: str) -> None:
    """Each answer is one of a life, whatever is taken down around it in that moment."""
    over = threading.Event()
    seen: set[tuple[int, bytes]] = set()

    def hammer() -> None:
        while not over.is_set():
            try:
                answer = ask(path, "GET", "/livez?verbose")
            except OSError:
                continue
            seen.add((answer.status, answer.body))

    hammers = [threading.Thread(target=hammer) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in hammers:
            thread.start()
        for _ in range(30):
            with living(HealthMiddleware(speaks, listener=Listener(path), slow_loop=5.0)):
                pass
    finally:
        over.set()
        sys.setswitchinterval(interval)
        for thread in hammers:
            thread.join(20.0)
    assert seen <= {(200, b'{"status":"pass"}')}


@pytest.mark.usefixtures("silent")
def test_a_connection_that_is_open_when_it_ends_is_closed(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10.0)
        with living(HealthMiddleware(speaks, listener=Listener(path))):
            client.connect(path)
            client.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        assert client.recv(65536) == b""


def test_the_log_says_where(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for address in ("127.0.0.1:0", "[::1]:0", path):
        with living(HealthMiddleware(speaks, listener=Listener(address))):
            pass
    told = [record.getMessage() for record in caplog.records if "the listener answers" in record.getMessage()]
    assert re.fullmatch(r"the listener answers at http://127\.0\.0\.1:\d+", told[0])
    assert re.fullmatch(r"the listener answers at http://\[::1\]:\d+", told[1])
    assert told[2] == f"the listener answers at the unix socket {path}"


# -- an address that cannot be had


def fails(app: HealthMiddleware, heard: list[str]) -> str:
    """Start, and return what the server is told."""
    messages: list[str] = []

    async def main() -> None:
        async def send(message: Message) -> None:
            heard.append(message["type"])
            messages.append(message.get("message", ""))

        async def receive() -> Message:
            heard.append("asked")
            return {"type": "lifespan.startup"}

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    anyio.run(main)
    return messages[0]


def unusable(script_log: list[str], address: str) -> HealthMiddleware:
    return HealthMiddleware(life(lives.takes_part, script_log), listener=Listener(address))


def test_an_address_in_use_is_a_failed_startup_that_says_so_and_the_app_does_not_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        log: list[str] = []
        heard: list[str] = []
        message = fails(unusable(log, address), heard)
    assert message == f"listener: cannot listen on {address}: Address already in use"
    assert heard == ["asked", "lifespan.startup.failed"]
    assert log == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:9000", "Cannot assign requested address"),
        ("no-such-host.invalid:9000", "Name or service not known|Temporary failure in name resolution|No address"),
        (f"{'a' * 64}.invalid:9000", "label|encoding|Name or service"),
        ("/no-such-folder/socket", "No such file or directory"),
        ("/proc/socket", "No such file or directory|Permission denied|Operation not permitted"),
        (f"/tmp/{'a' * 200}", "path too long"),
    ],
)
def test_each_address_that_cannot_be_had_is_told_with_its_reason(address: str, reason: str) -> None:
    message = fails(unusable([], address), [])
    assert message.startswith(f"listener: cannot listen on {address}: ")
    assert re.search(reason, message.removeprefix(f"listener: cannot listen on {address}: ")), message


def test_without_unix_sockets_there_is_a_reason_too(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(CannotListen, match="this system has no unix sockets"):
        bind(Listener(path))


def test_without_reuseport_a_second_app_is_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    caplog.set_level(logging.INFO)
    with living(HealthMiddleware(speaks, listener=Listener("127.0.0.1:0"))):
        (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)", caplog.text)
        assert "Address already in use" in fails(unusable([], f"127.0.0.1:{port}"), [])


def test_a_program_without_asgi_is_told_by_an_exception() -> None:
    async def main() -> None:
        async with Health().running(listener=Listener("/no-such-folder/socket")):
            raise AssertionError("it runs")

    with pytest.raises(CannotListen, match="cannot listen on /no-such-folder/socket: No such file or directory"):
        anyio.run(main)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_process_without_a_descriptor_left_is_told_at_each_step_and_keeps_nothing(kind: str, path: str) -> None:
    """So many have to be left for a socket, an event loop and the thread that watches; then it starts."""
    address = path if kind == "unix" else "127.0.0.1:0"
    program = [sys.executable, "-m", "tests.listener.exhausted", address]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    *failed, last = [line.partition(": ")[2].split("; ") for line in ended.stdout.splitlines()]
    assert last[0] == "it runs", ended.stderr
    assert all(text.endswith("Too many open files") for text, _, _ in failed)
    assert {text.partition("cannot ")[2].split()[0] for text, _, _ in failed} == {"listen", "answer", "start:"}
    assert {(free, file) for _, free, file in (*failed, last)} == {(last[1], "no file")}


# -- the file of a unix socket


def dead_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
        left.listen()


def test_a_file_left_behind_is_taken_over(path: str) -> None:
    dead_socket(path)
    with living(HealthMiddleware(speaks, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


def test_a_file_in_use_is_not(path: str) -> None:
    with living(HealthMiddleware(speaks, listener=Listener(path))):
        assert fails(unusable([], path), []) == f"listener: cannot listen on {path}: Address already in use"
        assert ask(path, "GET", "/livez").status == 200


@pytest.mark.parametrize("kind", ["file", "folder", "link", "fifo"])
def test_a_file_that_is_no_socket_is_not_touched(folder: Path, kind: str) -> None:
    found = folder / f"kept-{kind}"
    if kind == "file":
        found.write_text("precious")
    elif kind == "folder":
        found.mkdir()
    elif kind == "link":
        found.symlink_to("/no-such-file")
    else:
        os.mkfifo(found)
    before = os.lstat(found)
    assert "Address already in use" in fails(unusable([], str(found)), [])
    assert os.lstat(found) == before
    assert kind != "file" or found.read_text() == "precious"


def test_a_file_that_belongs_to_somebody_else_by_now_is_left_to_him(path: str) -> None:
    with living(HealthMiddleware(speaks, listener=Listener(path))):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(path)
    assert os.path.exists(path)
    os.unlink(path)


def test_a_file_that_may_not_be_removed_at_the_end_is_a_line_in_the_log(
    path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the process has dropped its privileges meanwhile. The next one takes it over."""

    def unlink(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    before = threads()
    with living(HealthMiddleware(speaks, listener=Listener(path))):
        monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.undo()
    (told,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == f"the file of the listener's socket stays behind: {path}: Permission denied"
    wait_until(lambda: threads() <= before, "its thread has ended, and nothing listens at the path any more")
    with living(HealthMiddleware(speaks, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o666])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_its_mode_is_what_was_asked_for_whatever_the_umask(path: str, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        with living(HealthMiddleware(speaks, listener=Listener(path, mode=mode))):
            assert stat.S_IMODE(os.stat(path).st_mode) == mode
    finally:
        os.umask(before)


def test_while_another_process_starts_at_the_path_it_is_waited_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "OTHERS", 0.1)
    with addresses._alone_at(path), pytest.raises(CannotListen, match=f"another process has held {path}.lock for"):
        bind(Listener(path))
    with living(HealthMiddleware(speaks, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


def test_a_lock_of_a_process_that_was_killed_stops_nobody(path: str) -> None:
    Path(f"{path}.lock").touch()
    with living(HealthMiddleware(speaks, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


def test_a_file_is_found_again_from_another_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with living(HealthMiddleware(speaks, listener=Listener("./socket"))):
        assert (folder / "socket").is_socket()
        monkeypatch.chdir("/")
    assert not (folder / "socket").exists()


# -- without lifespan


def test_without_lifespan_it_opens_with_the_first_request(path: str, loop: str) -> None:
    app = HealthMiddleware(echo_nothing, listener=Listener(path))
    with loop_of(loop) as portal:
        assert refused(path)
        assert portal.call(ask_app, app, "/ordinary").from_app
        wait_until(lambda: not refused(path) and statuses(path) == [200] * 4, "it answers")
        with Blocked(portal):
            assert ask(path, "GET", "/livez").status == 200
    # Nobody says when it is over: the loop has ended, and the next one begins anew.
    with loop_of(loop) as portal:
        assert portal.call(ask_app, app, "/livez").status == 200
        wait_until(lambda: not refused(path) and statuses(path) == [200] * 4, "it answers again")
        portal.call(stop_services, app)


@pytest.mark.parametrize("slow_loop", [1.0, 0.0])
def test_without_lifespan_an_address_in_use_is_logged_once_and_harms_no_request(
    slow_loop: float, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, loop_of() as portal:
        listener = Listener(f"127.0.0.1:{other.getsockname()[1]}")
        checks = {"a": lambda: True}
        app = HealthMiddleware(echo_nothing, checks, details=True, listener=listener, slow_loop=slow_loop)
        assert portal.call(ask_app, app, "/ordinary").from_app
        assert [portal.call(ask_app, app, "/health").status for _ in range(3)] == [200] * 3
        portal.call(stop_services, app)
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "Address already in use" in errors[0]
