"""The events at the listener: also while the event loop of the app is blocked, and without a cost for probes."""

import socket
import time
from contextlib import ExitStack

import anyio
import anyio.to_thread
import pytest

from asgi_health import Check, Health, HealthMiddleware, Listener, bearer_token, listen_early
from asgi_health.asgi.events import feed as feed_module
from asgi_health.asgi.events import watcher as watcher_module
from asgi_health.listener import connection as listener_connection
from asgi_health.listener import open_connections

from ..servers.wire import ask, request
from ..support.app_thread import BOTH, Blocked, running_app
from ..support.event_client import PATH, retries
from ..support.lifespan_apps import lifespan_app
from ..support.stream_reader import reading
from ..support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("silent")


def make_app(path: str, health: Health | None = None, **options: object) -> HealthMiddleware:
    settings: dict[str, object] = {"details": True, "listener": Listener(path, stall_ready=0.6), **options}
    return HealthMiddleware(
        lifespan_app,
        health or Health([Check("db", lambda: True, interval=3600.0)]),
        **settings,  # type: ignore[arg-type]
    )


def test_a_watcher_gets_the_state_in_chunks(path: str) -> None:
    with running_app(make_app(path)), reading(path) as reader:
        reader.wait_for(b'id="check-db" class="check pass"')
        reader.wait_for(b"event: updated")
        assert reader.head.startswith(b"HTTP/1.1 200 OK\r\n")
        head = reader.head.lower()
        for line in (b"content-type: text/event-stream", b"x-accel-buffering: no", b"transfer-encoding: chunked"):
            assert line in head
        assert reader.body.startswith(b"retry: 2000\n\n")
        assert [each.name for each in reader.events][:2] == ["head", "checks"]


def test_a_client_of_http_1_0_gets_no_chunks(path: str) -> None:
    with running_app(make_app(path)), reading(path, version="1.0") as reader:
        reader.wait_for(b"event: updated")
        assert b"transfer-encoding" not in reader.head.lower()
        assert reader.body.startswith(b"retry: 2000\n\n")


@pytest.mark.parametrize("loop", BOTH)
def test_a_block_of_the_loop_is_shown_while_it_lasts(path: str, loop: str) -> None:
    app = make_app(path)
    with running_app(app, loop) as portal, reading(path) as reader:
        reader.wait_for(b"event: updated")
        with Blocked(portal):
            reader.wait_for(b"blocked for 1.")
            reader.wait_for(b"blocked for 2.")
            head = [each.data for each in reader.events if each.name == "head"][-1]
            assert "fail" in head
            count = len(reader.events)
        wait_until(
            lambda: any(
                each.name == "head" and "loop is blocked</strong>" not in each.data for each in reader.events[count:]
            ),
            lambda: f"the end is shown: {reader.events[count:]}",
        )


def test_others_get_the_answer_of_an_unknown_path(path: str) -> None:
    with running_app(make_app(path, details=bearer_token("sesame"))):
        refused = ask(path, "GET", PATH)
        assert (refused.status, refused.body) == (404, ask(path, "GET", "/no-such-path").body)
        assert ask(path, "HEAD", PATH, [("authorization", "Bearer sesame")]).status == 200
        options = ask(path, "OPTIONS", PATH, [("authorization", "Bearer sesame")])
        assert (options.status, options.one("allow"), options.body) == (200, "GET, HEAD, OPTIONS", b"")
        assert ask(path, "POST", PATH, [("authorization", "Bearer sesame")]).status == 405


def test_an_early_listener_has_no_events(path: str) -> None:
    listener = Listener(path)
    listen_early(listener)
    wait_until(lambda: ask(path, "GET", "/livez").status == 200, "it answers")
    assert ask(path, "GET", PATH).status == 404
    with running_app(make_app(path, listener=listener)), reading(path) as reader:
        reader.wait_for(b"event: updated")


def test_a_program_without_a_server_has_events_at_its_listener(path: str) -> None:
    health = Health([Check("db", lambda: True, interval=3600.0)])

    async def main() -> None:
        async with health.running(listener=Listener(path), details=True):
            assert await anyio.to_thread.run_sync(watch) == {"head", "checks", "check", "updated"}

    def watch() -> set[str]:
        with reading(path) as reader:
            reader.wait_for(b'id="check-db"')
            reader.wait_for(b"event: updated")
            return {each.name for each in reader.events}

    anyio.run(main)


def test_streams_end_with_the_app_and_keep_it_from_nothing(path: str) -> None:
    with ExitStack() as stack:
        with running_app(make_app(path)):
            readers = [stack.enter_context(reading(path)) for _ in range(5)]
            for each in readers:
                each.wait_for(b"event: updated")
            began = time.monotonic()
        assert time.monotonic() - began < 5.0
        for each in readers:
            each.wait_for_end()


def test_at_its_end_a_stream_is_complete_and_its_connection_is_closed(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "LIFETIME", 0.5)
    with running_app(make_app(path)), reading(path) as reader:
        reader.wait_for_end()
        assert reader.received.endswith(b"retry: 100\n\n\r\n0\r\n\r\n")
        assert retries(reader.body) == [2000, 100]


def test_watchers_leave_connections_for_probes_and_lose_none_to_them(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_connections, "MAX_CONNECTIONS", 8)
    monkeypatch.setattr(feed_module, "MAX_WATCHERS", 4)
    assert feed_module.MAX_WATCHERS < open_connections.MAX_CONNECTIONS
    with running_app(make_app(path)), ExitStack() as stack:
        readers = [stack.enter_context(reading(path)) for _ in range(6)]
        for each in readers:
            each.wait_for(b"retry: 2000")
        wait_until(lambda: sum(each.ended for each in readers) == 2, "the oldest of too many end")
        for each in readers:
            if each.ended:
                assert retries(each.body) == [2000, 60_000]
        idle = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(20)]
        for each_idle in idle:
            each_idle.connect(path)
            assert ask(path, "GET", "/livez").status == 200
        assert sum(each.ended for each in readers) == 2, "silent connections make room, and no stream"


def test_the_limit_of_watchers_is_below_that_of_connections() -> None:
    assert 2 * feed_module.MAX_WATCHERS < open_connections.MAX_CONNECTIONS


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The watchers whose streams have ended."""
    found: list[object] = []
    original = feed_module.Feed.remove

    def remove(self: feed_module.Feed, watcher: watcher_module.Watcher) -> None:
        original(self, watcher)
        found.append(watcher)

    monkeypatch.setattr(feed_module.Feed, "remove", remove)
    return found


def test_a_client_that_does_not_read_is_closed(path: str, monkeypatch: pytest.MonkeyPatch, left: list[object]) -> None:
    monkeypatch.setattr(listener_connection, "CLIENT_TIMEOUT", 1.0)
    long = "x" * 900
    names = [f"c{number}" for number in range(300)]

    def fail() -> None:
        raise RuntimeError(long)

    health = Health([Check(name, fail, interval=0.5, timeout=0.2, retry_interval=0.5) for name in names])
    with running_app(make_app(path, health)), socket.socket(socket.AF_UNIX) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(path)
        client.sendall(request("GET", PATH))
        received = client.recv(100)
        assert received.startswith(b"HTTP/1.1 200")
        wait_until(lambda: len(left) == 1, "the client is given up")
        client.settimeout(10.0)
        rest = b""
        while data := client.recv(65536):
            rest += data
        assert not rest.endswith(b"0\r\n\r\n"), "it was cut off"
        assert ask(path, "GET", "/livez").status == 200


def test_replaced_clients_that_do_not_read_leave_connections_for_probes(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_connections, "MAX_CONNECTIONS", 8)
    monkeypatch.setattr(feed_module, "MAX_WATCHERS", 3)

    def fail() -> None:
        raise RuntimeError("x" * 900)

    health = Health([Check(f"c{number}", fail, interval=0.5, timeout=0.2, retry_interval=0.5) for number in range(300)])
    with running_app(make_app(path, health)), ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(path)
            client.sendall(request("GET", PATH))
            received = b""
            while b"event: head" not in received:  # the rest of a state does not fit into the buffer of the socket
                received += client.recv(1000)
            assert ask(path, "GET", "/livez").status == 200


def test_a_client_that_leaves_is_forgotten(path: str, left: list[object]) -> None:
    with running_app(make_app(path)):
        with reading(path) as reader:
            reader.wait_for(b"event: updated")
        wait_until(lambda: len(left) == 1, "it is forgotten")


def test_fifty_watchers_of_a_thousand_checks_delay_no_probe(path: str) -> None:
    health = Health([Check(f"c{number}", lambda: True, interval=3600.0) for number in range(1000)])
    with running_app(make_app(path, health)), ExitStack() as stack:
        wait_until(lambda: ask(path, "GET", "/readyz").status == 200, "it is ready")
        readers = [stack.enter_context(reading(path)) for _ in range(50)]
        longest = 0.0
        while not all(b"event: updated" in each.received[-200:] for each in readers):
            began = time.monotonic()
            assert ask(path, "GET", "/livez").status == 200
            longest = max(longest, time.monotonic() - began)
        # The fifty threads of the readers share the interpreter with the listener: the bound is loose.
        assert longest < 2.0
        assert all(len([event for event in each.events if event.name == "check"]) == 1000 for each in readers)
