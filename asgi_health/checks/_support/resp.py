"""The checks of Redis, Valkey and ARQ. valkey-py is a fork of redis-py: both speak RESP, by the same classes."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ...core.result import Result, degraded, unhealthy
from ...core.status import Status
from .catalogue import Facts
from .client import AsyncCheck, ClientError, client_getter, load
from .pool import Usage, answered, exhausted, usage_of

CLUSTER_INFO = "CLUSTER", "INFO"
PING = ("PING",)
INFO = ("INFO",)
"""All default sections, about 5 kB: releases before 7 accept one section or all."""

REPLICA = "slave"

CLIENT = Facts(
    asked="`PING` on a connection of the pool; while the pool is exhausted, on an extra one. `writable`: `INFO` "
    "instead",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed. Where a Sentinel names "
    "the master: two round trips to the Sentinel for each connection that is opened",
    privileges="`+ping` (`writable`: `+info`), and what the client needs to connect (`+select`, `+client|setname`); of "
    "a Sentinel `+ping` and `+sentinel|masters`",
)
CLUSTER = Facts(
    asked="`CLUSTER INFO` of one node: `cluster_state:ok`. After a node that refuses, the next is asked; after a "
    "silent one, at the next run. `writable`: at the same time `INFO` of each primary",
    costs="one round trip to one node, with `writable` to each primary. While the pool is exhausted, and before the "
    "client is used: one connection more, opened and closed",
    privileges="`+cluster|info`, and for `writable` `+info`",
)


class AnswerError(Exception):
    """The server answered something unexpected."""


def client_check(driver: str, kind: str, client: Any, *, writable: bool, by: str) -> AsyncCheck:
    """Return a check that sends PING on a connection of the client's pool, or asks whether the server takes writes."""
    sender = Sender(driver)
    get = client_getter(client, sender.client_class(kind), by=by)

    async def check() -> Result:
        return await ask_client(sender, get(), writable=writable)

    return check


async def ask_client(sender: "Sender", client: Any, *, writable: bool) -> Result:
    """Return what the server of `client` answers, on a connection of its pool."""
    usage = pool_usage(client.connection_pool)
    if not writable:
        await sender.ask_pool(client.connection_pool, *PING)
        return answered(usage)
    info = parse_info(await sender.ask_pool(client.connection_pool, *INFO))
    data = usage.data if usage else {}
    if refusal := refusal_of(info):
        return unhealthy(f"the server takes no writes: {refusal}", data=data)
    if info.get("rdb_last_bgsave_status") == "err":
        message = "its last snapshot failed, and unless stop-writes-on-bgsave-error is no it takes no writes"
        return degraded(message, data=data)
    return answered(usage)


def parse_info(answer: bytes) -> dict[str, str]:
    """Return the fields of INFO or CLUSTER INFO."""
    return dict(line.split(":", 1) for line in answer.decode(errors="replace").splitlines() if ":" in line)


def refusal_of(info: Mapping[str, str]) -> str:
    """Return why the server with this INFO takes no writes; empty where it does."""
    if (role := info.get("role")) != "master":
        return f"its role is {role}, expected master"
    if info.get("aof_enabled") == "1" and info.get("aof_last_write_status") == "err":
        return "it could not write to its append-only file (aof_last_write_status)"
    if info.get("min_slaves_good_slaves") == "0":  # the field exists only where min-replicas-to-write is set
        return "it has none of the replicas that min-replicas-to-write requires"
    missing = [name for name in ("used_memory", "maxmemory", "maxmemory_policy") if name not in info]
    if missing:
        raise AnswerError(f"INFO was answered without {missing[0]}, by which it is known whether the server is full")
    limit = int(info["maxmemory"])
    used = int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0))
    if limit and used > limit and not _can_evict(info):
        return f"{used} of {limit} bytes of maxmemory are used, and {info['maxmemory_policy']} has nothing to evict"
    return ""


def _can_evict(info: Mapping[str, str]) -> bool:
    """Return whether there is a key that the policy may evict."""
    policy = info["maxmemory_policy"]
    counted = "expires" if policy.startswith("volatile-") else "keys"
    databases = [value for name, value in info.items() if name.startswith("db") and name[2:].isdecimal()]
    keys = (dict(each.split("=", 1) for each in value.split(",")) for value in databases)
    return policy != "noeviction" and any(int(each.get(counted, 0)) for each in keys)


def cluster_check(driver: str, kind: str, client: Any, *, writable: bool, by: str) -> AsyncCheck:
    """Return a check that asks one node for CLUSTER INFO, and the next one where the connection fails.

    With `writable` each primary is asked for INFO at the same time.
    """
    sender = Sender(driver)
    get = client_getter(client, sender.client_class(kind), by=by)
    first = 0  # the index of the node that is asked first: after a silent one, the next run asks another

    async def check() -> Result:
        cluster = get()
        if getattr(cluster, "_closed", False):
            raise ClientError("the client is closed")
        primaries: list[Any] = cluster.get_primaries() if writable else []
        state, *others = await asyncio.gather(
            ask_for_state(cluster),
            *(_ask_node(sender, node, *INFO) for node in primaries),
            return_exceptions=True,
        )
        if isinstance(state, BaseException):
            raise state
        result = _result_of_state(*state)
        if result.status is Status.UNHEALTHY or not writable:
            return result
        return _result_of_primaries(primaries, others, sender.unreachable) or result

    async def ask_for_state(cluster: Any) -> tuple[bytes, Usage]:
        nonlocal first
        nodes = cluster.get_nodes()
        # A client that was not used yet closes no connection when it is closed, so none may be left in it.
        ask = _ask_node if nodes else _ask_on_extra_connection
        nodes = nodes or list(cluster.nodes_manager.startup_nodes.values())
        reason: Exception = ClientError("the client knows no node")
        for _ in nodes:
            try:
                return await ask(sender, nodes[first % len(nodes)], *CLUSTER_INFO)
            except sender.unreachable as error:
                first += 1
                reason = error
            except BaseException:
                first += 1
                raise
        raise reason

    return check


def _result_of_primaries(
    primaries: list[Any], answers: list[Any], unreachable: tuple[type[Exception], ...]
) -> Result | None:
    """Return why a cluster whose state is ok takes no writes, by the answers of its primaries; None where it does.

    A primary that cannot be reached is ignored: the other nodes replace it, or the state of the cluster fails.
    """
    unknown = "" if primaries else "the client was not used yet, and knows no primary that could be asked"
    for node, answer in zip(primaries, answers, strict=True):
        if isinstance(answer, unreachable):
            continue
        if isinstance(answer, BaseException):
            raise answer
        info = parse_info(answer[0])
        if info.get("role") == REPLICA:
            unknown = f"{node.host}:{node.port} is no primary any more, and the client has not learnt which one is"
        elif refusal := refusal_of(info):
            return unhealthy(f"{node.host}:{node.port} takes no writes: {refusal}")
    return degraded(unknown) if unknown else None


async def _ask_node(sender: "Sender", node: Any, *command: str) -> tuple[bytes, Usage]:
    usage = _node_usage(node)
    if usage.exhausted:
        return await _ask_on_extra_connection(sender, node, *command)
    # Not by execute_command() of the node: that of valkey-py leaks a connection that cannot connect.
    connection = node.acquire_connection()
    try:
        return await sender.ask(connection, *command), usage
    finally:
        getattr(node, "release", node._free.append)(connection)


async def _ask_on_extra_connection(sender: "Sender", node: Any, *command: str) -> tuple[bytes, Usage]:
    usage = _node_usage(node)
    connection = node.connection_class(**node.connection_kwargs)
    try:
        return await sender.ask(connection, *command), usage
    finally:
        await connection.disconnect(nowait=True)


def _node_usage(node: Any) -> Usage:
    return Usage(len(node._connections) - len(node._free), node.max_connections)


def _result_of_state(answer: bytes, usage: Usage) -> Result:
    info = parse_info(answer)
    if (state := info.get("cluster_state")) != "ok":
        slots = f"{info.get('cluster_slots_ok')} of 16384 slots are served"
        return unhealthy(f"cluster_state is {state}, expected ok: {slots}", data=usage.data)
    return usage.answered()


def pool_usage(pool: Any) -> Usage | None:
    return usage_of(lambda: Usage(len(pool._in_use_connections), pool.max_connections))


class Sender:
    """Sends commands without the retries of the client, which would hide the reason until the deadline."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        load(driver, extra=driver)
        errors = load(f"{driver}.exceptions", extra=driver)
        self.unreachable: tuple[type[Exception], ...] = (errors.ConnectionError, errors.TimeoutError)
        self._stale: tuple[type[Exception], ...] = (AnswerError, *self.unreachable)
        self._no_master: type[Exception] = load(f"{driver}.asyncio.sentinel", extra=driver).MasterNotFoundError
        retry = load(f"{driver}.asyncio.retry", extra=driver).Retry
        self._no_retry = retry(load(f"{driver}.backoff", extra=driver).NoBackoff(), 0)

    def client_class(self, name: str) -> type:
        """Return the class of the asyncio clients with that name."""
        kind: type = getattr(load(f"{self._driver}.asyncio", extra=self._driver), name)
        return kind

    async def ask_pool(self, pool: Any, *command: str) -> Any:
        """Return the answer, on a connection of `pool`; while the pool is exhausted, on an extra connection."""
        is_extra = exhausted(pool_usage(pool))
        connection = pool.make_connection() if is_extra else pool.get_available_connection()
        try:
            return await self.ask(connection, *command, sentinel=getattr(pool, "sentinel_manager", None))
        finally:
            await (connection.disconnect(nowait=True) if is_extra else pool.release(connection))

    async def ask(self, connection: Any, *command: str, sentinel: Any = None) -> Any:
        """Return the answer. Where the connection was open and fails, open it again and ask once more.

        A connection that was used before may be dead, or hold an answer that was never read. A connection that failed
        is closed.
        """
        if connection.is_connected and connection._writer.is_closing():
            # Nothing may be written to it: uvloop raises RuntimeError. asyncio (Python 3.12.1 and 3.13.0 among others)
            # registers its file descriptor, and then gets no events of the next connection with the same descriptor.
            await connection.disconnect(nowait=True)
        if connection.is_connected:
            try:
                answer = await self._ask(connection, *command)
            except self._stale:
                pass
            else:
                if sentinel is None or command != INFO or parse_info(answer).get("role") != REPLICA:
                    return answer
                # The server is no longer the master. The client, too, reconnects when a write is refused.
                await connection.disconnect(nowait=True)
        if sentinel is not None:
            await self._find(sentinel)
        try:
            return await self._ask(connection, *command)
        except self._no_master:
            # The text of the error shows how the client logs in.
            raise AnswerError("no Sentinel knows a master of that name which is up") from None

    async def _find(self, sentinel: Any) -> None:
        """Return when a Sentinel answers, on the connection on which the client will ask it for the master.

        The client itself would retry without end, and hide the reason.
        """
        reason: Exception = ClientError("the client knows no Sentinel")
        for client in sentinel.sentinels:
            try:
                await self.ask_pool(client.connection_pool, "PING")
                return
            except self.unreachable as error:
                reason = error
        raise reason

    async def _ask(self, connection: Any, *command: str) -> Any:
        retry = connection.retry
        connection.retry = self._no_retry
        try:
            await connection.connect()
            await connection.send_command(*command)
            answer = await connection.read_response(disable_decoding=True)
            if command == PING and answer != b"PONG":
                raise AnswerError(f"PING was answered by {answer[:40]!r}, expected b'PONG'")
            return answer
        except BaseException:
            # Otherwise a connection that was cancelled between connecting and logging in would return to the pool.
            await connection.disconnect(nowait=True)
            raise
        finally:
            connection.retry = retry
