"""Host names: each of their addresses is tried, and a resolver that hangs does not delay the deadline."""

import _socket
import _thread
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asgi_health.cli.arguments import ProbeRequest
from asgi_health.cli.probe import send
from asgi_health.cli.target import parse_url

from .command import listening, respond_with

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server on 127.0.0.1 only."""
    with listening(respond_with(OK)) as listener:
        yield listener.getsockname()[1]


def resolve(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Make every host name have the addresses `hosts`."""
    real = _socket.getaddrinfo

    def getaddrinfo(host: bytes, port: int, family: int, type: int, proto: int, flags: int) -> list[Any]:
        if flags == _socket.AI_NUMERICHOST:
            return real(host, port, family, type, proto, flags)
        return [address for each in hosts for address in real(each, port, family, type, proto, _socket.AI_NUMERICHOST)]

    monkeypatch.setattr(_socket, "getaddrinfo", getaddrinfo)


def on_connect(monkeypatch: pytest.MonkeyPatch, hook: Callable[[str, float | None], None]) -> None:
    """Call `hook` with the host and the timeout before each connection of a probe."""

    class Socket(_socket.socket):
        def connect(self, address: Any) -> None:
            hook(address[0], self.gettimeout())
            super().connect(address)

    monkeypatch.setattr(_socket, "socket", Socket)


def reason(host: str, port: int, timeout: float = 20.0) -> str:
    return send(ProbeRequest(parse_url(f"http://{host}:{port}/"), timeout=timeout)).reason


def test_after_an_address_that_refuses_the_next_one_is_tried(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    assert reason("shop.example", port) == ""


def test_after_an_address_of_a_missing_family_the_next_one_is_tried(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve(monkeypatch, "::1", "127.0.0.1")
    assert reason("shop.example", port) == ""


def test_a_silent_address_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    shares: list[float] = []

    def time_out(host: str, seconds: float | None) -> None:
        shares.append(seconds or 0.0)
        if host == "127.0.0.2":
            raise TimeoutError  # as after `seconds`

    on_connect(monkeypatch, time_out)
    resolve(monkeypatch, "127.0.0.2", "127.0.0.2", "127.0.0.1")
    assert reason("shop.example", port, 30.0) == ""
    assert 5 < shares[0] <= 10
    assert shares[0] < shares[1] < shares[2] <= 30


def test_if_all_addresses_fail_each_reason_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(host: str, seconds: float | None) -> None:
        raise TimeoutError if host == "127.0.0.2" else ConnectionRefusedError(111, "Connection refused")

    on_connect(monkeypatch, fail)
    resolve(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert reason("shop.example", 80) == "connection refused; timed out"


def test_an_ipv6_address_in_brackets_is_connected_to() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:  # without IPv6, the probe must say that the address cannot be reached
        assert reason("[::1]", 80)
        return
    asked: list[bytes] = []

    def handle(peer: socket.socket) -> None:
        asked.append(peer.recv(65536))
        peer.sendall(OK)

    port = listener.getsockname()[1]
    with listening(handle, listener):
        assert reason("[::1]", port) == ""
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in asked[0]


def test_an_address_is_not_passed_to_the_resolver(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve(monkeypatch)
    assert reason("127.0.0.1", port) == ""


def test_a_name_without_addresses_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch)
    assert reason("shop.example", 80) == "the name has no address"


def test_a_name_that_does_not_exist_has_a_reason() -> None:
    assert reason("no-such-host.invalid", 80, 30.0) != ""


def test_a_resolver_that_hangs_is_abandoned_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def getaddrinfo(host: bytes, port: int, family: int, type: int, proto: int, flags: int) -> list[Any]:
        if flags == _socket.AI_NUMERICHOST:
            raise _socket.gaierror
        release.wait(30.0)
        return []

    monkeypatch.setattr(_socket, "getaddrinfo", getaddrinfo)
    assert reason("shop.example", 80, 0.1) == "timed out after 0.1 s while connecting"
    release.set()


def test_if_no_thread_can_be_started_the_name_is_looked_up_without_one(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    resolve(monkeypatch, "127.0.0.1")
    assert reason("shop.example", port) == ""
