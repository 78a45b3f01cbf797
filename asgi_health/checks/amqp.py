"""RabbitMQ, and what else speaks AMQP 0-9-1, by a connection of aio-pika."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..core.require import require_type
from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_whole
from ._support.cancellation import ends_when_cancelled
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.outstanding import Outstanding

if TYPE_CHECKING:
    from aio_pika import Channel, Connection

MOST = 2**31 - 1
"""Of consumers, or of messages, that can be asked for."""


class LostError(Exception):
    """The connection is lost, for the moment at least."""


@catalogued(
    technology="RabbitMQ",
    extra="amqp",
    asked="whether the connection is open and not blocked, then to open and to close a channel on it; while it is "
    "lost, to connect beside it, for the reason",
    costs="two round trips. While the connection is lost: one connection more, opened and closed",
    privileges="access to the virtual host; it may be to nothing in it",
)
def aio_pika_connection(connection: "ClientOrFactory[Connection]") -> AsyncCheck:
    """Return a check of RabbitMQ through a connection of aio-pika, robust or plain.

    A robust connection reconnects in the background and keeps the reasons of its failures to itself: while it is lost
    the check fails with the reason that a connection beside it gets, or, when that one succeeds, because the
    application has none yet. A plain connection that was lost stays so, and its check red: give a function that returns
    the one that the application has made since. A server that is short of memory or disk blocks a connection when the
    application publishes on it: only from then on is it told.

    A connection that answers says nothing of the work: the server cancels a consumer whose queue is deleted or moves to
    another node, and messages pile up on a connection that is well. `rabbitmq_queue` asks for that.

    While a run that was cut off is not answered, those that follow wait for that answer before they ask another time:
    RabbitMQ closes the whole connection when a channel on it is given up at the wrong moment. Raises
    ModuleNotFoundError without aio-pika, TypeError for another kind of client.
    """
    get = client_getter(connection, load("aio_pika", extra="amqp").Connection, by="aio_pika_connection")
    outstanding = Outstanding()

    async def ask() -> Result:
        return await _ask(outstanding, get(), _nothing, lambda _: healthy())

    return ask


@catalogued(
    technology="RabbitMQ queue",
    extra="amqp",
    asked="whether the connection is open and not blocked, then to declare the queue passively, on a channel of the "
    "check's own: the server tells how many consumers it has, and how many messages are ready; while the connection is "
    "lost, to connect beside it, for the reason",
    costs="three round trips. While the connection is lost: one connection more, opened and closed",
    privileges="access to the virtual host; it may be to nothing in it",
)
def rabbitmq_queue(
    connection: "ClientOrFactory[Channel | Connection]",
    queue: str,
    *,
    min_consumers: int = 1,
    max_messages: int | None = None,
) -> AsyncCheck:
    """Return a check that a queue of RabbitMQ is there, has `min_consumers` or more, and not more than `max_messages`.

    That is what `aio_pika_connection` does not see: a consumer that the server has cancelled, while its connection is
    well. The consumers are those of all applications, not of this one alone. One that takes no more messages because it
    acknowledges none counts still, and what was delivered and not acknowledged is not among the messages: a bound for
    them tells of such a one, once they pile up behind it.

    A connection, robust or plain, is as good as a channel: the check opens one of its own on the connection, because
    the server closes that on which it is asked for a queue that is missing, or exclusive to another connection. A lost
    connection and a run that was cut off are what they are to `aio_pika_connection`.

    Raises ModuleNotFoundError without aio-pika, TypeError for another kind of client, queue or number, ValueError for
    an empty name or a number below 0.
    """
    aio_pika = load("aio_pika", extra="amqp")
    get = client_getter(connection, aio_pika.Connection, aio_pika.Channel, by="rabbitmq_queue")
    require_type("rabbitmq_queue: queue", queue, str)
    if not queue:
        raise ValueError("rabbitmq_queue: queue must be the name of a queue, not an empty one")
    require_whole("rabbitmq_queue", "min_consumers", min_consumers, lowest=0, highest=MOST)
    if max_messages is not None:
        require_whole("rabbitmq_queue", "max_messages", max_messages, lowest=0, highest=MOST)
    outstanding = Outstanding()

    async def declare(channel: Any) -> Any:
        return await channel.queue_declare(queue, passive=True)

    def judge(declared: Any) -> Result:
        consumers, messages = declared.consumer_count, declared.message_count
        data = {"consumers": consumers, "messages": messages}
        if consumers < min_consumers:
            message = f"queue {queue!r} has {consumers} consumers, expected at least {min_consumers}"
            return unhealthy(message, data=data)
        if max_messages is not None and messages > max_messages:
            return unhealthy(f"queue {queue!r} has {messages} messages, expected at most {max_messages}", data=data)
        return healthy(data=data)

    async def ask() -> Result:
        given: Any = get()
        # Private: a channel of aio-pika has no public word for the connection that it is of.
        opened: Connection = given if isinstance(given, aio_pika.Connection) else given._connection
        return await _ask(outstanding, opened, declare, judge)

    return ask


async def _nothing(channel: object) -> None: ...


async def _ask(
    outstanding: Outstanding,
    connection: "Connection",
    question: Callable[[Any], Awaitable[Any]],
    judge: Callable[[Any], Result],
) -> Result:
    """Return what `judge` makes of the answer to `question`, which is put on a channel that is opened for it."""
    if connection.is_closed or connection.close_called:
        raise ClientError("the connection is closed")
    try:
        if _is_blocked(_line(connection)):
            return unhealthy("the server blocks the connection: it is short of memory or disk")
        answer = await outstanding.ask(lambda: _on_channel(_line(connection), question), lambda: _line(connection))
    except LostError:
        await ends_when_cancelled(_connect_like(connection))
        return unhealthy("the connection is lost and not made again yet, though the server accepts another one")
    return judge(answer)


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


async def _on_channel(line: Any, question: Callable[[Any], Awaitable[Any]]) -> Any:
    # Not by channel() of aio-pika, whose channels are opened again with each new connection.
    channel = await line.channel(publisher_confirms=False)
    answer = await question(channel)  # where the server refuses it, it has closed the channel
    await channel.close()
    return answer


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
