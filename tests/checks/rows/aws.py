"""S3 and SQS through the clients of aiobotocore."""

import asyncio
import functools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from asgi_health.checks import aws
from tests.support.waiting import wait_until_async

from ..servers import Target
from ..servers.aws import BUCKET, QUEUE, Aws
from ..servers.server import PASSWORD
from .row import TIMED_OUT, Open, Row

SIZE = 2


def opens(service: str) -> Open:
    @asynccontextmanager
    async def open_client(target: Target) -> AsyncGenerator[Any]:
        async with get_session().create_client(
            service,
            endpoint_url=f"http://{target.host}:{target.port}",
            region_name="us-east-1",
            aws_access_key_id=Aws.key_of["id"],
            aws_secret_access_key=Aws.key_of["secret"] if target.password == PASSWORD else target.password,
            config=AioConfig(max_pool_connections=SIZE, s3={"addressing_style": "path"}),
        ) as client:
            yield client

    return open_client


@asynccontextmanager
async def occupy(client: Any) -> AsyncGenerator[None]:
    """Take the connections of the client, as unfinished uploads do."""
    # Private: aiobotocore has no public name for its pool, and `len` of its connections is what exhausts it.
    session = await client._endpoint.http_session._get_session(None)

    async def endless() -> AsyncGenerator[bytes]:
        yield b"."
        await asyncio.Event().wait()

    async def upload() -> None:
        await session.put(client.meta.endpoint_url + "/upload", data=endless())

    uploads = [asyncio.ensure_future(upload()) for _ in range(SIZE)]
    await wait_until_async(lambda: len(session.connector._acquired) == SIZE, "the connections are in use")
    yield
    for each in uploads:
        each.cancel()
    await asyncio.wait(uploads)


async def close(client: Any) -> None:
    await client.close()


@functools.wraps(aws.s3_bucket)
def s3_bucket(client: Any) -> Any:
    return aws.s3_bucket(client, BUCKET)


@functools.wraps(aws.sqs_queue)
def sqs_queue(client: Any) -> Any:
    return aws.sqs_queue(client, f"http://sqs.example/123456789012/{QUEUE}")


def row(service: str, check: Any, denied: str) -> Row:
    return Row(
        service,
        server="aws",
        check=check,
        open=opens(service),
        drivers=("aiobotocore",),
        extra="aws",
        close=close,
        occupy=occupy,
        messages={
            "healthy": "^$",
            "refused": r'^EndpointConnectionError: Could not connect to the endpoint URL: "http://127\.0\.0\.1:\d+',
            "killed": "^EndpointConnectionError: Could not connect|^ConnectionClosedError: Connection was closed",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^(ConnectionClosedError|EndpointConnectionError): ",
            "trickled": TIMED_OUT,
            "wrong_password": denied,
            "exhausted": r"^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": "^EndpointConnectionError: Could not connect",
            "closed": "^ClientError: the client is closed$",
            "many_runs": "^$",
        },
        without={"wrong_database": "the bucket and the queue are named to the check: test_aws.py"},
    )


ROWS = (
    row("s3", s3_bucket, r"^ClientError: An error occurred \(403\) when calling the HeadBucket operation: Forbidden$"),
    row("sqs", sqs_queue, r"^ClientError: An error occurred \(\w+\) when calling the GetQueueAttributes operation"),
)
