"""S3 and SQS, by the clients of aiobotocore."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, cast

from ..core.result import Result, healthy
from ._support.arguments import require_type
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.pool import Usage


class S3(Protocol):
    """What is used of a client for S3, which aiobotocore makes at run time, without types."""

    async def head_bucket(self, *, Bucket: str) -> Any: ...


class SQS(Protocol):
    """What is used of a client for SQS, which aiobotocore makes at run time, without types."""

    async def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Any: ...


@catalogued(
    technology="S3",
    extra="aws",
    asked="`HeadBucket`; while all connections of the client are in use, on an extra one",
    costs="one request, charged as a GET is",
    privileges="`s3:ListBucket` on the bucket",
)
def s3_bucket(client: ClientOrFactory[S3], bucket: str) -> AsyncCheck:
    """Return a check that a bucket exists and may be listed, through a client of aiobotocore for S3.

    botocore repeats a request that reaches no server for longer than most deadlines. This check repeats it once, at
    once, and reports the reason. AWS answers no more about a bucket than 403 or 404. A client whose connections are all
    in use is degraded. A closed client fails, but with some releases (2.24) it opens again by itself.

    Tested against the server of moto, because S3 cannot be started by a test.

    Args:
        client: The client, or a function that returns it.
        bucket: The name of the bucket.

    Raises:
        ModuleNotFoundError: aiobotocore is not installed.
        TypeError: `client` is another kind of client, or `bucket` is not a string.
    """
    require_type("s3_bucket: bucket", bucket, str)
    return _check(client, "s3", "s3_bucket", lambda s3: s3.head_bucket(Bucket=bucket))


@catalogued(
    technology="SQS",
    extra="aws",
    asked="`GetQueueAttributes`; while all connections of the client are in use, on an extra one",
    costs="one request",
    privileges="`sqs:GetQueueAttributes` on the queue",
)
def sqs_queue(client: ClientOrFactory[SQS], queue_url: str) -> AsyncCheck:
    """Return a check that a queue exists and its attributes may be read, through a client of aiobotocore for SQS.

    It receives no message. All else is as with `s3_bucket`.

    Args:
        client: The client, or a function that returns it.
        queue_url: The URL of the queue.

    Raises:
        ModuleNotFoundError: aiobotocore is not installed.
        TypeError: `client` is another kind of client, or `queue_url` is not a string.
    """
    require_type("sqs_queue: queue_url", queue_url, str)
    return _check(
        client,
        "sqs",
        "sqs_queue",
        lambda sqs: sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"]),
    )


def _check(given: ClientOrFactory[Any], service: str, by: str, request: Callable[[Any], Any]) -> AsyncCheck:
    load("aiobotocore", extra="aws")
    kind = load("aiobotocore.client", extra="aws").AioBaseClient
    get = client_getter(given, kind, by=by)
    if isinstance(given, kind):
        _require_service(given, service, by)

    async def check() -> Result:
        client = get()
        _require_service(client, service, by)
        # Private, as is all that is read below. A release without it retries as often as its client is set to.
        session = getattr(getattr(client, "_endpoint", None), "http_session", None)
        if session is None:
            await request(client)
            return healthy()
        if getattr(session, "_sessions", session) is None:
            raise ClientError("the client is closed")
        usage = _usage(session)
        if usage is None or not usage.exhausted:
            await request(_with_one_retry(client, session))
            usage = _usage(session)
        else:
            async with _extra_session(session) as extra:
                await request(_with_one_retry(client, extra))
        return healthy() if usage is None else usage.answered()

    return check


def _require_service(client: object, service: str, by: str) -> None:
    found = cast("Any", client).meta.service_model.service_name
    if found != service:
        raise TypeError(f"{by}: expected a client of aiobotocore for {service}, not for {found}")


def _with_one_retry(client: Any, session: Any) -> Any:
    """Return a copy of `client` that uses `session`, and retries once, at once, where it reaches no server.

    It retries because the server may just have closed a kept connection.
    """
    endpoint = copy.copy(client._endpoint)
    endpoint.http_session = session
    original: Any = getattr(endpoint, "_needs_retry", None)

    async def needs_retry(attempts: int, *outcome: Any) -> bool:
        if outcome[-1] is not None:
            return attempts == 1
        again: bool = await original(attempts, *outcome)
        return again

    if original is not None:
        endpoint._needs_retry = needs_retry
    # Not by copy(), which fails on the client's __getattr__.
    copied: Any = object.__new__(cast("type[Any]", client.__class__))
    copied.__dict__ |= vars(client)
    copied._endpoint = endpoint
    return copied


@asynccontextmanager
async def _extra_session(session: Any) -> AsyncGenerator[Any]:
    """Open a session with the settings of `session`, and connections of its own."""
    extra = copy.copy(session)
    extra._sessions = {}
    extra._sessions_lock = asyncio.Lock()
    async with AsyncExitStack() as stack:
        extra._exit_stack = stack
        yield extra


def _usage(session: Any) -> Usage | None:
    """Return the usage of the connections; None before the first request, and where it cannot be seen."""
    sessions: dict[Any, Any] = getattr(session, "_sessions", None) or {}
    try:
        connectors: list[Any] = [each.connector for each in sessions.values()]
        size = sum(connector.limit for connector in connectors)
        return Usage(sum(len(connector._acquired) for connector in connectors), size) if size else None
    except AttributeError:
        return None
