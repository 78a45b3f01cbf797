"""What is special about S3 and SQS: the check takes the name of a bucket or a queue."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from asgi_health import Status
from asgi_health.checks.aws import s3_bucket, sqs_queue

from .conftest import GetServer
from .observe import expect
from .rows.aws import opens
from .servers import Target
from .servers.aws import BUCKET, Aws

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks aws")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Aws]:
    server = get_server("aws")
    assert isinstance(server, Aws)
    yield server
    server.restore()


async def test_a_bucket_that_is_not_there_fails(server: Aws) -> None:
    async with opens("s3")(Target(server.port)) as client:
        message = r"^ClientError: An error occurred \(404\) when calling the HeadBucket operation: Not Found$"
        await expect(s3_bucket(client, "nowhere"), Status.UNHEALTHY, message)


async def test_a_queue_that_is_not_there_fails(server: Aws) -> None:
    async with opens("sqs")(Target(server.port)) as client:
        message = r"NonExistentQueue.* when calling the GetQueueAttributes operation"
        await expect(sqs_queue(client, "http://sqs.example/123456789012/nowhere"), Status.UNHEALTHY, message)


async def test_the_retries_of_the_application_s_client_are_not_changed(server: Aws) -> None:
    async with opens("s3")(Target(server.port)) as client:
        # Private: the check replaces nothing of the client, and no public name shows that.
        endpoint, before = client._endpoint, dict(vars(client._endpoint))
        await expect(s3_bucket(client, BUCKET), Status.HEALTHY, "^$")
        assert client._endpoint is endpoint
        assert vars(endpoint) == before


async def test_without_the_private_names_of_aiobotocore_the_client_itself_is_used(server: Aws) -> None:
    async with opens("s3")(Target(server.port)) as client:

        class Renamed(type(client)):  # type: ignore[misc]
            def __getattribute__(self, name: str) -> Any:
                if name == "_endpoint" and sys._getframe(1).f_globals["__name__"] == s3_bucket.__module__:
                    raise AttributeError(name)
                return super().__getattribute__(name)

        copied = object.__new__(Renamed)
        copied.__dict__ |= vars(client)
        await expect(s3_bucket(copied, BUCKET), Status.HEALTHY, "^$")
        await expect(s3_bucket(copied, "nowhere"), Status.UNHEALTHY, "Not Found")


async def test_a_client_of_another_service_is_refused() -> None:
    client: Any
    async with opens("s3")(Target(1)) as client:
        with pytest.raises(TypeError, match=r"^sqs_queue: expected a client of aiobotocore for sqs, not for s3$"):
            sqs_queue(client, "http://sqs.example/1/queue")
        await expect(sqs_queue(lambda: client, "queue"), Status.UNHEALTHY, "^TypeError: sqs_queue: expected a client")


@pytest.mark.parametrize("make", [s3_bucket, sqs_queue])
def test_a_name_that_is_no_string_is_refused(make: Any) -> None:
    with pytest.raises(TypeError, match=r"(bucket|queue_url) must be of type str"):
        make(lambda: None, None)
