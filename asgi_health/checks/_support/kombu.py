"""One connection by kombu, which speaks to the brokers of Celery: kept from run to run, and bounded in a thread."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, TypeVar
from weakref import finalize

T = TypeVar("T")


class Kept:
    """A connection of its own for a plain check: used by one run at a time, thrown away when anything goes wrong on it.

    No deadline ends a thread, so nothing here waits longer than `patience` seconds for a byte of an AMQP broker or of
    Redis. `begin` is called with each new connection. It is closed with the process, or when nobody has it any more.
    """

    def __init__(self, patience: float, begin: Callable[[Any], None] = lambda connection: None) -> None:
        self._patience = patience
        self._begin = begin
        self._busy = Lock()
        self._kept: list[Any] = []  # none, or one
        finalize(self, _throw_away, self._kept)

    def answer(self, connect: Callable[..., Any], question: Callable[[Any], T]) -> T:
        """Return what `question` returns, called with the connection, on which the broker has just answered.

        `connect` is the method of the app that makes one. Where the kept one has died since it was used last, another
        is asked at once. Raises TimeoutError while a run before has it.
        """
        if not self._busy.acquire(timeout=self._patience):
            raise TimeoutError("the run before has not ended yet")
        try:
            if self._kept:
                began = monotonic()
                try:
                    return self._ask(question)
                except Exception:
                    if monotonic() - began >= self._patience:
                        raise  # it is silent
                    self.throw_away()
            self._connect(connect)
            return self._ask(question)
        except BaseException:
            self.throw_away()
            raise
        finally:
            self._busy.release()

    def throw_away(self) -> None:
        """Let the next run connect anew."""
        _throw_away(self._kept)

    def _connect(self, connect: Callable[..., Any]) -> None:
        # Without the heartbeats of AMQP: between two runs there is nobody to send them.
        connection = connect(connect_timeout=self._patience, heartbeat=0)
        self._kept.append(connection)
        if _is_redis(connection):
            connection.transport_options.update(
                socket_timeout=self._patience,
                socket_connect_timeout=self._patience,
                retry_on_timeout=False,
                health_check_interval=0,  # a PING before a PING
            )
        connection.ensure_connection(max_retries=max(len(connection.alt) - 1, 0), interval_start=0, interval_step=0)
        if (line := _line(connection)) is not None:
            line.settimeout(self._patience)
        self._begin(connection)

    def _ask(self, question: Callable[[Any], T]) -> T:
        [connection] = self._kept
        if _is_redis(connection):
            connection.default_channel.client.ping()  # to close a channel of Redis would be to hang up
        else:
            connection.channel().close()
        return question(connection)


def _is_redis(connection: Any) -> bool:
    return bool(connection.transport.driver_type == "redis")


def _throw_away(kept: list[Any]) -> None:
    while kept:
        connection = kept.pop()
        if (line := _line(connection)) is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)  # so that closing fails at once, instead of waiting for an answer
        with suppress(Exception):
            connection.release()


def _line(connection: Any) -> Any:
    """Return the socket of an AMQP connection; None where there is none, or another transport."""
    return getattr(getattr(connection.connection, "transport", None), "sock", None) if connection.connected else None
