"""Celery, by its app: the broker of the tasks, and the heartbeats of the workers."""

from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import Any, Protocol
from uuid import uuid4

from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.celery_queues import ActiveQueues
from ._support.client import ClientOrFactory, PlainCheck, client_getter, load
from ._support.kombu import Kept
from ._support.pool import Usage, answered, usage_of

MOMENT = 0.001
"""Seconds in which what has already come is read. With none at all, a driver would spin on half a frame."""


class Celery(Protocol):
    """What is used of celery.Celery, which comes without types."""

    conf: Any
    control: Any
    pool: Any

    def connection_for_read(self, *, connect_timeout: float, heartbeat: int) -> Any: ...

    def connection_for_write(self, *, connect_timeout: float, heartbeat: int) -> Any: ...


@catalogued(
    technology="Celery",
    extra="celery",
    asked="RabbitMQ: to open and to close a channel; Redis: `PING`. On a connection of the check's own, beside the "
    "app's pool, which is kept from run to run. An alarm of RabbitMQ for memory or disk, which stops publishers alone, "
    "is not seen",
    costs="RabbitMQ: two round trips; Redis: one",
    privileges="RabbitMQ: access to the virtual host; Redis: `+ping`, and `+select` where it is not database 0",
)
def celery_broker(app: ClientOrFactory[Celery], *, patience: float = 1.5) -> PlainCheck:
    """Return a check that the broker of a Celery app answers.

    Whether it takes tasks is not asked, for that would be to write: RabbitMQ that is short of memory or disk answers
    as ever, and stops the publishers alone.

    A plain function, which no deadline ends: its thread gives up after `patience` seconds without a byte from the
    broker. A connection on which a run failed is thrown away; one that had died since it was used last is replaced at
    once. Tested with RabbitMQ and with Redis; on another transport it opens and closes a channel, with no bound but
    what the transport brings. Raises ModuleNotFoundError without celery, TypeError for another kind of client.
    """
    get = client_getter(app, load("celery", extra="celery").Celery, by="celery_broker")
    kept = Kept(patience)

    def ask() -> Result:
        app = get()
        pool = app.pool
        # Private: nothing else tells who has one.
        usage = usage_of(lambda: Usage(len(pool._dirty), pool.limit) if pool.limit else None)
        return kept.answer(app.connection_for_write, lambda _: answered(usage))

    return ask


@catalogued(
    technology="Celery worker",
    extra="celery",
    asked="to hear the heartbeats of the workers, on a connection of the check's own that is kept from run to run. It "
    "does write: RabbitMQ: an exclusive queue bound to the exchange `celeryev` (which it declares, as every worker "
    "does), gone with the connection; Redis: one member of the set `_kombu.binding.celeryev`, the same from all "
    "processes, which stays. `queues`: also `active_queues` of all workers, by their remote control: a message that is "
    "published at each run, and a queue for the answers (Redis: a list, which stays where an answer comes to a process "
    "that has ended)",
    costs="RabbitMQ: two round trips; Redis: one, and three connections. One message per heartbeat of each worker. "
    "`queues`: two messages more per run and worker, and at Redis two connections more",
    privileges="RabbitMQ: to configure, to write and to read `celeryev.*`, and for `queues` `*.pidbox`; Redis: what "
    "Celery itself needs",
)
def celery_workers(
    app: ClientOrFactory[Celery],
    *,
    at_least: int = 1,
    queues: Iterable[str] = (),
    within: float = 10.0,
    patience: float = 1.5,
) -> PlainCheck:
    """Return a check that `at_least` so many workers of a Celery app sent a heartbeat `within` so many seconds.

    It listens all the time, so a run takes what has come since the last one, and waits only while that is not enough:
    until `patience` seconds after its begin. `within` must be more than the ``--heartbeat-interval`` of the workers,
    which is 2 s, and more than that by what the clocks differ: the age of a heartbeat is what lies between the clock of
    its worker and the clock here. A worker that ends as it should says so, and counts no more; one that was killed is
    told at the first run that is `within` seconds after its last heartbeat.

    A heartbeat says that a worker is alive, not what it works on: one that was started for other queues, or consumes
    one no more (``cancel_consumer``), sends them as ever. With `queues` the workers are asked at each run which queues
    they consume, and each of those named must be consumed by `at_least` so many that were asked and answered `within`
    so many seconds. Workers without remote control never answer; one whose pool is ``solo`` does not while it has a
    task, so `within` must be more than the longest of them takes.

    Neither tells whether a worker gets on: one with a task that hangs sends its heartbeats, and consumes its queues.

    Until the check has listened for so long, fewer workers than wanted are a failure too, and its message says how
    short a time that is. A lost connection is made anew, and the workers heard before still count.

    It takes no task or event from anybody. A plain function, which no deadline ends: it gives up on a silent broker as
    `celery_broker` does. Raises ModuleNotFoundError without celery, TypeError for another kind of client or queue,
    ValueError for `at_least` below 1 or an empty name.
    """
    get = client_getter(app, load("celery", extra="celery").Celery, by="celery_workers")
    events, kombu = load("celery.events.event", extra="celery"), load("kombu", extra="celery")
    if at_least < 1:
        raise ValueError(f"celery_workers: at_least must be 1 or more, not {at_least}")
    active = ActiveQueues(queues, at_least, within)
    heard: dict[str, float] = {}
    began = 0.0

    def hear(event: dict[str, Any], message: object) -> None:
        if event["type"] == "worker-offline":
            heard.pop(event["hostname"], None)
            active.forget(event["hostname"])
        else:
            age = max(0.0, time() - event["timestamp"])  # it may have lain on the line since the last run
            heard[event["hostname"]] = monotonic() - age

    def begin(connection: Any) -> None:
        nonlocal began
        conf = get().conf
        # At Redis there are no queues to fill; their names are written down, and not forgotten when a process dies.
        redis = connection.transport.driver_type == "redis"
        name = "asgi-health" if redis else uuid4().hex
        queue = kombu.Queue(
            f"{conf.event_queue_prefix}.{name}",
            exchange=events.get_exchange(connection, name=conf.event_exchange),
            routing_key="worker.#",
            exclusive=not redis,
            durable=False,
            message_ttl=within,  # so that the queue of a check that is not run any more does not grow
        )
        accept = {conf.event_serializer, "json"}
        connection.Consumer(queue, callbacks=[hear], no_ack=True, accept=accept).consume()
        active.begin(connection, get().control.mailbox)
        began = monotonic()

    kept = Kept(patience, begin)

    def alive() -> int:
        for name, at in list(heard.items()):
            if monotonic() - at >= within:
                heard.pop(name, None)
        return len(heard)

    def listen_on(connection: Any, end: float) -> None:
        active.ask(connection, get().control.mailbox)
        _hear(connection, lambda: alive() >= at_least and not active.shortage(), end)

    def listen() -> Result:
        end = monotonic() + patience
        kept.answer(get().connection_for_read, lambda connection: listen_on(connection, end))
        count, reason = alive(), active.shortage()
        if count >= at_least:
            return unhealthy(reason) if reason else healthy()
        listened = monotonic() - began
        if listened < within:
            since = f"in the {listened:.1f} s since it began to listen"
            return unhealthy(f"heard {count} of {at_least} workers {since}")
        kept.throw_away()  # or a line that has died without a word would be listened to for ever
        return unhealthy(f"heard {count} of {at_least} workers within {within:g} s")

    return listen


def _hear(connection: Any, enough: Callable[[], bool], end: float) -> None:
    """Take all that has come; while that is not enough, wait for more until `end`."""
    while (left := end - monotonic()) > 0:
        try:
            connection.drain_events(timeout=min(left, MOMENT) if enough() else left)
        except TimeoutError:
            return
