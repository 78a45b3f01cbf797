"""An MQTT broker, by a client of aiomqtt."""

import math
from typing import TYPE_CHECKING, Any

from ..core.result import Result, describe, healthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.mqtt_login import RefusalError, log_in
from ._support.outstanding import Outstanding

if TYPE_CHECKING:
    from aiomqtt import Client

TOPIC = "asgi-health/nobody-subscribes-to-this"


class LostError(Exception):
    """The client has lost its connection."""


@catalogued(
    technology="MQTT",
    extra="mqtt",
    asked="`UNSUBSCRIBE` from a topic that nobody subscribes to, which changes nothing: aiomqtt cannot ping. While the "
    "client is not connected, to log in beside it, for the reason",
    costs="one round trip. While the client is not connected: one connection more, opened and closed",
    privileges="to connect; it may be to no topic",
)
def aiomqtt_client(client: "ClientOrFactory[Client]") -> AsyncCheck:
    """Return a check of an MQTT broker through a client of aiomqtt.

    A client that lost its connection fails until the application has entered it anew: aiomqtt does not reconnect. Why
    that failed, it tells to the application alone: the check fails with the reason that a connection beside it gets,
    or, when that one succeeds, because the application has none. Through a proxy and through websockets there is none
    beside it, and no reason. Raises ModuleNotFoundError without aiomqtt, TypeError for another kind of client.
    """
    aiomqtt = load("aiomqtt", extra="mqtt")
    get = client_getter(client, aiomqtt.Client, by="aiomqtt_client")
    outstanding = Outstanding()
    # Past `max_concurrent_outgoing_calls`: one that is not answered would keep the application's from being made.
    unsubscribe: Any = getattr(aiomqtt.Client.unsubscribe, "__wrapped__", aiomqtt.Client.unsubscribe)

    async def ask() -> Result:
        client = get()
        try:
            await outstanding.ask(lambda: unsubscribe(client, TOPIC, timeout=math.inf), lambda: _connection(client))
        except (aiomqtt.MqttCodeError, LostError):
            raise ClientError(f"the client is not connected{await _why(client)}") from None
        return healthy()

    return ask


def _connection(client: "Client") -> object:
    # Private. Without it a connection that is lost during a run is told by the next one.
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
