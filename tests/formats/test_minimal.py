"""The answers that every client may read, byte for byte."""

import pytest

from asgi_health import Status
from asgi_health.formats.answer import METHOD_NOT_ALLOWED, MINIMAL, NOT_FOUND, Answer

COMMON = (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")
JSON = (b"content-type", b"application/health+json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        (Status.HEALTHY, 200, b'{"status":"pass"}'),
        (Status.DEGRADED, 200, b'{"status":"warn"}'),
        (Status.UNHEALTHY, 503, b'{"status":"fail"}'),
    ],
)
def test_the_minimal_answer_has_a_status_and_nothing_else(status: Status, code: int, body: bytes) -> None:
    assert MINIMAL[status] == Answer(code, (JSON, (b"content-length", b"17"), *COMMON), body)


def test_every_status_has_a_minimal_answer() -> None:
    assert set(MINIMAL) == set(Status)


def test_not_found_is_a_plain_404() -> None:
    assert Answer(404, (TEXT, (b"content-length", b"10"), *COMMON), b"not found\n") == NOT_FOUND


def test_method_not_allowed_names_the_allowed_methods() -> None:
    headers = (TEXT, (b"content-length", b"19"), *COMMON, (b"allow", b"GET, HEAD, OPTIONS"))
    assert Answer(405, headers, b"method not allowed\n") == METHOD_NOT_ALLOWED
