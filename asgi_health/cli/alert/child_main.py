"""The main program of the child process: find the targets, and send a test message to each of them.

Its own message is ``rows``, what has become of each; `child_frame` sends the others.
"""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from threading import Thread
from typing import Any

from asgi_health import Health
from asgi_health.integrations.alerts import Alerts, DeliveryError, Message, Rejected, Target
from asgi_health.integrations.alerts.delivery import TIMEOUT, reason_of
from asgi_health.integrations.alerts.render import Sender, render_test

from ...formats.redact import redact
from ..check.check_error import CheckError
from ..check.child_frame import run_in_frame
from ..check.find_health import find_middlewares, require_app, suggest_health
from ..check.load_app import load_app
from ..check.message_writer import MessageWriter
from .table import Row

SPARE = 1.0
"""Seconds after its timeout for which a target may still return."""

REFUSED = "compare the URL, its credentials and the headers with what the receiver expects"
NOT_ACCEPTED = "is the URL right, and does this machine reach the receiver?"
NOT_RETURNED = "the target ignores its timeout, and would get no other message meanwhile"
CRASHED = "that is an error in the code of the target"


def start(arguments: str) -> None:
    """Run in the child process that has just been started; `arguments` is JSON from the parent."""
    run_in_frame(arguments, main)


def main(messages: MessageWriter, options: dict[str, Any]) -> None:
    """Send a test message to each target, all at the same time, and report what has become of them."""
    end = time.monotonic() + options["seconds"]
    if options["app"] is None:
        found = [_alerts_of_urls(options["urls"])]
    else:
        found = _alerts_of_app(messages, *options["app"])
    messages.begin("sending the test messages")
    sends = [
        _Send(name, target, _message(alerts, options["text"])) for alerts in found for name, target in alerts.targets
    ]
    timeout = max(0.1, min(TIMEOUT, end - time.monotonic() - SPARE))
    for each in sends:
        each.start(timeout)
    rows = [asdict(each.row(timeout)) for each in sends]
    messages.write(rows=rows)
    messages.write(done=True)


def _alerts_of_urls(urls: Sequence[str]) -> Alerts:
    try:
        return Alerts(urls)
    except (ValueError, ModuleNotFoundError) as error:
        raise CheckError(str(error)) from None


def _alerts_of_app(messages: MessageWriter, module: str, attribute: str) -> list[Alerts]:
    """Return each Alerts among the integrations of the app, or the one that is named itself."""
    name = f"{module}:{attribute}"
    messages.begin(f"importing {module}")
    app = load_app(module, attribute)
    if isinstance(app, Alerts):
        return [app]
    if isinstance(app, Health):
        raise CheckError(f"{name} is a Health, which holds no alerts; name the app, or the Alerts")
    require_app(app, name)
    middlewares = find_middlewares(app, name)
    if not middlewares:
        raise CheckError(f"{name} has no HealthMiddleware, neither around it nor inside it{suggest_health(app)}")
    found: list[Alerts] = []
    for integration in (each for middleware in middlewares for each in middleware.integrations):
        if isinstance(integration, Alerts) and integration not in found:
            found.append(integration)
    if not found:
        raise CheckError(
            f"{name} has no Alerts; expected HealthMiddleware(..., integrations=[Alerts([...])]),"
            " or the name of the Alerts itself"
        )
    return found


def _message(alerts: Alerts, text: str) -> Message:
    sender = Sender.of(alerts.service, socket.gethostname(), os.getpid())
    message = render_test(sender, id=uuid.uuid4().hex, wall=time.time())
    return replace(message, text=f"{redact(text)}\n\nSent by asgi-health: {sender}.") if text else message


class _Send:
    """Sends one message in a thread of its own, which is left behind when it hangs."""

    def __init__(self, name: str, target: Target, message: Message) -> None:
        self._name = name
        self._target = target
        self._message = message
        self._row: Row | None = None

    def start(self, timeout: float) -> None:
        """Begin."""
        self._began = time.monotonic()
        self._thread = Thread(target=self._run, args=(timeout,), name=f"asgi-health test of {self._name}", daemon=True)
        self._thread.start()

    def row(self, timeout: float) -> Row:
        """Wait for the end, and return what has become of the message."""
        self._thread.join(max(0.0, self._began + timeout + SPARE - time.monotonic()))
        late = Row(self._name, False, self._milliseconds(), f"it has not returned within {timeout:g} s", NOT_RETURNED)
        return self._row or late

    def _run(self, timeout: float) -> None:
        try:
            self._target.send(self._message, timeout)
        except BaseException as error:
            advice = REFUSED if isinstance(error, Rejected) else NOT_ACCEPTED
            if not isinstance(error, DeliveryError):
                advice = CRASHED
            self._row = Row(self._name, False, self._milliseconds(), reason_of(error), advice)
        else:
            self._row = Row(self._name, True, self._milliseconds())

    def _milliseconds(self) -> float:
        return 1000 * (time.monotonic() - self._began)
