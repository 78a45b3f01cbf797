"""HTTP/2 without TLS, on the servers that support it."""

from collections.abc import Iterator

import httpx
import pytest

from .apps import TOKEN
from .process import Running
from .servers import SERVERS, Server

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("server", [row for row in SERVERS if row.http2], ids=str, indirect=True),
]

PASS = b'{"status":"pass"}'


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    address = running.address
    path, base = (address, "http://localhost") if isinstance(address, str) else (None, f"http://127.0.0.1:{address[1]}")
    transport = httpx.HTTPTransport(uds=path, http1=False, http2=True)
    with httpx.Client(transport=transport, base_url=base, timeout=10.0) as client:
        yield client


def test_get_and_head_pass_on_one_connection(client: httpx.Client) -> None:
    for method in ("GET", "HEAD", "GET", "OPTIONS", "HEAD"):
        answer = client.request(method, "/readyz")
        assert answer.http_version == "HTTP/2"
        assert answer.status_code == 200
        assert answer.content == (b"" if method == "HEAD" else PASS)
        assert answer.headers["content-type"] == "application/health+json"
        assert answer.headers["content-length"] == str(len(PASS))
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_another_method_is_refused_and_another_path_reaches_the_app(client: httpx.Client) -> None:
    # Without a body: hypercorn loses the connection (KeyError) when an app answers before the body has come.
    assert client.delete("/readyz").status_code == 405
    assert client.post("/ordinary", content=b"some body").json()["body"] == "some body"
    assert client.get("/readyz").content == PASS


def test_hypercorn_offers_the_trailers_that_grpc_needs_and_granian_does_not(
    client: httpx.Client, server: Server
) -> None:
    offered = "http.response.trailers" in client.get("/extensions").json()["extensions"]
    assert offered == server.name.startswith("hypercorn")


def test_a_failure_is_answered_in_full(client: httpx.Client, running: Running) -> None:
    running.folder.broken.touch()
    try:
        running.wait_for_status("/readyz", 503)
        assert client.get("/readyz").content == b'{"status":"fail"}'
        assert client.head("/readyz").status_code == 503
        assert client.get("/livez").content == PASS
    finally:
        running.folder.broken.unlink()
    running.wait_for_status("/readyz", 200)


def test_events_share_the_connection_with_probes(client: httpx.Client) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with client.stream("GET", "/health/events", headers=headers) as answer:
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
        pieces = answer.iter_bytes()
        received = b""
        while b"event: updated" not in received:
            received += next(pieces)
        assert client.get("/readyz").content == PASS
        while received.count(b"event: updated") < 2:
            received += next(pieces)
    assert client.get("/readyz").content == PASS
