"""Server-sent events: their framing, and the answer that begins a stream of them (WHATWG HTML, 9.2)."""

import re

from .answer import Answer

_HEADERS = (
    (b"content-type", b"text/event-stream"),
    # Without `no-transform` some proxies and middlewares compress the stream, and so collect it.
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx buffers a response without it
    (b"x-content-type-options", b"nosniff"),
)

STREAM_HEAD = Answer(200, _HEADERS, b"")
"""The beginning of a stream: an answer without a length."""

NO_STREAM = Answer(200, (*_HEADERS, (b"content-length", b"0")), b"")
"""The answer to a request that asks about the stream and not for it."""

HEARTBEAT = b":\n\n"
"""A comment. Clients ignore it, and proxies see that the connection is in use."""

_LINE_END = re.compile(r"\r\n|\r|\n")


def event(name: str, data: str, *, id: str | None = None) -> bytes:
    """Return one event.

    Args:
        name: Its type; a word.
        data: What it carries. Each line gets a field of its own, so no text can end the event or begin another.
        id: What a client sends as Last-Event-ID when it connects again, None to keep that of the event before.
    """
    fields = [f"event: {name}"]
    if id is not None:
        fields.append(f"id: {id}")
    fields += [f"data: {line}" for line in _LINE_END.split(data)]
    return "\n".join([*fields, "", ""]).encode("utf-8", "replace")


def retry(milliseconds: int) -> bytes:
    """Return the field that says how long a client waits before it connects again."""
    return b"retry: %d\n\n" % milliseconds
