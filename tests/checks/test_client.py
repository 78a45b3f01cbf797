"""The application's own client, passed as it is or as a function that returns it."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import anyio
import grpc
import pytest
import redis
import valkey

from asgi_health.checks._support.client import ClientError, client_getter
from asgi_health.checks.grpc import grpc_peer
from asgi_health.checks.redis import redis_client, redis_cluster
from asgi_health.checks.valkey import valkey_client, valkey_cluster


class Client:
    pass


class Special(Client):
    pass


class CallableClient(Client):
    def __call__(self) -> str:
        return "not a client"


class OfAnother:
    def __repr__(self) -> str:
        return "postgresql://user:secret@host/db"


async def coroutine() -> None: ...


def returns_a_coroutine() -> object:
    return coroutine()


def with_argument(app: object) -> None: ...


@pytest.mark.parametrize("client", [Client(), Special(), CallableClient()])
def test_a_client_is_returned_as_it_is_even_if_it_can_be_called(client: Client) -> None:
    assert client_getter(client, Client, by="check")() is client


@pytest.mark.parametrize("kinds", [(Client, dict), (dict, Client)])
def test_one_of_several_kinds_is_enough(kinds: tuple[type, ...]) -> None:
    client = Client()
    assert client_getter(client, *kinds, by="check")() is client


def test_the_function_is_called_in_each_run() -> None:
    clients = [Client(), Client()]
    function: Any = partial(clients.pop)
    get: Callable[[], object] = client_getter(function, Client, by="check")
    assert get() is not get()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (OfAnother(), "one of tests.OfAnother"),
        (None, "one of NoneType"),
        ("postgresql://user:secret@host/db", "one of str"),
        (Client, "the class tests.Client"),
        (coroutine, "one of function"),
        (with_argument, "one of function"),
    ],
)
def test_anything_else_is_refused_by_its_class_without_its_text(given: Any, found: str) -> None:
    with pytest.raises(TypeError) as caught:
        client_getter(given, Client, dict, by="check")
    expected = "check: expected tests.Client or dict, or a plain function without arguments that returns one"
    assert str(caught.value) == f"{expected}, not {found}"


@pytest.mark.parametrize(
    ("check", "make", "expected"),
    [
        (redis_client, redis.Redis, "redis.asyncio.client.Redis"),
        (valkey_client, valkey.Valkey, "valkey.asyncio.client.Valkey"),
        (grpc_peer, lambda: grpc.insecure_channel("127.0.0.1:1"), "grpc.aio._base_channel.Channel"),
    ],
    ids=["redis", "valkey", "grpc"],
)
def test_a_blocking_client_of_the_same_name_is_named_with_its_module(check: Any, make: Any, expected: str) -> None:
    with closing(make()) as plain:
        found = f"one of {type(plain).__module__}.{type(plain).__qualname__}"
        with pytest.raises(TypeError, match=f": expected {expected}, or a plain function .+, not {found}$"):
            check(plain)
        with pytest.raises(TypeError, match=f": the function returned {found}, expected {expected}$"):
            anyio.run(check(lambda: plain))


@pytest.mark.parametrize(
    ("check", "plain", "expected"),
    [
        (redis_cluster, redis.RedisCluster, "redis.asyncio.cluster.RedisCluster"),
        (valkey_cluster, valkey.ValkeyCluster, "valkey.asyncio.cluster.ValkeyCluster"),
    ],
)
def test_the_class_of_a_blocking_client_is_named_with_its_module(check: Any, plain: type, expected: str) -> None:
    found = f"the class {plain.__module__}.{plain.__qualname__}"
    with pytest.raises(TypeError, match=f": expected {expected}, or a plain function .+, not {found}$"):
        check(plain)


def test_none_is_a_client_that_does_not_exist_yet() -> None:
    with pytest.raises(ClientError, match=r"^there is no client yet"):
        client_getter(lambda: None, Client, by="check")()


def test_another_kind_of_client_from_the_function_fails_the_run() -> None:
    function: Any = partial(OfAnother)
    get: Callable[[], object] = client_getter(function, Client, by="check")
    with pytest.raises(
        TypeError, match=r"^check: the function returned one of tests\.OfAnother, expected tests\.Client"
    ):
        get()


def test_a_coroutine_from_the_function_is_closed_and_refused() -> None:
    """Python does not warn that it was never awaited."""
    function: Any = partial(returns_a_coroutine)
    get: Callable[[], object] = client_getter(function, Client, by="check")
    with pytest.raises(TypeError, match="the function returned one of coroutine"):
        get()
