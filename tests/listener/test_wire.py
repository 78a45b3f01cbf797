"""Whatever arrives: never a 500, never a green answer to nonsense, nothing in the log, and the next one is answered."""

import asyncio
import gc
import socket
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import h11
import pytest

import asgi_health
from asgi_health import HealthMiddleware, Listener, client_in
from asgi_health.asgi.types import Scope
from asgi_health.runtime import listener_thread

from ..asgi.lives import speaks
from ..servers.process import wait_until
from ..servers.wire import Answer, Connection, Parser, ask, request
from .lived import living

pytestmark = pytest.mark.usefixtures("silent")

PASS, NOT_FOUND, BAD = b'{"status":"pass"}', b"not found\n", b"bad request\n"
HOST = b"host: x\r\n"
LARGE = listener_thread.LARGEST + 1


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A healthy app whose listener has little patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listener_thread, "PATIENCE", 1.5)
        patch.setattr("asgi_health.runtime.sidecar.NOTICED", 60.0)
        address = str(folder / "listener")
        with living(HealthMiddleware(speaks, {"a": lambda: True}, details=True, listener=Listener(address))):
            wait_until(lambda: ask(address, "GET", "/readyz").status == 200, "it is ready")
            yield address


def connected(address: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10.0)
    client.connect(address)
    return client


def exchange(address: str, raw: bytes, *, half_closed: bool = False) -> bytes:
    """Send these bytes, and return what comes until the listener closes the connection."""
    received = b""
    with connected(address) as client:
        try:
            client.sendall(raw)
            if half_closed:
                client.shutdown(socket.SHUT_WR)
            while data := client.recv(65536):
                received += data
        except ConnectionError:  # it was closed in the middle of what nobody wanted to read
            pass
    return received


def answers(received: bytes, *methods: str) -> list[Answer]:
    parser = Parser(received, closed=True)
    found = []
    for method in methods:
        answer = parser.next(method)
        assert answer is not None
        found.append(answer)
    assert parser.buffer == b"", "an answer too many"
    return found


BROKEN = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "zeros": b"\0" * 100 + b"\r\n\r\n",
    "HTTP/0.9": b"GET /readyz\r\n\r\n",
    "HTTP/2": b"GET /readyz HTTP/2.0\r\nhost\r\n\r\n",
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
    "a length that is none": b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
    "a negative length": b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "two lengths": b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    "an unknown coding": b"POST /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
    "a chunk that is none": b"POST /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "an endless path": b"GET /" + b"a" * 100_000,
    "an endless header": b"GET /readyz HTTP/1.1\r\na: " + b"b" * 100_000,
    "endless headers": b"GET /readyz HTTP/1.1\r\n" + b"a: b\r\n" * 50_000,
    "empty lines": b"\r\n" * 50_000,
    "a large body": b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % LARGE + b"x" * LARGE,
    "a body in endless chunks": b"POST /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"100\r\n" + b"x" * 256 + b"\r\n" + (b"100\r\n" + b"x" * 256 + b"\r\n") * (LARGE // 256),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_request_is_a_bad_one(address: str, name: str) -> None:
    received = exchange(address, BROKEN[name])
    if received or len(BROKEN[name]) < 10_000:  # a client that goes on sending may miss the answer
        (answer,) = answers(received, "GET")
        assert (answer.status, answer.body, answer.one("connection")) == (400, BAD, "close")
    assert ask(address, "GET", "/readyz").body == PASS


@pytest.mark.parametrize(
    "body",
    [
        b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"transfer-encoding: chunked\r\n\r\n5\r\nabc",
        b"content-length: 5\r\n\r\nabc",
        b"content-length: %d\r\n\r\n" % LARGE + b"x" * LARGE,
    ],
    ids=["no chunk", "part of a chunk", "part of a body", "too much"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_a_request_that_breaks_in_its_body_is_a_bad_one(address: str, method: str, body: bytes) -> None:
    raw = f"{method} /readyz HTTP/1.1\r\n".encode() + HOST + body
    (answer,) = answers(exchange(address, raw, half_closed=True), method)
    assert (answer.status, answer.one("content-length")) == (400, str(len(BAD)))


@pytest.mark.parametrize("raw", [b"GET /readyz HTTP/1.1\r\nhost:", b"GET", b"\r\n"])
def test_a_client_that_leaves_in_the_middle_of_its_request_is_not_told_that_all_is_well(
    address: str, raw: bytes
) -> None:
    assert PASS not in exchange(address, raw, half_closed=True)
    with connected(address) as client:
        client.sendall(raw)
    assert ask(address, "GET", "/readyz").body == PASS


def test_a_client_that_is_through_with_sending_is_answered(address: str) -> None:
    raw = b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n"
    assert [answer.body for answer in answers(exchange(address, raw * 3, half_closed=True), *["GET"] * 3)] == [PASS] * 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_http_1_0_without_a_host_is_answered_and_closed(address: str, method: str) -> None:
    (answer,) = answers(exchange(address, f"{method} /readyz HTTP/1.0\r\n\r\n".encode()), method)
    assert (answer.status, answer.body) == (200, b"" if method == "HEAD" else PASS)


def test_http_1_0_that_asks_to_be_kept_is_answered(address: str) -> None:
    raw = b"GET /readyz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
    (answer,) = answers(exchange(address, raw), "GET")
    assert (answer.body, answer.one("connection").lower()) == (PASS, "close")


def test_a_connection_that_is_kept_stays_in_step(address: str) -> None:
    with Connection(address) as connection:
        for _ in range(100):
            assert connection.ask("HEAD", "/readyz").body == b""
            assert connection.ask("POST", "/readyz", body=b"GET /readyz HTTP/1.1\r\n\r\n").status == 405
            assert connection.ask("GET", "/unknown").body == NOT_FOUND
            assert connection.ask("GET", "/readyz").body == PASS
        assert connection.ask("GET", "/readyz", [("connection", "close")]).one("connection") == "close"
        assert connection.rest() == b""


def test_requests_in_a_row_are_answered_in_order(address: str) -> None:
    row = [("GET", "/readyz"), ("HEAD", "/livez"), ("POST", "/readyz"), ("GET", "/nope"), ("OPTIONS", "/livez")] * 50
    raw = b"".join(request(method, path, body=b"some" if method == "POST" else b"") for method, path in row)
    raw += request("GET", "/startupz", [("connection", "close")])
    found = answers(exchange(address, raw), *(method for method, _ in row), "GET")
    assert [answer.status for answer in found] == [200, 200, 405, 404, 200] * 50 + [200]


def test_a_client_that_waits_to_be_asked_for_its_body_is(address: str) -> None:
    with connected(address) as client:
        client.sendall(b"POST /readyz HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"body")
        assert client.recv(65536).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET http://x/readyz HTTP/1.1\r\nhost: x\r\n", 404),
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
def test_whoever_is_too_slow_is_sent_away(address: str, raw: bytes) -> None:
    began = time.monotonic()
    assert exchange(address, raw) == b""
    assert time.monotonic() - began >= 1.0


def test_drop_by_drop_does_not_buy_time(address: str) -> None:
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


def test_whoever_does_not_read_is_not_waited_for(address: str) -> None:
    row = request("GET", "/health?verbose") * 100
    with connected(address) as client:
        client.setblocking(False)
        try:
            while True:
                client.send(row)
        except BlockingIOError:
            pass
        client.settimeout(20.0)
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            client.sendall(row * 1000)
        assert time.monotonic() - began < 15.0
    assert ask(address, "GET", "/readyz").body == PASS


def test_three_hundred_connections_at_once_are_answered_or_turned_away(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as it takes are answered, the others learn it at once, and then there is room again."""
    monkeypatch.setattr(listener_thread, "PATIENCE", 3600.0)
    clients = []
    for _ in range(300):
        client = connected(address)
        clients.append(client)
        wait_until(lambda: ask_or_none(address) is not None or len(clients) >= listener_thread.MOST, "taken in")
    served = 0
    for client in clients:
        try:
            client.sendall(request("GET", "/readyz", [("connection", "close")]))
            received = client.recv(65536)
        except ConnectionError:
            received = b""
        served += received.endswith(PASS)
        assert received == b"" or received.endswith(PASS)
        client.close()
    assert listener_thread.MOST - 1 <= served <= listener_thread.MOST
    wait_until(lambda: ask_or_none(address) == PASS, "there is room again")


def test_a_newcomer_takes_the_place_of_the_connection_that_is_silent_longest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_thread, "MOST", 4)
    monkeypatch.setattr(listener_thread, "PATIENCE", 3600.0)
    address = str(folder / "full")
    with living(HealthMiddleware(speaks, listener=Listener(address))), ExitStack() as stack:
        kept = [stack.enter_context(Connection(address)) for _ in range(4)]
        for number in (1, 3, 0, 2):  # so they fall silent, each when it has been answered
            kept[number].ask("GET", "/startupz")
        for number in (1, 3, 0):
            assert stack.enter_context(Connection(address)).ask("GET", "/startupz").body == PASS
            with pytest.raises(ConnectionError):
                kept[number].ask("GET", "/startupz")
        assert kept[2].ask("GET", "/startupz").body == PASS


def ask_or_none(address: str) -> bytes | None:
    try:
        return ask(address, "GET", "/readyz").body
    except ConnectionError:
        return None


def test_a_storm_of_connections_is_weathered(address: str) -> None:
    async def one(number: int) -> bytes:
        reader, writer = await asyncio.open_unix_connection(address)
        try:
            if number % 3 == 0:  # it leaves without a word
                return b""
            if number % 3 == 1:
                writer.write(b"GET /readyz HTTP/1.1\r\nhos")
                return b""
            writer.write(request("GET", "/readyz", [("connection", "close")]))
            return await reader.read()
        except OSError:  # so many wait to be taken in that the system sends it away
            return b""
        finally:
            writer.close()

    async def storm() -> list[bytes]:
        return [answer for _ in range(8) for answer in await asyncio.gather(*map(one, range(150)))]

    found = asyncio.run(storm())
    assert {answer[-len(PASS) :] for answer in found} == {b"", PASS}
    wait_until(lambda: ask_or_none(address) == PASS, "it still answers")


def test_a_flood_leaves_no_memory_behind(address: str) -> None:
    """What is allocated by us and by h11, for other threads of this process may take memory too."""
    files = [f"{Path(package.__file__ or '').parent}/*" for package in (asgi_health, h11)]

    def allocated() -> int:
        gc.collect()
        taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, each) for each in files])
        return sum(trace.size for trace in taken.traces)

    def flood(times: int) -> None:
        for number in range(times):
            assert ask(address, "GET", f"/readyz?verbose&exclude={number}").status == 200
            exchange(address, BROKEN["a chunk that is none"])

    tracemalloc.start()
    try:
        flood(100)
        before = allocated()
        flood(300)
        assert allocated() - before < 30_000  # less than 100 bytes for each
    finally:
        tracemalloc.stop()


def test_a_policy_that_raises_means_no(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    def policy(scope: Scope) -> bool:
        raise RuntimeError("broken")

    address = str(folder / "policy")
    with living(HealthMiddleware(speaks, {"a": lambda: True}, details=policy, listener=Listener(address))):
        wait_until(lambda: ask(address, "GET", "/readyz").status == 200, "it is ready")
        for _ in range(3):
            assert ask(address, "GET", "/readyz?verbose").body == PASS
            assert ask(address, "GET", "/health").body == PASS
            assert ask(address, "GET", "/health/ready/a").body == NOT_FOUND
    (complaint,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "the policy of details raised" in complaint.getMessage()
    caplog.clear()


def test_a_policy_sees_who_asks(folder: Path) -> None:
    seen: list[Scope] = []

    def policy(scope: Scope) -> bool:
        seen.append(scope)
        return False

    address = str(folder / "scope")
    with living(HealthMiddleware(speaks, details=policy, listener=Listener(address))):
        ask(address, "GET", "/health/?a=%20b", [("X-Who", "me")])
    (scope,) = seen
    assert scope["type"] == "http"
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("GET", "/health/", b"/health/")
    assert (scope["query_string"], scope["root_path"], scope["http_version"]) == (b"a=%20b", "", "1.1")
    assert (b"x-who", b"me") in scope["headers"]
    assert (scope["client"], scope["server"]) == (None, (address, None))


@pytest.mark.parametrize("network", ["127.0.0.0/8", "10.0.0.0/8"])
def test_a_policy_that_looks_at_the_address_knows_it(network: str, caplog: pytest.LogCaptureFixture) -> None:
    app = HealthMiddleware(speaks, {"a": lambda: True}, details=client_in(network), listener=Listener("127.0.0.1:0"))
    with living(app):
        (told,) = [record.getMessage() for record in caplog.records if "listener answers" in record.getMessage()]
        address = ("127.0.0.1", int(told.rpartition(":")[2]))
        wait_until(lambda: ask(address, "GET", "/readyz").status == 200, "it is ready")
        body = ask(address, "GET", "/health").body
    assert (b'"checks"' in body) == (network == "127.0.0.0/8")


def test_an_answer_that_fails_is_not_a_green_one(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    address = str(folder / "fails")
    app = HealthMiddleware(speaks, listener=Listener(address))
    with living(app), pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.health, "outlook", partial(int, "no number"))
        answer = ask(address, "GET", "/readyz")
    assert (answer.status, answer.body) == (503, b'{"status":"fail"}')
    assert "the listener could not answer" in caplog.text
    caplog.clear()
