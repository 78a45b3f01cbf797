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
    """Return a check that the WorkflowService of Temporal's frontend is serving, through a Client.

    It does not look at namespaces and workers.

    Tested against a server of gRPC with the standard health service: Temporal's frontend answers with that service, but
    Temporal itself comes in no package that a test could start.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: temporalio is not installed.
        TypeError: `client` is another kind of client.
    """
    load("temporalio", extra="temporal")
    get = client_getter(client, load("temporalio.client", extra="temporal").Client, by="temporal_client")

    async def check() -> Result:
        if await get().service_client.check_health():
            return healthy()
        return unhealthy("the WorkflowService is not serving")

    return check
