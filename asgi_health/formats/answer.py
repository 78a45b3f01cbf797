"""An answer as it goes over the wire, and what everybody may know."""

from dataclasses import dataclass, replace

from ..core.status import Status

HEALTH_JSON = b"application/health+json"
PLAIN_TEXT = b"text/plain; charset=utf-8"

WORDS = {Status.HEALTHY: "pass", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}
"""The statuses of draft-inadarei-api-health-check-06."""

CODES = {Status.HEALTHY: 200, Status.DEGRADED: 200, Status.UNHEALTHY: 503}
"""An ALB takes 200 alone for success and Consul reads 429 as a warning: these two serve every prober."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def answer(status: int, content_type: bytes, body: bytes, *more: tuple[bytes, bytes]) -> Answer:
    """Return an answer with the headers that all of them carry."""
    headers = (
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *more,
    )
    return Answer(status, headers, body)


MINIMAL = {
    status: answer(CODES[status], HEALTH_JSON, b'{"status":"%s"}' % word.encode()) for status, word in WORDS.items()
}
"""What everybody learns: the status, and nothing else."""

NOT_FOUND = answer(404, PLAIN_TEXT, b"not found\n")

REFUSALS = {
    400: answer(400, PLAIN_TEXT, b"bad request\n"),
    413: answer(413, PLAIN_TEXT, b"content too large\n"),
    431: answer(431, PLAIN_TEXT, b"request header fields too large\n"),
    505: answer(505, PLAIN_TEXT, b"http version not supported\n"),
}
"""What the listener answers to bytes that are no request, or one that it does not take."""

ALLOWED = ("GET", "HEAD", "OPTIONS")
_ALLOW = (b"allow", ", ".join(ALLOWED).encode())
METHOD_NOT_ALLOWED = answer(405, PLAIN_TEXT, b"method not allowed\n", _ALLOW)


def with_allow(answered: Answer) -> Answer:
    """Return the answer to OPTIONS, which says what else may be asked (RFC 9110, 9.3.7)."""
    return replace(answered, headers=(*answered.headers, _ALLOW))


DRAINED = answer(200, PLAIN_TEXT, b"drained\n")
POST_ONLY = answer(405, PLAIN_TEXT, b"method not allowed\n", (b"allow", b"GET, POST"))
"""A drain is asked for by GET too, for a Kubernetes preStop hook cannot do otherwise, and never by accident."""
