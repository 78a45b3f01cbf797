"""Host names: each of their addresses is tried, and a resolver that hangs holds nobody up."""

import _socket
import socket
import threading
from collections.abc import Iterator

import pytest

from asgi_health.cli import connection
from asgi_health.cli.arguments import Wanted
from asgi_health.cli.probe import ask
from asgi_health.cli.target import parse_url

from .command import listening, saying

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def port() -> Iterator[int]:
    """Where somebody answers, on 127.0.0.1 alone."""
    with listening(saying(OK)) as listener:
        yield listener.getsockname()[1]


def resolve(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Let every host name have these addresses."""
    real = connection._look_up

    def look_up(host: str, port: int, flags: int) -> "list[connection.Found]":
        if flags == _socket.AI_NUMERICHOST:
            return real(host, port, flags)
        return [found for each in hosts for found in real(each, port, _socket.AI_NUMERICHOST)]

    monkeypatch.setattr(connection, "_look_up", look_up)


def why(host: str, port: int, timeout: float = 20.0) -> str:
    return ask(Wanted(parse_url(f"http://{host}:{port}/"), timeout=timeout)).why


def test_an_address_that_refuses_is_not_the_last(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    assert why("shop.example", port) == ""


def test_an_address_of_a_family_that_is_not_there_is_not_the_last(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve(monkeypatch, "::1", "127.0.0.1")
    assert why("shop.example", port) == ""


def test_a_silent_address_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    real = connection._connect
    shares: list[float] = []

    def connect(family: int, address: tuple[str, int], seconds: float) -> _socket.socket:
        shares.append(seconds)
        if address[0] == "127.0.0.2":
            raise TimeoutError  # as after `seconds`
        return real(family, address, seconds)

    monkeypatch.setattr(connection, "_connect", connect)
    resolve(monkeypatch, "127.0.0.2", "127.0.0.2", "127.0.0.1")
    assert why("shop.example", port, 30.0) == ""
    assert 5 < shares[0] <= 10
    assert shares[0] < shares[1] < shares[2] <= 30


def test_when_all_fail_each_reason_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(family: int, address: tuple[str, int], seconds: float) -> _socket.socket:
        raise TimeoutError if address[0] == "127.0.0.2" else ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(connection, "_connect", connect)
    resolve(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert why("shop.example", 80) == "connection refused; timed out"


def test_an_address_in_brackets_is_asked_as_it_is() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:  # a container without IPv6: what is asked for cannot be reached, and that is what is said
        assert why("[::1]", 80)
        return
    asked: list[bytes] = []

    def handle(peer: socket.socket) -> None:
        asked.append(peer.recv(65536))
        peer.sendall(OK)

    port = listener.getsockname()[1]
    with listening(handle, listener):
        assert why("[::1]", port) == ""
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in asked[0]


def test_an_address_is_not_given_to_the_resolver(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve(monkeypatch)
    assert why("127.0.0.1", port) == ""


def test_a_name_without_addresses_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch)
    assert why("shop.example", 80) == "the name has no address"


def test_a_name_that_nobody_has_is_told() -> None:
    assert why("no-such-host.invalid", 80, 30.0) != ""


def test_a_resolver_that_hangs_is_left_behind_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def look_up(host: str, port: int, flags: int) -> "list[connection.Found]":
        if flags == _socket.AI_NUMERICHOST:
            raise _socket.gaierror
        release.wait(30.0)
        return []

    monkeypatch.setattr(connection, "_look_up", look_up)
    assert why("shop.example", 80, 0.1) == "timed out after 0.1 s while connecting"
    release.set()


def test_where_no_thread_can_be_started_the_name_is_looked_up_all_the_same(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(connection, "start_new_thread", refuse)
    resolve(monkeypatch, "127.0.0.1")
    assert why("shop.example", port) == ""
