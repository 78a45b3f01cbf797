"""Servers that misbehave: exit code 1 and one line that says how, within the timeout."""

import os
import re
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from asgi_health.cli.main import main

from .command import Handler, listening, read_request, respond_slowly, respond_with, run, scripted

OK = b"HTTP/1.1 200 OK\r\n"


def probe(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit code of a probe and its line on stderr, which only an unhealthy target has."""
    capsys.readouterr()
    code = main(["probe", *arguments])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == (code != 0)
    return code, printed.err.removesuffix("\n")


def silent(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)  # until the probe closes the connection


def close_at_once(connection: socket.socket) -> None:
    pass


def reset(connection: socket.socket) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer_before_the_request(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 503 Too Busy\r\nContent-Length: 0\r\n\r\n")


BAD_SERVERS: dict[str, tuple[Handler, str]] = {
    "closes at once": (close_at_once, "(the connection was closed without an answer|connection reset by peer)"),
    "closes after the request": (respond_with(b""), "the connection was closed without an answer"),
    "resets": (reset, "connection reset by peer"),
    "no status line": (respond_with(b"hello\r\n\r\n"), "expected an HTTP/1.1 answer, got 'hello'"),
    "garbage": (respond_with(bytes(range(256))), "expected an HTTP/1.1 answer, got "),
    "escapes": (respond_with(b"\x1b[2J\x07\r\n"), r"got '\\x1b\[2J\\x07'"),
    "headers without end": (respond_with(OK + b"A: b\r\n" * 100_000), "more than 65536 bytes of headers"),
    "a body that is cut off": (respond_with(OK + b"Content-Length: 9\r\n\r\nabc"), "in the middle of the answer"),
    "an interim response alone": (respond_with(b"HTTP/1.1 100 Continue\r\n\r\n"), "in the middle of the answer"),
    "an answer before the request": (answer_before_the_request, "answered 503; expected 200-299"),
    "silence": (silent, r"timed out after 0\.3 s without an answer"),
    "slow headers": (respond_slowly(OK, b"A: b\r\n"), r"timed out after 0\.3 s in the middle of the answer"),
    "one slow header": (respond_slowly(OK, b"A"), r"timed out after 0\.3 s in the middle of the answer"),
    "a slow status line": (respond_slowly(b"", b"H"), r"timed out after 0\.3 s in the middle of the answer"),
    "slow interim responses": (
        respond_slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        r"timed out after 0\.3 s in the middle of the answer",
    ),
    "a slow body": (
        respond_slowly(OK + b"Content-Length: 5000\r\n\r\n", b"x"),
        r"timed out after 0\.3 s in the middle of the answer",
    ),
    "slow chunks": (
        respond_slowly(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        r"timed out after 0\.3 s in the middle of the answer",
    ),
}


@pytest.mark.parametrize("name", BAD_SERVERS)
def test_a_server_that_misbehaves_is_unhealthy_and_one_line_says_why(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handle, reason = BAD_SERVERS[name]
    # The timeout is long where it is not what the test is about.
    timeout = "0.3" if "timed out" in reason else "20"
    with scripted(handle) as url:
        start = time.monotonic()
        code, line = probe(capsys, url, "--timeout", timeout)
        assert time.monotonic() - start < 10
    assert code == 1
    assert re.fullmatch(f"python -m asgi_health probe: {re.escape(url)}: .*{reason}.*", line), line


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"\r\n",
        OK + b"Content-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\nA: b\n\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        OK + b"\r\n" + b"x" * 100_000,
        OK + b"Content-Length: 1000000\r\n\r\n" + b"x" * 100_000,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000,
    ],
    ids=lambda answer: ascii(answer[:60].decode()),
)
def test_a_valid_response_of_any_framing_is_healthy_and_prints_nothing(
    answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted(respond_with(answer)) as url:
        assert probe(capsys, url, "--timeout", "20") == (0, "")


def test_a_response_with_a_length_is_complete_while_the_connection_is_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def handle(connection: socket.socket) -> None:
        respond_with(OK + b"Content-Length: 2\r\n\r\nok")(connection)
        connection.recv(1)

    with scripted(handle) as url:
        assert probe(capsys, url, "--timeout", "20") == (0, "")


@pytest.mark.parametrize("status", [200, 204, 299])
def test_200_to_299_is_healthy(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(respond_with(b"HTTP/1.1 %d A\r\n\r\n" % status)) as url:
        assert probe(capsys, url) == (0, "")


@pytest.mark.parametrize("status", [300, 307, 400, 404, 500, 503])
def test_other_statuses_are_unhealthy_and_redirects_not_followed(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    requests: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 %d A\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status)

    with scripted(handle) as url:
        code, line = probe(capsys, url)
    note = ", a redirect, which is not followed" if status < 400 else ""
    assert (code, line) == (1, f"python -m asgi_health probe: {url}: answered {status}{note}; expected 200-299")
    assert len(requests) == 1


@pytest.mark.parametrize(("status", "code"), [(200, 1), (307, 0), (503, 0), (500, 1)])
def test_expected_statuses_replace_200_to_299(status: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(respond_with(b"HTTP/1.1 %d A\r\nContent-Length: 0\r\n\r\n" % status)) as url:
        found, line = probe(capsys, url, "--expect-status", "307", "--expect-status", "503")
    assert found == code
    assert line.endswith("; expected 307 or 503") or code == 0


def test_the_request_has_the_given_headers_and_a_host(capsys: pytest.CaptureFixture[str]) -> None:
    requests: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 A\r\nContent-Length: 0\r\n\r\n")

    with scripted(handle) as url:
        probe(capsys, f"{url}a?b=c#d")
        probe(
            capsys, url, "--header", "host: shop.example", "--header", "X-A: 1", "--header=X-A:2", "--header", "accept:"
        )
    authority = url.removeprefix("http://").removesuffix("/")
    lines = [
        f"GET /a?b=c HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: asgi-health\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nUser-Agent: asgi-health\r\nConnection: close\r\n"
        "host: shop.example\r\nX-A: 1\r\nX-A: 2\r\naccept: \r\n\r\n",
    ]
    assert [each.decode() for each in requests] == lines


def test_proxies_of_the_environment_are_not_used() -> None:
    used = threading.Event()

    def proxy(connection: socket.socket) -> None:
        used.set()

    with scripted(proxy) as elsewhere, scripted(respond_with(OK + b"Content-Length: 0\r\n\r\n")) as url:
        names = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
        completed = run("probe", url, "--timeout", "20", env=dict.fromkeys(names, elsewhere) | {"no_proxy": ""})
    assert (completed.code, completed.out, completed.err) == (0, "", "")
    assert not used.is_set()


def test_a_target_without_a_server_is_unreachable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert probe(capsys, url) == (1, f"python -m asgi_health probe: {url}: connection refused")
    url = f"unix:{tmp_path}/no:/"
    assert probe(capsys, url) == (1, f"python -m asgi_health probe: {url}: no such file or directory")
    url = f"unix:{'a' * 200}:/"
    assert probe(capsys, url) == (1, f"python -m asgi_health probe: {url}: AF_UNIX path too long")


def answer_the_second_connection(listener: socket.socket) -> None:
    time.sleep(0.2)  # so that the probe finds the backlog full; if the probe is later, the test proves less but passes
    listener.accept()[0].close()
    with listener.accept()[0] as connection:
        respond_with(OK + b"\r\n")(connection)


def test_a_unix_socket_with_a_full_backlog_is_tried_until_the_deadline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(os.fspath(path))
        listener.listen(0)
        first.connect(os.fspath(path))
        code, line = probe(capsys, f"unix:{path}:/", "--timeout", "0.3")
        assert (code, line.rpartition(": ")[2]) == (1, "timed out after 0.3 s while connecting")
        answering = threading.Thread(target=answer_the_second_connection, args=(listener,))
        answering.start()
        assert probe(capsys, f"unix:{path}:/", "--timeout", "20") == (0, "")
        answering.join()


def test_an_unhealthy_answer_over_a_unix_socket_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{tmp_path}/s")
    listener.listen()
    with listening(respond_with(b"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n"), listener):
        code, line = probe(capsys, f"unix:{tmp_path}/s:/livez?secret")
    assert code == 1
    assert line == f"python -m asgi_health probe: unix:{tmp_path}/s:/livez: answered 503; expected 200-299"
