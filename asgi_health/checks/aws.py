"""S3 and SQS, by the clients of aiobotocore."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, cast

from ..core.require import require_type
from ..core.result import Result, healthy
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
    asked="`HeadBucket`; while all connections of the client are in use, on one beside them",
    costs="one request, charged as a GET is",
    privileges="`s3:ListBucket` on the bucket",
)
def s3_bucket(client: ClientOrFactory[S3], bucket: str) -> AsyncCheck:
    """Return a check that a bucket is there and may be listed, through a client of aiobotocore for S3.

    botocore repeats a request that found no server for longer than most deadlines. This check repeats it once, at once,
    and tells the reason. A client whose connections are all in use is degraded, not a dead service. AWS says no more of
    a bucket than 403 or 404. A client that was closed is told, but with some releases (2.24) it opens again
    by itself. Raises ModuleNotFoundError without aiobotocore, TypeError for another kind of client.

    Tested against the server of moto, for there is no S3 to start.
    """
    require_type("s3_bucket: bucket", bucket, str)
    return _check(client, "s3", "s3_bucket", lambda s3: s3.head_bucket(Bucket=bucket))


@catalogued(
    technology="SQS",
    extra="aws",
    asked="`GetQueueAttributes`; while all connections of the client are in use, on one beside them",
    costs="one request",
    privileges="`sqs:GetQueueAttributes` on the queue",
)
def sqs_queue(client: ClientOrFactory[SQS], queue_url: str) -> AsyncCheck:
    """Return a check that a queue is there and may be looked at, through a client of aiobotocore for SQS.

    No message is received. For the rest it is as `s3_bucket`.
    """
    require_type("sqs_queue: queue_url", queue_url, str)
    return _check(
        client,
        "sqs",
        "sqs_queue",
        lambda sqs: sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"]),
    )


def _check(given: ClientOrFactory[Any], service: str, by: str, ask: Callable[[Any], Any]) -> AsyncCheck:
    load("aiobotocore", extra="aws")
    kind = load("aiobotocore.client", extra="aws").AioBaseClient
    get = client_getter(given, kind, by=by)
    if isinstance(given, kind):
        _require_service(given, service, by)

    async def run() -> Result:
        client = get()
        _require_service(client, service, by)
        # Private, as all that is looked at here: without it the client is as patient as it was made.
        shared = getattr(getattr(client, "_endpoint", None), "http_session", None)
        if shared is None:
            await ask(client)
            return healthy()
        if getattr(shared, "_sessions", shared) is None:
            raise ClientError("the client is closed")
        usage = _usage(shared)
        if usage is None or not usage.exhausted:
            await ask(_impatient(client, shared))
            usage = _usage(shared)
        else:
            async with _beside(shared) as session:
                await ask(_impatient(client, session))
        return healthy() if usage is None else usage.answered()

    return run


def _require_service(client: object, service: str, by: str) -> None:
    found = cast("Any", client).meta.service_model.service_name
    if found != service:
        raise TypeError(f"{by}: expected a client of aiobotocore for {service}, not for {found}")


def _impatient(client: Any, session: Any) -> Any:
    """Return a client that is as `client` is, on `session`, but tries only once more to reach its server.

    Once, and at once, for a connection that was kept may have been closed by the server just now.
    """
    endpoint = copy.copy(client._endpoint)
    endpoint.http_session = session
    patient: Any = getattr(endpoint, "_needs_retry", None)

    async def needs_retry(attempts: int, *outcome: Any) -> bool:
        if outcome[-1] is not None:
            return attempts == 1
        again: bool = await patient(attempts, *outcome)
        return again

    if patient is not None:
        endpoint._needs_retry = needs_retry
    # copy() stumbles over its __getattr__
    twin: Any = object.__new__(cast("type[Any]", client.__class__))
    twin.__dict__ |= vars(client)
    twin._endpoint = endpoint
    return twin


@asynccontextmanager
async def _beside(session: Any) -> AsyncGenerator[Any]:
    """Open a session with the settings of `session`, and connections of its own."""
    twin = copy.copy(session)
    twin._sessions = {}
    twin._sessions_lock = asyncio.Lock()
    async with AsyncExitStack() as stack:
        twin._exit_stack = stack
        yield twin


def _usage(session: Any) -> Usage | None:
    """Return how many connections are in use; None before the first request, and where nothing tells."""
    sessions: dict[Any, Any] = getattr(session, "_sessions", None) or {}
    try:
        connectors: list[Any] = [each.connector for each in sessions.values()]
        size = sum(connector.limit for connector in connectors)
        return Usage(sum(len(connector._acquired) for connector in connectors), size) if size else None
    except AttributeError:
        return None
