"""What is special about RabbitMQ: what a run costs, by its own counters."""

from collections.abc import Iterator

import pytest

from asgi_health import Status

from .conftest import GetServer
from .observe import expect, observe, until
from .rows import Row
from .rows.amqp import AMQP
from .rows.celery import CELERY
from .servers import Target
from .servers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(get_server: GetServer) -> Iterator[RabbitMQ]:
    server = get_server("rabbitmq")
    assert isinstance(server, RabbitMQ)
    yield server
    server.mend()


ROWS = [*AMQP, *(row for row in CELERY if row.name == "celery-rabbitmq")]


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_run_opens_one_channel_and_leaves_none(server: RabbitMQ, row: Row) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        before = server.channels_opened()
        connections = server.connections()
        for _ in range(50):
            assert (await observe(check)).result.status is Status.HEALTHY
        await until(lambda: server.channels_opened() == before + 50, "every channel is counted")
        await until(lambda: server.ask("length(rabbit_channel:list())") == "0", "every channel is closed")
        assert server.connections() == connections
