"""What is special about HTTP: which answers pass."""

import traceback
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import httpx
import pytest

from asgi_health import Status
from asgi_health.checks.http import httpx_url
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, observe
from .rows.http import occupy_httpx, open_httpx
from .servers import Server, Target
from .servers.http import LOGIN
from .servers.server import PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks http")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("http")
    yield server
    server.restore()


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with open_httpx(Target(server.port)) as client:
        client.follow_redirects = True  # a check does not, whatever the client does
        yield client


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("/health", {}, ""),
        ("/health", {"method": "GET"}, ""),
        ("/error", {"statuses": [500]}, ""),
        ("/away", {"statuses": (301, 302)}, ""),
        ("/health", {"members": {"status": "ok", "version": 3}}, ""),
        ("/away", {}, "^HEAD was answered by 302, expected 200 or 204$"),
        ("/error", {}, "^HEAD was answered by 500, expected 200 or 204$"),
        ("/error", {"method": "GET"}, "^GET was answered by 500, expected 200 or 204$"),
        ("/nowhere", {"statuses": range(200, 300)}, "^HEAD was answered by 404, expected one of 100: 200 to 299$"),
        ("/health", {"members": {"status": "fine"}}, '^status is "ok" in the answer, expected "fine"$'),
        ("/health", {"members": {"missing": None}}, "^the answer has no missing$"),
        ("/error", {"members": {"status": "ok"}}, "^GET was answered by 500"),
        ("/text", {"members": {"status": "ok"}}, "^the answer is no JSON of at most 65536 bytes$"),
        ("/list", {"members": {"status": "ok"}}, "^the answer is JSON, but no object$"),
        ("/large", {"members": {"status": "ok"}}, "^the answer is no JSON of at most 65536 bytes$"),
    ],
    ids=str,
)
async def test_an_answer_is_healthy_or_named_in_the_failure(
    client: httpx.AsyncClient, path: str, options: dict[str, Any], message: str
) -> None:
    await expect(
        httpx_url(client, path, **options),
        Status.UNHEALTHY if message else Status.HEALTHY,
        message or "^$",
        timeout=2.0,
    )


@pytest.mark.parametrize("options", [{}, {"method": "GET"}, {"members": {"status": "ok"}}], ids=str)
async def test_a_run_uses_the_connection_of_the_last(
    client: httpx.AsyncClient, server: Server, options: dict[str, Any]
) -> None:
    check = httpx_url(client, "/health", **options)
    await expect(check, Status.HEALTHY, "")
    (before,) = pool_of(client).connections
    for _ in range(20):
        assert (await observe(check)).result.status is Status.HEALTHY
    assert pool_of(client).connections == [before]
    # The last one of a former test may not be closed yet.
    await wait_until_async(lambda: server.connections() == 1, "there is no other connection")


async def test_a_body_that_is_cut_off_leaves_no_connection(client: httpx.AsyncClient, server: Server) -> None:
    check = httpx_url(client, "/large", method="GET")
    for _ in range(5):
        await expect(check, Status.HEALTHY, "", timeout=2.0)
    await wait_until_async(lambda: server.connections() == 0, "no client is connected")


async def test_a_server_that_was_restarted_since_the_last_run_is_healthy(
    client: httpx.AsyncClient, server: Server
) -> None:
    check = httpx_url(client, "/health")
    await expect(check, Status.HEALTHY, "")
    server.daemon.kill()
    server.start()
    await expect(check, Status.HEALTHY, "^$")


async def test_the_extra_connection_for_an_exhausted_pool_is_closed(client: httpx.AsyncClient, server: Server) -> None:
    async with occupy_httpx(client):
        for _ in range(5):
            await expect(httpx_url(client, "/health"), Status.DEGRADED, "pool exhausted")
        await wait_until_async(lambda: server.connections() == 2, "only the pool is connected")


async def test_an_exhausted_pool_does_not_hide_a_wrong_answer(client: httpx.AsyncClient) -> None:
    async with occupy_httpx(client):
        await expect(httpx_url(client, "/error"), Status.UNHEALTHY, "^HEAD was answered by 500")


async def test_a_hook_signs_the_request_on_an_extra_connection_too(server: Server) -> None:
    async def sign(request: httpx.Request) -> None:
        request.headers["authorization"] = LOGIN.decode()

    async with open_httpx(Target(server.port)) as client:
        client.auth = None
        client.event_hooks = {"request": [sign]}
        await expect(httpx_url(client, "/health"), Status.HEALTHY, "^$")
        async with occupy_httpx(client):
            await expect(httpx_url(client, "/health"), Status.DEGRADED, "pool exhausted")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "^HEAD was answered by 500, expected 200 or 204$"),
        ({"statuses": (500,)}, ""),
        ({"members": {"status": "ok"}}, "^GET was answered by 500"),
        ({"statuses": (500,), "members": {"status": "ok"}}, "^the answer could not be read: a hook of the client "),
    ],
    ids=str,
)
async def test_a_hook_that_raises_for_a_status_does_not_show_the_url_or_change_the_result(
    client: httpx.AsyncClient, options: dict[str, Any], message: str
) -> None:
    client.event_hooks = {"response": [raise_for_status]}
    check = httpx_url(client, f"/error?key={PASSWORD}", **options)
    await expect(check, Status.UNHEALTHY if message else Status.HEALTHY, message or "^$")


async def test_a_body_that_a_hook_has_read_before_it_raises_counts() -> None:
    async def read(response: httpx.Response) -> None:
        await response.aread()
        await raise_for_status(response)

    transport = httpx.MockTransport(lambda _: httpx.Response(503, json={"ready": False}))
    async with httpx.AsyncClient(transport=transport, event_hooks={"response": [read]}) as client:
        check = httpx_url(client, "http://service/health", statuses=(503,), members={"ready": True})
        await expect(check, Status.UNHEALTHY, "^ready is false in the answer, expected true$")


async def test_a_refusal_of_the_client_s_auth_is_no_answer_of_the_service() -> None:
    class Token(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
            token = yield httpx.Request("POST", f"http://tokens/?key={PASSWORD}")
            token.raise_for_status()
            yield request

    transport = httpx.MockTransport(lambda request: httpx.Response(401 if request.url.host == "tokens" else 200))
    async with httpx.AsyncClient(transport=transport, auth=Token()) as client:
        check = httpx_url(client, "http://service/health", statuses=(401,))
        await expect(check, Status.UNHEALTHY, "^a request of the client's own was answered by 401$", category="auth")


@pytest.mark.parametrize("secret", [f"{PASSWORD}\n", f"Bearer {PASSWORD}\n"])
async def test_a_header_that_is_not_valid_is_not_shown(client: httpx.AsyncClient, secret: str) -> None:
    client.headers["x-api-key"] = secret
    message = "^the request cannot be sent: a header, or the URL, is not valid$"
    await expect(httpx_url(client, "/health"), Status.UNHEALTHY, message)


async def test_a_transport_without_a_pool_is_used_as_it_is() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(204))) as client:
        result = await expect(httpx_url(client, "http://service/health"), Status.HEALTHY, "^$")
        assert result.data == {}


async def test_a_url_with_a_password_is_not_shown(free_port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://user:rightsecret@127.0.0.1:{free_port}/health"  # expect() looks for it
        await expect(httpx_url(client, url), Status.UNHEALTHY, "^ConnectionRefusedError: ", category="refused")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "POST"}, "method must be HEAD or GET, not 'POST'"),
        ({"statuses": (20,)}, "each of statuses must be from 100 to 599, not 20"),
        ({"statuses": ()}, "statuses must not be empty"),
    ],
)
async def test_a_wrong_argument_is_refused_when_the_check_is_made(options: dict[str, Any], message: str) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ValueError, match=f"^httpx_url: {message}$"):
            httpx_url(client, "/health", **options)


@pytest.mark.parametrize(
    ("expected", "answered", "same"),
    [
        (True, "true", True),
        (True, "1", False),
        (False, "0", False),
        (1, "true", False),
        (0, "false", False),
        (1, "1.0", True),
        (1.0, "1", True),
        (0.5, "0.5", True),
        (2**53 + 1, str(2**53), False),
        (1, '"1"', False),
        (None, "null", True),
        (("a", {"x": [True], "y": 1}), '["a", {"y": 1, "x": [true]}]', True),
        (["a", {"x": [True]}], '["a", {"x": [1]}]', False),
    ],
    ids=str,
)
async def test_a_member_is_compared_by_the_rules_of_json(expected: object, answered: str, same: bool) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=f'{{"ready": {answered}}}'))
    async with httpx.AsyncClient(transport=transport) as client:
        check = httpx_url(client, "http://service/health", members={"ready": expected})
        await expect(check, Status.HEALTHY if same else Status.UNHEALTHY, "^$" if same else "^ready is .*, expected")


@pytest.mark.parametrize(("value", "kind"), [({1, 2}, TypeError), (b"ok", TypeError), (float("nan"), ValueError)])
def test_a_member_that_json_cannot_hold_is_refused_when_the_check_is_made(value: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"^httpx_url: members: ready: JSON cannot hold the value: "):
        httpx_url(lambda: None, "https://service/health", members={"ready": value})


@pytest.mark.parametrize(
    "url",
    [
        "https://user:rightsec/ret@host/health",
        "https://user:rightsecret@host:rightsecret/",
        "ftp://user:rightsecret@host/health",
        "user:rightsecret@host/health",
        "//user:rightsecret@host/health",
        "https://user:rightsecret@/health",
        "https:///rightsecret",
        "https://user:rightsecret@ho\nst/",
        "localhost:8000/rightsecret",
    ],
)
@pytest.mark.parametrize("client", [httpx.AsyncClient, lambda: None])
def test_a_wrong_url_is_refused_when_the_check_is_made_and_not_shown(client: Any, url: str) -> None:
    given = client() if isinstance(client, type) else client
    with pytest.raises(ValueError, match=r"^httpx_url: url must be http or https, :// and a host, or a path") as caught:
        httpx_url(given, url)
    assert "rightsec" not in "".join(traceback.format_exception(caught.value))


def test_a_url_that_is_no_string_is_refused() -> None:
    url: Any = b"https://user:rightsecret@host/"
    with pytest.raises(TypeError, match=r"^httpx_url: url must be a string, not one of bytes$"):
        httpx_url(lambda: None, url)


async def raise_for_status(response: httpx.Response) -> None:
    response.raise_for_status()


def pool_of(client: Any) -> Any:
    # Private: httpx has no public name for its pool.
    return client._transport._pool
