"""Which queues the workers of a Celery app consume, as they answer to its remote control."""

from collections.abc import Iterable
from time import monotonic, time
from typing import Any, cast
from uuid import uuid4

from ...core.require import require_type
from .client import load


class ActiveQueues:
    """What workers have answered in the last `within` seconds, on a connection that is asked and drained by another.

    Each of `queues` is to be consumed by `at_least` so many of them. Without queues nothing is asked. Raises TypeError
    and ValueError for what cannot be names of queues.
    """

    def __init__(self, queues: Iterable[str], at_least: int, within: float) -> None:
        self._wanted = _names_of(queues)
        self._at_least = at_least
        self._within = within
        self._answers: dict[str, tuple[float, frozenset[str]]] = {}
        """By worker: when it was asked, and the queues that it consumes."""
        self._reply_to = {"exchange": "", "routing_key": ""}

    def begin(self, connection: Any, mailbox: Any) -> None:
        """Hear answers on a new connection; `mailbox` is that of the app's remote control."""
        if not self._wanted:
            return
        kombu = load("kombu", extra="celery")
        redis = connection.transport.driver_type == "redis"
        # At Redis by the name of the queue alone: a binding would be written down, and stay.
        exchange = kombu.Exchange("") if redis else mailbox.reply_exchange
        name = f"{uuid4().hex}.{mailbox.reply_exchange.name}"
        self._reply_to = {"exchange": exchange.name, "routing_key": name}
        queue = kombu.Queue(
            name, exchange=exchange, routing_key=name, exclusive=not redis, durable=False, message_ttl=self._within
        )
        # On a channel of its own: one of Redis can do nothing else while it waits.
        channel = connection.channel()
        accept = {*mailbox.accept, "json"}
        connection.Consumer(queue, channel=channel, callbacks=[self._hear], no_ack=True, accept=accept).consume()

    def ask(self, connection: Any, mailbox: Any) -> None:
        """Ask all workers, whose answers will come."""
        if not self._wanted:
            return
        to_all = dict.fromkeys(("destination", "pattern", "matcher"))
        ticket = str(monotonic())
        connection.Producer(auto_declare=False).publish(
            {"method": "active_queues", "arguments": {}, **to_all, "ticket": ticket, "reply_to": self._reply_to},
            exchange=mailbox.exchange,
            routing_key="",
            declare=[mailbox.exchange],
            headers={"clock": 0, "expires": time() + self._within},
            serializer=mailbox.serializer,
        )

    def forget(self, worker: str) -> None:
        """Leave out a worker that has ended."""
        self._answers.pop(worker, None)

    def shortage(self) -> str:
        """Return which queue too few workers consume, in words; or nothing."""
        for name, (asked, _) in list(self._answers.items()):
            if monotonic() - asked >= self._within:
                self.forget(name)
        for queue in self._wanted:
            count = sum(queue in consumed for _, consumed in self._answers.values())
            if count < self._at_least:
                message = f"queue {queue!r} is consumed by {count} of the {len(self._answers)} workers that answered"
                return f"{message}, expected at least {self._at_least}"
        return ""

    def _hear(self, body: dict[str, Any], message: Any) -> None:
        asked = float(message.headers["ticket"])
        for name, consumed in body.items():
            if isinstance(consumed, list):  # else it is an error
                queues = cast("list[dict[str, Any]]", consumed)
                self._answers[name] = asked, frozenset(queue["name"] for queue in queues)


def _names_of(queues: Iterable[str]) -> tuple[str, ...]:
    if isinstance(queues, str):
        raise TypeError(f"celery_workers: queues must be names of queues, as [{queues!r}], not a single string")
    names = tuple(queues)
    for name in names:
        require_type("celery_workers: the name of a queue", name, str)
        if not name:
            raise ValueError("celery_workers: the name of a queue must not be empty")
    return names
