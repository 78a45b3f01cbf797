"""A server of gRPC with the standard health service: python grpc_health.py PORT

It also answers GetSystemInfo, the first request of a client of Temporal.
"""

import asyncio
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from temporalio.api.workflowservice.v1 import GetSystemInfoResponse

Status = health_pb2.HealthCheckResponse
WORKFLOWS = "temporal.api.workflowservice.v1.WorkflowService"

SERVICES = {
    "": Status.SERVING,
    "orders": Status.SERVING,
    "broken": Status.NOT_SERVING,
    "odd": Status.UNKNOWN,
    "long" * 50: Status.SERVING,
    WORKFLOWS: Status.SERVING,
}


async def system_info(request: bytes, context: object) -> bytes:
    return bytes(GetSystemInfoResponse(server_version="1.29.0").SerializeToString())


async def main() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    servicer = HealthServicer()
    for service, status in SERVICES.items():
        await servicer.set(service, status)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    temporal = {"GetSystemInfo": grpc.unary_unary_rpc_method_handler(system_info)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(WORKFLOWS, temporal),))
    assert server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}") == int(sys.argv[1])
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
