"""What everybody learns, byte for byte."""

import pytest

from asgi_health import Status
from asgi_health.formats.answer import METHOD_NOT_ALLOWED, MINIMAL, NOT_FOUND, Answer

EVERYWHERE = (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")
JSON = (b"content-type", b"application/engine+json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        (Status.HEALTHY, 200, b'{"status":"pass"}'),
        (Status.DEGRADED, 200, b'{"status":"warn"}'),
        (Status.UNHEALTHY, 503, b'{"status":"fail"}'),
    ],
)
def test_a_status_is_all_that_a_stranger_reads(status: Status, code: int, body: bytes) -> None:
    assert MINIMAL[status] == Answer(code, (JSON, (b"content-length", b"17"), *EVERYWHERE), body)


def test_every_status_has_its_answer() -> None:
    assert set(MINIMAL) == set(Status)


def test_what_is_not_there_is_a_plain_404() -> None:
    assert Answer(404, (TEXT, (b"content-length", b"10"), *EVERYWHERE), b"not found\n") == NOT_FOUND


def test_a_method_that_is_not_answered_learns_which_are() -> None:
    headers = (TEXT, (b"content-length", b"19"), *EVERYWHERE, (b"allow", b"GET, HEAD, OPTIONS"))
    assert Answer(405, headers, b"method not allowed\n") == METHOD_NOT_ALLOWED
