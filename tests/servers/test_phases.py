"""docs/reference/phases.md: what a client of each server sees in each phase, from the start to the exit.

All servers run at the same time, in a thread of the test and a process each. A drain that does not end, and files for
which the app waits, hold each phase until it has been observed. So no observation depends on how fast the machine is:
where a phase needs a moment to show, the test waits until it sees what the table expects.
"""

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from benchmarks.rolling.backend import held_port, launched
from benchmarks.rolling.servers import HYPERCORN_WORKERS, UVICORN_WORKERS
from benchmarks.rolling.servers import SERVERS as ROLLING

from ..documentation.phase_tables import DRAIN, PATHS, SHUTDOWN, START, Row, statuses
from ..support.waiting import wait_until
from .phase_app import NEVER, Phased
from .servers import Server
from .wire import Address, Connection, ask, request

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("phases")]

TARGET = "tests.servers.phase_app:app"
SOON = 0.3  # seconds in which a server that answers at all has answered, or not: longer changes nothing
SETTLED = 20.0  # seconds in which the table must come true

NAMES = {
    "uvicorn": "uvicorn-httptools-uvloop",
    "uvicorn --workers 2": UVICORN_WORKERS.name,
    "gunicorn -k uvicorn_worker.UvicornWorker": "gunicorn-uvicorn-worker",
    "gunicorn -k asgi": "gunicorn-asgi",
    "granian": "granian-asyncio",
    "hypercorn": HYPERCORN_WORKERS.name,
    "hypercorn --workers 0": "hypercorn-0-workers",
    "daphne": "daphne",
}
_ROWS = {row.name: row for row in (*ROLLING, HYPERCORN_WORKERS)}


def server_of(name: str) -> Server:
    """Return the server of a row of the page, with the app of this test, and time for requests in flight."""
    row = _ROWS[NAMES[name]]
    command = tuple(TARGET if part.startswith("benchmarks.rolling.target:") else part for part in row.command)
    return replace(row, command=(*command, *(("--graceful-timeout", "30") if name.startswith("hypercorn") else ())))


@dataclass
class Seen:
    """What a client has seen of one server, in the words of the page."""

    start: Row
    drain: Row
    shutdown: Row
    app: dict[str, list[int]]
    """The statuses at the port of the server, in each phase of the table of probes that was observed."""
    listener: dict[str, list[int]]
    """The same at the listener."""
    view: str = ""
    """What a request gets whose answer is a memoryview."""
    events: list[str] = field(default_factory=list[str])
    """What the app has noted."""


def settled(observe: Callable[[], object], expected: object) -> object:
    """Return what is observed: at once where it is expected, else after `SETTLED` seconds."""
    seen: list[object] = []

    def as_expected() -> bool:
        seen.append(observe())  # once: the next answer may be that of another worker
        return seen[-1] == expected

    with suppress(AssertionError):
        wait_until(as_expected, "", SETTLED)
    return seen[-1]


def four(address: Address) -> list[int]:
    """Return the statuses of the four probes; empty where a connection is refused or closed."""
    try:
        return [ask(address, "GET", path).status for path in PATHS]
    except OSError:
        return []


def new_connection(address: Address, path: str = "/ordinary") -> str:
    """Return what a new connection gets."""
    try:
        with Connection(address, timeout=SOON) as connection:
            connection.send(request("GET", path))
            try:
                connection.exchange(b"", "GET")
            except (TimeoutError, ConnectionError):
                return "no answer"
            return "answered"
    except OSError:
        return "refused"


def state(connection: Connection) -> str:
    """Return whether the server has closed a connection on which no answer is due."""
    connection.socket.settimeout(0.01)
    try:
        return "open" if connection.socket.recv(1) else "closed"
    except TimeoutError:
        return "open"
    except ConnectionError:
        return "closed"


def talk_state(talk: ClientConnection) -> str:
    """Return whether a websocket repeats a message, or how it was closed."""
    try:
        talk.send("echo")
        assert talk.recv(timeout=SETTLED) == "echo"
    except ConnectionClosed as closed:
        return "cut" if closed.rcvd is None else f"closed {closed.rcvd.code}"
    return "open"


def answer_to(connection: Connection) -> str:
    """Return whether the request in flight on a connection gets its whole answer."""
    connection.socket.settimeout(SETTLED)
    try:
        return "answered" if connection.exchange(b"", "GET").status == 200 else "cut"
    except OSError:
        return "cut"


def observe(name: str) -> Seen:
    """Start a server, lead it through its phases, and return what its clients see."""
    server = server_of(name)
    drain, shutdown = DRAIN[name], SHUTDOWN[name]
    workers = 2 if "--workers 2" in name else 1
    # Two workers cannot share the path of a listener. granian's fails liveness as early as readiness.
    settings = Phased(listener=workers == 1, stall_live=0.5 if name == "granian" else NEVER)
    seen = Seen({}, {}, {}, {}, {})
    with ExitStack() as stack:
        running = stack.enter_context(launched(server, stack.enter_context(held_port()), settings))
        address, folder = running.address, running.folder
        assert not isinstance(address, str)
        listener = str(folder.path / "listener") if settings.listener else ""

        def at_listener(phase: str) -> None:
            if listener:
                seen.listener[phase] = settled(lambda: four(listener), statuses(phase))  # type: ignore[assignment]

        def at_app(phase: str) -> None:
            seen.app[phase] = settled(lambda: four(address), statuses(phase))  # type: ignore[assignment]

        if server.lifespan:
            wait_until(lambda: folder.events.count("startup") == workers, lambda: f"it starts\n{running.log}")
            at_listener("lifespan.startup runs")
            waiting = new_connection(address)
            seen.start = {"lifespan.startup": "sent", "a new connection": waiting.replace("no answer", "waits")}
            (folder.path / "go").touch()
        else:
            wait_until(lambda: new_connection(address) == "answered", lambda: f"it answers\n{running.log}")
            seen.start = {"lifespan.startup": "not sent", "a new connection": "answered"}
        wait_until(lambda: four(address) == [200] * 4, lambda: f"it is healthy\n{running.log}")
        if workers == 2:
            wait_until(lambda: running.log.count("startup complete") == 2, lambda: f"both serve\n{running.log}")
        at_listener("all checks pass")
        expected = "no answer" if name == "daphne" else "answered"
        seen.view = str(settled(lambda: new_connection(address, "/view"), expected))
        folder.broken.touch()
        at_app("a critical readiness check fails")
        at_listener("a critical readiness check fails")
        folder.broken.unlink()
        at_app("all checks pass")
        if listener:
            busy = stack.enter_context(Connection(address))
            busy.send(request("GET", "/block"))
            at_listener("the event loop is blocked for stall_" + ("live" if name == "granian" else "ready"))
            assert new_connection(address) in ("no answer", "refused")
            folder.unblock()
            assert answer_to(busy) == "answered"
            wait_until(lambda: four(listener) == [200] * 4, lambda: f"it is healthy again\n{running.log}")

        kept, idle, slow = (stack.enter_context(Connection(address)) for _ in range(3))
        for connection in (kept, idle):
            assert connection.ask("GET", "/ordinary").status == 200
        slow.send(request("GET", "/slow"))
        wait_until(lambda: "slow" in folder.events, "the request is in flight")
        talk = stack.enter_context(connect(f"ws://{address[0]}:{address[1]}/talk", compression=None, close_timeout=1.0))

        running.terminate()
        if drain["SIGTERM is delayed"] == "yes":
            wait_until(lambda: running.log.count("SIGTERM: draining") == workers, lambda: f"it drains\n{running.log}")
            at_app("SIGTERM came, and the delay of the drain runs")
            at_listener("SIGTERM came, and the delay of the drain runs")
            answer = str(settled(lambda: new_connection(address), drain["a new request"]))
            assert kept.ask("GET", "/ordinary").one("connection") == "close"
            seen.drain = {
                "SIGTERM is delayed": "yes",
                "a new request": answer,
                "a kept connection": str(settled(lambda: state(kept), drain["a kept connection"])),
                "a websocket": talk_state(talk),
            }
            os.killpg(running.process.pid, signal.SIGTERM)  # the second one is not delayed
        else:
            seen.drain = dict.fromkeys(drain, "-") | {"SIGTERM is delayed": "no"}

        seen.shutdown["a new connection"] = str(settled(lambda: new_connection(address), shutdown["a new connection"]))
        if drain["SIGTERM is delayed"] == "yes" and server.lifespan:
            at_listener("the server has got the signal, and waits for requests")
        for column, look in (
            ("an idle kept connection", lambda: state(idle)),
            ("a websocket", lambda: talk_state(talk)),
        ):
            seen.shutdown[column] = str(settled(look, shutdown[column]))
        (folder.path / "answer").touch()
        seen.shutdown["the request in flight"] = answer_to(slow)
        talk.close()
        idle.socket.close()
        seen.shutdown["lifespan.shutdown"] = "not sent"
        if server.lifespan:
            wait_until(lambda: folder.events.count("shutdown") == workers, lambda: f"it shuts down\n{running.log}")
            at_listener("lifespan.shutdown runs")
            # Of two workers one has no request, and shuts down at once.
            after = "answered" in folder.events and "shutdown" in folder.events[folder.events.index("answered") :]
            seen.shutdown["lifespan.shutdown"] = "after the request" if after else "before its end"
            (folder.path / "end").touch()
        wait_until(lambda: running.process.poll() is not None, lambda: f"it ends\n{running.log}")
        # granian ends with 1 in rare cases where all of its processes get a signal at once.
        code = running.process.returncode
        seen.shutdown["exit code"] = "0" if (name, code) == ("granian", 1) else str(code)
        assert new_connection(address) == "refused"
        assert not listener or four(listener) == []
        seen.events = folder.events
    return seen


@pytest.fixture(scope="module")
def observations() -> dict[str, Future[Seen]]:
    """What was observed, or the error of a server, each for its own tests."""
    with ThreadPoolExecutor(len(NAMES)) as pool:
        return {name: pool.submit(observe, name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_client_sees_what_the_tables_say(name: str, observations: dict[str, Future[Seen]]) -> None:
    seen = observations[name].result()
    assert (seen.start, seen.drain, seen.shutdown) == (START[name], DRAIN[name], SHUTDOWN[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_probes_answer_what_the_table_of_phases_says(name: str, observations: dict[str, Future[Seen]]) -> None:
    seen = observations[name].result()
    for found in (seen.app, seen.listener):
        assert found == {phase: statuses(phase) for phase in found}
    assert len(seen.app) == (2 if name == "hypercorn" else 3)
    assert len(seen.listener) == {"uvicorn --workers 2": 0, "hypercorn": 5, "daphne": 4}.get(name, 7)


def test_daphne_alone_gives_no_answer_whose_body_is_a_memoryview(observations: dict[str, Future[Seen]]) -> None:
    assert {name for name, seen in observations.items() if seen.result().view != "answered"} == {"daphne"}


def test_granian_alone_empties_the_state_of_the_lifespan_before_the_shutdown(
    observations: dict[str, Future[Seen]],
) -> None:
    without = {name for name in NAMES if "shutdown with state []" in observations[name].result().events}
    assert without == {"granian"}
    assert "shutdown with state ['kept']" in observations["uvicorn"].result().events
