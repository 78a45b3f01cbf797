"""A server that answers for the health of a cluster as Elasticsearch and OpenSearch do.

    python elasticsearch_protocol.py PORT

What it answers is that of Elasticsearch 8.15, of one node. `PUT /-/status?to=red` is for the tests.
"""

import asyncio
import sys
from typing import Any

from aiohttp import BasicAuth, web

LOGIN = BasicAuth("health", "rightsecret")
HEADERS = {"X-Elastic-Product": "Elasticsearch"}
SHARDS = {"green": (5, 0), "yellow": (5, 2), "red": (3, 4)}


class Cluster:
    def __init__(self) -> None:
        self.status = "green"
        self.asked = 0
        self.runner: web.AppRunner | None = None

    async def health(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != LOGIN.encode():
            reason = f"unable to authenticate user [{BasicAuth.decode(request.headers['Authorization']).login}]"
            cause = {"type": "security_exception", "reason": f"{reason} for REST request [/_cluster/health]"}
            return web.json_response(
                {"error": {"root_cause": [cause], **cause}, "status": 401},
                status=401,
                headers=HEADERS | {"WWW-Authenticate": 'Basic realm="security", charset="UTF-8"'},
            )
        self.asked += 1
        active, unassigned = SHARDS[self.status]
        answer: dict[str, Any] = {
            "cluster_name": "docker-cluster",
            "status": self.status,
            "timed_out": False,
            "number_of_nodes": 1,
            "number_of_data_nodes": 1,
            "active_primary_shards": active,
            "active_shards": active,
            "relocating_shards": 0,
            "initializing_shards": 0,
            "unassigned_shards": unassigned,
            "unassigned_primary_shards": 0,
            "delayed_unassigned_shards": 0,
            "number_of_pending_tasks": 0,
            "number_of_in_flight_fetch": 0,
            "task_max_waiting_in_queue_millis": 0,
            "active_shards_percent_as_number": 100.0 * active / (active + unassigned),
        }
        return web.json_response(answer, headers=HEADERS)

    async def search(self, request: web.Request) -> web.StreamResponse:
        """A search that takes its time, to keep connections busy: it ends when the client goes away."""
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    async def change(self, request: web.Request) -> web.StreamResponse:
        self.status = request.query["to"]
        return web.Response()

    async def counts(self, _: web.Request) -> web.StreamResponse:
        assert self.runner is not None
        assert self.runner.server is not None
        return web.json_response({"connections": len(self.runner.server.connections), "asked": self.asked})


async def main() -> None:
    cluster = Cluster()
    app = web.Application()
    app.router.add_get("/_cluster/health", cluster.health)
    app.router.add_get("/-/busy", cluster.search)
    app.router.add_put("/-/status", cluster.change)
    app.router.add_get("/-/counts", cluster.counts)
    cluster.runner = web.AppRunner(app)
    await cluster.runner.setup()
    await web.TCPSite(cluster.runner, "127.0.0.1", int(sys.argv[1])).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
