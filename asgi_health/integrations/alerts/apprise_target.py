"""A target for each of the services that Apprise knows: Slack, Teams, mail, PagerDuty, Telegram and more."""

import logging
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from threading import local
from typing import Any, Protocol, cast
from urllib.parse import unquote

from ...formats.redact import redact
from .. import not_installed
from .message import Kind, Message
from .target import DeliveryError

NOTIFY_TYPES: dict[Kind, str] = {
    "alert": "warning",
    "repeat": "warning",
    "flapping": "warning",
    "recovery": "success",
    "test": "info",
}
"""What Apprise calls the kind of a message where nothing fails: a colour, an icon or a priority, by service."""

SCHEMES_WITH_HOST = ("form", "forms", "json", "jsons", "mailto", "mailtos", "xml", "xmls")
"""Schemes whose first part is certainly the name of a host. Elsewhere it may be a token, as in ``slack://``."""

MIN_SECRET = 3
"""Characters. A shorter part of a URL is not masked in reasons, because it occurs in ordinary words."""

MAX_PAUSE = 0.5
"""Seconds that Apprise waits between two requests to a service. Its default of up to 5.5 s is too long for the last
message of an app. `Limits` and `Outbox` see to it that messages are rare."""

NO_REASON = "Apprise gives no reason"

_MENTION = re.compile(r"@(?=(?:all|channel|everyone|here)\b)|<(?=[!@])")
"""Where chats would notify all members of a channel. The text of an error may come from elsewhere."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")


class _Apprise(Protocol):
    """What this module uses of the class Apprise: its own annotations are incomplete."""

    def add(self, services: str) -> bool: ...

    def notify(self, body: str, title: str, notify_type: str, body_format: str) -> object: ...

    def __iter__(self) -> Iterator[Any]: ...


class AppriseTarget:
    """Deliver messages through Apprise.

    Args:
        url: The URL of one service, as https://github.com/caronc/apprise/wiki lists them.

    Raises:
        ValueError: for a URL that Apprise does not take. The error names the scheme and not the URL, which holds
            secrets.
        ModuleNotFoundError: if Apprise is not installed.
    """

    def __init__(self, url: str) -> None:
        found = _SCHEME.match(url.strip())
        if found is None:
            raise ValueError(
                "alerts: a target must be a URL of Apprise such as slack://... or mailto://..., or a Target"
            )
        scheme = found[0].lower()
        with _captured() as reasons:
            apprise = _apprise_for(url)
        services: list[Any] = [*apprise]
        host = str(getattr(services[0], "host", None) or "") if services and scheme in SCHEMES_WITH_HOST else ""
        self._secrets = _secrets(url, host)
        if len(services) != 1:
            reason = "it holds several URLs" if services else self._masked(reasons)
            raise ValueError(
                f"alerts: Apprise does not take a URL {scheme}://...: {reason}; expected the URL of a service"
            )
        self._apprise = apprise
        self._service = services[0]
        self._timeouts = (self._service.socket_connect_timeout, self._service.socket_read_timeout)
        if "overflow=" not in url:
            # Most services refuse a text that is too long for them. The worst incidents come first.
            self._service.overflow_mode = _truncate()
        self._service.request_rate_per_sec = min(self._service.request_rate_per_sec, MAX_PAUSE)
        self._name = redact(f"{scheme}://{host}" if host else scheme, 100)

    @property
    def name(self) -> str:
        """The scheme of the URL, and its host where that is certainly one."""
        return self._name

    def __repr__(self) -> str:
        return f"AppriseTarget({self._name!r})"

    def send(self, message: Message, /, timeout: float) -> None:
        """Deliver `message`.

        Args:
            message: The message.
            timeout: Seconds for the connection and the answer together. A receiver that sends its answer piece by
                piece may take longer: Apprise limits the time between two pieces.

        Raises:
            DeliveryError: with the reason that Apprise logs.
        """
        connect, read = self._timeouts
        self._service.socket_connect_timeout = min(connect, timeout / 2)
        self._service.socket_read_timeout = min(read, timeout / 2)
        with _captured() as reasons:
            delivered = self._apprise.notify(
                body=_without_mentions(message.text),
                title=_without_mentions(message.title),
                notify_type=_notify_type(message),
                body_format="text",
            )
        if not delivered:
            raise DeliveryError(self._masked(reasons))

    def _masked(self, reasons: list[str]) -> str:
        text = reasons[0] if reasons else NO_REASON
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redact(text, 200).rstrip(".")


def _apprise_for(url: str) -> _Apprise:
    try:
        from apprise import Apprise, AppriseAsset
    except ModuleNotFoundError as error:
        raise not_installed(error, "apprise", extra="alerts") from None
    options: dict[str, Any] = {"app_id": "asgi-health", "app_desc": "asgi-health", "async_mode": False}
    if hasattr(AppriseAsset, "_service_timeout"):
        # Since 2.0 a service with this limit, 60 s by default, is called in a pool of threads. The end of the
        # interpreter waits for such threads, so a receiver that hangs would delay the exit.
        options["service_timeout"] = 0
    apprise = cast("_Apprise", Apprise(asset=AppriseAsset(**options)))
    try:
        apprise.add(url)
    except Exception as error:  # plugins parse URLs, and some raise what they like
        logging.getLogger("apprise").error("%s", type(error).__name__)
    return apprise


def _notify_type(message: Message) -> str:
    only_warnings = message.incidents and all(
        each.status == "warn" for each in message.incidents if each.state != "recovered"
    )
    if message.kind in ("alert", "repeat") and not only_warnings:
        return "failure"
    if message.kind == "recovery" and message.open:
        return "info"  # PagerDuty and Opsgenie take a success as the end of everything
    return NOTIFY_TYPES[message.kind]


def _without_mentions(text: str) -> str:
    return _MENTION.sub("\\g<0>\N{ZERO WIDTH SPACE}", text)


def _truncate() -> Any:
    from apprise import OverflowMode

    return OverflowMode.TRUNCATE


def _secrets(url: str, host: str) -> list[str]:
    """Return the parts of `url` that no log may show, the longest first: whatever is neither scheme nor host."""
    _, _, rest = url.partition("://")
    parts = {each.partition("=")[2] or each for each in re.split(r"[/:@?&#,\s]+", rest)}
    parts |= {unquote(each) for each in parts}
    return sorted((each for each in parts if _is_secret(each, host)), key=len, reverse=True)


def _is_secret(part: str, host: str) -> bool:
    is_port = part.isdecimal() and len(part) <= 5
    return len(part) >= MIN_SECRET and not is_port and part != host


class _Captured(local):
    """The reasons that Apprise logs in the present thread; None while no target of this module calls it."""

    reasons: list[str] | None = None


_present = _Captured()


class _Capture(logging.Filter):
    """Keep what Apprise logs about the calls of this module out of the app's log, and remember the warnings.

    Apprise logs each try, and at the level DEBUG the whole URL.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        reasons = _present.reasons
        if reasons is None:
            return True
        if record.levelno >= logging.WARNING:
            reasons.append(record.getMessage())
        return False


_capture = _Capture()


@contextmanager
def _captured() -> Generator[list[str]]:
    logging.getLogger("apprise").addFilter(_capture)  # no effect where it is there already
    reasons: list[str] = []
    _present.reasons = reasons
    try:
        yield reasons
    finally:
        _present.reasons = None
