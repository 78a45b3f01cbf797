"""Temporal, by its own client."""

from typing import TYPE_CHECKING

from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, client_getter, load

if TYPE_CHECKING:
    from temporalio.client import Client


@catalogued(
    technology="Temporal",
    extra="temporal",
    asked="`Check` of `grpc.health.v1.Health` for the WorkflowService",
    costs="one call, on the connection that all calls share",
    privileges="none",
)
def temporal_client(client: "ClientOrFactory[Client]") -> AsyncCheck:
    """Return a check of Temporal's frontend through a Client: its WorkflowService must be serving.

    Namespaces and workers are not looked at. Raises ModuleNotFoundError without temporalio, TypeError for another kind
    of client.

    Tested against a server of gRPC with the standard health service: that is what Temporal's frontend answers with,
    but no package brings Temporal itself.
    """
    load("temporalio", extra="temporal")
    get = client_getter(client, load("temporalio.client", extra="temporal").Client, by="temporal_client")

    async def ask() -> Result:
        if await get().service_client.check_health():
            return healthy()
        return unhealthy("the WorkflowService is not serving")

    return ask
