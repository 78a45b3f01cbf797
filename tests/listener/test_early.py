"""A listener that answers before the app exists, as an app that is starting, until the app takes over."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from asgi_health import Health, HealthMiddleware, Listener, Paths, listen_early
from asgi_health.listener.interface import CannotListen

from ..servers.process import ROOT
from ..servers.wire import Address, Connection, ask
from ..support.app_thread import our_threads, running_app
from ..support.lifespan_apps import lifespan_app
from ..support.waiting import wait_until

PATHS = ("/livez", "/readyz", "/startupz", "/health")
STARTING, HEALTHY = [200, 503, 503, 503], [200] * 4


def statuses(address: Address, paths: tuple[str, ...] = PATHS) -> list[int]:
    try:
        return [ask(address, "GET", path).status for path in paths]
    except OSError:
        return []


@pytest.fixture(autouse=True)
def nothing_left(folder: Path) -> Iterator[None]:
    others = our_threads()
    yield
    wait_until(lambda: our_threads() <= others, "the threads have ended")
    assert os.listdir(folder) == []


@pytest.mark.usefixtures("silent")
def test_it_answers_from_the_call_on_and_the_app_takes_over(path: str) -> None:
    listener = listen_early(Listener(path))
    assert statuses(path) == STARTING
    assert ask(path, "GET", "/ordinary").status == 404
    with Connection(path) as kept:
        assert kept.ask("GET", "/readyz").status == 503
        with running_app(HealthMiddleware(lifespan_app, {"a": lambda: True}, details=True, listener=listener)):
            wait_until(lambda: statuses(path) == HEALTHY, "it has started")
            answer = kept.ask("GET", "/readyz?verbose")  # on a connection that was opened before
            assert (answer.status, b"checks" in answer.body) == (200, True)
    assert statuses(path) == []


def test_a_running_block_takes_over_as_an_app_does(path: str) -> None:
    async def main() -> list[int]:
        async with Health().running(listener=Listener(path)):  # at the same address
            return await anyio.to_thread.run_sync(statuses, path)

    listen_early(Listener(path))
    assert anyio.run(main) == HEALTHY
    assert statuses(path) == []


def test_a_second_lifespan_opens_a_listener_of_its_own(path: str) -> None:
    app = HealthMiddleware(lifespan_app, listener=listen_early(Listener(path)))
    for _ in range(2):
        with running_app(app):
            wait_until(lambda: statuses(path) == HEALTHY, "it has started")
        assert statuses(path) == []


def test_a_second_call_has_no_effect(path: str) -> None:
    listener = listen_early(listen_early(Listener(path)))
    assert len([thread for thread in our_threads() if thread.name == "asgi-health listener"]) == 1
    with running_app(HealthMiddleware(lifespan_app, listener=listener)):
        wait_until(lambda: statuses(path) == HEALTHY, "it has started")


def test_it_answers_at_the_paths_of_the_app(path: str) -> None:
    paths = Paths(live="/alive", ready=("/ready", "/r"))
    listener = listen_early(Listener(path), paths=paths)
    asked = ("/alive", "/ready", "/r", "/livez", "/readyz")
    assert statuses(path, asked) == [200, 503, 503, 404, 404]
    with running_app(HealthMiddleware(lifespan_app, listener=listener, paths=paths)):
        wait_until(lambda: statuses(path, asked) == [200, 200, 200, 404, 404], "it has started")


def test_an_address_that_cannot_be_bound_raises() -> None:
    with pytest.raises(CannotListen, match="cannot listen on /no-such-folder/socket: No such file or directory"):
        listen_early(Listener("/no-such-folder/socket"))


@pytest.mark.parametrize("wrong", ["127.0.0.1:9000", None])
def test_an_argument_that_is_no_listener_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="listen_early: listener must be of type Listener"):
        listen_early(wrong)


@contextmanager
def imported_slowly(folder: Path, address: str, *command: str) -> Iterator[Path]:
    """A server whose app is imported until the file `kept-go` exists."""
    go = folder / "kept-go"
    environment = {**os.environ, "ADDRESS": address, "GO": str(go)}
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield go
        process.terminate()
        process.wait(20.0)
    finally:
        process.kill()
        process.wait(10.0)
        go.unlink(missing_ok=True)


APP = "tests.listener.slow_import:app"
GUNICORN = ("gunicorn", "--preload", "-k", "uvicorn_worker.UvicornWorker")


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn --preload"])
def test_it_answers_while_a_server_imports_a_slow_app(folder: Path, path: str, server: str) -> None:
    """Under gunicorn the process that imports is not the one that serves: threads do not survive a fork."""
    where = str(folder / "app")
    command = ("uvicorn", "--uds", where) if server == "uvicorn" else (*GUNICORN, "-b", f"unix:{where}")
    with imported_slowly(folder, path, *command, APP) as go:
        wait_until(lambda: statuses(path) == STARTING, "it listens", 30.0)
        go.touch()
        wait_until(lambda: statuses(path) == HEALTHY, "it has started", 30.0)
    assert statuses(path) == []
    (folder / "app").unlink(missing_ok=True)


def test_two_workers_of_a_process_that_listened_share_its_port(folder: Path) -> None:
    """No probe reaches that process any more: it would answer for ever that it is starting."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        address: Address = holder.getsockname()
        command = (*GUNICORN, "-w", "2", "-b", f"unix:{folder / 'app'}", APP)
        with imported_slowly(folder, "{}:{}".format(*address), *command) as go:
            wait_until(lambda: statuses(address) == STARTING, "it listens", 30.0)
            go.touch()
            wait_until(lambda: statuses(address) == HEALTHY, "it has started", 30.0)
            wait_until(lambda: all(statuses(address) == HEALTHY for _ in range(10)), "both have started", 30.0)
    (folder / "app").unlink(missing_ok=True)


def test_of_processes_that_bind_one_path_at_once_exactly_one_succeeds(path: str) -> None:
    """Whether there is no file, or one that an ended process has left."""
    program = [sys.executable, "-m", "tests.listener.racing_processes", path, "100"]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert ended.stdout.splitlines() == ["1 reached"] * 100, ended.stderr
    os.unlink(path)
