"""The URL of a receiver. Path and query may be secrets, as in the URLs of Slack and healthchecks.io."""

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

EXPECTED = "http://host/path or https://host/path, in printable ASCII without spaces"


@dataclass(frozen=True, slots=True)
class ReceiverUrl:
    """A URL that a request can be sent to.

    Attributes:
        origin: Scheme, host and port, for logs.
        scheme: ``http`` or ``https``.
        host: The host, an IPv6 address without brackets.
        port: The port, None for that of the scheme.
        authority: The value of the header ``Host``.
        target: Path and query.
        authorization: The value of the header ``Authorization`` for the user and password of the URL, None without.
    """

    origin: str
    scheme: str
    host: str
    port: int | None
    authority: str
    target: str = field(repr=False)
    authorization: str | None = field(repr=False)


def parse_receiver_url(subject: str, url: object) -> ReceiverUrl:
    """Return `url` in parts. No error shows the URL.

    Raises:
        TypeError: It is not a string.
        ValueError: It is not such a URL; `subject` begins the text.
    """
    if not isinstance(url, str):
        raise TypeError(f"{subject}: url must be a string, not one of {type(url).__qualname__}")
    # An error of urlsplit shows what it could not parse, which may be a part of the password.
    refused = ValueError(f"{subject}: url must be {EXPECTED}; a / in a password is written as %2F")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise refused
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # as the look-up does: a label may be empty or too long
    except ValueError:
        raise refused from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise refused
    authority = parts.netloc.rpartition("@")[2]
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(credentials.encode()).decode()}"
    return ReceiverUrl(
        origin=f"{parts.scheme}://{authority}",
        scheme=parts.scheme,
        host=parts.hostname,
        port=port,
        authority=authority,
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        authorization=authorization,
    )
