"""A complete HTTP answer, and the answers that every client may read."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..core.stalls import Stall
from ..core.status import Status
from ..core.transition import Reason

HEALTH_JSON = b"application/health+json"
JSON = b"application/json"
PLAIN_TEXT = b"text/plain; charset=utf-8"

WORDS = {Status.HEALTHY: "pass", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}
"""The statuses of draft-inadarei-api-health-check-06."""

CODES = {Status.HEALTHY: 200, Status.DEGRADED: 200, Status.UNHEALTHY: 503}
"""200 and 503 alone: for an ALB only 200 is a success, and Consul reads 429 as a warning."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer: status, headers and body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def answer(status: int, content_type: bytes, body: bytes, *more: tuple[bytes, bytes]) -> Answer:
    """Return an answer with the headers that all answers have, and `more`."""
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
"""The answers for clients that are not authorised: the status, and nothing else."""


PHASE_NOTES: tuple[Reason, ...] = ("starting", "draining", "maintenance")
"""The reasons that every client may read, as notes: the phase of the app, which is no secret to a client that it turns
away. Load balancers and people read in it that nothing is broken."""

_NOTED = {
    reason: answer(CODES[Status.UNHEALTHY], HEALTH_JSON, b'{"status":"fail","notes":["%s"]}' % reason.encode())
    for reason in PHASE_NOTES
}


def minimal(status: Status, stall: Stall | None = None, reason: Reason | None = None) -> Answer:
    """Return the answer that shows a status and, where the phase is the reason, the phase.

    Args:
        status: The status of the probe.
        stall: The present stall of the event loop, which the answer shows by its status only.
        reason: Why the probe has this status.
    """
    if status is Status.UNHEALTHY and reason in _NOTED:
        return _NOTED[reason]
    return MINIMAL[Status.UNHEALTHY if stall is not None and stall.too_long else status]


def strictly(answered: Answer, status: Status) -> Answer:
    """Return `answered`, which shows `status`, with 503 for a warning too."""
    return replace(answered, status=CODES[Status.UNHEALTHY]) if status is Status.DEGRADED else answered


def unauthorized(answered: Answer, challenge: bytes) -> Answer:
    """Return `answered` with 401 and the challenge that makes a browser ask for credentials (RFC 9110, 15.5.2)."""
    return Answer(401, (*answered.headers, (b"www-authenticate", challenge)), answered.body)


def bad_request(problems: Iterable[str]) -> Answer:
    """Return the answer to a query that asks for what there is not, with a line for each problem.

    Args:
        problems: What is wrong. Nothing of the request is repeated in it.
    """
    return answer(400, PLAIN_TEXT, "".join(f"{each}\n" for each in problems).encode())


NOT_FOUND = answer(404, PLAIN_TEXT, b"not found\n")
OTHER_ORIGIN = answer(403, PLAIN_TEXT, b"forbidden: a web page of another origin has sent this request\n")

REFUSALS = {
    400: answer(400, PLAIN_TEXT, b"bad request\n"),
    413: answer(413, PLAIN_TEXT, b"content too large\n"),
    431: answer(431, PLAIN_TEXT, b"request header fields too large\n"),
    505: answer(505, PLAIN_TEXT, b"http version not supported\n"),
}
"""The answers of the listener to bytes that are not a request, and to requests that it does not accept."""

ALLOWED = ("GET", "HEAD", "OPTIONS")
_ALLOW = (b"allow", ", ".join(ALLOWED).encode())
METHOD_NOT_ALLOWED = answer(405, PLAIN_TEXT, b"method not allowed\n", _ALLOW)


def with_allow(answered: Answer) -> Answer:
    """Return the answer to OPTIONS, which names the allowed methods (RFC 9110, 9.3.7)."""
    return replace(answered, headers=(*answered.headers, _ALLOW))


DRAINED = answer(200, PLAIN_TEXT, b"drained\n")
POST_ONLY = answer(405, PLAIN_TEXT, b"method not allowed\n", (b"allow", b"GET, POST"))
"""For the drain endpoint: GET starts a drain too, because a preStop hook of Kubernetes sends GET alone."""

ALLOWED_OF_MAINTENANCE = ("GET", "HEAD", "POST", "DELETE")
NO_METHOD_OF_MAINTENANCE = answer(
    405, PLAIN_TEXT, b"method not allowed\n", (b"allow", ", ".join(ALLOWED_OF_MAINTENANCE).encode())
)
