"""ARQ, by its Redis: the pool that takes the jobs, and the key by which a worker says that it is alive."""

from typing import TYPE_CHECKING

from ..core.result import Result, unhealthy
from ._support import resp
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, client_getter, load
from ._support.pool import answered

if TYPE_CHECKING:
    from arq.connections import ArqRedis


@catalogued(
    technology="ARQ",
    extra="arq",
    asked="`PING` on a connection of the pool; while the pool is exhausted, on one beside it. `writable`: `INFO` "
    "instead",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed",
    privileges="`+ping` (`writable`: `+info`), and what the client needs to connect (`+select`, `+client|setname`)",
)
def arq_pool(pool: "ClientOrFactory[ArqRedis]", *, writable: bool = False) -> AsyncCheck:
    """Return a check that jobs can be handed over: of the Redis behind a pool of ``arq.create_pool()``.

    To hand a job over is to write: with `writable` it fails where the server takes no writes, as `redis_client` does,
    and does not see what that does not see.

    Whether somebody works on them is what `arq_worker` asks. Raises ModuleNotFoundError without arq, TypeError for
    another kind of client.
    """
    get = client_getter(pool, load("arq.connections", extra="arq").ArqRedis, by="arq_pool")
    asker = resp.Asker("redis")

    async def ping() -> Result:
        return await resp.ask_client(asker, get(), writable=writable)

    return ping


@catalogued(
    technology="ARQ worker",
    extra="arq",
    asked="`GET` of the key that a worker writes every `health_check_interval`, and that expires a second after that",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed",
    privileges="`+get` for that key, and what the client needs to connect (`+select`, `+client|setname`)",
)
def arq_worker(pool: "ClientOrFactory[ArqRedis]", *, queue: str | None = None, key: str | None = None) -> AsyncCheck:
    """Return a check that a worker of ARQ is alive, by the health key of its `queue`, or by `key` where it has its own.

    A dead worker is told when its key has expired: after `health_check_interval`, an hour unless you set it. The queue
    is the default one of the pool. Raises ModuleNotFoundError without arq, TypeError for another kind of client.
    """
    get = client_getter(pool, load("arq.connections", extra="arq").ArqRedis, by="arq_worker")
    asker = resp.Asker("redis")
    suffix: str = load("arq.constants", extra="arq").health_check_key_suffix

    async def look() -> Result:
        pool = get()
        name = key or (queue or pool.default_queue_name) + suffix
        usage = resp.pool_usage(pool.connection_pool)
        if await asker.ask_pool(pool.connection_pool, "GET", name) is None:
            return unhealthy(f"no worker is alive: there is no key {name}", data=usage.data if usage else {})
        return answered(usage)

    return look
