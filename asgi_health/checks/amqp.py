"""RabbitMQ, and other servers of AMQP 0-9-1, by a connection of aio-pika."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_type, require_whole
from ._support.cancellation import ends_when_cancelled
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.outstanding import OutstandingRequest

if TYPE_CHECKING:
    from aio_pika import Channel, Connection

LARGEST_LIMIT = 2**31 - 1
"""The largest limit that makes sense: AMQP counts consumers and messages in 32 bits."""


class LostError(Exception):
    """The connection is lost, at least for the moment."""


@catalogued(
    technology="RabbitMQ",
    extra="amqp",
    asked="whether the connection is open and not blocked, then to open and close a channel on it; while it is lost, "
    "to open an extra connection, for the reason",
    costs="two round trips. While the connection is lost: one connection more, opened and closed",
    privileges="access to the virtual host; none to anything in it",
)
def aio_pika_connection(connection: "ClientOrFactory[Connection]") -> AsyncCheck:
    """Return a check of RabbitMQ through a connection of aio-pika, robust or plain.

    A robust connection reconnects in the background and does not expose why that fails. While it is lost, the check
    opens an extra connection, and fails with the error of that connection. Where the extra connection succeeds, it
    fails because the application has none yet. A plain connection that was lost stays lost: pass a function that
    returns the connection that replaced it. A server that is short of memory or disk blocks a connection only when the
    application publishes on it, so the check fails from then on.

    A connection that answers does not show that work is done: the server cancels a consumer whose queue is deleted or
    moves to another node, and messages pile up. `rabbitmq_queue` checks that.

    After a run that was cancelled, the next runs wait for its answer before they ask again: RabbitMQ closes the whole
    connection when a channel on it is abandoned at the wrong moment.

    Args:
        connection: The connection, or a function that returns it.

    Raises:
        ModuleNotFoundError: aio-pika is not installed.
        TypeError: `connection` is another kind of client.
    """
    get = client_getter(connection, load("aio_pika", extra="amqp").Connection, by="aio_pika_connection")
    outstanding = OutstandingRequest()

    async def check() -> Result:
        return await _ask(outstanding, get(), _ask_nothing, lambda _: healthy())

    return check


@catalogued(
    technology="RabbitMQ queue",
    extra="amqp",
    asked="whether the connection is open and not blocked, then to declare the queue passively, on a channel of the "
    "check's own: the server answers how many consumers it has, and how many messages are ready; while the connection "
    "is lost, to open an extra connection, for the reason",
    costs="three round trips. While the connection is lost: one connection more, opened and closed",
    privileges="access to the virtual host; none to anything in it",
)
def rabbitmq_queue(
    connection: "ClientOrFactory[Channel | Connection]",
    queue: str,
    *,
    min_consumers: int = 1,
    max_messages: int | None = None,
) -> AsyncCheck:
    """Return a check that a queue of RabbitMQ exists, has enough consumers, and not too many messages.

    `aio_pika_connection` does not see this: the server may have cancelled a consumer whose connection is open. Lost
    connections and cancelled runs are handled as there.

    Args:
        connection: The connection, robust or plain, or a channel, or a function that returns one of them. The check
            opens a channel of its own on the connection, because the server closes a channel that asks for a queue
            that is missing, or exclusive to another connection.
        queue: The name of the queue.
        min_consumers: The fewest consumers, those of all applications counted. A consumer counts even where it receives
            no more messages because it acknowledges none: only `max_messages` finds it, once messages pile up.
        max_messages: The most messages that may wait, without those that are delivered and not acknowledged. None: no
            limit.

    Raises:
        ModuleNotFoundError: aio-pika is not installed.
        TypeError: `connection` is another kind of client, `queue` is not a string, or a limit is not a whole number.
        ValueError: `queue` is empty, or a limit is below 0.
    """
    aio_pika = load("aio_pika", extra="amqp")
    get = client_getter(connection, aio_pika.Connection, aio_pika.Channel, by="rabbitmq_queue")
    require_type("rabbitmq_queue: queue", queue, str)
    if not queue:
        raise ValueError("rabbitmq_queue: queue must be the name of a queue, not an empty one")
    require_whole("rabbitmq_queue", "min_consumers", min_consumers, lowest=0, highest=LARGEST_LIMIT)
    if max_messages is not None:
        require_whole("rabbitmq_queue", "max_messages", max_messages, lowest=0, highest=LARGEST_LIMIT)
    outstanding = OutstandingRequest()

    async def declare(channel: Any) -> Any:
        return await channel.queue_declare(queue, passive=True)

    def result_of(declared: Any) -> Result:
        consumers, messages = declared.consumer_count, declared.message_count
        data = {"consumers": consumers, "messages": messages}
        if consumers < min_consumers:
            message = f"queue {queue!r} has {consumers} consumers, expected at least {min_consumers}"
            return unhealthy(message, data=data)
        if max_messages is not None and messages > max_messages:
            return unhealthy(f"queue {queue!r} has {messages} messages, expected at most {max_messages}", data=data)
        return healthy(data=data)

    async def check() -> Result:
        given: Any = get()
        # Private: a channel of aio-pika does not expose its connection.
        opened: Connection = given if isinstance(given, aio_pika.Connection) else given._connection
        return await _ask(outstanding, opened, declare, result_of)

    return check


async def _ask_nothing(channel: object) -> None: ...


async def _ask(
    outstanding: OutstandingRequest,
    connection: "Connection",
    request: Callable[[Any], Awaitable[Any]],
    result_of: Callable[[Any], Result],
) -> Result:
    """Return the result of the answer to `request`, which is made on a channel that is opened for it."""
    if connection.is_closed or connection.close_called:
        raise ClientError("the connection is closed")
    try:
        if _is_blocked(_underlay(connection)):
            return unhealthy("the server blocks the connection: it is short of memory or disk")
        answer = await outstanding.send(
            lambda: _on_channel(_underlay(connection), request), lambda: _underlay(connection)
        )
    except LostError:
        await ends_when_cancelled(_connect_like(connection))
        return unhealthy("the connection is lost and not made again yet, though the server accepts another one")
    return result_of(answer)


def _underlay(connection: "Connection") -> Any:
    """Return the connection of aiormq, which is another one after each reconnect."""
    if connection.transport is None or connection.transport.connection.is_closed:
        raise LostError
    return connection.transport.connection


def _is_blocked(underlay: Any) -> bool:
    """Return whether the server reads nothing more. aiormq shows it only by ready(), which would wait."""
    waiting = underlay.ready()
    try:
        waiting.send(None)
    except StopIteration:
        return False
    waiting.close()
    return True


async def _on_channel(underlay: Any, request: Callable[[Any], Awaitable[Any]]) -> Any:
    # Not by channel() of aio-pika, whose channels are opened again on each new connection.
    channel = await underlay.channel(publisher_confirms=False)
    answer = await request(channel)  # the server closes the channel of a request that it refuses
    await channel.close()
    return answer


async def _connect_like(connection: "Connection") -> None:
    underlay = load("aio_pika.abc", extra="amqp").UnderlayConnection
    try:
        extra = await underlay.make_connection(connection.url, **connection.kwargs)
    except Exception as error:
        # The driver drops what the server answers when it refuses the virtual host.
        if "OpenOk" not in str(error):
            raise
        raise ClientError(f"the server refused the virtual host {connection.url.path[1:]!r}") from error
    await extra.close()
