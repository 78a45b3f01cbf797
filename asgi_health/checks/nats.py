"""NATS, by a client of nats-py."""

from typing import TYPE_CHECKING

from ..core.result import Result, describe, healthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.outstanding import Outstanding

if TYPE_CHECKING:
    from nats.aio.client import Client

FOR_EVER = 1_000_000
"""Seconds. The deadline of the check is what ends the wait."""


@catalogued(
    technology="NATS",
    extra="nats",
    asked="whether the client is connected, then `PING` on its connection",
    costs="one round trip",
    privileges="to connect; it may be neither to publish nor to subscribe",
)
def nats_client(client: "ClientOrFactory[Client]") -> AsyncCheck:
    """Return a check of NATS through a client of nats-py.

    A client that is not connected fails with its last error, which there is from its first attempt to reconnect on; it
    reconnects by itself. While a PING is not answered, the runs that follow wait for that answer before they send
    another: a client of nats-py stops reading, for good, when it gets the answer to a PING that was given up. Raises
    ModuleNotFoundError without nats-py, TypeError for another kind of client.
    """
    get = client_getter(client, load("nats.aio.client", extra="nats").Client, by="nats_client")
    outstanding = Outstanding()

    async def ping() -> Result:
        client = get()
        await outstanding.ask(lambda: client.rtt(FOR_EVER), lambda: _connection(client))
        return healthy()

    return ping


def _connection(client: "Client") -> object:
    if not client.is_connected:
        state = "closed" if client.is_closed else "not connected"
        reason = f": {describe(client.last_error)}" if client.last_error else ""
        raise ClientError(f"the client is {state}{reason}")
    return client, client.stats["reconnects"]
