"""The clients count every outcome but the right answer as lost. Otherwise "none lost" would prove nothing."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.rolling.backend import Address, held_port
from benchmarks.rolling.load import CLIENTS, Outcomes, load

from ..support.waiting import wait_until

pytestmark = pytest.mark.timeout(60)

NAMES = {client.name for client in CLIENTS}

Behaviour = Callable[[socket.socket, bytes], None]


def right(connection: socket.socket, path: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(path), path))


def fails(connection: socket.socket, path: bytes) -> None:
    connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: %d\r\n\r\n%s" % (len(path), path))


def confuses(connection: socket.socket, path: bytes) -> None:
    right(connection, path[:-1] + b"x")


def stops_halfway(connection: socket.socket, path: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(path), path[:-1]))
    connection.shutdown(socket.SHUT_RDWR)


def hangs_up(connection: socket.socket, path: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def resets(connection: socket.socket, path: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def is_silent(connection: socket.socket, path: bytes) -> None:
    pass


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Address]:
    """Run a server that does `behaviour` for each request that it has read."""
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def talk(connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                behaviour(connection, data.split(b" ")[1])
        except OSError:  # one of the two has closed it
            pass

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=talk, args=(connection,)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        try:
            yield listener.getsockname()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            for thread in threads:
                thread.join()
            for connection in connections:
                connection.close()


def count(address: Address, timeout: float = 10.0) -> Outcomes:
    """Return the outcomes when each kind of client has one."""
    outcomes = Outcomes()
    with load(address, outcomes, timeout):
        wait_until(
            lambda: {key.split(":")[0] for key in [*outcomes.answered, *outcomes.lost]} == NAMES,
            "each has an outcome",
        )
    return outcomes


def assert_lost(outcomes: Outcomes, *reasons: str) -> None:
    assert not outcomes.answered
    assert {key.split(": ")[1] for key in outcomes.lost} <= set(reasons)


def test_right_answers_are_counted() -> None:
    with serving(right) as address:
        outcomes = count(address)
    assert set(outcomes.answered) == NAMES
    assert not outcomes.lost


@pytest.mark.parametrize(
    ("behaviour", "reasons"),
    [
        (fails, ["503"]),
        (confuses, ["the answer to another request"]),
        (stops_halfway, ["half an answer"]),
        (hangs_up, ["closed without an answer"]),
        (resets, ["ConnectionResetError"]),
    ],
)
def test_any_other_outcome_is_lost(behaviour: Behaviour, reasons: list[str]) -> None:
    with serving(behaviour) as address:
        assert_lost(count(address), *reasons)


def test_an_answer_that_does_not_come_is_lost() -> None:
    with serving(is_silent) as address:
        assert_lost(count(address, timeout=0.1), "TimeoutError")


def test_a_refused_connection_is_lost() -> None:
    with held_port() as address:
        assert_lost(count(address), "ConnectionRefusedError")


def test_a_fault_of_the_clients_themselves_is_raised() -> None:
    with pytest.raises(ExceptionGroup, match="TaskGroup"), load(("127.0.0.1", 1 << 16), Outcomes()):
        wait_until(lambda: all(thread.name != "load" for thread in threading.enumerate()), "the clients have ended")
