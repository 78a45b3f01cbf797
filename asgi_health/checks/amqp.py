"""RabbitMQ, and what else speaks AMQP 0-9-1, by a connection of aio-pika."""

from typing import TYPE_CHECKING, Any

from ..core.result import Result, healthy, unhealthy
from .cancellation import ends_when_cancelled
from .client import AsyncCheck, ClientError, Given, client_getter
from .driver import load
from .outstanding import Outstanding
from .table import described

if TYPE_CHECKING:
    from aio_pika import Connection


class LostError(Exception):
    """The connection is lost, for the moment at least."""


@described(
    technology="RabbitMQ",
    extra="amqp",
    asked="whether the connection is open and not blocked, then to open and to close a channel on it; while it is "
    "lost, to connect beside it, for the reason",
    costs="two round trips. While the connection is lost: one connection more, opened and closed",
    privileges="access to the virtual host; it may be to nothing in it",
)
def aio_pika_connection(connection: "Given[Connection]") -> AsyncCheck:
    """Return a check of RabbitMQ through a connection of aio-pika, robust or plain.

    A robust connection reconnects in the background and keeps the reasons of its failures to itself: while it is lost
    the check fails with the reason that a connection beside it gets, or, when that one succeeds, because the
    application has none yet. A plain connection that was lost stays so, and its check red: give a function that returns
    the one that the application has made since. A server that is short of memory or disk blocks a connection when the
    application publishes on it: only from then on is it told.

    While a run that was cut off is not answered, those that follow wait for that answer before they ask another time:
    RabbitMQ closes the whole connection when a channel on it is given up at the wrong moment. Raises
    ModuleNotFoundError without aio-pika, TypeError for another kind of client.
    """
    get = client_getter(connection, load("aio_pika", extra="amqp").Connection, by="aio_pika_connection")
    outstanding = Outstanding()

    async def ask() -> Result:
        connection = get()
        if connection.is_closed or connection.close_called:
            raise ClientError("the connection is closed")
        try:
            if _is_blocked(_line(connection)):
                return unhealthy("the server blocks the connection: it is short of memory or disk")
            await outstanding.ask(lambda: _open_and_close_channel(_line(connection)), lambda: _line(connection))
        except LostError:
            await ends_when_cancelled(_connect_like(connection))
            return unhealthy("the connection is lost and not made again yet, though the server accepts another one")
        return healthy()

    return ask


def _line(connection: "Connection") -> Any:
    if connection.transport is None or connection.transport.connection.is_closed:
        raise LostError
    return connection.transport.connection


def _is_blocked(line: Any) -> bool:
    """Return whether aiormq would have to wait until the server reads what it is sent: nothing else of it tells."""
    waiting = line.ready()
    try:
        waiting.send(None)
    except StopIteration:
        return False
    waiting.close()
    return True


async def _open_and_close_channel(line: Any) -> None:
    # Not by channel() of aio-pika, whose channels are opened again with each new connection.
    channel = await line.channel(publisher_confirms=False)
    await channel.close()


async def _connect_like(connection: "Connection") -> None:
    underlay = load("aio_pika.abc", extra="amqp").UnderlayConnection
    try:
        beside = await underlay.make_connection(connection.url, **connection.kwargs)
    except Exception as error:
        # What the server says when it refuses the virtual host is lost in the driver.
        if "OpenOk" not in str(error):
            raise
        raise ClientError(f"the server refused the virtual host {connection.url.path[1:]!r}") from error
    await beside.close()
