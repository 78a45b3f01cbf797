"""Celery, by its app: the broker of the tasks, and the heartbeats of the workers."""

from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import Any, Protocol
from uuid import uuid4

from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.celery_queues import ActiveQueues
from ._support.client import ClientOrFactory, PlainCheck, client_getter, load
from ._support.kombu import KeptConnection
from ._support.pool import Usage, answered, usage_of

DRAIN_TIMEOUT = 0.001
"""Seconds in which messages that have already arrived are read. With 0 a driver would spin on half a frame."""


class Celery(Protocol):
    """What is used of celery.Celery, which has no types."""

    conf: Any
    control: Any
    pool: Any

    def connection_for_read(self, *, connect_timeout: float, heartbeat: int) -> Any: ...

    def connection_for_write(self, *, connect_timeout: float, heartbeat: int) -> Any: ...


@catalogued(
    technology="Celery",
    extra="celery",
    asked="RabbitMQ: to open and close a channel; Redis: `PING`. On a connection of the check's own, outside the app's "
    "pool, which is kept from run to run. An alarm of RabbitMQ for memory or disk, which stops publishers alone, is "
    "not seen",
    costs="RabbitMQ: two round trips; Redis: one",
    privileges="RabbitMQ: access to the virtual host; Redis: `+ping`, and `+select` where it is not database 0",
)
def celery_broker(app: ClientOrFactory[Celery], *, timeout: float = 1.5) -> PlainCheck:
    """Return a check that the broker of a Celery app answers.

    It does not ask whether the broker takes tasks, because that would be to write: RabbitMQ that is short of memory or
    disk answers as always, and stops the publishers alone.

    It is a plain function, which no deadline ends. A connection on which a run failed is closed. A connection that was
    lost since the last run is replaced at once. Tested with RabbitMQ and with Redis. On another transport it opens and
    closes a channel, and only the transport bounds its waits.

    Args:
        app: The Celery app, or a function that returns it.
        timeout: Seconds without a byte from the broker after which the thread gives up. Choose less than the timeout of
            the Check, which does not end the thread.

    Raises:
        ModuleNotFoundError: celery is not installed.
        TypeError: `app` is another kind of client.
    """
    get = client_getter(app, load("celery", extra="celery").Celery, by="celery_broker")
    kept = KeptConnection(timeout)

    def check() -> Result:
        app = get()
        pool = app.pool
        # Private: kombu does not expose the connections that are in use.
        usage = usage_of(lambda: Usage(len(pool._dirty), pool.limit) if pool.limit else None)
        return kept.ask(app.connection_for_write, lambda _: answered(usage))

    return check


@catalogued(
    technology="Celery worker",
    extra="celery",
    asked="the heartbeats of the workers, received on a connection of the check's own that is kept from run to run. It "
    "does write: RabbitMQ: an exclusive queue bound to the exchange `celeryev` (which it declares, as every worker "
    "does), gone with the connection; Redis: one member of the set `_kombu.binding.celeryev`, the same from all "
    "processes, which stays. `queues`: also `active_queues` of all workers, by their remote control: a message that is "
    "published at each run, and a queue for the answers (Redis: a list, which stays where an answer arrives for a "
    "process that has ended)",
    costs="RabbitMQ: two round trips; Redis: one, and three connections. One message per heartbeat of each worker. "
    "`queues`: two messages more per run and worker, and at Redis two connections more",
    privileges="RabbitMQ: to configure, to write and to read `celeryev.*`, and for `queues` `*.pidbox`; Redis: what "
    "Celery itself needs",
)
def celery_workers(
    app: ClientOrFactory[Celery],
    *,
    min_workers: int = 1,
    queues: Iterable[str] = (),
    max_age: float = 10.0,
    timeout: float = 1.5,
) -> PlainCheck:
    """Return a check that at least `min_workers` workers of a Celery app are alive, by their heartbeats.

    The check receives heartbeats all the time, so a run reads what has arrived since the last one. It waits only while
    that is not enough, for `timeout` seconds at most. A worker that stops cleanly says so, and no longer counts. A
    worker that was killed is reported by the first run that begins `max_age` seconds after its last heartbeat.

    A heartbeat says that a worker is alive, not what it works on: a worker that was started for other queues, or has
    stopped consuming one (``cancel_consumer``), sends heartbeats as always. With `queues` each run asks the workers
    which queues they consume. Workers without remote control never answer. A worker whose pool is ``solo`` does not
    answer while it runs a task, so `max_age` must be more than its longest task takes.

    Neither shows whether a worker makes progress: one whose task hangs sends heartbeats, and consumes its queues.

    During the first `max_age` seconds too few workers are a failure too, and the message says how short the time was. A
    lost connection is opened again, and the workers heard before still count.

    The check takes no task, and no event from other listeners. It is a plain function, which no deadline ends: it gives
    up on a silent broker as `celery_broker` does.

    Args:
        app: The Celery app, or a function that returns it.
        min_workers: The fewest workers that must be alive, and that must consume each of `queues`.
        queues: The names of queues. Each must be consumed by `min_workers` workers.
        max_age: Seconds for which a heartbeat counts, and the answer of a worker about its queues. It must be more than
            the ``--heartbeat-interval`` of the workers, which is 2 s, and the difference of the clocks: a heartbeat has
            the time of its worker's clock.
        timeout: Seconds without a byte from the broker after which the thread gives up, and seconds that a run waits
            for missing heartbeats and answers. Choose less than the timeout of the Check.

    Raises:
        ModuleNotFoundError: celery is not installed.
        TypeError: `app` is another kind of client, or `queues` are not strings.
        ValueError: `min_workers` is below 1, or the name of a queue is empty.
    """
    get = client_getter(app, load("celery", extra="celery").Celery, by="celery_workers")
    events, kombu = load("celery.events.event", extra="celery"), load("kombu", extra="celery")
    if min_workers < 1:
        raise ValueError(f"celery_workers: min_workers must be 1 or more, not {min_workers}")
    active = ActiveQueues(queues, min_workers, max_age)
    last_heartbeats: dict[str, float] = {}
    began = 0.0

    def receive(event: dict[str, Any], message: object) -> None:
        if event["type"] == "worker-offline":
            last_heartbeats.pop(event["hostname"], None)
            active.discard(event["hostname"])
        else:
            age = max(0.0, time() - event["timestamp"])  # it may have waited in the socket since the last run
            last_heartbeats[event["hostname"]] = monotonic() - age

    def receive_on(connection: Any) -> None:
        nonlocal began
        conf = get().conf
        # Redis has no queue that could fill up. It stores the names, and keeps them when a process dies.
        redis = connection.transport.driver_type == "redis"
        name = "asgi-health" if redis else uuid4().hex
        queue = kombu.Queue(
            f"{conf.event_queue_prefix}.{name}",
            exchange=events.get_exchange(connection, name=conf.event_exchange),
            routing_key="worker.#",
            exclusive=not redis,
            durable=False,
            message_ttl=max_age,  # so that the queue of a check that no longer runs does not grow
        )
        accept = {conf.event_serializer, "json"}
        connection.Consumer(queue, callbacks=[receive], no_ack=True, accept=accept).consume()
        active.receive_on(connection, get().control.mailbox)
        began = monotonic()

    kept = KeptConnection(timeout, receive_on)

    def workers() -> int:
        for name, at in list(last_heartbeats.items()):
            if monotonic() - at >= max_age:
                last_heartbeats.pop(name, None)
        return len(last_heartbeats)

    def listen(connection: Any, end: float) -> None:
        active.request(connection, get().control.mailbox)
        _drain(connection, lambda: workers() >= min_workers and not active.shortage(), end)

    def check() -> Result:
        end = monotonic() + timeout
        kept.ask(get().connection_for_read, lambda connection: listen(connection, end))
        count, reason = workers(), active.shortage()
        if count >= min_workers:
            return unhealthy(reason) if reason else healthy()
        listened = monotonic() - began
        if listened < max_age:
            since = f"in the {listened:.1f} s since it began to listen"
            return unhealthy(f"heard {count} of {min_workers} workers {since}")
        kept.close()  # otherwise a connection that died silently would be listened to without end
        return unhealthy(f"heard {count} of {min_workers} workers within {max_age:g} s")

    return check


def _drain(connection: Any, enough: Callable[[], bool], end: float) -> None:
    """Process all messages that have arrived. While that is not enough, wait for more until `end` (monotonic)."""
    while (left := end - monotonic()) > 0:
        try:
            connection.drain_events(timeout=min(left, DRAIN_TIMEOUT) if enough() else left)
        except TimeoutError:
            return
