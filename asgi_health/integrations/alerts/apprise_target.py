"""A target for each of the services that Apprise knows: Slack, Teams, mail, PagerDuty, Telegram and more."""

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ...formats.redact import redact
from .. import not_installed
from .message import Kind, Message
from .target import DeliveryError

if TYPE_CHECKING:
    from apprise import Apprise

NOTIFY_TYPES: dict[Kind, str] = {
    "alert": "failure",
    "repeat": "failure",
    "flapping": "warning",
    "recovery": "success",
    "test": "info",
}
"""What Apprise calls the kind of a message: a colour, an icon or a priority, by service."""

_LOGGER = "apprise"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
_MIN_SECRET = 3
"""Characters. A shorter part of a URL is not masked in reasons, because it occurs in ordinary words."""


class AppriseTarget:
    """Deliver messages through Apprise.

    Args:
        url: The URL of one service, as https://github.com/caronc/apprise/wiki lists them.

    Raises:
        ValueError: for a URL that Apprise does not take. The error names the scheme, and not the URL, which holds
            secrets.
        ModuleNotFoundError: if Apprise is not installed.
    """

    def __init__(self, url: str) -> None:
        scheme = found[0].lower() if (found := _SCHEME.match(url.strip())) else ""
        self._secrets = _secrets(url)
        with _captured() as reasons:
            service = _service(url)
        if service is None:
            expected = "expected one URL of Apprise, such as slack://... or mailto://..."
            reason = self._masked(reasons)
            raise ValueError(f"alerts: {expected}; {scheme or 'a text without a scheme'}:// was not accepted: {reason}")
        self._service = service
        host = getattr(service[0], "host", None)
        self.name = f"{scheme}://{redact(str(host), 100)}" if host and scheme in _HOSTS else scheme

    def send(self, message: Message, /, timeout: float) -> None:
        """Deliver `message`. Raises DeliveryError with the reason that Apprise logs."""
        for each in self._service:
            # Apprise waits for as long as each of them takes. Those that the URL sets itself are shorter or longer.
            each.socket_connect_timeout = min(each.socket_connect_timeout, timeout / 2)
            each.socket_read_timeout = min(each.socket_read_timeout, timeout / 2)
        with _captured() as reasons:
            delivered = self._service.notify(
                body=message.text, title=message.title, notify_type=NOTIFY_TYPES[message.kind], body_format="text"
            )
        if not delivered:
            raise DeliveryError(self._masked(reasons))

    def _masked(self, reasons: list[str]) -> str:
        text = reasons[0] if reasons else "Apprise gives no reason"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redact(text, 200).rstrip(".")
