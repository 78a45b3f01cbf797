"""ClickHouse by the async client of clickhouse-connect, with a session and without one."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import Error

from asgi_health.checks.clickhouse import clickhouse_client

from ..servers import Target
from .row import TIMED_OUT, Open, Row

SIZE = 2


class Client(AsyncClient):
    """A client for the ClickHouse of Debian, of 2018, whose system.settings has no column `readonly`."""

    async def _execute_operation(self, operation: Any) -> object:
        text = operation.text.replace("readonly", "toUInt8(0) AS readonly")
        return await super()._execute_operation(replace(operation, text=text))


def opener(*, session: str | None) -> Open:
    @asynccontextmanager
    async def open_client(target: Target) -> AsyncGenerator[Any]:
        client = Client(
            "http",
            target.host,
            target.port,
            target.user,
            target.password,
            target.database,
            connector_limit=SIZE,
            session_id=session,
            autogenerate_session_id=False,
        )
        try:
            await client._initialize()  # private: the public functions call it with their first query
        except Error:
            # It asks the server first of all. What follows is as if the server had answered, and has changed since.
            client._backend.ensure_session()
        try:
            yield client
        finally:
            await client.close()

    return open_client


@asynccontextmanager
async def occupy(client: Any) -> AsyncGenerator[None]:
    """Connections on which a query runs that has answered with its first rows."""
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            # Private: the client itself gives a connection back only after it has read all rows.
            request = client._session.post(client.url, params={"query": "SELECT * FROM system.numbers"})
            await stack.enter_async_context(request)
        yield


async def close(client: Any) -> None:
    await client.close()


REFUSED = r"^ConnectionRefusedError: \[Errno 111\] (Connect call failed|Connection refused)"
RESET = (
    r"^(ConnectionResetError: \[Errno 104\]|ServerDisconnectedError: Server disconnected|"
    r"ClientConnectionResetError: Cannot write to closing transport)"  # on uvloop
)


def row(name: str, *, session: str | None) -> Row:
    return Row(
        name,
        server="clickhouse",
        check=clickhouse_client,
        open=opener(session=session),
        drivers=("clickhouse_connect", "aiohttp"),
        extra="clickhouse",
        close=close,
        occupy=occupy,
        messages={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": REFUSED,
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": RESET,
            "trickled": TIMED_OUT,
            "wrong_password": "^DatabaseError: .*Code: 193, .*Wrong password for user health",
            "wrong_database": "^DatabaseError: .*Code: 81, .*Database nowhere doesn't exist",
            "exhausted": "^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": REFUSED,
            "closed": "^ClientError: the client is closed, or has not been initialized$",
            "many_runs": "^$",
        },
    )


ROWS = (
    row("clickhouse", session=None),
    row("clickhouse+session", session="of-the-application"),
)
