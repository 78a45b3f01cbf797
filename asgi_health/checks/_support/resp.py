"""What redis-py and valkey-py, which is a fork of it, have in common: they speak RESP, by the same classes."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ...core.result import Result, degraded, unhealthy
from ...core.status import Status
from .client import AsyncCheck, ClientError, client_getter, load
from .pool import Usage, answered, exhausted, usage_of

STATE = "CLUSTER", "INFO"
PING = ("PING",)
INFO = ("INFO",)
"""All of the default sections, some 5 kB: releases before 7 know one section or all."""

REPLICA = "slave"


class AnswerError(Exception):
    """The server answered something else than it should."""


def pinged(driver: str, kind: str, client: Any, *, writable: bool, by: str) -> AsyncCheck:
    """Return a check that sends PING on a connection of the client's pool, or asks whether the server takes writes."""
    asker = Asker(driver)
    get = client_getter(client, asker.kind(kind), by=by)

    async def ping() -> Result:
        return await ask_client(asker, get(), writable=writable)

    return ping


async def ask_client(asker: "Asker", client: Any, *, writable: bool) -> Result:
    """Return what the server behind a client answers, on a connection of its pool."""
    usage = pool_usage(client.connection_pool)
    if not writable:
        await asker.ask_pool(client.connection_pool, *PING)
        return answered(usage)
    info = parsed(await asker.ask_pool(client.connection_pool, *INFO))
    data = usage.data if usage else {}
    if refusal := refusal_of(info):
        return unhealthy(f"the server takes no writes: {refusal}", data=data)
    if info.get("rdb_last_bgsave_status") == "err":
        message = "its last snapshot failed, and unless stop-writes-on-bgsave-error is no it takes no writes"
        return degraded(message, data=data)
    return answered(usage)


def parsed(answer: bytes) -> dict[str, str]:
    """Return what INFO or CLUSTER INFO says, by name."""
    return dict(line.split(":", 1) for line in answer.decode(errors="replace").splitlines() if ":" in line)


def refusal_of(info: Mapping[str, str]) -> str:
    """Return why a server that says this of itself takes no writes; nothing if it does."""
    if (role := info.get("role")) != "master":
        return f"its role is {role}, expected master"
    if info.get("aof_enabled") == "1" and info.get("aof_last_write_status") == "err":
        return "it could not write to its append-only file (aof_last_write_status)"
    if info.get("min_slaves_good_slaves") == "0":  # said by a server alone that wants some
        return "it has none of the replicas that min-replicas-to-write wants"
    missing = [name for name in ("used_memory", "maxmemory", "maxmemory_policy") if name not in info]
    if missing:
        raise AnswerError(f"INFO was answered without {missing[0]}, by which it is known whether the server is full")
    limit = int(info["maxmemory"])
    used = int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0))
    if limit and used > limit and not _can_evict(info):
        return f"{used} of {limit} bytes of maxmemory are used, and {info['maxmemory_policy']} has nothing to evict"
    return ""


def _can_evict(info: Mapping[str, str]) -> bool:
    """Return whether the policy finds a key that it may throw away."""
    policy = info["maxmemory_policy"]
    counted = "expires" if policy.startswith("volatile-") else "keys"
    databases = [value for name, value in info.items() if name.startswith("db") and name[2:].isdecimal()]
    keys = (dict(each.split("=", 1) for each in value.split(",")) for value in databases)
    return policy != "noeviction" and any(int(each.get(counted, 0)) for each in keys)


def cluster_asked(driver: str, kind: str, client: Any, *, writable: bool, by: str) -> AsyncCheck:
    """Return a check that asks one node for CLUSTER INFO, and another one when that does not answer.

    With `writable` each primary is asked at the same time for INFO.
    """
    asker = Asker(driver)
    get = client_getter(client, asker.kind(kind), by=by)
    turn = 0  # whose it is to be asked first: not again his who was silent until the deadline

    async def ask() -> Result:
        cluster = get()
        if getattr(cluster, "_closed", False):
            raise ClientError("the client is closed")
        primaries: list[Any] = cluster.get_primaries() if writable else []
        state, *others = await asyncio.gather(
            ask_for_state(cluster),
            *(_ask_node(asker, node, *INFO) for node in primaries),
            return_exceptions=True,
        )
        if isinstance(state, BaseException):
            raise state
        result = _judged(*state)
        if result.status is Status.UNHEALTHY or not writable:
            return result
        return _of_primaries(primaries, others, asker.unreachable) or result

    async def ask_for_state(cluster: Any) -> tuple[bytes, Usage]:
        nonlocal turn
        nodes = cluster.get_nodes()
        # A client that was not used yet closes nothing at its end, so nothing is left open in it.
        ask = _ask_node if nodes else _ask_beside
        nodes = nodes or list(cluster.nodes_manager.startup_nodes.values())
        reason: Exception = ClientError("the client knows no node")
        for _ in nodes:
            try:
                return await ask(asker, nodes[turn % len(nodes)], *STATE)
            except asker.unreachable as error:
                turn += 1
                reason = error
            except BaseException:
                turn += 1
                raise
        raise reason

    return ask


def _of_primaries(primaries: list[Any], answers: list[Any], unreachable: tuple[type[Exception], ...]) -> Result | None:
    """Return what keeps a cluster that is ok from taking writes, as its primaries tell; None if nothing does.

    One that cannot be reached is left to the state of the cluster, whose other nodes replace it or take it for lost.
    """
    unknown = "" if primaries else "the client was not used yet, and knows no primary that could be asked"
    for node, answer in zip(primaries, answers, strict=True):
        if isinstance(answer, unreachable):
            continue
        if isinstance(answer, BaseException):
            raise answer
        info = parsed(answer[0])
        if info.get("role") == REPLICA:
            unknown = f"{node.host}:{node.port} is no primary any more, and the client has not learnt which one is"
        elif refusal := refusal_of(info):
            return unhealthy(f"{node.host}:{node.port} takes no writes: {refusal}")
    return degraded(unknown) if unknown else None


async def _ask_node(asker: "Asker", node: Any, *command: str) -> tuple[bytes, Usage]:
    usage = _usage(node)
    if usage.exhausted:
        return await _ask_beside(asker, node, *command)
    # Not by execute_command() of the node: that of valkey-py loses a connection when it cannot connect.
    connection = node.acquire_connection()
    try:
        return await asker.ask_twice(connection, *command), usage
    finally:
        getattr(node, "release", node._free.append)(connection)


async def _ask_beside(asker: "Asker", node: Any, *command: str) -> tuple[bytes, Usage]:
    usage = _usage(node)
    connection = node.connection_class(**node.connection_kwargs)
    try:
        return await asker.ask_twice(connection, *command), usage
    finally:
        await connection.disconnect(nowait=True)


def _usage(node: Any) -> Usage:
    return Usage(len(node._connections) - len(node._free), node.max_connections)


def _judged(answer: bytes, usage: Usage) -> Result:
    info = parsed(answer)
    if (state := info.get("cluster_state")) != "ok":
        slots = f"{info.get('cluster_slots_ok')} of 16384 slots are served"
        return unhealthy(f"cluster_state is {state}, expected ok: {slots}", data=usage.data)
    return usage.answered()


def pool_usage(pool: Any) -> Usage | None:
    return usage_of(lambda: Usage(len(pool._in_use_connections), pool.max_connections))


class Asker:
    """Asks on a connection, without the retries of its client: with them the deadline comes before the reason."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        load(driver, extra=driver)
        errors = load(f"{driver}.exceptions", extra=driver)
        self.unreachable: tuple[type[Exception], ...] = (errors.ConnectionError, errors.TimeoutError)
        self._stale: tuple[type[Exception], ...] = (AnswerError, *self.unreachable)
        self._no_master: type[Exception] = load(f"{driver}.asyncio.sentinel", extra=driver).MasterNotFoundError
        retry = load(f"{driver}.asyncio.retry", extra=driver).Retry
        self._never = retry(load(f"{driver}.backoff", extra=driver).NoBackoff(), 0)

    def kind(self, name: str) -> type:
        """Return the class of the clients."""
        kind: type = getattr(load(f"{self._driver}.asyncio", extra=self._driver), name)
        return kind

    async def ask_pool(self, pool: Any, *command: str) -> Any:
        """Return the answer on a connection of `pool`, or beside it when it is exhausted."""
        beside = exhausted(pool_usage(pool))
        connection = pool.make_connection() if beside else pool.get_available_connection()
        try:
            return await self.ask_twice(connection, *command, sentinel=getattr(pool, "sentinel_manager", None))
        finally:
            await (connection.disconnect(nowait=True) if beside else pool.release(connection))

    async def ask_twice(self, connection: Any, *command: str, sentinel: Any = None) -> Any:
        """Return the answer, or raise the reason why there is none.

        A connection that was used before may have died since, or hold an answer that nobody has read; it is opened
        again. One that failed is closed.
        """
        if connection.is_connected and connection._writer.is_closing():
            # Nothing may be written to it. uvloop raises RuntimeError. asyncio (Python 3.12.1 and 3.13.0 among others)
            # begins to watch its file descriptor, and then never hears of the next connection that gets the same one.
            await connection.disconnect(nowait=True)
        if connection.is_connected:
            try:
                answer = await self._ask(connection, *command)
            except self._stale:
                pass
            else:
                if sentinel is None or command != INFO or parsed(answer).get("role") != REPLICA:
                    return answer
                # It was the master's once: it is opened again, as by the client at its first write that is refused.
                await connection.disconnect(nowait=True)
        if sentinel is not None:
            await self._find(sentinel)
        try:
            return await self._ask(connection, *command)
        except self._no_master:
            # Its own text shows how the client logs in.
            raise AnswerError("no Sentinel knows a master of that name which is up") from None

    async def _find(self, sentinel: Any) -> None:
        """Return when one of its servers answers, on the connection on which it will be asked for the master.

        The client would try again and again, and keep the reason to itself.
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
        patient = connection.retry
        connection.retry = self._never
        try:
            await connection.connect()
            await connection.send_command(*command)
            answer = await connection.read_response(disable_decoding=True)
            if command == PING and answer != b"PONG":
                raise AnswerError(f"PING was answered by {answer[:40]!r}, expected b'PONG'")
            return answer
        except BaseException:
            # Without this, one that was cut off between connecting and logging in would go back as if it were good.
            await connection.disconnect(nowait=True)
            raise
        finally:
            connection.retry = patient
