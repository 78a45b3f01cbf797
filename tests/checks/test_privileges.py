"""The privileges of the docs are enough: a user who may connect, and nothing else."""

from dataclasses import replace

import pytest

from asgi_health import Status

from .observe import expect
from .rows import ROWS, Row
from .servers import Server, Target
from .servers.postgres import READER
from .servers.server import UNPRIVILEGED

pytestmark = pytest.mark.anyio

DATABASES = {"postgres": "health", "mariadb": "information_schema"}
"""The databases that such a user may enter. MariaDB refuses to select a database in which a user has no privilege."""


def rows(*, of_alembic: bool) -> pytest.MarkDecorator:
    found = [row for row in ROWS if row.server in DATABASES and (row.extra == "alembic") is of_alembic]
    return pytest.mark.parametrize("row", found, ids=str)


@rows(of_alembic=False)
async def test_to_connect_is_enough(row: Row, server: Server) -> None:
    async with row.open(replace(Target(server.port), user=UNPRIVILEGED, database=DATABASES[row.server])) as client:
        await expect(row.check(client), Status.HEALTHY, "^$")


@rows(of_alembic=True)
async def test_for_alembic_select_on_the_table_of_versions_is_enough(row: Row, server: Server) -> None:
    async with row.open(replace(Target(server.port), user=READER)) as client:
        await expect(row.check(client), Status.HEALTHY, "^$")
    async with row.open(replace(Target(server.port), user=UNPRIVILEGED)) as client:
        await expect(row.check(client), Status.UNHEALTHY, "^no table alembic_version can be seen")
