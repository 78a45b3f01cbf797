"""Targets that keep what they receive, and behave as receivers do: accept, refuse, hang."""

import threading
from collections.abc import Callable

from asgi_health.integrations.alerts import DeliveryError, Message
from tests.support.waiting import wait_until


class Receiver:
    """A target that keeps each message that it accepts."""

    def __init__(self, name: str = "receiver") -> None:
        self.name = name
        self.messages: list[Message] = []
        self.tries = 0
        self.fails: Callable[[], BaseException | None] = lambda: None
        """Returns the exception of the present try; None to accept."""

    def send(self, message: Message, /, timeout: float) -> None:
        assert 0 < timeout <= 10
        self.tries += 1
        error = self.fails()
        if error is not None:
            raise error
        self.messages.append(message)

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.messages]

    def wait_for(self, *kinds: str) -> None:
        """Return when the messages have these kinds."""
        wait_until(lambda: self.kinds == list(kinds), lambda: f"messages: {self.kinds}, expected {kinds}")


class Hanging(Receiver):
    """A receiver that answers nothing until `release` is set, and then accepts."""

    def __init__(self, name: str = "hanging") -> None:
        super().__init__(name)
        self.release = threading.Event()

    def send(self, message: Message, /, timeout: float) -> None:
        self.tries += 1
        self.release.wait(60)
        self.messages.append(message)


def unavailable() -> DeliveryError:
    return DeliveryError("HTTP 500")
