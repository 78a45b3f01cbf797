"""A connection by kombu, which speaks to the brokers of Celery: kept from run to run, and with bounded waits."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, TypeVar
from weakref import finalize

T = TypeVar("T")


class KeptConnection:
    """A connection for a plain check. One run uses it at a time. Any error on it closes it.

    No deadline ends a thread, so no method waits longer than `timeout` seconds for a byte of an AMQP broker or of
    Redis. The connection is closed when the process ends, or when this object is garbage-collected.
    """

    def __init__(self, timeout: float, on_connect: Callable[[Any], None] = lambda connection: None) -> None:
        """Connect nothing yet. `on_connect` is called with each new connection."""
        self._timeout = timeout
        self._on_connect = on_connect
        self._busy = Lock()
        self._kept: list[Any] = []  # at most one; a list, so that `finalize` needs no reference to this object
        finalize(self, _close, self._kept)

    def ask(self, connect: Callable[..., Any], request: Callable[[Any], T]) -> T:
        """Return what `request` returns. It is called with the connection, on which the broker has just answered.

        Where the kept connection was lost since the last run, a new one is opened at once. `connect` is the method of
        the app that opens it. Raises TimeoutError while an earlier run uses the connection.
        """
        if not self._busy.acquire(timeout=self._timeout):
            raise TimeoutError("the run before has not ended yet")
        try:
            if self._kept:
                began = monotonic()
                try:
                    return self._ask(request)
                except Exception:
                    if monotonic() - began >= self._timeout:
                        raise  # the broker is silent, and a new connection would wait as long again
                    self.close()
            self._connect(connect)
            return self._ask(request)
        except BaseException:
            self.close()
            raise
        finally:
            self._busy.release()

    def close(self) -> None:
        """Close the connection. The next run opens another."""
        _close(self._kept)

    def _connect(self, connect: Callable[..., Any]) -> None:
        # Without the heartbeats of AMQP: nothing would send them between two runs.
        connection = connect(connect_timeout=self._timeout, heartbeat=0)
        self._kept.append(connection)
        if _is_redis(connection):
            connection.transport_options.update(
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry_on_timeout=False,
                health_check_interval=0,  # otherwise the driver sends a PING before the PING
            )
        connection.ensure_connection(max_retries=max(len(connection.alt) - 1, 0), interval_start=0, interval_step=0)
        if (amqp_socket := _amqp_socket(connection)) is not None:
            amqp_socket.settimeout(self._timeout)
        self._on_connect(connection)

    def _ask(self, request: Callable[[Any], T]) -> T:
        [connection] = self._kept
        if _is_redis(connection):
            connection.default_channel.client.ping()  # closing a channel of Redis would close the connection
        else:
            connection.channel().close()
        return request(connection)


def _is_redis(connection: Any) -> bool:
    return bool(connection.transport.driver_type == "redis")


def _close(kept: list[Any]) -> None:
    while kept:
        connection = kept.pop()
        if (amqp_socket := _amqp_socket(connection)) is not None:
            with suppress(OSError):
                amqp_socket.shutdown(socket.SHUT_RDWR)  # so that release() fails at once, and does not await an answer
        with suppress(Exception):
            connection.release()


def _amqp_socket(connection: Any) -> Any:
    """Return the socket of an AMQP connection; None where it is not connected, or uses another transport."""
    return getattr(getattr(connection.connection, "transport", None), "sock", None) if connection.connected else None
