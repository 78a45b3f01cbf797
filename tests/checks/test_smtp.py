"""What is special about SMTP: what a run says to the server, and the client that each run has of its own."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiosmtplib
import pytest

from asgi_health import Status
from asgi_health.checks.smtp import aiosmtplib_client
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect
from .port import HOST
from .rows.smtp import opener
from .servers import Target
from .servers.server import PASSWORD, USER
from .servers.smtp import Smtp

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks smtp")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Smtp]:
    server = get_server("smtp")
    assert isinstance(server, Smtp)
    yield server
    server.restore()


@pytest.mark.parametrize(
    ("start_tls", "said"),
    [
        (False, ["EHLO", "AUTH", "NOOP", "QUIT"]),
        (True, ["EHLO", "STARTTLS", "EHLO", "AUTH", "NOOP", "QUIT"]),
    ],
    ids=["plain", "starttls"],
)
async def test_a_run_logs_in_asks_and_says_goodbye(server: Smtp, start_tls: bool, said: list[str]) -> None:
    async with opener(start_tls=start_tls)(Target(server.port)) as new_client:
        before = len(server.commands())
        await expect(aiosmtplib_client(new_client), Status.HEALTHY, "^$")
        assert server.commands()[before:] == said
    await wait_until_async(lambda: server.connections() == 0, "nothing is connected")


async def test_a_certificate_that_is_not_trusted_fails(server: Smtp) -> None:
    check = aiosmtplib_client(lambda: aiosmtplib.SMTP(hostname=HOST, port=server.port, start_tls=True))
    await expect(check, Status.UNHEALTHY, "certificate verify failed")


def test_a_client_in_place_of_a_function_is_refused() -> None:
    client: Any = aiosmtplib.SMTP(hostname="mail.test", password="rightsecret")
    with pytest.raises(TypeError, match=r"^aiosmtplib_client: expected a plain function that returns a new client"):
        aiosmtplib_client(client)


async def test_a_client_that_the_application_keeps_is_not_touched(server: Smtp) -> None:
    client = aiosmtplib.SMTP(hostname=HOST, port=server.port, username=USER, password=PASSWORD, start_tls=False)
    async with client:
        check = aiosmtplib_client(lambda: client)
        for _ in range(2):
            await expect(check, Status.UNHEALTHY, "^ClientError: the function returned a client that is in use")
        assert (await client.noop()).code == 250


async def test_a_function_that_returns_the_same_client_again_is_a_failure(server: Smtp) -> None:
    client = aiosmtplib.SMTP(hostname=HOST, port=server.port, username=USER, password=PASSWORD, start_tls=False)
    check = aiosmtplib_client(lambda: client)
    await expect(check, Status.HEALTHY, "^$")
    await expect(check, Status.UNHEALTHY, "expected a new one for each run$")


async def test_the_name_of_this_host_is_looked_up_once(server: Smtp, monkeypatch: pytest.MonkeyPatch) -> None:
    lookups: list[str] = []

    def getfqdn() -> str:
        lookups.append("host.test")
        return "host.test"

    monkeypatch.setattr(socket, "getfqdn", getfqdn)
    async with opener(start_tls=False)(Target(server.port)) as new_client:
        check = aiosmtplib_client(new_client)
        for _ in range(3):
            await expect(check, Status.HEALTHY, "^$")
    assert lookups == ["host.test"]


@asynccontextmanager
async def answering(answers: Mapping[bytes, bytes]) -> AsyncGenerator[int]:
    """Serve SMTP with these answers, and close at another command. At the end, no client is connected."""
    connected: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.add(writer)
        writer.write(b"220 mail.test\r\n")
        while (command := (await reader.readline())[:4]) in answers:
            writer.write(answers[command])
        writer.close()
        connected.remove(writer)

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]
        await wait_until_async(lambda: not connected, "the client has closed its connection", 5.0)


@pytest.mark.parametrize("answer", ["421 4.3.2 shutting down", "502 5.5.1 not implemented"])
async def test_another_answer_to_the_question_fails_with_its_words(answer: str) -> None:
    async with answering({b"EHLO": b"250 mail.test\r\n", b"NOOP": f"{answer}\r\n".encode()}) as port:
        check = aiosmtplib_client(lambda: aiosmtplib.SMTP(hostname=HOST, port=port))
        code, words = answer.split(" ", 1)
        await expect(check, Status.UNHEALTHY, f"^SMTPResponseException: .*{code}.*{words}")


async def test_a_server_that_leaves_without_goodbye_has_answered() -> None:
    async with answering({b"EHLO": b"250 mail.test\r\n", b"NOOP": b"250 2.0.0 OK\r\n"}) as port:
        await expect(aiosmtplib_client(lambda: aiosmtplib.SMTP(hostname=HOST, port=port)), Status.HEALTHY, "^$")
