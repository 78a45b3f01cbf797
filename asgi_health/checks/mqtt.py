"""An MQTT broker, by a client of aiomqtt."""

import math
from typing import TYPE_CHECKING

from ..core.result import Result, describe, healthy
from .client import AsyncCheck, ClientError, Given, client_getter
from .driver import load
from .outstanding import Outstanding
from .table import described

if TYPE_CHECKING:
    from aiomqtt import Client

TOPIC = "asgi-health/nobody-subscribes-to-this"


@described(
    technology="MQTT",
    extra="mqtt",
    asked="`UNSUBSCRIBE` from a topic that nobody subscribes to, which changes nothing: aiomqtt cannot ping",
    costs="one round trip",
    privileges="to connect",
)
def aiomqtt_client(client: "Given[Client]") -> AsyncCheck:
    """Return a check of an MQTT broker through a client of aiomqtt.

    A client that lost its connection fails until the application has entered it anew: aiomqtt does not reconnect. Why
    that failed, it tells to the application alone. Raises ModuleNotFoundError without aiomqtt, TypeError for another
    kind of client.
    """
    aiomqtt = load("aiomqtt", extra="mqtt")
    get = client_getter(client, aiomqtt.Client, by="aiomqtt_client")
    outstanding = Outstanding()

    async def ask() -> Result:
        client = get()
        try:
            await outstanding.ask(lambda: client.unsubscribe(TOPIC, timeout=math.inf), lambda: _connection(client))
        except aiomqtt.MqttCodeError as error:
            raise ClientError(f"the client is not connected: {describe(error)}") from error
        return healthy()

    return ask


def _connection(client: "Client") -> object:
    # The one private name. Without it a connection that is lost during a run is told by the next one.
    lost = getattr(client, "_disconnected", None)
    if lost is not None and lost.done():
        told = None if lost.cancelled() else lost.exception()
        raise ClientError(f"the client is not connected{f': {describe(told)}' if told else ''}")
    return client, lost
