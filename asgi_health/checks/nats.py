"""NATS, by a client of nats-py."""

from typing import TYPE_CHECKING

from ..core.result import Result, describe, healthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.outstanding import OutstandingRequest

if TYPE_CHECKING:
    from nats.aio.client import Client

NO_TIMEOUT = 1_000_000
"""Seconds. The deadline of the check ends the wait."""


@catalogued(
    technology="NATS",
    extra="nats",
    asked="whether the client is connected, then `PING` on its connection",
    costs="one round trip",
    privileges="to connect; neither to publish nor to subscribe",
)
def nats_client(client: "ClientOrFactory[Client]") -> AsyncCheck:
    """Return a check of NATS through a client of nats-py.

    A client that is not connected fails with its last error, which exists from its first attempt to reconnect on. It
    reconnects by itself. While a PING is not answered, the next runs wait for that answer before they send another:
    nats-py stops reading, for good, when it receives the answer to a PING that was cancelled.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: nats-py is not installed.
        TypeError: `client` is another kind of client.
    """
    get = client_getter(client, load("nats.aio.client", extra="nats").Client, by="nats_client")
    outstanding = OutstandingRequest()

    async def check() -> Result:
        client = get()
        await outstanding.send(lambda: client.rtt(NO_TIMEOUT), lambda: _connection(client))
        return healthy()

    return check


def _connection(client: "Client") -> object:
    if not client.is_connected:
        state = "closed" if client.is_closed else "not connected"
        reason = f": {describe(client.last_error)}" if client.last_error else ""
        raise ClientError(f"the client is {state}{reason}")
    return client, client.stats["reconnects"]
