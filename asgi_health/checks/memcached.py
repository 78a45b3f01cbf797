"""memcached, by a client of aiomcache."""

import asyncio
from typing import TYPE_CHECKING, Any

from ..core.result import Result
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, client_getter, load
from ._support.pool import Usage, answered, exhausted, usage_of

if TYPE_CHECKING:
    from aiomcache import FlagClient


class AnswerError(Exception):
    """The server answered something unexpected."""


@catalogued(
    technology="memcached",
    extra="memcached",
    asked="`version` on a connection of the pool; while the pool is exhausted, on an extra one",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed",
    privileges="none",
)
def aiomcache_client(client: "ClientOrFactory[FlagClient[Any]]") -> AsyncCheck:
    """Return a check of memcached through a client of aiomcache.

    It does not call ``version()`` of the client, which blocks the loop without end when the server dies during the
    answer, and returns a connection with half an answer to the pool when it is cancelled.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: aiomcache is not installed.
        TypeError: `client` is another kind of client.
    """
    kind = load("aiomcache", extra="memcached").FlagClient
    get = client_getter(client, kind, by="aiomcache_client")

    async def check() -> Result:
        client: Any = get()
        pool = client._pool
        # The pool opens its smallest number of connections, and no more after that.
        usage = usage_of(lambda: Usage(len(pool._in_use), min(pool._minsize, pool._maxsize)))
        if exhausted(usage):
            reader, writer = await asyncio.open_connection(pool._host, pool._port, **pool.conn_args)
            try:
                await _ask_version(reader, writer)
            finally:
                writer.transport.abort()
        else:
            connection = await pool.acquire()
            try:
                await _ask_version(*connection)
            except BaseException as error:
                connection.reader.set_exception(ConnectionAbortedError(repr(error)))  # so that the pool closes it
                raise
            finally:
                pool.release(connection)
        return answered(usage)

    return check


async def _ask_version(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"version\r\n")
    await writer.drain()
    answer = await reader.readline()
    if not answer.endswith(b"\n"):
        raise ConnectionResetError("the server closed the connection")
    if not answer.startswith(b"VERSION "):
        raise AnswerError(f"version was answered by {answer[:80]!r}, expected VERSION and its number")
