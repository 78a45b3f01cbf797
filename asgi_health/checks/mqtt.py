"""An MQTT broker, by a client of aiomqtt."""

import math
from typing import TYPE_CHECKING, Any

from ..core.result import Result, describe, healthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.mqtt_login import RefusalError, log_in
from ._support.outstanding import OutstandingRequest

if TYPE_CHECKING:
    from aiomqtt import Client

TOPIC = "asgi-health/without-subscribers"


class LostError(Exception):
    """The client has lost its connection."""


@catalogued(
    technology="MQTT",
    extra="mqtt",
    asked="`UNSUBSCRIBE` from a topic to which no client subscribes, which changes nothing: aiomqtt cannot ping. While "
    "the client is not connected, to log in on an extra connection, for the reason",
    costs="one round trip. While the client is not connected: one connection more, opened and closed",
    privileges="to connect; none to any topic",
)
def aiomqtt_client(client: "ClientOrFactory[Client]") -> AsyncCheck:
    """Return a check of an MQTT broker through a client of aiomqtt.

    A client that lost its connection fails until the application has entered it again: aiomqtt does not reconnect. Only
    the application gets the error of that attempt, so the check opens an extra connection, and fails with the error of
    that one. Where the extra connection succeeds, it fails because the application has none. With a proxy or with
    websockets it opens no extra connection, and reports no reason.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: aiomqtt is not installed.
        TypeError: `client` is another kind of client.
    """
    aiomqtt = load("aiomqtt", extra="mqtt")
    get = client_getter(client, aiomqtt.Client, by="aiomqtt_client")
    outstanding = OutstandingRequest()
    # Without the semaphore of `max_concurrent_outgoing_calls`: an unanswered request would block those of the app.
    unsubscribe: Any = getattr(aiomqtt.Client.unsubscribe, "__wrapped__", aiomqtt.Client.unsubscribe)

    async def check() -> Result:
        client = get()
        try:
            await outstanding.send(lambda: unsubscribe(client, TOPIC, timeout=math.inf), lambda: _connection(client))
        except (aiomqtt.MqttCodeError, LostError):
            raise ClientError(f"the client is not connected{await _why(client)}") from None
        return healthy()

    return check


def _connection(client: "Client") -> object:
    # Private. Without it a connection that is lost during a run is reported by the next run.
    lost = getattr(client, "_disconnected", None)
    if lost is not None and lost.done():
        raise LostError
    return client, lost


async def _why(client: "Client") -> str:
    paho: Any = client._client  # pyright: ignore[reportPrivateUsage]
    if not paho.host:
        return ": it was not entered yet"
    if paho.transport != "tcp" or paho._proxy:
        return ""
    try:
        await log_in(paho)
    except RefusalError as error:
        return f": {error}"
    except OSError as error:
        return f": {describe(error)}"
    return ", though the broker accepts another one"
