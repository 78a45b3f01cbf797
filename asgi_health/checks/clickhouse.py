"""ClickHouse, by an async client of clickhouse-connect."""

import copy
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..core.result import Result, unhealthy
from ._support.aiohttp_session import usage_of_session
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.httpx_client import reason
from ._support.pool import answered, exhausted, usage_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.asyncclient import AsyncClient

QUESTION = "SELECT 1"


@catalogued(
    technology="ClickHouse",
    extra="clickhouse",
    asked="`SELECT 1` in the client's database, outside its session; while all connections are in use, on an extra one",
    costs="one request. While the connections are in use: one connection more, opened and closed",
    privileges="to connect",
)
def clickhouse_client(client: "ClientOrFactory[AsyncClient]") -> AsyncCheck:
    """Return a check of ClickHouse through an AsyncClient of clickhouse-connect.

    A session of ClickHouse takes one query at a time. The check asks outside the session of the client, so the check
    and the application's queries do not fail because of each other. Where the client has a session, each run has one of
    its own, which the server drops after a second.

    A client whose connections are all in use is degraded. The client retries within the deadline.
    ``get_async_client()`` asks the server before it returns a client: pass a function that returns None until the
    startup has made one.

    There is no `writable`: ClickHouse has no read-only servers. A replicated table is read-only while its Keeper is
    away (``is_readonly`` in ``system.replicas``), and so is a user (setting ``readonly``). Write a check that asks for
    the tables of the application.

    Tested against ClickHouse 18.16, which Debian packages: no package brings a newer server.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: clickhouse-connect is not installed, or aiohttp is not, which its async client needs.
        TypeError: `client` is another kind of client.
    """
    load("aiohttp", extra="clickhouse")
    kind = load("clickhouse_connect.driver.asyncclient", extra="clickhouse").AsyncClient
    exceptions = load("clickhouse_connect.driver.exceptions", extra="clickhouse")
    get = client_getter(client, kind, by="clickhouse_client")

    async def check() -> Result:
        client: Any = get()
        if getattr(client, "_session", client) is None:
            raise ClientError("the client is closed, or has not been initialized")
        usage = usage_of(lambda: usage_of_session(client._session))
        try:
            if exhausted(usage):
                await _ask_on_extra_connection(client)
            else:
                await client.command(QUESTION, settings=_session_of_its_own(client))
        except exceptions.OperationalError as error:
            return unhealthy(reason(error))
        return answered(usage)

    return check


def _session_of_its_own(client: "AsyncClient") -> dict[str, str] | None:
    if client.get_client_setting("session_id") is None:
        return None
    # An empty identifier is not "no session" to ClickHouse, but the error SESSION_ID_EMPTY.
    return {"session_id": f"asgi-health-{uuid4()}", "session_timeout": "1"}


async def _ask_on_extra_connection(client: Any) -> None:
    """Ask through a copy of the client that has connections of its own.

    A client of a release without `_backend` waits for a connection instead.
    """
    backend = copy.copy(getattr(client, "_backend", None))
    if backend is None:
        await client.command(QUESTION, settings=_session_of_its_own(client))
        return
    backend.session = None
    backend.ensure_session()
    extra = copy.copy(client)
    extra._backend = backend
    try:
        await extra.command(QUESTION, settings=_session_of_its_own(client))
    finally:
        await extra._backend.session.close()
