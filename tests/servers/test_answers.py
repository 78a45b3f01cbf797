"""The bytes that a client reads from a healthy app, on every server.

tests/asgi tests the answers. This module tests what a server could change: the bytes, HEAD, kept connections, HTTP/1.0,
paths and headers.
"""

import json
from dataclasses import replace

import pytest

from .apps import TOKEN
from .process import Running, started
from .servers import SERVERS, Server
from .wire import Answer, Connection

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(60)]

PATHS = ("/livez", "/readyz", "/startupz", "/health", "/health/live", "/health/ready", "/health/startup", "/healthz")
SPELLINGS = ("/readyz/", "/readyz?", "/readyz?x=1&y=%20", "/readyz/?x", "/readyz?verbose", "/%72eadyz")
OTHERS = ("/", "/ordinary", "/ready", "/readyzz", "/health/other", "/a/readyz", "/READYZ")
PASS = b'{"status":"pass"}'
TYPE = "application/health+json"
_ROOTS = {
    "uvicorn-h11-asyncio": "--root-path",
    "hypercorn-asyncio": "--root-path",
    "granian-asyncio": "--url-path-prefix",
    "gunicorn-asgi": "--root-path",
    "daphne": "--root-path",
}
ROOTED = [replace(row, command=(*row.command, _ROOTS[row.name], "/api")) for row in SERVERS if row.name in _ROOTS]
AUTHORISED = ("authorization", f"Bearer {TOKEN}")


def passes(answer: Answer, body: bytes = PASS) -> bool:
    """Check that it is the minimal answer of a healthy app, with each header once."""
    assert answer.status == 200
    assert answer.body == body
    assert answer.one("content-type") == TYPE
    assert answer.one("content-length") == str(len(PASS))
    assert answer.one("cache-control") == "no-store"
    assert answer.one("x-content-type-options") == "nosniff"
    assert not answer.all("transfer-encoding")
    return True


def test_every_path_in_every_spelling_passes(running: Running) -> None:
    answers = {target: running.ask("GET", target) for target in (*PATHS, *SPELLINGS)}
    assert all(passes(answer) for answer in answers.values())


def test_a_head_has_the_headers_of_a_get_and_no_body(running: Running) -> None:
    with Connection(running.address) as connection:
        assert passes(connection.ask("HEAD", "/readyz", [("connection", "close")]), body=b"")
        assert connection.rest() == b""


def test_the_answer_to_another_method_names_the_allowed_ones(running: Running) -> None:
    for method, body in {"POST": b"x", "PUT": b"x", "PATCH": b"x", "DELETE": b""}.items():
        answer = running.ask(method, "/readyz", body=body)
        assert answer.status == 405, method
        assert {word.strip() for word in answer.one("allow").split(",")} == {"GET", "HEAD", "OPTIONS"}
        assert answer.one("content-length") == str(len(answer.body))


def test_http_1_0_without_a_host_passes(running: Running) -> None:
    for method in ("GET", "OPTIONS", "HEAD"):
        with Connection(running.address) as connection:
            answer = connection.exchange(f"{method} /readyz HTTP/1.0\r\n\r\n".encode(), method)
            assert passes(answer, body=b"" if method == "HEAD" else PASS)
            assert connection.rest() == b""


def test_each_request_on_a_kept_connection_gets_its_answer(running: Running) -> None:
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


def test_another_path_reaches_the_app_unchanged(running: Running) -> None:
    for path in OTHERS:
        answer = running.ask("POST", f"{path}?a=%20b&c", ("x-custom", "value"), body=b"some body")
        seen = {"method": "POST", "path": path, "query": "a=%20b&c", "custom": ["value"], "body": "some body"}
        assert answer.status == 200
        assert answer.one("content-type") == "application/json"
        assert json.loads(answer.body) == seen


def test_authorised_clients_read_the_checks_and_others_the_status(running: Running) -> None:
    for target in ("/health", "/readyz?verbose"):
        answer = running.ask("GET", target, AUTHORISED)
        assert answer.status == 200
        assert answer.one("content-type") == TYPE
        assert answer.one("content-length") == str(len(answer.body))
        report = json.loads(answer.body)
        assert report["status"] == "pass"
        assert any("dependency" in name for name in report["checks"])
        assert passes(running.ask("GET", target, ("authorization", "Bearer wrong")))
    with Connection(running.address) as connection:
        head = connection.ask("HEAD", "/health", [AUTHORISED])
        assert (head.status, head.body) == (200, b"")
        assert int(head.one("content-length")) > len(PASS)
        assert passes(connection.ask("GET", "/readyz", [AUTHORISED, ("connection", "close")]))
        assert connection.rest() == b""
    assert running.ask("GET", "/health/ready/dependency", AUTHORISED).status == 200
    assert running.status("/health/ready/dependency") == 404


@pytest.mark.parametrize("server", ROOTED, ids=str)
def test_below_a_root_path_probes_pass_and_other_paths_reach_the_app(server: Server) -> None:
    """Some servers add the root path to the path, and some do not."""
    with started(server) as running:
        assert all(passes(running.ask("GET", path)) for path in PATHS)
        assert json.loads(running.ask("GET", "/ordinary").body)["path"].endswith("/ordinary")
        assert json.loads(running.ask("GET", "/apis/livez").body)["path"].endswith("/apis/livez")
        end = running.stop()
    end.assert_quiet()
