"""What is special about SMTP: what a run says to the server, and the client that each run has of its own."""

import asyncio
import gc
import os
import selectors
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
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
from .servers.server import PASSWORD, USER, WRONG_PASSWORD
from .servers.smtp import AUTHORITY, Smtp

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
async def test_a_run_logs_in_asks_and_quits(server: Smtp, start_tls: bool, said: list[str]) -> None:
    async with opener(start_tls=start_tls)(Target(server.port)) as new_client:
        before = len(server.commands())
        await expect(aiosmtplib_client(new_client), Status.HEALTHY, "^$")
        assert server.commands()[before:] == said
    await wait_until_async(lambda: server.connections() == 0, "nothing is connected")


async def test_a_certificate_that_is_not_trusted_fails(server: Smtp) -> None:
    check = aiosmtplib_client(lambda: aiosmtplib.SMTP(hostname=HOST, port=server.port, start_tls=True))
    await expect(check, Status.UNHEALTHY, "certificate verify failed", category="tls")


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


class TurnCounter(selectors.DefaultSelector):
    """Counts the turns of an event loop, each of which asks the selector once, and calls a function in one of them."""

    def __init__(self) -> None:
        super().__init__()
        self._turns_left = 0
        self._function: Callable[[], object] = bool

    def call_in(self, turn: int, function: Callable[[], object]) -> None:
        self._turns_left, self._function = turn, function

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns_left -= 1
        if self._turns_left == 0:
            self._function()
            timeout = 0  # the function has made work for this turn
        return super().select(timeout)


NEVER = 0
TURNS_TO_CLOSE = 2
"""asyncio closes the socket of a transport in the turn after `abort`."""


def run_on_new_loop(new_client: Callable[[], aiosmtplib.SMTP], *, cancelled_in: int) -> asyncio.Task[Any] | None:
    """Run the check and cancel it in that turn of its loop. Return the run if it had ended before, else None.

    Fails where the run leaves anything open, or swallows its cancellation.
    """
    counter = TurnCounter()
    cancellations: list[bool] = []

    async def main() -> asyncio.Task[Any]:
        before = descriptors()
        run = asyncio.ensure_future(aiosmtplib_client(new_client)())
        counter.call_in(cancelled_in, lambda: cancellations.append(run.cancel()))
        await asyncio.wait([run])
        counter.call_in(NEVER, bool)
        for _ in range(TURNS_TO_CLOSE):
            await asyncio.sleep(0)
        left = descriptors() - before
        assert not left, f"a run that was cancelled in turn {cancelled_in} has left {left} open"
        return run

    loop = asyncio.SelectorEventLoop(counter)
    try:
        run = loop.run_until_complete(main())
    finally:
        loop.close()
    assert run.cancelled() == any(cancellations), f"the cancellation in turn {cancelled_in} was swallowed"
    return None if run.cancelled() else run


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def clients(get_server: GetServer, encryption: str, password: str) -> Callable[[], aiosmtplib.SMTP]:
    name = "smtp over tls" if encryption == "tls" else "smtp"
    port = get_server(name).port
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return lambda: aiosmtplib.SMTP(
        hostname=HOST,
        port=port,
        username=USER,
        password=password,
        local_hostname="client.test",  # looking it up would open files
        start_tls=encryption == "starttls",
        use_tls=encryption == "tls",
        tls_context=context,
    )


encryptions = pytest.mark.parametrize("encryption", ["plain", "starttls", "tls"])


@encryptions
def test_a_run_leaves_nothing_open_in_whichever_turn_of_the_loop_it_is_cancelled(
    encryption: str, get_server: GetServer
) -> None:
    new_client = clients(get_server, encryption, PASSWORD)
    runs = (run_on_new_loop(new_client, cancelled_in=turn) for turn in count(1))
    ended = next(run for run in runs if run is not None)
    assert ended.result().status is Status.HEALTHY
    gc.collect()  # warns of a transport that was not closed


@encryptions
def test_a_failed_login_leaves_nothing_open(encryption: str, get_server: GetServer) -> None:
    ended = run_on_new_loop(clients(get_server, encryption, WRONG_PASSWORD), cancelled_in=NEVER)
    assert ended is not None
    assert isinstance(ended.exception(), aiosmtplib.SMTPAuthenticationError)
    gc.collect()  # warns of a transport that was not closed
