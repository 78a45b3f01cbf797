"""The addresses, modes and limits that a Listener accepts, and the stall that each probe sees."""

import dataclasses
import math
from typing import Any

import pytest

from asgi_health import Listener, Probe
from asgi_health.core.stalls import Stall


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("0.0.0.0:1", "0.0.0.0", 1),
        ("localhost:65535", "localhost", 65535),
        ("[::1]:9000", "::1", 9000),
        ("[::]:0", "::", 0),
    ],
)
def test_a_tcp_address_has_a_host_and_a_port(address: str, host: str, port: int) -> None:
    listener = Listener(address)
    assert (listener.host, listener.port, listener.path) == (host, port, None)


@pytest.mark.parametrize("path", ["/run/engine.sock", "./engine.sock", "run/engine.sock", "/run/a:9000"])
def test_an_address_with_a_slash_is_the_path_of_a_unix_socket(path: str) -> None:
    assert Listener(path).path == path


@pytest.mark.parametrize(
    "address",
    [
        *("", "9000", ":9000", "localhost", "localhost:", "::1:9000", "[::1]", "[::1:9000", "a:b:9000", "engine.sock"),
        *("nul\0host:9000", "/run/nul\0socket", "*:9000", "[]:9000"),
        *("http://127.0.0.1:9000", "unix:/run/engine.sock", "http+unix:///run/engine.sock"),
        *("h:-1", "h:65536", "h:99999999999", "h:http", "h:٣", "h: 9", "h:+9"),
    ],
)
def test_an_address_that_could_not_work_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="listener: address") as caught:
        Listener(address)
    assert repr(address) in str(caught.value)


@pytest.mark.parametrize("port", [9000, "9000"])
@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "0.0.0.0:{}"), ("localhost", "localhost:{}"), ("::1", "[::1]:{}"), ("[::]", "[::]:{}")],
)
def test_a_host_and_a_port_as_two_arguments_are_refused_with_the_string_to_write(
    host: str, address: str, port: Any
) -> None:
    with pytest.raises(ValueError, match="must be one string with the port in it") as caught:
        Listener(host, port)
    assert str(caught.value).endswith(f": '{address.format(port)}'")


@pytest.mark.parametrize("mode", [0o660, 0o666, 0o600, 0o777, 0o222])
def test_the_mode_of_a_socket_is_kept(mode: int) -> None:
    assert Listener("/run/engine.sock", mode=mode).mode == mode


def test_by_default_user_and_group_may_connect() -> None:
    assert Listener("/run/engine.sock").mode == 0o660


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (660, r"mode 660 must be in 0o000 to 0o777; did you mean 0o660\?"),
        (666, r"did you mean 0o666\?"),
        (0o1660, "must be in 0o000 to 0o777$"),
        (-1, "must be in 0o000 to 0o777$"),
        (999, "must be in 0o000 to 0o777$"),
        (0o444, "mode 0o444 allows no user to connect"),
        (0, "mode 0o000 allows no user to connect"),
    ],
)
def test_a_mode_that_could_not_work_is_refused(mode: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Listener("/run/engine.sock", mode=mode)


@pytest.mark.parametrize("mode", [None, "0660", 6.0, True])
def test_a_mode_that_is_not_a_number_is_refused(mode: Any) -> None:
    with pytest.raises(TypeError, match="listener: mode must be a number such as 0o660"):
        Listener("/run/engine.sock", mode=mode)


def test_a_mode_for_an_address_without_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="mode 0o600 applies to the file of a unix socket, but address"):
        Listener("127.0.0.1:9000", mode=0o600)


@pytest.mark.parametrize("address", [None, 9000, ("127.0.0.1", 9000), b"127.0.0.1:9000"])
def test_an_address_that_is_not_a_string_is_refused(address: Any) -> None:
    with pytest.raises(TypeError, match="listener: address must be of type str"):
        Listener(address)


@pytest.mark.parametrize("option", ["stall_ready", "stall_live"])
@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, 1e-9, 1e12])
def test_seconds_that_could_not_work_are_refused(option: str, value: float) -> None:
    options: Any = {option: value}
    with pytest.raises(ValueError, match=f"listener: {option}"):
        Listener("127.0.0.1:9000", **options)


@pytest.mark.parametrize(("option", "longest"), [("stall_ready", 300), ("stall_live", 3600)])
def test_numbers_meant_as_milliseconds_are_refused(option: str, longest: int) -> None:
    options: Any = {"stall_live": 3600.0, option: 5_000}
    words = f"listener: {option} must be at most {longest} s, not 5000 s; the unit is seconds, and 5000 ms would be 5"
    with pytest.raises(ValueError, match=f"^{words}$"):
        Listener("127.0.0.1:9000", **options)
    options[option] = longest
    Listener("127.0.0.1:9000", **options)


@pytest.mark.parametrize("option", ["stall_ready", "stall_live"])
@pytest.mark.parametrize("value", [None, "5", True])
def test_seconds_that_are_not_a_number_are_refused(option: str, value: Any) -> None:
    options: Any = {option: value}
    with pytest.raises(TypeError, match=f"listener: {option}"):
        Listener("127.0.0.1:9000", **options)


def test_liveness_must_not_fail_before_readiness() -> None:
    with pytest.raises(ValueError, match=r"stall_live 4\.0 s must not be shorter than stall_ready 5\.0 s"):
        Listener("127.0.0.1:9000", stall_live=4.0)
    assert Listener("127.0.0.1:9000", stall_ready=4.0, stall_live=4.0).stall_live == 4.0


def test_a_listener_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Listener("127.0.0.1:9000").address = "127.0.0.1:9001"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("probe", "limit"),
    [(Probe.READINESS, 5.0), (Probe.HEALTH, 5.0), (Probe.LIVENESS, 30.0)],
    ids=["ready", "health", "live"],
)
def test_each_probe_has_its_own_limit_for_a_blocked_loop(probe: Probe, limit: float) -> None:
    listener = Listener("127.0.0.1:9000")
    assert listener.stall_times.stall(probe, limit - 0.1) == Stall(limit - 0.1, limit)
    over = [listener.stall_times.stall(probe, seconds) for seconds in (limit - 0.1, limit, limit + 0.1)]
    assert [each is not None and each.too_long for each in over] == [False, True, True]


def test_startup_does_not_depend_on_a_blocked_loop() -> None:
    assert Listener("127.0.0.1:9000").stall_times.stall(Probe.STARTUP, 1e6) is None
