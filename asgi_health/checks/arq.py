"""ARQ, by its Redis: the pool that takes the jobs, and the key by which a worker says that it is alive."""

from typing import TYPE_CHECKING, Any

from ..core.result import Result, unhealthy
from .cancellation import ends_when_cancelled
from .client import AsyncCheck, Given, client_getter
from .driver import load
from .pool import Usage
from .table import described

if TYPE_CHECKING:
    from arq.connections import ArqRedis


@described(
    technology="ARQ",
    extra="arq",
    asked="`PING` on a connection of the pool; while the pool is exhausted, on one beside it",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed",
    privileges="`+ping`, and what the client needs to connect (`+select`, `+client|setname`)",
)
def arq_pool(pool: "Given[ArqRedis]") -> AsyncCheck:
    """Return a check that jobs can be handed over: of the Redis behind a pool of ``arq.create_pool()``.

    Whether somebody works on them is what `arq_worker` asks. Raises ModuleNotFoundError without arq, TypeError for
    another kind of client.
    """
    get = client_getter(pool, load("arq.connections", extra="arq").ArqRedis, by="arq_pool")

    async def ping() -> Result:
        _, usage = await ends_when_cancelled(_ask(get(), "PING"))
        return usage.answered()

    return ping


@described(
    technology="ARQ worker",
    extra="arq",
    asked="`GET` of the key that a worker writes every `health_check_interval`, and that expires a second after that",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed",
    privileges="`+get` for that key, and what the client needs to connect (`+select`, `+client|setname`)",
)
def arq_worker(pool: "Given[ArqRedis]", *, queue: str | None = None, key: str | None = None) -> AsyncCheck:
    """Return a check that a worker of ARQ is alive, by the health key of its `queue`, or by `key` where it has its own.

    A dead worker is told when its key has expired: after `health_check_interval`, an hour unless you set it. The queue
    is the default one of the pool. Raises ModuleNotFoundError without arq, TypeError for another kind of client.
    """
    get = client_getter(pool, load("arq.connections", extra="arq").ArqRedis, by="arq_worker")
    suffix: str = load("arq.constants", extra="arq").health_check_key_suffix

    async def look() -> Result:
        pool = get()
        name = key or (queue or pool.default_queue_name) + suffix
        answer, usage = await ends_when_cancelled(_ask(pool, "GET", name))
        if answer is None:
            return unhealthy(f"no worker is alive: there is no key {name}", data=usage.data)
        return usage.answered()

    return look


async def _ask(client: "ArqRedis", *command: str) -> tuple[bytes | None, Usage]:
    # Not by the client's own methods: they try again as often as they were told to, and the deadline comes first.
    pool: Any = client.connection_pool
    usage = Usage(len(pool._in_use_connections), pool.max_connections)
    connection = pool.make_connection() if usage.exhausted else pool.get_available_connection()
    try:
        if not usage.exhausted:
            await pool.ensure_connection(connection)
        await connection.send_command(*command)
        return await connection.read_response(disable_decoding=True), usage
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    finally:
        if usage.exhausted:
            await connection.disconnect(nowait=True)
        else:
            await pool.release(connection)
