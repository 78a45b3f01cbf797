"""Hostile clients: no 500, no healthy answer to an invalid request, no warning, and the next client is answered."""

import asyncio
import gc
import re
import resource
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path
from random import Random

import h11
import pytest

import asgi_health
from asgi_health import HealthMiddleware, Listener, Probe, client_in
from asgi_health.asgi.types import Scope
from asgi_health.core.aggregate import ProbeStatus
from asgi_health.core.engine import Engine
from asgi_health.listener import connection as listener_connection
from asgi_health.listener import open_connections

from ..servers.wire import Answer, Connection, Parser, ask, request
from ..support.app_thread import running_app
from ..support.lifespan_apps import lifespan_app
from ..support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("silent")

PASS, NOT_FOUND, BAD = b'{"status":"pass"}', b"not found\n", b"bad request\n"
HOST = b"host: x\r\n"
LARGE = listener_connection.MAX_BODY + 1


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A healthy app whose listener waits 1.5 seconds for a client, so that the tests of slow clients are quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listener_connection, "CLIENT_TIMEOUT", 1.5)
        patch.setattr("asgi_health.runtime.loop_services.NOTICEABLE", 60.0)  # so that a busy machine changes no answer
        address = str(folder / "listener")
        with running_app(HealthMiddleware(lifespan_app, {"a": lambda: True}, details=True, listener=Listener(address))):
            wait_until(lambda: ask(address, "GET", "/readyz").status == 200, "it is ready")
            yield address


def connected(address: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10.0)
    client.connect(address)
    return client


def exchange(address: str, raw: bytes, *, half_closed: bool = False) -> bytes:
    """Send the bytes, and return what the listener sends until it closes the connection."""
    received = b""
    with connected(address) as client:
        try:
            client.sendall(raw)
            if half_closed:
                client.shutdown(socket.SHUT_WR)
            while data := client.recv(65536):
                received += data
        except ConnectionError:  # closed while the client was still sending
            pass
    return received


def answers(received: bytes, *methods: str) -> list[Answer]:
    parser = Parser(received, closed=True)
    found = []
    for method in methods:
        answer = parser.next(method)
        assert answer is not None
        found.append(answer)
    assert parser.buffer == b"", "more answers than requests"
    return found


CHUNKED = b"POST /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"

BROKEN = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "zeros": b"\0" * 100 + b"\r\n\r\n",
    "HTTP/0.9": b"GET /readyz\r\n\r\n",
    "a version of three numbers": b"GET /readyz HTTP/1.1.1\r\nhost: x\r\n\r\n",
    "no version": b"GET /readyz HTTP\r\n\r\n",
    "two spaces": b"GET  /readyz HTTP/1.1\r\nhost: x\r\n\r\n",
    "no path": b"GET HTTP/1.1\r\nhost: x\r\n\r\n",
    "a space in the path": b"GET /ready z HTTP/1.1\r\nhost: x\r\n\r\n",
    "bytes in the path": b"GET /ready\xffz HTTP/1.1\r\nhost: x\r\n\r\n",
    "bytes in the method": b"G\xffT /readyz HTTP/1.1\r\nhost: x\r\n\r\n",
    "no host": b"GET /readyz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /readyz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    "a header without a colon": b"GET /readyz HTTP/1.1\r\nhost x\r\n\r\n",
    "a header without a name": b"GET /readyz HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n",
    "a space before the colon": b"GET /readyz HTTP/1.1\r\nhost : x\r\n\r\n",
    "a null in a header": b"GET /readyz HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n",
    "a length that is no number": b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
    "a negative length": b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "two lengths": b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    "an unknown coding": b"POST /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
    "an invalid chunk": b"POST /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "empty lines": b"\r\n" * 50_000,
}  # fmt: skip


# Requests that exceed a limit or use another version of HTTP, each with the status of its refusal.
REFUSED = {
    "an endless path": (431, b"GET /" + b"a" * 100_000),
    "an endless header": (431, b"GET /readyz HTTP/1.1\r\na: " + b"b" * 100_000),
    "endless headers": (431, b"GET /readyz HTTP/1.1\r\n" + b"a: b\r\n" * 50_000),
    "too many headers": (431, b"GET /readyz HTTP/1.1\r\nhost: x\r\n" + b"a:b\r\n" * 101 + b"\r\n"),
    "too many headers that go on": (431, b"GET /readyz HTTP/1.1\r\n" + b"a:b\r\n" * 101),
    "a long head": (431, b"GET /readyz HTTP/1.1\r\nhost: x\r\na: " + b"b" * 40_000 + b"\r\n\r\n"),
    "a head of 17 kB": (431, b"GET /readyz HTTP/1.1\r\nhost: x\r\na: " + b"b" * 17_000 + b"\r\n\r\n"),
    "a path of 17 kB": (431, b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"),
    "a large body": (413, b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % LARGE + b"x" * LARGE),
    "a large body of a GET": (413, b"GET /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % LARGE),
    "a body longer than 64 bits can count": (
        413, b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
    ),
    "a large body with expect: 100-continue": (
        413, b"POST /readyz HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % LARGE,
    ),
    "a body in endless chunks": (413, CHUNKED + (b"100\r\n" + b"x" * 256 + b"\r\n") * (LARGE // 256 + 1)),
    "a body in endless small chunks": (413, CHUNKED + b"1\r\nx\r\n" * LARGE),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    "HTTP/2": (505, b"GET /readyz HTTP/2.0\r\nhost: x\r\n\r\n"),
    "HTTP/0.9 with a version": (505, b"GET /readyz HTTP/0.9\r\n\r\n"),
    "HTTP/3": (505, b"GET /readyz HTTP/3.0\r\nhost: x\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_gives_the_reason_and_closes_the_connection(address: str, name: str) -> None:
    """Also to a client that goes on sending: closed at once, TCP would discard the answer."""
    status, raw = REFUSED[name]
    (answer,) = answers(exchange(address, raw), "GET")
    assert (answer.status, answer.one("connection")) == (status, "close")
    assert answer.body != PASS
    assert ask(address, "GET", "/readyz").body == PASS


@pytest.mark.parametrize("name", BROKEN)
def test_an_invalid_request_is_a_bad_request(address: str, name: str) -> None:
    (answer,) = answers(exchange(address, BROKEN[name]), "GET")
    assert (answer.status, answer.body, answer.one("connection")) == (400, BAD, "close")
    assert ask(address, "GET", "/readyz").body == PASS


@pytest.mark.parametrize(
    "body",
    [
        b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"transfer-encoding: chunked\r\n\r\n5\r\nabc",
        b"content-length: 5\r\n\r\nabc",
    ],
    ids=["no chunk", "part of a chunk", "part of a body"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_a_request_with_an_invalid_body_is_a_bad_request(address: str, method: str, body: bytes) -> None:
    raw = f"{method} /readyz HTTP/1.1\r\n".encode() + HOST + body
    (answer,) = answers(exchange(address, raw, half_closed=True), method)
    assert (answer.status, answer.one("content-length")) == (400, str(len(BAD)))


@pytest.mark.parametrize("raw", [b"GET /readyz HTTP/1.1\r\nhost:", b"GET", b"\r\n"])
def test_an_incomplete_request_has_no_healthy_answer(address: str, raw: bytes) -> None:
    assert PASS not in exchange(address, raw, half_closed=True)
    with connected(address) as client:
        client.sendall(raw)
    assert ask(address, "GET", "/readyz").body == PASS


def test_a_client_that_has_closed_its_sending_side_is_answered(address: str) -> None:
    raw = b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n"
    assert [answer.body for answer in answers(exchange(address, raw * 3, half_closed=True), *["GET"] * 3)] == [PASS] * 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_http_1_0_without_a_host_is_answered_and_closed(address: str, method: str) -> None:
    (answer,) = answers(exchange(address, f"{method} /readyz HTTP/1.0\r\n\r\n".encode()), method)
    assert (answer.status, answer.body) == (200, b"" if method == "HEAD" else PASS)


def test_http_1_0_with_keep_alive_is_answered(address: str) -> None:
    raw = b"GET /readyz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
    (answer,) = answers(exchange(address, raw), "GET")
    assert (answer.body, answer.one("connection").lower()) == (PASS, "close")


def test_each_answer_on_a_kept_connection_belongs_to_its_request(address: str) -> None:
    with Connection(address) as connection:
        for _ in range(20):
            assert connection.ask("HEAD", "/readyz").body == b""
            assert connection.ask("POST", "/readyz", body=b"GET /readyz HTTP/1.1\r\n\r\n").status == 405
            assert connection.ask("GET", "/unknown").body == NOT_FOUND
            assert connection.ask("GET", "/readyz").body == PASS
        assert connection.ask("GET", "/readyz", [("connection", "close")]).one("connection") == "close"
        assert connection.rest() == b""


def test_pipelined_requests_are_answered_in_order(address: str) -> None:
    row = [("GET", "/readyz"), ("HEAD", "/livez"), ("POST", "/readyz"), ("GET", "/nope"), ("OPTIONS", "/livez")] * 19
    raw = b"".join(request(method, path, body=b"some" if method == "POST" else b"") for method, path in row)
    raw += request("GET", "/startupz", [("connection", "close")])
    found = answers(exchange(address, raw), *(method for method, _ in row), "GET")
    assert [answer.status for answer in found] == [200, 200, 405, 404, 200] * 19 + [200]


def test_a_client_that_expects_100_continue_gets_it(address: str) -> None:
    with connected(address) as client:
        client.sendall(b"POST /readyz HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"body")
        assert client.recv(65536).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET http://x/readyz HTTP/1.1\r\nhost: x\r\n", 200),
        (b"GET HTTP://x:80/readyz?verbose HTTP/1.1\r\nhost: y\r\n", 200),
        (b"GET https://a@[::1]:9000/readyz/ HTTP/1.0\r\n", 200),
        (b"GET http://x HTTP/1.1\r\nhost: x\r\n", 404),
        (b"GET http://x?/readyz HTTP/1.1\r\nhost: x\r\n", 404),
        (b"GET /http://x/readyz HTTP/1.1\r\nhost: x\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nhost: x\r\n", 404),
        (b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n", 404),
        (b"CONNECT /readyz HTTP/1.1\r\nhost: x\r\n", 405),
        (b"GET /readyz HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n", 200),
        (b"GET /readyz HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nhttp2-settings: \r\n", 200),
        (b"GET /readyz HTTP/1.1\r\nhost: x\r\nexpect: the unexpected\r\n", 200),
        (b"GET /readyz HTTP/1.1\r\nhost: x\r\nauthorization: \xff\xfe\r\n", 200),
        (b"GET /readyz?\x7e{}|%00%0d%0a HTTP/1.1\r\nhost: x\r\n", 200),
        (b"GET /readyz%0d%0aX:%20y HTTP/1.1\r\nhost: x\r\n", 404),
        (b"GET /readyz#fragment HTTP/1.1\r\nhost: x\r\n", 404),
        (b"GET /readyz;a=b HTTP/1.1\r\nhost: x\r\n", 404),
    ],
)
def test_unusual_requests_have_the_usual_answers(address: str, raw: bytes, status: int) -> None:
    (answer,) = answers(exchange(address, raw + b"connection: close\r\n\r\n"), "GET")
    assert answer.status == status


@pytest.mark.parametrize(
    "raw", [b"", b"GET /readyz HTTP/1.1\r\nhost", b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"]
)
def test_the_connection_of_a_slow_client_is_closed(address: str, raw: bytes) -> None:
    began = time.monotonic()
    assert exchange(address, raw) == b""
    assert time.monotonic() - began >= 1.0


def test_a_client_that_sends_byte_by_byte_gets_no_more_time(address: str) -> None:
    sent = 0
    with connected(address) as client:
        began = time.monotonic()
        try:
            for byte in b"GET /readyz HTTP/1.1\r\n" + b"a: b\r\n" * 1000:
                client.sendall(bytes([byte]))
                sent += 1
                time.sleep(0.05)
        except ConnectionError:
            pass
    assert 1.0 <= time.monotonic() - began < 20.0
    assert sent < 1000


def test_the_connection_of_a_client_that_does_not_read_is_closed(address: str) -> None:
    row = request("GET", "/health?verbose") * 100
    with connected(address) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.settimeout(20.0)
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while True:
                client.sendall(row)
        assert time.monotonic() - began < 15.0
    assert ask(address, "GET", "/readyz").body == PASS


def test_a_connection_is_closed_after_its_last_request_and_the_answer_says_so(address: str) -> None:
    most = listener_connection.MAX_REQUESTS
    found = answers(exchange(address, request("GET", "/readyz") * 10 * most), *["GET"] * most)
    assert {answer.body for answer in found} == {PASS}
    assert [answer.all("connection") for answer in found] == [[]] * (most - 1) + [["close"]]


@pytest.mark.parametrize("first", ["content-length", "transfer-encoding"])
def test_a_body_of_two_lengths_ends_the_connection(address: str, first: str) -> None:
    """What follows may be a request to one server and a part of the body to another."""
    lines = ["content-length: 5", "transfer-encoding: chunked"]
    head = "\r\n".join(sorted(lines, key=lambda line: not line.startswith(first))).encode()
    raw = b"POST /readyz HTTP/1.1\r\n" + HOST + head + b"\r\n\r\n0\r\n\r\n" + request("GET", "/readyz")
    (answer,) = answers(exchange(address, raw), "POST")
    assert (answer.status, answer.one("connection")) == (405, "close")


@pytest.mark.parametrize("raw", [request("GET", "/readyz"), request("GET", "/nope"), b"nonsense\r\n\r\n"])
def test_each_answer_has_a_date(address: str, raw: bytes) -> None:
    """RFC 9110, 6.6.1, in the preferred format of 5.6.7."""
    with Connection(address) as connection:
        date = connection.exchange(raw, "GET").one("date")
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 5.0


@pytest.mark.parametrize("path", ["/readyz", "/health?verbose", "/health/ready/a"])
def test_options_lists_the_methods(address: str, path: str) -> None:
    assert ask(address, "OPTIONS", path).one("allow") == "GET, HEAD, OPTIONS"
    assert ask(address, "GET", path).all("allow") == []


def open_many(address: str, count: int, raw: bytes) -> ExitStack:
    """Open `count` connections that send `raw`, and never read."""
    stack = ExitStack()
    for _ in range(count):
        client = stack.enter_context(connected(address))
        client.setblocking(False)
        try:
            while raw and client.send(raw):
                if raw in SILENT:
                    break
        except (BlockingIOError, ConnectionError):
            pass
    return stack


SILENT = [b"", b"GET /readyz HTTP/1.1\r\nhos", b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"]


@pytest.mark.parametrize(
    "raw",
    [*SILENT, request("GET", "/health?verbose") * 200, request("POST", "/readyz", body=b"x" * 100) * 100],
    ids=["silent", "in the head", "in the body", "that do not read", "that do not read, with bodies"],
)
def test_with_the_maximum_of_connections_a_new_one_is_answered(
    address: str, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    monkeypatch.setattr(open_connections, "MAX_CONNECTIONS", 20)  # instead of 256, to be quick
    # So that no connection is closed for its slowness.
    monkeypatch.setattr(listener_connection, "CLIENT_TIMEOUT", 3600.0)
    with open_many(address, 60, raw):
        assert [ask(address, "GET", "/readyz").body for _ in range(30)] == [PASS] * 30


def test_the_log_says_once_how_many_connections_were_closed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(open_connections, "MAX_CONNECTIONS", 4)  # instead of 256
    monkeypatch.setattr(open_connections, "FIRST_LOG_PAUSE", 0.3)  # instead of 1 second
    address = str(folder / "crowded")

    def logged() -> list[int]:
        found = (
            re.match(r"the listener has closed (\d+) connections to", each.getMessage()) for each in caplog.records
        )
        return [int(each[1]) for each in found if each]

    with running_app(HealthMiddleware(lifespan_app, listener=Listener(address))):
        with open_many(address, 14, b""):
            wait_until(lambda: logged() != [], "it is logged")
            assert ask(address, "GET", "/startupz").body == PASS
        assert len(logged()) == 1  # the next one comes after a minute, or at the end
    wait_until(lambda: sum(logged()) == 11, "the others are logged at the end")
    assert len(logged()) == 2


def test_a_new_connection_replaces_the_one_that_was_answered_longest_ago(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_connections, "MAX_CONNECTIONS", 4)  # instead of 256
    # So that no connection is closed for its slowness.
    monkeypatch.setattr(listener_connection, "CLIENT_TIMEOUT", 3600.0)
    address = str(folder / "full")
    with running_app(HealthMiddleware(lifespan_app, listener=Listener(address))), ExitStack() as stack:
        kept = [stack.enter_context(Connection(address)) for _ in range(4)]
        for number in (1, 3, 0, 2):
            kept[number].ask("GET", "/startupz")
        for number in (1, 3, 0):
            assert stack.enter_context(Connection(address)).ask("GET", "/startupz").body == PASS
            with pytest.raises(ConnectionError):
                kept[number].ask("GET", "/startupz")
        assert kept[2].ask("GET", "/startupz").body == PASS


def test_thousands_of_requests_in_a_few_packets_delay_a_probe_by_one_of_each_connection(folder: Path) -> None:
    """Measured by the policy of the details, which is called for each, and which waits until all have been sent."""
    seen: list[str] = []
    sent = threading.Event()

    def policy(scope: Scope) -> bool:
        seen.append(scope["path"])
        return sent.wait(20.0)

    address = str(folder / "pipelined")
    with running_app(HealthMiddleware(lifespan_app, details=policy, listener=Listener(address))), ExitStack() as stack:
        clients = [stack.enter_context(connected(address)) for _ in range(40)]
        for client in clients:
            client.sendall(request("GET", "/health") * 1500)
        probe = stack.enter_context(Connection(address))
        probe.send(request("GET", "/livez"))
        sent.set()
        assert probe.exchange(b"", "GET").body == PASS
    assert seen.index("/livez") < 3 * len(clients)


def ask_or_none(address: str) -> bytes | None:
    try:
        return ask(address, "GET", "/readyz").body
    except ConnectionError:
        return None


def test_after_a_thousand_connections_at_once_it_still_answers(address: str) -> None:
    async def one(number: int) -> bytes:
        reader, writer = await asyncio.open_unix_connection(address)
        try:
            if number % 3 == 0:  # it sends nothing
                return b""
            if number % 3 == 1:
                writer.write(b"GET /readyz HTTP/1.1\r\nhos")
                return b""
            writer.write(request("GET", "/readyz", [("connection", "close")]))
            return await reader.read()
        except OSError:  # the queue of the system is full
            return b""
        finally:
            writer.close()

    async def connect_many() -> list[bytes]:
        return [answer for _ in range(8) for answer in await asyncio.gather(*map(one, range(150)))]

    found = asyncio.run(connect_many())
    assert {answer[-len(PASS) :] for answer in found} == {b"", PASS}
    wait_until(lambda: ask_or_none(address) == PASS, "it still answers")


def test_hundreds_of_requests_leave_no_memory_allocated(address: str) -> None:
    """Only memory allocated by asgi_health and h11 counts: other threads of this process allocate too."""
    files = [f"{Path(package.__file__ or '').parent}/*" for package in (asgi_health, h11)]

    def allocated() -> int:
        gc.collect()
        taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, each) for each in files])
        return sum(trace.size for trace in taken.traces)

    def send_requests(times: int) -> None:
        for number in range(times):
            assert ask(address, "GET", f"/readyz?verbose&t={number}").status == 200
            assert ask(address, "GET", f"/readyz?verbose&exclude={number}").status == 400
            exchange(address, BROKEN["an invalid chunk"])

    tracemalloc.start()
    try:
        send_requests(100)
        before = allocated()
        send_requests(300)
        assert allocated() - before < 30_000  # less than 100 bytes for each
    finally:
        tracemalloc.stop()


def test_a_policy_that_raises_gives_no_details(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    def policy(scope: Scope) -> bool:
        raise RuntimeError("broken")

    address = str(folder / "policy")
    with running_app(HealthMiddleware(lifespan_app, {"a": lambda: True}, details=policy, listener=Listener(address))):
        wait_until(lambda: ask(address, "GET", "/readyz").status == 200, "it is ready")
        for _ in range(3):
            assert ask(address, "GET", "/readyz?verbose").body == PASS
            assert ask(address, "GET", "/health").body == PASS
            assert ask(address, "GET", "/health/ready/a").body == NOT_FOUND
    (complaint,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "the policy of details raised" in complaint.getMessage()
    caplog.clear()


def test_a_policy_gets_the_scope_of_the_request(folder: Path) -> None:
    seen: list[Scope] = []

    def policy(scope: Scope) -> bool:
        seen.append(scope)
        return False

    address = str(folder / "scope")
    with running_app(HealthMiddleware(lifespan_app, details=policy, listener=Listener(address))):
        ask(address, "GET", "/health/?a=%20b", [("X-Who", "me")])
    (scope,) = seen
    assert scope["type"] == "http"
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("GET", "/health/", b"/health/")
    assert (scope["query_string"], scope["root_path"], scope["http_version"]) == (b"a=%20b", "", "1.1")
    assert (b"x-who", b"me") in scope["headers"]
    assert (scope["client"], scope["server"]) == (None, (address, None))


@pytest.mark.parametrize("network", ["127.0.0.0/8", "10.0.0.0/8"])
def test_a_policy_by_address_gets_the_address_of_the_client(network: str, caplog: pytest.LogCaptureFixture) -> None:
    app = HealthMiddleware(
        lifespan_app, {"a": lambda: True}, details=client_in(network), listener=Listener("127.0.0.1:0")
    )
    with running_app(app):
        (message,) = [record.getMessage() for record in caplog.records if "listener answers" in record.getMessage()]
        address = ("127.0.0.1", int(message.rpartition(":")[2]))
        wait_until(lambda: ask(address, "GET", "/readyz").status == 200, "it is ready")
        body = ask(address, "GET", "/health").body
    assert (b'"checks"' in body) == (network == "127.0.0.0/8")


def test_an_error_while_answering_is_an_unhealthy_answer(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    address = str(folder / "fails")
    app = HealthMiddleware(lifespan_app, listener=Listener(address))
    probe_status = Engine.probe_status

    def broken(engine: Engine, probe: Probe) -> ProbeStatus:
        if threading.current_thread().name == "asgi-health listener":
            raise RuntimeError("broken")
        return probe_status(engine, probe)

    with running_app(app), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "probe_status", broken)
        answer = ask(address, "GET", "/readyz")
    assert (answer.status, answer.body) == (503, b'{"status":"fail"}')
    assert "the listener could not answer" in caplog.text
    caplog.clear()


PIECES = [
    *(b"GET ", b"POST ", b"HEAD ", b"CONNECT ", b"PRI ", b"/readyz", b"http://x/livez", b"*", b"x:80"),
    *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"\xff"),
    *(b"host: x\r\n", b"expect: 100-continue\r\n", b"content-length: 5\r\n", b"content-length: 99999\r\n"),
    *(b"transfer-encoding: chunked\r\n", b"connection: upgrade\r\n", b"upgrade: h2c\r\n", b"a: b\r\n" * 99),
    *(b"5\r\nabcde\r\n", b"0\r\n\r\n", b"zz\r\n", b"abcde"),
    *(request("GET", "/readyz"), b"POST /readyz HTTP/1.1\r\nhost: x\r\n", b"HEAD /livez HTTP/1.0\r\n"),
]


def test_random_pieces_of_requests_have_valid_answers(address: str) -> None:
    order = Random(1)
    for _ in range(500):
        raw = b"".join(order.choices(PIECES, k=order.randint(1, 14)))
        received = exchange(address, raw, half_closed=True)
        assert received == b"" or re.match(rb"HTTP/1\.1 (100|200|400|404|405|413|431|505) ", received), raw
    assert ask(address, "GET", "/readyz").body == PASS


def test_without_a_descriptor_it_logs_this_once_and_answers_when_there_is_one(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10.0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            client.connect(address)
            client.sendall(request("GET", "/readyz"))
            wait_until(lambda: "cannot accept a connection" in caplog.text, "it is logged")
            client.settimeout(0.3)  # three more attempts
            with pytest.raises(TimeoutError):
                client.recv(1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.settimeout(10.0)
        assert client.recv(65536).endswith(PASS)
    messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    # How many connections were closed is logged later, so earlier tests may be the reason.
    (line,) = [each for each in messages if not each.startswith("the listener has closed ")]
    assert line == "the listener cannot accept a connection, and tries again: Too many open files"
    caplog.clear()
