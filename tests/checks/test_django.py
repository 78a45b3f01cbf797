"""What is special about Django: a connection that the check keeps."""

from collections.abc import Iterator
from typing import Any

import pytest

from asgi_health import Status
from asgi_health.checks.django import django_connection

from .conftest import GetServer
from .observe import expect, until
from .rows.django import LIBPQ, opener
from .servers import Server, Target

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("postgres")
    yield server
    server.mend()


async def test_a_connection_that_died_with_the_last_server_is_no_failure_of_this_one(server: Server) -> None:
    async with opener("postgresql", LIBPQ)(Target(server.port)) as alias:
        check = django_connection(alias)
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.kill()
        server.start()
        await expect(check, Status.HEALTHY, "^$")


async def test_twenty_runs_in_twenty_threads_use_one_connection(server: Server) -> None:
    await until(lambda: server.connections() == 0, "nobody is connected")
    async with opener("postgresql", LIBPQ)(Target(server.port)) as alias:
        check = django_connection(alias)
        for _ in range(20):
            await expect(check, Status.HEALTHY, "^$")
            assert server.connections() == 1


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_it_works_on_trio_too(server: Server) -> None:
    async with opener("postgresql", LIBPQ)(Target(server.port)) as alias:
        await expect(django_connection(alias), Status.HEALTHY, "^$")


async def test_an_alias_that_the_settings_do_not_have_is_a_failure_in_words() -> None:
    message = "^ClientError: there is no database 'nowhere' in the settings of Django$"
    await expect(django_connection("nowhere"), Status.UNHEALTHY, message)


@pytest.mark.parametrize("wrong", [None, 1, object()])
def test_what_is_no_alias_is_refused_when_the_check_is_made(wrong: Any) -> None:
    with pytest.raises(TypeError, match="django_connection: expected the alias of a database, a string"):
        django_connection(wrong)
