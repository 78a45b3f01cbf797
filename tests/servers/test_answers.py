"""What a prober reads from a healthy app, byte by byte, on every server."""

import json

import pytest

from .apps import TOKEN
from .process import Running
from .wire import Answer, Connection

pytestmark = pytest.mark.timeout(60)

PATHS = ("/livez", "/readyz", "/startupz", "/health", "/health/live", "/health/ready", "/health/startup", "/healthz")
PASS = b'{"status":"pass"}'
TYPE = "application/health+json"
AUTHORISED = ("authorization", f"Bearer {TOKEN}")


def passes(answer: Answer, body: bytes = PASS) -> bool:
    """Whether it is the minimal answer of a healthy app, each header exactly once."""
    assert answer.status == 200
    assert answer.body == body
    assert answer.one("content-type") == TYPE
    assert answer.one("content-length") == str(len(PASS))
    assert answer.one("cache-control") == "no-store"
    assert answer.one("x-content-type-options") == "nosniff"
    assert not answer.all("transfer-encoding")
    return True


@pytest.mark.parametrize("path", PATHS)
def test_a_get_passes(running: Running, path: str) -> None:
    assert passes(running.ask("GET", path))


def test_a_head_has_the_headers_of_a_get_and_no_body(running: Running) -> None:
    with Connection(running.address) as connection:
        assert passes(connection.ask("HEAD", "/readyz", [("connection", "close")]), body=b"")
        assert connection.rest() == b""


def test_options_is_answered_like_get(running: Running) -> None:
    assert passes(running.ask("OPTIONS", "/readyz"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_another_method_is_told_which_are_allowed(running: Running, method: str) -> None:
    answer = running.ask(method, "/readyz", body=b"x" if method != "DELETE" else b"")
    assert answer.status == 405
    assert {word.strip() for word in answer.one("allow").split(",")} == {"GET", "HEAD", "OPTIONS"}
    assert answer.one("content-length") == str(len(answer.body))


@pytest.mark.parametrize(
    "target", ["/readyz/", "/readyz?", "/readyz?x=1&y=%20", "/readyz/?x", "/readyz?verbose", "/%72eadyz"]
)
def test_a_slash_a_query_and_an_escape_are_the_same_path(running: Running, target: str) -> None:
    assert passes(running.ask("GET", target))


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "HEAD"])
def test_http_1_0_without_a_host_passes(running: Running, method: str) -> None:
    with Connection(running.address) as connection:
        answer = connection.exchange(f"{method} /readyz HTTP/1.0\r\n\r\n".encode(), method)
        assert passes(answer, body=b"" if method == "HEAD" else PASS)
        assert connection.rest() == b""


def test_a_connection_that_is_kept_stays_in_step(running: Running) -> None:
    with Connection(running.address) as connection:
        for _ in range(3):
            assert passes(connection.ask("HEAD", "/readyz"), body=b"")
            assert passes(connection.ask("GET", "/readyz"))
            assert connection.ask("POST", "/readyz", body=b"ignored").status == 405
            assert passes(connection.ask("GET", "/livez"))
            assert passes(connection.ask("OPTIONS", "/startupz"))
            assert json.loads(connection.ask("GET", "/ordinary").body)["path"] == "/ordinary"
        assert passes(connection.ask("GET", "/readyz", [("connection", "close")]))
        assert connection.rest() == b""


@pytest.mark.parametrize("path", ["/", "/ordinary", "/ready", "/readyzz", "/health/other", "/a/readyz", "/READYZ"])
def test_another_path_reaches_the_app_unchanged(running: Running, path: str) -> None:
    answer = running.ask("POST", f"{path}?a=%20b&c", ("x-custom", "value"), body=b"some body")
    seen = {"method": "POST", "path": path, "query": "a=%20b&c", "custom": ["value"], "body": "some body"}
    assert answer.status == 200
    assert answer.one("content-type") == "application/json"
    assert json.loads(answer.body) == seen


@pytest.mark.parametrize("target", ["/readyz?verbose", "/health", "/health/ready?verbose"])
def test_whoever_is_authorised_reads_the_checks(running: Running, target: str) -> None:
    answer = running.ask("GET", target, AUTHORISED)
    assert answer.status == 200
    assert answer.one("content-type") == TYPE
    assert answer.one("content-length") == str(len(answer.body))
    report = json.loads(answer.body)
    assert report["status"] == "pass"
    assert any("dependency" in name for name in report["checks"])


def test_details_of_a_head_have_a_true_length_and_no_body(running: Running) -> None:
    with Connection(running.address) as connection:
        head = connection.ask("HEAD", "/health", [AUTHORISED])
        assert head.status == 200
        assert int(head.one("content-length")) > len(PASS)
        assert passes(connection.ask("GET", "/readyz", [AUTHORISED, ("connection", "close")]))
        assert connection.rest() == b""


@pytest.mark.parametrize("header", [("authorization", "Bearer wrong"), ("authorization", TOKEN), ("x-other", TOKEN)])
@pytest.mark.parametrize("target", ["/readyz?verbose", "/health", "/readyz?format=text", "/health?exclude=dependency"])
def test_a_stranger_reads_the_status_alone(running: Running, target: str, header: tuple[str, str]) -> None:
    assert passes(running.ask("GET", target, header))


def test_a_single_check_is_unknown_to_a_stranger(running: Running) -> None:
    assert running.status("/health/ready/dependency") == 404
    assert running.ask("GET", "/health/ready/dependency", AUTHORISED).status == 200
