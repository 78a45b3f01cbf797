"""When the listener answers, from before the app's startup to its end, and that it leaves nothing behind."""

import errno
import fcntl
import logging
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from asgi_health import Health, HealthMiddleware, Listener
from asgi_health.asgi.types import Message
from asgi_health.listener import sockets
from asgi_health.listener.interface import CannotListen
from asgi_health.listener.sockets import bind

from ..servers.process import ROOT
from ..servers.wire import Address, ask
from ..support import lifespan_apps
from ..support.app_thread import LOOPS, Blocked, Step, loop_of, our_threads, running_app, starting_app, starts_when
from ..support.asgi_caller import ask as ask_app
from ..support.asgi_caller import echo_nothing
from ..support.lifespan_apps import ERROR, Script, lifespan_app, make_app
from ..support.services import stop_services
from ..support.waiting import wait_until

PATHS = ("/livez", "/readyz", "/startupz", "/health")


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def nothing_left(folder: Path) -> Iterator[None]:
    """Require that no thread, no descriptor and no file of the app is left when a test ends."""
    descriptors, others = open_descriptors(), our_threads()
    yield
    wait_until(lambda: our_threads() <= others, "the threads have ended")
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


def app_with(script: Script, address: str, **options: object) -> HealthMiddleware:
    return HealthMiddleware(make_app(script), {"a": lambda: True}, listener=Listener(address), **options)  # type: ignore[arg-type]


def statuses(address: Address) -> list[int]:
    return [ask(address, "GET", path).status for path in PATHS]


def refused(address: Address) -> bool:
    try:
        ask(address, "GET", "/livez")
    except OSError:
        return True
    return False


def test_an_app_that_is_starting_is_alive_and_not_ready(path: str, loop: str) -> None:
    step = Step()
    app = app_with(starts_when(step), path, details=True)
    with loop_of(loop) as portal, starting_app(app, portal) as server:
        wait_until(lambda: not refused(path), "it listens")
        assert statuses(path) == [200, 503, 503, 503]
        assert ask(path, "GET", "/readyz").body == b'{"status":"fail","notes":["starting"]}'
        assert re.search(rb"the app has been starting for \d+\.\d s", ask(path, "GET", "/readyz?verbose").body)
        step.go()
        wait_until(lambda: statuses(path) == [200] * 4, "it has started")
        assert b"starting" not in ask(path, "GET", "/readyz?verbose").body
        portal.call(server.shutdown)
        wait_until(lambda: refused(path), "it has stopped")


def test_without_permission_an_answer_does_not_say_for_how_long_the_app_has_been_starting(path: str) -> None:
    step = Step()
    app = app_with(starts_when(step), path)
    with loop_of() as portal, starting_app(app, portal):
        wait_until(lambda: not refused(path), "it listens")
        assert ask(path, "GET", "/health?verbose").body == b'{"status":"fail","notes":["starting"]}'
        step.go()


def test_it_answers_while_the_startup_of_the_app_blocks_the_loop(path: str, loop: str) -> None:
    step = Step()

    async def script(receive: lifespan_apps.ReceiveEvent, send: lifespan_apps.SendEvent) -> None:
        await receive()
        step.wait_and_block()
        await send("startup.complete")
        await receive()
        await send("shutdown.complete")

    app = HealthMiddleware(make_app(script), listener=Listener(path, stall_ready=0.5, stall_live=1.0))
    with loop_of(loop) as portal, starting_app(app, portal) as server:
        wait_until(lambda: not refused(path), "it listens")
        wait_until(lambda: statuses(path) == [503] * 4, "liveness fails")
        step.go()
        wait_until(lambda: statuses(path) == [200] * 4, "it has started")
        portal.call(server.shutdown)


@pytest.mark.parametrize(
    "script",
    [lifespan_apps.crashes_while_it_starts, lifespan_apps.fails_to_start, lifespan_apps.fails_to_start_and_raises],
)
def test_a_failed_startup_closes_it(path: str, loop: str, script: Script) -> None:
    with loop_of(loop) as portal, starting_app(app_with(script, path), portal) as server:
        wait_until(lambda: server.ended, "the lifespan has ended")
        assert server.error in (None, ERROR)
        wait_until(lambda: refused(path), "it has stopped")


def test_it_answers_for_an_app_that_does_not_support_lifespan(path: str) -> None:
    with running_app(app_with(lifespan_apps.raises_at_once, path)):
        wait_until(lambda: statuses(path) == [200] * 4, "it has started")


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_each_lifespan_opens_it_again(path: str, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        address: Address = path if kind == "unix" else ("127.0.0.1", port)
        app = HealthMiddleware(
            lifespan_app, {"a": lambda: True}, listener=Listener(path if kind == "unix" else f"127.0.0.1:{port}")
        )
        for _ in range(3):
            with running_app(app):
                wait_until(lambda: not refused(address) and statuses(address) == [200] * 4, "it has started")
            wait_until(lambda: refused(address), "it has stopped")
    assert "Traceback" not in caplog.text


def test_twenty_lifespans_leave_nothing_behind(path: str) -> None:
    for _ in range(20):
        with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
            assert ask(path, "GET", "/livez").status == 200


@pytest.mark.usefixtures("silent")
def test_lifespans_that_begin_and_end_between_requests_log_no_warning(path: str) -> None:
    """Each answer belongs to one lifespan, whatever ends at the same moment."""
    done = threading.Event()
    seen: set[tuple[int, bytes]] = set()

    def send_requests() -> None:
        while not done.is_set():
            try:
                answer = ask(path, "GET", "/livez?verbose")
            except OSError:
                continue
            seen.add((answer.status, answer.body))

    clients = [threading.Thread(target=send_requests) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in clients:
            thread.start()
        for _ in range(30):
            with running_app(HealthMiddleware(lifespan_app, listener=Listener(path), slow_loop=5.0)):
                pass
    finally:
        done.set()
        sys.setswitchinterval(interval)
        for thread in clients:
            thread.join(20.0)
    assert seen <= {(200, b'{"status":"pass"}')}


@pytest.mark.usefixtures("silent")
def test_at_its_end_open_connections_are_closed(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10.0)
        with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
            client.connect(path)
            client.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        assert client.recv(65536) == b""


def test_the_log_says_where_it_listens(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for address in ("127.0.0.1:0", "[::1]:0", path):
        with running_app(HealthMiddleware(lifespan_app, listener=Listener(address))):
            pass
    messages = [record.getMessage() for record in caplog.records if "the listener answers" in record.getMessage()]
    assert re.fullmatch(r"the listener answers at http://127\.0\.0\.1:\d+", messages[0])
    assert re.fullmatch(r"the listener answers at http://\[::1\]:\d+", messages[1])
    assert messages[2] == f"the listener answers at the unix socket {path}"


# -- an address that cannot be bound


def failure_of(app: HealthMiddleware, received: list[str]) -> str:
    """Start `app`, and return the message that the server receives; `received` gets the types of the messages."""
    messages: list[str] = []

    async def main() -> None:
        async def send(message: Message) -> None:
            received.append(message["type"])
            messages.append(message.get("message", ""))

        async def receive() -> Message:
            received.append("asked")
            return {"type": "lifespan.startup"}

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    anyio.run(main)
    return messages[0]


def app_at(script_log: list[str], address: str) -> HealthMiddleware:
    return HealthMiddleware(make_app(lifespan_apps.supports_lifespan, script_log), listener=Listener(address))


def test_an_address_in_use_is_a_failed_startup_and_the_app_does_not_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        log: list[str] = []
        received: list[str] = []
        message = failure_of(app_at(log, address), received)
    assert message == f"listener: cannot listen on {address}: Address already in use"
    assert received == ["asked", "lifespan.startup.failed"]
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
def test_the_error_names_each_address_that_cannot_be_bound_and_the_reason(address: str, reason: str) -> None:
    message = failure_of(app_at([], address), [])
    assert message.startswith(f"listener: cannot listen on {address}: ")
    assert re.search(reason, message.removeprefix(f"listener: cannot listen on {address}: ")), message


def test_where_the_system_has_no_unix_sockets_the_error_says_so(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(CannotListen, match="this system has no unix sockets"):
        bind(Listener(path))


def test_without_reuseport_a_second_app_is_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    caplog.set_level(logging.INFO)
    with running_app(HealthMiddleware(lifespan_app, listener=Listener("127.0.0.1:0"))):
        (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)", caplog.text)
        assert "Address already in use" in failure_of(app_at([], f"127.0.0.1:{port}"), [])


def test_a_running_block_raises_for_an_address_that_cannot_be_bound() -> None:
    async def main() -> None:
        async with Health().running(listener=Listener("/no-such-folder/socket")):
            raise AssertionError("it runs")

    with pytest.raises(CannotListen, match="cannot listen on /no-such-folder/socket: No such file or directory"):
        anyio.run(main)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_start_without_enough_descriptors_fails_with_the_reason_and_leaves_nothing_open(kind: str, path: str) -> None:
    """The socket, the event loop and the monitor thread need descriptors; with enough of them it starts."""
    address = path if kind == "unix" else "127.0.0.1:0"
    program = [sys.executable, "-m", "tests.listener.without_descriptors", address]
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


def test_the_file_of_an_ended_process_is_replaced(path: str) -> None:
    dead_socket(path)
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


def test_the_file_of_a_running_process_is_not_replaced(path: str) -> None:
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
        assert failure_of(app_at([], path), []) == f"listener: cannot listen on {path}: Address already in use"
        assert ask(path, "GET", "/livez").status == 200


@pytest.mark.parametrize("kind", ["file", "folder", "link", "fifo"])
def test_a_file_that_is_no_socket_is_not_replaced(folder: Path, kind: str) -> None:
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
    assert "Address already in use" in failure_of(app_at([], str(found)), [])
    assert os.lstat(found) == before
    assert kind != "file" or found.read_text() == "precious"


def test_a_file_that_another_process_has_replaced_is_not_removed(path: str) -> None:
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(path)
    assert os.path.exists(path)
    os.unlink(path)


def test_a_file_that_cannot_be_removed_at_the_end_is_logged(
    path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the process has dropped its privileges meanwhile. The next listener replaces it."""

    def unlink(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    before = our_threads()
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
        monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.undo()
    (message,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert message == f"the file of the listener's socket cannot be removed: {path}: Permission denied"
    wait_until(lambda: our_threads() <= before, "its thread has ended, and no process listens at the path any more")
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o666])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_file_has_the_configured_mode_with_any_umask(path: str, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        with running_app(HealthMiddleware(lifespan_app, listener=Listener(path, mode=mode))):
            assert stat.S_IMODE(os.stat(path).st_mode) == mode
    finally:
        os.umask(before)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock of the path, as another process does while it binds it."""
    with open(f"{path}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        os.unlink(file.name)


def test_while_another_process_holds_the_lock_binding_waits_and_fails_in_the_end(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LOCK_TIMEOUT", 0.1)  # instead of 5 seconds
    with locked(path), pytest.raises(CannotListen, match=f"another process has held {path}.lock for"):
        bind(Listener(path))
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


def test_the_lock_file_of_a_killed_process_has_no_effect(path: str) -> None:
    Path(f"{path}.lock").touch()
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(path))):
        assert ask(path, "GET", "/livez").status == 200


def test_a_file_at_a_relative_path_is_removed_from_another_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with running_app(HealthMiddleware(lifespan_app, listener=Listener("./socket"))):
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
    # No shutdown says that the first loop has ended; a request in another loop starts it again.
    with loop_of(loop) as portal:
        assert portal.call(ask_app, app, "/livez").status == 200
        wait_until(lambda: not refused(path) and statuses(path) == [200] * 4, "it answers again")
        portal.call(stop_services, app)


@pytest.mark.parametrize("slow_loop", [1.0, 0.0])
def test_without_lifespan_an_address_in_use_is_logged_once_and_requests_are_answered(
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
