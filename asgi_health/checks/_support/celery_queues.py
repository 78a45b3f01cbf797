"""Which queues the workers of a Celery app consume, by their answers to its remote control."""

from collections.abc import Iterable
from time import monotonic, time
from typing import Any, cast
from uuid import uuid4

from .arguments import require_names
from .client import load


class ActiveQueues:
    """The answers of the workers in the last `max_age` seconds.

    They arrive on the connection of the caller, who drains it. Without queues nothing is asked.
    """

    def __init__(self, queues: Iterable[str], min_workers: int, max_age: float) -> None:
        """Raises TypeError and ValueError where `queues` are not names.

        Args:
            queues: Each of them must be consumed.
            min_workers: The number of workers that must consume each queue.
            max_age: Seconds from the request after which its answer no longer counts.
        """
        self._queues = require_names("celery_workers", "queues", queues)
        self._min_workers = min_workers
        self._max_age = max_age
        self._answers: dict[str, tuple[float, frozenset[str]]] = {}
        """By worker: the time of the request, and the queues that the worker consumes."""
        self._reply_to = {"exchange": "", "routing_key": ""}

    def receive_on(self, connection: Any, mailbox: Any) -> None:
        """Receive answers on a new connection. `mailbox` is that of the app's remote control."""
        if not self._queues:
            return
        kombu = load("kombu", extra="celery")
        redis = connection.transport.driver_type == "redis"
        # On Redis the name of the queue is the address. A binding would be stored there, and stay.
        exchange = kombu.Exchange("") if redis else mailbox.reply_exchange
        name = f"{uuid4().hex}.{mailbox.reply_exchange.name}"
        self._reply_to = {"exchange": exchange.name, "routing_key": name}
        queue = kombu.Queue(
            name, exchange=exchange, routing_key=name, exclusive=not redis, durable=False, message_ttl=self._max_age
        )
        # On a channel of its own: a channel of Redis that waits can do nothing else.
        channel = connection.channel()
        accept = {*mailbox.accept, "json"}
        connection.Consumer(queue, channel=channel, callbacks=[self._receive], no_ack=True, accept=accept).consume()

    def request(self, connection: Any, mailbox: Any) -> None:
        """Ask all workers. Their answers arrive later."""
        if not self._queues:
            return
        to_all = dict.fromkeys(("destination", "pattern", "matcher"))
        ticket = str(monotonic())
        connection.Producer(auto_declare=False).publish(
            {"method": "active_queues", "arguments": {}, **to_all, "ticket": ticket, "reply_to": self._reply_to},
            exchange=mailbox.exchange,
            routing_key="",
            declare=[mailbox.exchange],
            headers={"clock": 0, "expires": time() + self._max_age},
            serializer=mailbox.serializer,
        )

    def discard(self, worker: str) -> None:
        """Discard the answer of a worker that has ended."""
        self._answers.pop(worker, None)

    def shortage(self) -> str:
        """Return the first queue that too few workers consume, as a message; empty where there is none."""
        for name, (asked_at, _) in list(self._answers.items()):
            if monotonic() - asked_at >= self._max_age:
                self.discard(name)
        for queue in self._queues:
            count = sum(queue in consumed for _, consumed in self._answers.values())
            if count < self._min_workers:
                message = f"queue {queue!r} is consumed by {count} of the {len(self._answers)} workers that answered"
                return f"{message}, expected at least {self._min_workers}"
        return ""

    def _receive(self, body: dict[str, Any], message: Any) -> None:
        asked_at = float(message.headers["ticket"])
        for name, consumed in body.items():
            if isinstance(consumed, list):  # otherwise it is an error
                queues = cast("list[dict[str, Any]]", consumed)
                self._answers[name] = asked_at, frozenset(queue["name"] for queue in queues)
