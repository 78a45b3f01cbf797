"""ARQ, by its Redis: the pool that takes the jobs, and the key by which a worker shows that it is alive."""

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
    asked="`PING` on a connection of the pool; while the pool is exhausted, on an extra one. `writable`: `INFO` "
    "instead",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed",
    privileges="`+ping` (`writable`: `+info`), and what the client needs to connect (`+select`, `+client|setname`)",
)
def arq_pool(pool: "ClientOrFactory[ArqRedis]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of the Redis behind a pool of ``arq.create_pool()``, to which jobs are enqueued.

    `arq_worker` checks whether a worker runs them.

    Args:
        pool: The pool, or a function that returns it.
        writable: Fail also where the server takes no writes, as `redis.redis_client` does, with the same limits. To
            enqueue a job is to write.

    Raises:
        ModuleNotFoundError: arq is not installed.
        TypeError: `pool` is another kind of client.
    """
    get = client_getter(pool, load("arq.connections", extra="arq").ArqRedis, by="arq_pool")
    sender = resp.Sender("redis")

    async def check() -> Result:
        return await resp.ask_client(sender, get(), writable=writable)

    return check


@catalogued(
    technology="ARQ worker",
    extra="arq",
    asked="`GET` of the key that a worker writes every `health_check_interval`, and that expires a second after that",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed",
    privileges="`+get` for that key, and what the client needs to connect (`+select`, `+client|setname`)",
)
def arq_worker(pool: "ClientOrFactory[ArqRedis]", *, queue: str | None = None, key: str | None = None) -> AsyncCheck:
    """Return a check that a worker of ARQ is alive, by its health key.

    A dead worker is reported when its key has expired: after `health_check_interval`, an hour unless you set it.

    Args:
        pool: The pool, or a function that returns it.
        queue: The queue of the worker. None: the default queue of the pool.
        key: The health key, where the worker was given one of its own.

    Raises:
        ModuleNotFoundError: arq is not installed.
        TypeError: `pool` is another kind of client.
    """
    get = client_getter(pool, load("arq.connections", extra="arq").ArqRedis, by="arq_worker")
    sender = resp.Sender("redis")
    suffix: str = load("arq.constants", extra="arq").health_check_key_suffix

    async def check() -> Result:
        pool = get()
        name = key or (queue or pool.default_queue_name) + suffix
        usage = resp.pool_usage(pool.connection_pool)
        if await sender.ask_pool(pool.connection_pool, "GET", name) is None:
            return unhealthy(f"no worker is alive: there is no key {name}", data=usage.data if usage else {})
        return answered(usage)

    return check
