"""`wait` in a process of its own, for servers that come and servers that do not."""

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
from .command import Ended, interruptible, listening, request, run, saying, scripted, served

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def wait(*arguments: str) -> Ended:
    return run("wait", *arguments)


def test_a_server_that_is_being_started_is_waited_for(tmp_path: Path) -> None:
    url = f"unix:{tmp_path}/s:/readyz"
    with served(f"{__package__}.target:well", "--uds", f"{tmp_path}/s"):
        ended = wait(url, "--timeout", "30")
    assert (ended.code, ended.out) == (0, "")
    first, *_, last = ended.err.splitlines()
    assert first == f"python -m asgi_health wait: {url}: no such file or directory"
    assert last.startswith("python -m asgi_health wait: ready after ")


def test_all_of_them_are_waited_for() -> None:
    turns = iter([b"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n"] * 2)

    def late(connection: socket.socket) -> None:
        saying(next(turns, OK))(connection)

    with scripted(saying(OK)) as ready, scripted(late) as later:
        ended = wait(ready, later, "--timeout", "30")
    assert (ended.code, ended.out) == (0, "")
    assert f"{ready}: ready" in ended.err
    assert f"{later}: answered 503; expected 200-299" in ended.err


def test_who_does_not_come_is_told_and_who_has_come_is_not() -> None:
    with scripted(saying(OK)) as ready, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        missing = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        ended = wait(ready, missing, "--timeout", "2")
    assert (ended.code, ended.out) == (1, "")
    (last,) = [line for line in ended.err.splitlines() if "not ready" in line]
    assert last.endswith(f" s: {missing}: connection refused")


def test_one_that_hangs_does_not_keep_the_others_from_being_asked() -> None:
    asked = threading.Event()

    def hang(connection: socket.socket) -> None:
        request(connection)
        connection.recv(1)

    def answer(connection: socket.socket) -> None:
        asked.set()
        saying(OK)(connection)

    with scripted(hang) as silent, scripted(answer) as ready:
        ended = wait(silent, ready, "--timeout", "2")
    assert ended.code == 1
    assert asked.is_set()
    assert f"{silent}: timed out after " in ended.err


def test_headers_and_expected_statuses_are_those_of_probe() -> None:
    asked: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        asked.append(request(connection))
        connection.sendall(b"HTTP/1.1 418 A\r\nContent-Length: 0\r\n\r\n")

    with scripted(handle) as url:
        ended = wait(url, "--timeout", "30", "--header", "X-A: b", "--expect-status", "418")
    assert ended.code == 0
    assert b"\r\nX-A: b\r\n" in asked[0]


@pytest.mark.parametrize("terminal", [True, False])
def test_an_interrupt_ends_it_without_a_traceback(terminal: bool) -> None:
    reader, writer = pty.openpty() if terminal else os.pipe()
    asked = threading.Event()

    def refuse(connection: socket.socket) -> None:
        saying(b"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n")(connection)
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
            said = err.read(1)  # so that it is past its first round
            process.send_signal(signal.SIGINT)
            assert process.wait(10.0) == 130
        try:
            while piece := err.read(4096):
                said += piece
        except OSError:  # how a terminal says that nobody is at the other end
            pass
    assert b"503" in said
    assert b"Traceback" not in said
    assert (b"\x1b[2K" in said) == terminal
