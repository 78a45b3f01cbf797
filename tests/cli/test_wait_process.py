"""`wait` in a process of its own, for servers that start and servers that do not."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ..servers.process import ROOT
from .command import Completed, interruptible, listening, read_request, respond_with, run, scripted, uvicorn

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def wait(*arguments: str) -> Completed:
    return run("wait", *arguments)


def test_a_server_that_is_starting_is_waited_for(tmp_path: Path) -> None:
    url = f"unix:{tmp_path}/s:/readyz"
    with uvicorn(f"{__package__}.apps:healthy", "--uds", f"{tmp_path}/s"):
        completed = wait(url, "--timeout", "30")
    assert (completed.code, completed.out) == (0, "")
    first, *_, last = completed.err.splitlines()
    assert first == f"python -m asgi_health wait: {url}: no such file or directory"
    assert last.startswith("python -m asgi_health wait: ready after ")


def test_all_servers_are_waited_for() -> None:
    first_answers = iter([b"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n"] * 2)

    def late(connection: socket.socket) -> None:
        respond_with(next(first_answers, OK))(connection)

    with scripted(respond_with(OK)) as ready, scripted(late) as later:
        completed = wait(ready, later, "--timeout", "30")
    assert (completed.code, completed.out) == (0, "")
    assert f"{ready}: ready" in completed.err
    assert f"{later}: answered 503; expected 200-299" in completed.err


def test_only_the_server_that_is_not_ready_is_named_at_the_end() -> None:
    with scripted(respond_with(OK)) as ready, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        missing = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        completed = wait(ready, missing, "--timeout", "2")
    assert (completed.code, completed.out) == (1, "")
    (last,) = [line for line in completed.err.splitlines() if "not ready" in line]
    assert last.endswith(f" s: {missing}: connection refused")


def test_a_server_that_hangs_does_not_delay_the_other_requests() -> None:
    asked = threading.Event()

    def hang(connection: socket.socket) -> None:
        read_request(connection)
        connection.recv(1)

    def answer(connection: socket.socket) -> None:
        asked.set()
        respond_with(OK)(connection)

    with scripted(hang) as silent, scripted(answer) as ready:
        completed = wait(silent, ready, "--timeout", "2")
    assert completed.code == 1
    assert asked.is_set()
    assert f"{silent}: timed out after " in completed.err


def test_headers_and_expected_statuses_apply_to_each_request() -> None:
    asked: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        asked.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 418 A\r\nContent-Length: 0\r\n\r\n")

    with scripted(handle) as url:
        completed = wait(url, "--timeout", "30", "--header", "X-A: b", "--expect-status", "418")
    assert completed.code == 0
    assert b"\r\nX-A: b\r\n" in asked[0]


@pytest.mark.parametrize("terminal", [True, False])
def test_ctrl_c_ends_wait_with_130_and_without_a_traceback(terminal: bool) -> None:
    reader, writer = pty.openpty() if terminal else os.pipe()
    asked = threading.Event()

    def refuse(connection: socket.socket) -> None:
        respond_with(b"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n")(connection)
        asked.set()

    with listening(refuse) as listener, os.fdopen(reader, "rb", buffering=0) as err:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with interruptible():
            waiting = subprocess.Popen(
                [sys.executable, "-m", "asgi_health", "wait", url], cwd=ROOT, stdin=subprocess.DEVNULL, stderr=writer
            )
        with waiting as process:
            os.close(writer)
            assert asked.wait(30.0)
            output = err.read(1)  # so that the first round is over
            process.send_signal(signal.SIGINT)
            assert process.wait(10.0) == 130
        try:
            while piece := err.read(4096):
                output += piece
        except OSError:  # a terminal raises this once its other end is closed
            pass
    assert b"503" in output
    assert b"Traceback" not in output
    assert (b"\x1b[2K" in output) == terminal
