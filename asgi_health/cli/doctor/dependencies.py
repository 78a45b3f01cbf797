"""Recognise checks that ask a dependency: something outside of the process that all instances share."""

import re
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from ...core.check import Check

_READY_MADE = "asgi_health.checks."
_LOCAL = ("heartbeat", "loop", "process", "threads")
"""The ready-made checks of the process itself."""

_DATABASES = (
    "aiomcache aiomysql aioredis aiosqlite asyncmy asyncpg beanie cassandra clickhouse_connect elasticsearch mysql"
    " neo4j opensearchpy oracledb peewee psycopg psycopg2 psycopg_pool pymemcache pymongo pymssql pymysql pyodbc redis"
    " sqlalchemy sqlite3 sqlmodel tortoise valkey motor"
)
_BROKERS = "aio_pika aiokafka aiomqtt arq celery confluent_kafka kafka kombu nats pika temporalio zmq"
_CLIENTS = "aiobotocore aioboto3 aiohttp aiosmtplib boto3 botocore grpc httpcore httpx minio requests smtplib urllib3"
_DRIVERS = frozenset(f"{_DATABASES} {_BROKERS} {_CLIENTS}".split())

_NAMES_OF_DATABASES = "cache database databases db elastic mariadb memcached mongo mongodb mysql postgres postgresql"
_NAMES = frozenset(f"{_NAMES_OF_DATABASES} broker kafka mqtt nats opensearch rabbitmq redis s3 smtp sqs valkey".split())
"""Words in the name of a check that say what it asks."""

_MAX_DEPTH = 3


def is_local(check: Check) -> bool:
    """Return whether it is a ready-made check of the process itself."""
    module = _module(check.run)
    return module.startswith(_READY_MADE) and module.removeprefix(_READY_MADE).partition(".")[0] in _LOCAL


def dependency_of(check: Check) -> str:
    """Return what a check asks outside of its process; empty where no driver and no name shows it."""
    module = _module(check.run)
    if module.startswith(_READY_MADE):
        name = module.removeprefix(_READY_MADE).partition(".")[0]
        return "" if name in _LOCAL else "a server" if name.startswith("_") else name
    driver = next(_drivers(check.run, module.partition(".")[0], _MAX_DEPTH, set()), "")
    return driver or next((word for word in re.split(r"[._-]", check.name) if word in _NAMES), "")


def _module(run: object) -> str:
    while isinstance(run, partial):
        run = run.func
    if isinstance(run, MethodType | FunctionType):
        return str(run.__module__)
    return type(run).__module__


def _drivers(value: Any, own: str, depth: int, seen: set[int]) -> Iterator[str]:
    """Yield the drivers that `value` is of or refers to. Nothing of the app is called.

    Only into functions of the package `own`: what a framework refers to says nothing of the check.
    """
    if depth < 0 or id(value) in seen:
        return
    seen.add(id(value))
    kinds = (value,) if isinstance(value, type) else type(value).__mro__
    roots = {_root(value.__name__)} if isinstance(value, ModuleType) else {_root(kind.__module__) for kind in kinds}
    if isinstance(value, FunctionType):
        roots.add(_root(value.__module__))
        if _root(value.__module__) != own:
            depth = 0
    yield from sorted(roots & _DRIVERS)
    for each in _references(value) if depth else ():
        yield from _drivers(each, own, depth - 1, seen)
    if isinstance(value, FunctionType) and depth:
        yield from sorted(_names(value.__code__) & _DRIVERS)  # an import in the function, or app.state.redis


def _root(module: object) -> str:
    return str(module).partition(".")[0]


def _references(value: Any) -> Iterator[Any]:
    if isinstance(value, partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, MethodType):
        yield value.__func__
        yield value.__self__
        yield from _attributes(value.__self__)
    elif isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # an empty one
                continue
        for name in sorted(_names(value.__code__)):
            if name in value.__globals__:
                yield value.__globals__[name]
    elif isinstance(getattr(cast("type[object]", type(value)), "__call__", None), FunctionType):  # noqa: B004
        yield type(value).__call__
        yield from _attributes(value)


def _attributes(value: object) -> list[Any]:
    try:
        return list(vars(value).values())
    except Exception:  # it has none, or is a proxy whose object cannot be read now
        return []


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))
