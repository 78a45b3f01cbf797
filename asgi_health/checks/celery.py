"""Celery, by its app: the broker that takes the tasks, and the heartbeats of the workers."""

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Protocol

from ..core.result import Result, healthy, unhealthy
from .client import Given, PlainCheck, client_getter
from .driver import load
from .pool import Usage
from .table import described


class Celery(Protocol):
    """What is used of celery.Celery, which comes without types."""

    pool: Any
    events: Any

    def connection_for_read(self, *, connect_timeout: float) -> Any: ...


@described(
    technology="Celery",
    extra="celery",
    asked="to open and to close a channel on a connection of the app's pool; while the pool is exhausted, on one "
    "beside it",
    costs="RabbitMQ: two round trips; Redis: two `PING`. While the pool is exhausted: one connection more, opened and "
    "closed",
    privileges="access to the virtual host",
)
def celery_broker(app: Given[Celery], *, patience: float = 2.0) -> PlainCheck:
    """Return a check that the broker of a Celery app can take tasks.

    A plain function, which no deadline ends: its thread gives up after `patience` seconds without a byte from an AMQP
    broker. With Redis it waits as long as ``broker_transport_options`` says: give them ``socket_timeout`` and
    ``socket_connect_timeout``. A connection on which a run failed is thrown away; one that had died since it was used
    last is replaced at once. Raises ModuleNotFoundError without celery, TypeError for another kind of client.
    """
    get = client_getter(app, load("celery", extra="celery").Celery, by="celery_broker")
    exceeded: type[Exception] = load("kombu.exceptions", extra="celery").LimitExceeded

    def ask() -> Result:
        pool = get().pool
        usage = Usage(len(pool._dirty), pool.limit) if pool.limit else None  # private: nothing else tells who has one
        try:
            connection = pool.acquire()
        except exceeded:
            with _beside(pool.connection.clone(), patience) as connection:
                _open_and_close_channel(connection, patience)
        else:
            _ask_pooled(pool, connection, patience)
        return healthy() if usage is None else usage.answered()

    return ask


@described(
    technology="Celery worker",
    extra="celery",
    asked="to hear the heartbeats of the workers, which each sends every two seconds, in a queue that is there for as "
    "long as that takes",
    costs="a connection, a temporary queue and its binding, opened and closed; one message per worker",
    privileges="to configure, to write and to read `celeryev.*`, and to read the exchange `celeryev`",
)
def celery_workers(app: Given[Celery], *, at_least: int = 1, patience: float = 3.0) -> PlainCheck:
    """Return a check that `at_least` so many workers of a Celery app are alive.

    It only listens, for at most `patience` seconds: more than the ``--heartbeat-interval`` of the workers, and less
    than the timeout of the check. It takes no task or event from anybody. A plain function, which no deadline ends: it
    gives up on a silent broker as `celery_broker` does.

    Raises ModuleNotFoundError without celery, TypeError for another kind of client.
    """
    get = client_getter(app, load("celery", extra="celery").Celery, by="celery_workers")

    def listen() -> Result:
        app = get()
        heard: set[str] = set()

        def hear(body: Any, message: object) -> None:
            heard.add(body["hostname"])

        end = monotonic() + patience
        with _beside(app.connection_for_read(connect_timeout=patience), patience) as connection:
            connection.ensure_connection(max_retries=0)
            with _bounded(connection, patience):
                receiver = app.events.Receiver(connection, routing_key="worker.heartbeat")
                with connection.Consumer([receiver.queue], callbacks=[hear], no_ack=True, accept=receiver.accept):
                    while len(heard) < at_least and (left := end - monotonic()) > 0:
                        try:
                            connection.drain_events(timeout=left)
                        except TimeoutError:
                            break
        if len(heard) < at_least:
            return unhealthy(f"heard {len(heard)} of {at_least} workers within {patience:g} s")
        return healthy()

    return listen


def _ask_pooled(pool: Any, connection: Any, patience: float) -> None:
    reused: bool = connection.connected
    try:
        _open_and_close_channel(connection, patience)
    except BaseException as error:
        _cut(connection)
        pool.replace(connection)
        if not reused or isinstance(error, TimeoutError) or not isinstance(error, connection.connection_errors):
            raise
        _ask_pooled(pool, pool.acquire(), patience)  # it had died since it was used last
    else:
        with _bounded(connection, patience):
            connection.release()


def _open_and_close_channel(connection: Any, patience: float) -> None:
    usual = connection.connect_timeout
    connection.connect_timeout = patience
    try:
        connection.ensure_connection(max_retries=max(len(connection.alt) - 1, 0), interval_start=0, interval_step=0)
    finally:
        connection.connect_timeout = usual
    with _bounded(connection, patience):
        connection.channel().close()


@contextmanager
def _beside(connection: Any, patience: float) -> Generator[Any]:
    """Close `connection` in the end: politely after a success, and otherwise without waiting for the broker."""
    try:
        yield connection
        with _bounded(connection, patience):
            connection.release()
    except BaseException:
        _cut(connection)
        connection.release()
        raise


@contextmanager
def _bounded(connection: Any, patience: float) -> Generator[None]:
    """Let no read or write on an AMQP connection take longer. Other transports bring bounds of their own, or none."""
    line = _line(connection)
    if line is None:
        yield
        return
    usual = line.gettimeout()
    line.settimeout(patience)
    try:
        yield
    finally:
        if line.fileno() >= 0:
            line.settimeout(usual)


def _cut(connection: Any) -> None:
    """Make what is done to close it fail at once, instead of waiting for an answer."""
    line = _line(connection)
    if line is not None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def _line(connection: Any) -> Any:
    """Return the socket of an AMQP connection; None where there is none, or another transport."""
    return getattr(getattr(connection.connection, "transport", None), "sock", None) if connection.connected else None
