"""What delivers messages to one receiver."""

from typing import Protocol

from .message import Message


class Target(Protocol):
    """A receiver of messages, such as a Webhook. Applications may write their own.

    Attributes:
        name: Names the target in logs and counters. It holds no secret: the host of a URL, not its path.
    """

    @property
    def name(self) -> str:
        """The name."""
        ...

    def send(self, message: Message, /, timeout: float) -> None:
        """Deliver `message`, and return when the receiver has accepted it.

        It is called in a thread of its own for this target, one call at a time, and may block there. After a failure
        it is called again later, with a message that has the news of the meantime too.

        Args:
            message: The message.
            timeout: Seconds within which the call must have returned or raised.

        Raises:
            Rejected: if the receiver has refused it and would refuse it again. It is not tried again.
            DeliveryError: if the receiver has not accepted it. Any other exception counts as a failure too.
        """
        ...


class DeliveryError(Exception):
    """A receiver has not accepted a message.

    Args:
        reason: Why, in a few words without credentials: it is logged, and shown in the statistics.
        retry_after: Seconds for which the receiver asks not to be tried again; None where it does not say.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Rejected(DeliveryError):
    """A receiver has refused a message, and would refuse it again: another attempt with it makes no sense.

    Args:
        reason: Why, as in DeliveryError.
        retry_after: Seconds for which the next message waits; None where the receiver does not say.
    """
