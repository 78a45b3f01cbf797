"""Texts as HTML. Every text of the page comes through here, whatever its source."""

from html import escape
from urllib.parse import urlsplit

from ...core.result import MESSAGE_LIMIT
from ..redact import redact
from ..redact.clean import cut, one_line

MAX_LINK = 2000
"""Characters of a link; a longer one is shown as text."""

FIELD_LIMIT = 200
"""Characters shown of a field that describes the app, such as its version."""


def message(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return a text of a check, without credentials and control characters, as HTML of its own direction of writing."""
    return isolated(redact(text, limit))


def field(text: str, limit: int = FIELD_LIMIT) -> str:
    """Return a text that the app says about itself, without control characters, as HTML of its own direction."""
    return isolated(cut(one_line(cut(text, 10 * limit)), limit))


def plain(text: str, limit: int = FIELD_LIMIT) -> str:
    """Return a text for a place that cannot hold elements: an attribute, or the title of the document."""
    return escape(cut(one_line(cut(text, 10 * limit)), limit))


def isolated(text: str) -> str:
    """Return a clean text as HTML. `bdi` keeps a text that is written from right to left from moving the others."""
    return f"<bdi>{escape(text)}</bdi>"


def link(url: str, shown: str) -> str:
    """Return a link to `url` with `shown`, which is HTML; without the link where `url` is not plain http or https."""
    if not _is_safe(url):
        return f"<span>{shown}</span>"
    return f'<a href="{escape(url)}" rel="noopener noreferrer">{shown}</a>'


def _is_safe(url: str) -> bool:
    if len(url) > MAX_LINK or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
